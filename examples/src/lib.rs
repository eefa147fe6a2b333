//! What the example programs share: the choice of a runtime, and TLS options. A program for one runtime needs
//! none of this: it depends on one adapter, such as `asyncnet-tokio`.

pub mod pipeline;

use std::error::Error;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use asyncnet::net::{ConnectOptions, ListenOptions};
use asyncnet::runtime::Pipes;
use asyncnet::{Config, Connection, Listener, SendRuntime, TlsContext};
use asyncnet_async_std::AsyncStd;
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use clap::{Args, ValueEnum};

/// The runtimes to choose from.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Runtime {
    /// tokio, with its pool of threads.
    #[default]
    Tokio,
    /// smol.
    Smol,
    /// async-std.
    AsyncStd,
}

/// A runtime with the two things that asyncnet leaves to it: to run a future to its end, and to spawn one.
pub trait Platform: 'static {
    /// Its sockets and its clock.
    type Runtime: SendRuntime + Pipes;

    /// Runs `future` to its end.
    fn block_on<T>(future: impl Future<Output = T>) -> T;

    /// Runs `task` beside the task that calls, and forgets it.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
}

/// A connection of a platform.
pub type Conn<P> = Connection<<<P as Platform>::Runtime as asyncnet::Runtime>::Stream>;

/// tokio, with its pool of threads.
#[derive(Debug)]
pub enum OnTokio {}

impl Platform for OnTokio {
    type Runtime = Tokio;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.enable_all().build().expect("a tokio runtime starts").block_on(future)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }
}

/// smol.
#[derive(Debug)]
pub enum OnSmol {}

impl Platform for OnSmol {
    type Runtime = Smol;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

/// async-std.
#[derive(Debug)]
pub enum OnAsyncStd {}

impl Platform for OnAsyncStd {
    type Runtime = AsyncStd;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        drop(async_std::task::spawn(task));
    }
}

/// `run_on!(runtime, run(arguments))` runs `async fn run<P: Platform>(arguments) -> Result<(), E>` on the
/// [`Runtime`] that `runtime` names. Its value is the exit code of the program: see [`finish`].
#[macro_export]
macro_rules! run_on {
    ($runtime:expr, $run:ident($($argument:expr),*)) => {
        $crate::finish(match $runtime {
            $crate::Runtime::Tokio => {
                <$crate::OnTokio as $crate::Platform>::block_on($run::<$crate::OnTokio>($($argument),*))
            }
            $crate::Runtime::Smol => {
                <$crate::OnSmol as $crate::Platform>::block_on($run::<$crate::OnSmol>($($argument),*))
            }
            $crate::Runtime::AsyncStd => {
                <$crate::OnAsyncStd as $crate::Platform>::block_on($run::<$crate::OnAsyncStd>($($argument),*))
            }
        })
    };
}

/// The exit code of a program: 0, or 1 after a line on standard error that says what failed.
pub fn finish<E: Into<Box<dyn Error>>>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.into());
            ExitCode::FAILURE
        }
    }
}

/// The options of a client: the runtime, and how the server is reached over TLS.
#[derive(Args, Clone, Debug, Default)]
pub struct Client {
    /// The async runtime to run on
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
    /// Speak TLS from the first byte, and verify the server's certificate
    #[arg(long)]
    pub tls: bool,
    /// Trust the certificates in this file, in PEM, and not those that the system trusts
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The name that the server's certificate must be for, if it is not the host
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

impl Client {
    /// What the client trusts.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds no certificate, or the name is none.
    pub fn context(&self) -> io::Result<TlsContext> {
        let trusted = match &self.ca {
            Some(path) => TlsContext::client().ca_file(path)?,
            None => TlsContext::client(),
        };
        let context = trusted.build()?;
        Ok(match &self.name {
            Some(name) => context.for_server(name)?,
            None => context,
        })
    }

    /// For `asyncnet::net::connect`: TLS from the first byte, if that was asked for.
    ///
    /// # Errors
    ///
    /// As [`context`](Self::context).
    pub fn connect_options(&self) -> io::Result<ConnectOptions> {
        let options = ConnectOptions::new();
        Ok(if self.tls { options.tls(&self.context()?) } else { options })
    }
}

/// The options of a server: the runtime, and the certificate to show.
#[derive(Args, Clone, Debug, Default)]
pub struct Server {
    /// The async runtime to run on
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
    /// Speak TLS from the first byte; without it the certificate is for STARTTLS, where the protocol has that
    #[arg(long, requires = "cert")]
    pub tls: bool,
    /// The certificate to show, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The key to it
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

impl Server {
    /// What the server shows; `None` without a certificate.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or the key does not fit the certificate.
    pub fn context(&self) -> io::Result<Option<TlsContext>> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        Ok(Some(TlsContext::server().identity_files(cert, key)?.build()?))
    }

    /// For `asyncnet::Listener::bind_with`: TLS from the first byte, if that was asked for.
    ///
    /// # Errors
    ///
    /// As [`context`](Self::context).
    pub fn listen_options(&self) -> io::Result<ListenOptions> {
        let options = ListenOptions::new();
        Ok(match self.context()? {
            Some(context) if self.tls => options.tls(&context),
            _ => options,
        })
    }

    /// Listens at `address`, says so on standard output, and serves every client in a task of its own, for ever.
    ///
    /// # Errors
    ///
    /// If the options or the address are bad. What fails for one client is a line on standard error.
    ///
    /// # Cancel safety
    ///
    /// A drop ends the listener. Clients that are being served go on.
    pub async fn serve<P: Platform, F>(
        &self,
        address: &str,
        config: Config,
        serve: impl Fn(Conn<P>) -> F,
    ) -> Result<(), asyncnet::Error>
    where
        F: Future<Output = Result<(), asyncnet::Error>> + Send + 'static,
    {
        let options = self.listen_options()?.config(config);
        let listener = Listener::<P::Runtime>::bind_with(address, options).await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let served = serve(listener.accept().await?);
            P::spawn(async {
                if let Err(error) = served.await {
                    eprintln!("a client: {error}");
                }
            });
        }
    }
}

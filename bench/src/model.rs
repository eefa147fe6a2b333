//! What the cases, the servers and the load generators have in common: who serves, and what it does.

use clap::ValueEnum;

/// How large a block is: a full record.
pub(crate) const BLOCK: usize = 16 << 10;
/// What a server says that speaks first.
pub(crate) const BANNER: &[u8] = b"220 ready\r\n";

/// A runtime of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    Tokio,
    AsyncStd,
    Smol,
}

impl Runtime {
    pub(crate) const ALL: [Self; 3] = [Self::Tokio, Self::AsyncStd, Self::Smol];

    /// As users know it, and as the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::AsyncStd => "async-std",
            Self::Smol => "smol",
        }
    }
}

/// What a server is in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// This library.
    Ours,
    /// What somebody would write or use instead.
    Peer,
    /// What the machine can do.
    Floor,
}

/// What a server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Reads a number and so many blocks, and answers how many bytes they were
    Receive,
    /// Reads a number and sends so many blocks
    Send,
    /// Sends every line back; peers write and flush each
    Echo,
    /// The same; peers buffer, and flush when they have nothing left to read
    EchoByHand,
    /// Speaks first, without `NoDelay`, and waits: an end would push out what the system holds back
    Banner,
    /// As `Echo`, and in plain at a second port
    Idle,
}

/// What serves over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    AsyncnetTokio,
    AsyncnetAsyncStd,
    AsyncnetSmol,
    TokioRustls,
    FuturesRustls,
    /// rustls over blocking sockets, a thread for each connection: the floor
    Blocking,
}

impl Task {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Echo => "echo",
            Self::EchoByHand => "echo-by-hand",
            Self::Banner => "banner",
            Self::Idle => "idle",
        }
    }
}

impl Kind {
    pub(crate) fn ours(runtime: Runtime) -> Self {
        match runtime {
            Runtime::Tokio => Self::AsyncnetTokio,
            Runtime::AsyncStd => Self::AsyncnetAsyncStd,
            Runtime::Smol => Self::AsyncnetSmol,
        }
    }

    /// Which runtime of ours it is.
    pub(crate) fn runtime(self) -> Option<Runtime> {
        Runtime::ALL.into_iter().find(|&runtime| Self::ours(runtime) == self)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AsyncnetTokio => "asyncnet-tokio",
            Self::AsyncnetAsyncStd => "asyncnet-async-std",
            Self::AsyncnetSmol => "asyncnet-smol",
            Self::TokioRustls => "tokio-rustls",
            Self::FuturesRustls => "futures-rustls",
            Self::Blocking => "blocking",
        }
    }

    /// What to call it in a table.
    pub(crate) fn title(self, task: Task) -> String {
        let name = match self {
            Self::Blocking => "rustls, blocking",
            Self::AsyncnetTokio | Self::AsyncnetAsyncStd | Self::AsyncnetSmol => {
                return self.name().replacen('-', " ", 1);
            }
            _ => self.name(),
        };
        match task {
            Task::Echo if self != Self::Blocking => format!("{name} each"),
            Task::EchoByHand => format!("{name} by hand"),
            _ => name.into(),
        }
    }
}

//! The command line.

use clap::{Parser, ValueEnum};

/// Clients do legal and illegal things to servers of ours; a table tells what became of it.
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Cli {
    /// How long each runtime is tried; its servers share the time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// The async runtime that the servers run on
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
    /// How many clients there are at a time; a third of them stay
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(6..))]
    pub(crate) clients: u64,
    /// Instead of all that: so many clients that send a byte a second, and 50 that talk
    #[arg(long, value_name = "CLIENTS")]
    pub(crate) slow: Option<usize>,
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Be a server: what the program starts
    #[arg(long, hide = true, requires = "descriptors")]
    pub(crate) serve: Option<Server>,
    /// The server's limit of descriptors
    #[arg(long, hide = true, default_value_t)]
    pub(crate) descriptors: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    Tokio,
    AsyncStd,
    Smol,
    #[default]
    All,
}

impl Runtime {
    /// It, or all three.
    pub(crate) fn each(self) -> Vec<Self> {
        if self == Self::All { vec![Self::Tokio, Self::AsyncStd, Self::Smol] } else { vec![self] }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::AsyncStd => "async-std",
            Self::Smol => "smol",
            Self::All => "all",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// A connection that answers out of its batches.
    Echo,
    /// A connection that answers through a writer.
    Split,
    /// A room.
    Chat,
    /// The first over TLS.
    EchoTls,
    /// The second over TLS.
    SplitTls,
    /// The third over TLS.
    ChatTls,
    /// The first with a timeout for each line.
    Timed,
}

impl Server {
    /// Those that a crowd is let loose on.
    pub(crate) const ALL: [Self; 6] =
        [Self::Echo, Self::Split, Self::Chat, Self::EchoTls, Self::SplitTls, Self::ChatTls];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Split => "split",
            Self::Chat => "chat",
            Self::EchoTls => "echo-tls",
            Self::SplitTls => "split-tls",
            Self::ChatTls => "chat-tls",
            Self::Timed => "timed",
        }
    }

    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::EchoTls | Self::SplitTls | Self::ChatTls)
    }

    pub(crate) const fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::ChatTls)
    }
}

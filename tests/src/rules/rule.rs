//! The rules of the contract, by number.

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident),* $(,)?) => {
        /// A rule of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];
        }
    };
}

rules! {
    /// Lenient framing.
    L1,
    /// Strict framing.
    L2,
    /// Bytes are bytes.
    L3,
    /// `max_line`.
    L4,
    /// Any chunking, any mix of reads.
    L5,
    /// Lines come before an end or an error.
    L6,
    /// Empty lines.
    L7,
    /// Bad lines are discarded first.
    L8,
    /// `recv`, buffered and not.
    B1,
    /// `max_block`.
    B2,
    /// One inbox.
    B3,
    /// Peeking.
    B4,
    /// Unbuffered reads take no more than is needed.
    B5,
    /// Blocks in pieces.
    B6,
    /// Framing, in both directions and on a live connection.
    F1,
    /// Messages, whole or not at all.
    N1,
    /// When a parser is called.
    N2,
    /// A bad line inside a message.
    N3,
    /// Checkpoints.
    N4,
    /// Messages are bounded.
    N5,
    /// A batch.
    N6,
    /// What a batch lacked.
    N7,
    /// A bad line inside a batch.
    N8,
    /// Receive timeout.
    D1,
    /// Idle timeout.
    D2,
    /// Send timeout.
    D3,
    /// Rates.
    D5,
    /// Ends, first row: the end of file between lines.
    EofBetweenLines,
    /// Second row: inside a line or a block.
    EofInside,
    /// Third row: a reset and its kin.
    Reset,
    /// Last row: closed by us.
    ClosedByUs,
    /// An end is final.
    E1,
    /// The partial stays.
    E2,
    /// Sends to a peer that is gone.
    E3,
    /// What each error leaves usable.
    E4,
    /// Write first and read first.
    E5,
    /// `send` completes when all is handed over.
    S1,
    /// All or nothing.
    S2,
    /// Messages never mix.
    S3,
    /// No line break inside a line.
    S4,
    /// `feed`.
    S5,
    /// Bounded memory.
    S6,
    /// Flushing, and errors of writes.
    S7,
    /// No write raises SIGPIPE.
    S9,
    /// Every future may be dropped.
    C1,
    /// A connection and writers in different tasks.
    C2,
    /// `close`.
    C3,
    /// `shutdown_write`.
    C4,
    /// Dropping.
    C5,
    /// Lingering close.
    C6,
    /// Accepting with no descriptor left.
    A1,
    /// Peers that leave before they are accepted.
    A2,
    /// Several accepts at once.
    A3,
    /// `dial` races the addresses.
    A4,
    /// Options set what they name.
    A5,
    /// Names.
    A6,
    /// Accepted sockets inherit the settings.
    A7,
    /// Adopted sockets.
    A8,
    /// Dropped and failed connects.
    A9,
    /// Addresses, and errors that name them.
    A10,
    /// Datagrams.
    A11,
    /// How many connections of a listener are open.
    A12,
    /// What a connection tells of itself.
    A13,
    /// A socket becomes only what it is.
    A14,
    /// Listening and connecting in one call.
    A15,
    /// The PROXY protocol.
    A16,
    /// Shutting down.
    A17,
    /// A room reaches every member.
    R1,
    /// A message is stored once.
    R2,
    /// Speaking waits for no member.
    R3,
    /// What waits for a member is bounded.
    R4,
    /// Messages are dropped whole.
    R5,
    /// The soft limit.
    R6,
    /// What is counted.
    R7,
    /// How a room ends.
    R8,
    /// The layer asks nothing of an adapter.
    T1,
    /// Certificates and names are verified.
    T2,
    /// The provider is in the settings.
    T3,
    /// Connect returns after the handshake.
    T4,
    /// Upgrades (STARTTLS).
    T5,
    /// Wrapped listeners.
    T6,
    /// Alerts arrive.
    T7,
    /// Plaintext comes before the end or the error.
    T8,
    /// What the handshake came to.
    T9,
    /// Orderly close.
    T10,
    /// Nothing is sent behind our close notice.
    T11,
    /// What TLS holds is bounded.
    T12,
    /// Truncation.
    T13,
    /// Certificates are replaced.
    T14,
    /// Failed handshakes are counted and told.
    T15,
}

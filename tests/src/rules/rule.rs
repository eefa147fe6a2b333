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
    /// [L1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l1): Lenient framing.
    L1,
    /// [L2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l2): Strict framing.
    L2,
    /// [L3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l3): Bytes are bytes.
    L3,
    /// [L4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l4): A line of exactly the limit is delivered.
    L4,
    /// [L5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l5): Chunks make no difference.
    L5,
    /// [L6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l6): Lines come before an end or an error.
    L6,
    /// [L7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l7): Empty lines.
    L7,
    /// [L8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#l8): A bad line is discarded first.
    L8,
    /// [B1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b1): What `recv` waits for.
    B1,
    /// [B2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b2): Nothing is allocated in advance.
    B2,
    /// [B3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b3): One inbox.
    B3,
    /// [B4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b4): Peeking consumes nothing.
    B4,
    /// [B5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b5): Unbuffered reads take no more than they need.
    B5,
    /// [B6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#b6): Blocks in pieces.
    B6,
    /// [F1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#f1): One framing for both directions.
    F1,
    /// [N1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n1): Whole or not at all.
    N1,
    /// [N2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n2): When a parser is called again.
    N2,
    /// [N3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n3): A bad line inside a message.
    N3,
    /// [N4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n4): Checkpoints.
    N4,
    /// [N5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n5): A message is bounded.
    N5,
    /// [N6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n6): A batch is all that has arrived.
    N6,
    /// [N7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n7): What a batch lacked.
    N7,
    /// [N8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#n8): A bad line inside a batch.
    N8,
    /// [D1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d1): Receive timeout.
    D1,
    /// [D2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d2): Idle timeout.
    D2,
    /// [D3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d3): Send timeout.
    D3,
    /// [D5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#d5): Rates.
    D5,
    /// Ends, first row: the end of file between lines.
    EofBetweenLines,
    /// Second row: inside a line or a block.
    EofInside,
    /// Third row: a reset and its kin.
    Reset,
    /// Last row: closed by us.
    ClosedByUs,
    /// [E1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e1): An end is final.
    E1,
    /// [E2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e2): The partial stays.
    E2,
    /// [E3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e3): Sending to a peer that is gone.
    E3,
    /// [E4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e4): What stays usable.
    E4,
    /// [E5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#e5): A reset that a write meets first.
    E5,
    /// [S1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s1): When a send completes.
    S1,
    /// [S2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s2): All or nothing.
    S2,
    /// [S3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s3): Messages never mix.
    S3,
    /// [S4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s4): No line break inside a line.
    S4,
    /// [S5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s5): When queued bytes leave.
    S5,
    /// [S6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s6): The queue is bounded.
    S6,
    /// [S7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s7): Flushes, and errors of writes.
    S7,
    /// [S9](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#s9): No SIGPIPE, and turns for other tasks.
    S9,
    /// [C1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c1): Every future may be dropped.
    C1,
    /// [C2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c2): Several tasks.
    C2,
    /// [C3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c3): Closing.
    C3,
    /// [C4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c4): Ending one direction.
    C4,
    /// [C5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c5): Dropping.
    C5,
    /// [C6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#c6): The last bytes arrive.
    C6,
    /// [A1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a1): Out of descriptors.
    A1,
    /// [A2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a2): A peer that left early.
    A2,
    /// [A3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a3): Several accepts.
    A3,
    /// [A4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a4): Racing addresses.
    A4,
    /// [A5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a5): Options.
    A5,
    /// [A6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a6): Looking up names.
    A6,
    /// [A7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a7): Accepted sockets.
    A7,
    /// [A8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a8): Connecting never blocks.
    A8,
    /// [A9](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a9): A dropped connect.
    A9,
    /// [A10](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a10): Addresses.
    A10,
    /// [A11](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a11): Datagrams.
    A11,
    /// [A12](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a12): Open connections.
    A12,
    /// [A13](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a13): What a connection knows.
    A13,
    /// [A14](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a14): Converting sockets.
    A14,
    /// [A15](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a15): Addresses as text.
    A15,
    /// [A16](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a16): The PROXY protocol.
    A16,
    /// [A17](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a17): Shutting down.
    A17,
    /// [R1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r1): Who gets what.
    R1,
    /// [R2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r2): A message is stored once.
    R2,
    /// [R3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r3): Speaking waits for no member.
    R3,
    /// [R4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r4): The hard limit, and the policies.
    R4,
    /// [R5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r5): Messages are dropped whole.
    R5,
    /// [R6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r6): The soft limit.
    R6,
    /// [R7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r7): What is counted.
    R7,
    /// [R8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#r8): How a room begins and ends.
    R8,
    /// [T1](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t1): One layer.
    T1,
    /// [T2](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t2): Certificates are verified.
    T2,
    /// [T3](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t3): The cryptography.
    T3,
    /// [T4](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t4): Connecting.
    T4,
    /// [T5](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t5): Upgrading (STARTTLS).
    T5,
    /// [T6](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t6): Accepting.
    T6,
    /// [T7](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t7): Alerts.
    T7,
    /// [T8](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t8): Plaintext comes first.
    T8,
    /// [T9](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t9): What can be reached.
    T9,
    /// [T10](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t10): Closing over TLS.
    T10,
    /// [T11](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t11): No send after our close notice.
    T11,
    /// [T12](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t12): What is queued before the handshake.
    T12,
    /// [T13](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t13): No close notice.
    T13,
    /// [T14](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t14): Replacing certificates.
    T14,
    /// [T15](https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t15): Failed handshakes are counted.
    T15,
}

//! TLS by rustls under connections of ours, in memory.

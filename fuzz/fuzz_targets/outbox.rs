//! See `asyncnet_fuzz::outbox`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| asyncnet_fuzz::outbox::run(data));

//! See `asyncnet_fuzz::chunking`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| asyncnet_fuzz::chunking::run(data));

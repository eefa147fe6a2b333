//! See `asyncnet_fuzz::upgrade`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| asyncnet_fuzz::upgrade::run(data));

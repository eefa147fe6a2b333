//! See `asyncnet_fuzz::ops`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| asyncnet_fuzz::ops::run(data));

//! See `asyncnet_fuzz::secure_layer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| asyncnet_fuzz::secure_layer::run(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| envelope::fuzzing::record_frame(data));

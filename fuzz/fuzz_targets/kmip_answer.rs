#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kms_kmip::fuzzing::kmip_answer(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cets_fuzz::fuzz::log_files::log_path(bytes);
});

//! Faults planted on purpose: what the runner must find. They are no part of a run of all targets.

use super::target::{KIB, Target};

/// The planted faults.
pub const TARGETS: &[Target] = &[
    Target::of_bytes("planted-panic", panic).up_to(64),
    Target::of_bytes("planted-memory", memory).up_to(64).within(64 * KIB),
    Target::of_bytes("planted-recursion", recursion).up_to(64),
    Target::of_bytes("planted-time", time).up_to(64),
];

fn is_chosen(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first == 7)
}

fn panic(bytes: &[u8]) -> bool {
    assert!(!is_chosen(bytes), "the planted panic");
    false
}

fn memory(bytes: &[u8]) -> bool {
    let length = if is_chosen(bytes) { 1 << 40 } else { 16 };
    std::hint::black_box(Vec::<u8>::with_capacity(length)).is_empty()
}

fn recursion(bytes: &[u8]) -> bool {
    fn down(depth: u64) -> u64 {
        if depth == u64::MAX { 0 } else { std::hint::black_box(down(depth + 1)) + 1 }
    }
    is_chosen(bytes) && down(0) > 0
}

fn time(bytes: &[u8]) -> bool {
    if is_chosen(bytes) {
        std::thread::sleep(std::time::Duration::from_millis(1_050));
    }
    false
}

//! Every decoder and every rule under a bounded number of seeded inputs.

use std::path::Path;
use std::process::{Command, Output};

use cets_tests::fuzz::{Corpus, Target, corpus_folder, targets};
use cets_tests::workload::number_from_environment;

fn fuzz_all(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fuzz-all")).args(arguments).output().unwrap()
}

/// `FUZZ_SEED=` and `FUZZ_EXECUTIONS=` choose others.
#[test]
fn every_target_holds_on_its_corpus_and_some_thousand_changes_of_it() {
    let seed = number_from_environment("FUZZ_SEED", 2_026).to_string();
    let executions = number_from_environment("FUZZ_EXECUTIONS", 1_000_000).to_string();
    let output = fuzz_all(&["--seed", &seed, "--executions", &executions]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{printed}");
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines = printed.lines().filter(|line| line.contains(" executions ")).count();
    assert!(lines >= targets().len());
}

/// Without an input that is accepted a target only ever sees refusals.
#[test]
fn every_target_has_inputs_that_it_accepts() {
    for target in targets() {
        let inputs = Corpus::read(target).inputs;
        let accepts = |input: &Vec<u8>| (target.run)(input);
        assert!(inputs.iter().any(accepts), "{}: none of {}", target.name, inputs.len());
    }
}

#[test]
fn corpora_are_small_and_belong_to_a_target() {
    let folder = corpus_folder(targets()[0]);
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let target = targets().into_iter().find(|target| target.name == name);
        let target: &Target = target.unwrap_or_else(|| panic!("{name} is no target"));
        for input in std::fs::read_dir(entry.path()).unwrap() {
            let length = input.unwrap().metadata().unwrap().len();
            assert!(length <= target.bytes_max as u64, "{name}: an input of {length} bytes");
            bytes += length;
        }
    }
    assert!(bytes < 1024 * 1024, "{bytes} bytes in all");
}

/// What the runner must find, and what the process says of it.
#[test]
fn the_runner_finds_panics_memory_and_deep_recursion_and_says_how_to_see_them_again() {
    for (planted, said) in [
        ("planted-panic", "the planted panic"),
        ("planted-memory", "the process died"),
        ("planted-recursion", "the process died"),
        ("planted-time", "it took "),
    ] {
        let output = fuzz_all(&[planted, "--executions", "3000", "--jobs", "1"]);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{planted}: {printed}");
        assert!(printed.contains("FOUND by input") && printed.contains(said), "{printed}");
        let command = format!("again with: cargo fuzz-all {planted} --seed 1 --number ");
        let number = printed.split(&command).nth(1).unwrap().lines().next().unwrap();
        if planted != "planted-time" {
            let alone = fuzz_all(&[planted, "--seed", "1", "--number", number]);
            assert!(!alone.status.success(), "{planted} {number}");
        }
        let kept = printed.split("kept in ").nth(1).unwrap().lines().next().unwrap();
        assert!(Path::new(kept).is_file());
    }
}

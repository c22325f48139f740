//! Inputs to start from, one file each.

use std::path::PathBuf;

use super::Target;
use crate::workspace;

/// The inputs of a target.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The inputs, by the name of their file.
    pub inputs: Vec<Vec<u8>>,
}

/// Folder of the inputs of a target.
pub fn corpus_folder(target: &Target) -> PathBuf {
    workspace::root().join("tests/fuzz/corpus").join(target.name)
}

impl Corpus {
    /// Reads the inputs of a target in the order of their names.
    pub fn read(target: &Target) -> Self {
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(corpus_folder(target)) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        paths.sort();
        let inputs = paths.iter().map(|path| std::fs::read(path).unwrap());
        Self { inputs: inputs.filter(|input| input.len() <= target.bytes_max).collect() }
    }
}

/// Name of the file of an input: the beginning of its digest.
fn file_name(input: &[u8]) -> String {
    blake3::hash(input).to_hex()[..16].to_owned()
}

/// Writes the inputs that a target's own code makes; gives how many.
pub fn write_seeds(target: &Target) -> usize {
    let folder = corpus_folder(target);
    std::fs::create_dir_all(&folder).unwrap();
    let seeds = (target.seeds)();
    for seed in &seeds {
        assert!(seed.len() <= target.bytes_max, "{}: {} bytes", target.name, seed.len());
        std::fs::write(folder.join(file_name(seed)), seed).unwrap();
    }
    seeds.len()
}

/// Keeps an input on which a target failed, outside of the source tree.
pub fn keep_finding(target: &Target, input: &[u8]) -> PathBuf {
    let folder = workspace::root().join("target/fuzz").join(target.name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(file_name(input));
    std::fs::write(&path, input).unwrap();
    path
}

//! Where the microseconds of a transfer go: samples of the nodes under load, and each part of the
//! work alone.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use eyre::ensure;

use super::hot_paths::HOT_PATHS;
use super::receipts::Verifier;
use super::results::{Measured, Part, median};
use super::throughput::{self, Load};
use super::world::World;

/// Samples a second of each processor.
const SAMPLES_PER_SECOND: &str = "499";
/// Seconds between the start of the load and that of the samples.
const BEFORE: u64 = 2;
/// Least share of the time that is a line of its own.
const SHARE_LEAST: f64 = 0.002;
/// How the parts of a profile are named in the results.
pub const SAMPLED: &str = "samples of all nodes under load";
/// How parts that ran alone are named in the results.
pub const ALONE: &str = "alone on one thread, small ledger";

/// What code belongs to which work: the first words that a function's name has decide.
const WORK: &[(&str, &[&str])] = &[
    ("signatures: Ed25519, SHA-512", &["curve25519", "ed25519", "sha512", "fiat_"]),
    ("hashes: BLAKE3, SHA-256", &["blake3", "sha256", "sha2::"]),
    ("store: RocksDB", &["rocksdb", "lz4", "crc32c", "xxh3", "XXH"]),
    ("store: rows and keys", &["cets_node::store"]),
    ("rules and state", &["cets_contracts::rules", "cets_contracts::state"]),
    ("state tree and log", &["cets_contracts::tree", "cets_contracts::log"]),
    ("blocks, transactions, encoding", &["cets_contracts", "bcs::"]),
    ("mempool and gossip of the node", &["cets_node::mempool", "cets_node::gossip"]),
    ("ledger, reads and calls of the node", &["cets_node", "cets_api"]),
    ("consensus engine", &["malachite", "cets_consensus", "ractor"]),
    ("network: libp2p", &["libp2p", "yamux", "snow", "chacha", "poly1305", "multistream"]),
    ("network: gRPC", &["tonic", "h2::", "hyper", "prost", "http::", "axum", "tower"]),
    ("tasks and threads", &["tokio", "crossbeam", "rayon", "futures", "parking_lot", "mio::"]),
    ("ordered maps of the state, a block's writes and the mempool", &["btree"]),
    ("memory: taken and freed", &["mi_", "_mi_", "malloc", "cfree", "alloc::"]),
    ("memory: copied and compared", &["memcpy", "memmove", "memset", "memcmp", "bcmp"]),
];
/// Names of time that belongs to none.
const KERNEL: &str = "kernel: network, disk, memory, switches";
const OTHER: &str = "other";

/// What work a function of a library belongs to.
fn work(library: &str, function: &str) -> &'static str {
    let function = function.trim();
    if library.contains("kernel") || function.starts_with("[k]") {
        return KERNEL;
    }
    let names = |words: &&[&str]| words.iter().any(|word| function.contains(word));
    WORK.iter().find(|(_, words)| names(words)).map_or(OTHER, |(name, _)| name)
}

/// Shares of the time by work, from lines `PER CENT|LIBRARY|FUNCTION`.
fn shares(report: &str) -> Vec<(&'static str, f64)> {
    let mut shares: Vec<(&'static str, f64)> = Vec::new();
    for line in report.lines() {
        let mut fields = line.trim().splitn(3, '|');
        let per_cent =
            fields.next().and_then(|text| text.trim().trim_end_matches('%').parse().ok());
        let (Some(per_cent), Some(library), Some(function)) =
            (per_cent, fields.next(), fields.next())
        else {
            continue;
        };
        let per_cent: f64 = per_cent;
        let name = work(library, function);
        match shares.iter_mut().find(|(known, _)| *known == name) {
            Some((_, share)) => *share += per_cent / 100.0,
            None => shares.push((name, per_cent / 100.0)),
        }
    }
    shares.sort_by(|one, other| other.1.total_cmp(&one.1));
    shares
}

/// Takes samples of the nodes for some seconds.
fn start_samples(world: &World, seconds: u64, file: &Path) -> eyre::Result<Child> {
    let processes = world.nodes.all().into_iter().filter_map(|node| world.nodes.process_id(node));
    let processes: Vec<String> = processes.map(|process| process.to_string()).collect();
    let child = Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", SAMPLES_PER_SECOND, "--delay"])
        .arg((BEFORE * 1_000).to_string())
        .arg("-o")
        .arg(file)
        .args(["-p", &processes.join(","), "sleep", &seconds.saturating_sub(1).to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child)
}

fn report(file: &Path) -> eyre::Result<String> {
    let output = Command::new("perf")
        .args(["report", "--stdio", "-q", "--no-children", "--sort", "dso,symbol", "-t", "|", "-i"])
        .arg(file)
        .stderr(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "perf makes no report: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether samples can be taken here.
fn can_sample() -> bool {
    let said = Command::new("perf").args(["stat", "-e", "cpu-clock", "true"]).output();
    said.is_ok_and(|output| output.status.success())
}

/// Adds the parts of a transfer to G1: one more run under load, then each part alone.
pub fn add_parts(
    world: &mut World,
    verifier: &mut Verifier,
    load: &Load,
    g1: &mut Measured,
) -> eyre::Result<()> {
    if can_sample() {
        let file = world.folder().join("samples");
        let mut samples = start_samples(world, load.seconds, &file)?;
        let run = throughput::run(world, verifier, load, g1.ours * 1.2);
        let ended = samples.wait()?;
        let run = run?;
        ensure!(ended.success(), "perf takes no samples: {ended}");
        let shares = shares(&report(&file)?);
        let (few, many): (Vec<_>, Vec<_>) =
            shares.into_iter().partition(|(_, share)| *share < SHARE_LEAST);
        let rest = ("too small to show", few.iter().map(|(_, share)| share).sum::<f64>());
        let rest = Some(rest).filter(|(_, share)| *share > 0.0);
        for (name, share) in many.into_iter().chain(rest) {
            let (name, source) = (name.to_owned(), SAMPLED.to_owned());
            g1.parts.push(Part { name, micros: share * run.node_micros, source });
        }
        g1.figure("transfers/s while samples were taken", run.rate);
    } else {
        g1.note("no samples of the nodes: `perf` is not installed or not allowed");
    }
    for path in HOT_PATHS {
        let times: Vec<f64> = (0..5).map(|_| path.micros()).collect();
        let name = format!("{} ({})", path.name, path.unit);
        g1.parts.push(Part { name, micros: median(&times), source: ALONE.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_the_first_work_whose_words_they_have() {
        let report = " 40.00%|cetsd|[.] curve25519_dalek::backend::vector::mul\n\
                      \n20.00%|[kernel.kallsyms]|[k] tcp_sendmsg\n10.00%|cetsd|[.] mi_malloc\n\
                      10.00%|cetsd|[.] <ed25519_zebra::batch::Item as From>::from\n\
                      5.00%|libc.so.6|[.] __memmove_avx512\nnonsense\n1.00%|cetsd|[.] main";
        let shares = shares(report);
        let names: Vec<&str> = shares.iter().map(|(name, _)| *name).collect();
        assert_eq!(names[..2], ["signatures: Ed25519, SHA-512", KERNEL]);
        assert!((shares[0].1 - 0.5).abs() < 1e-9, "{shares:?}");
        assert!(names.contains(&OTHER) && names.contains(&"memory: copied and compared"));
    }
}

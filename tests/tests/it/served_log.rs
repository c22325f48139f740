//! The log as real nodes serve it: exported by `cets`, checked by programs that nobody here wrote,
//! and every kind of tampering found by `cets log verify`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cets_contracts::transparency::Note as OwnNote;
use cets_tests::cluster::load::Load;
use cets_tests::cluster::market::Market;
use cets_tests::cluster::nodes::Nodes;
use serde_json::Value;
use signed_note::Note;
use tlog_tiles::{TileHashReader, check_tree, prove_tree};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::foreign_verifiers::{Folder, cosigned, policy_threshold, walk};

/// Long enough for full tiles, a tile of level 1 and partial ones.
const ENTRIES_MIN: u64 = 600;
/// Longest wait for anything; far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running network and the home of its desks.
struct World {
    market: Arc<Market>,
    nodes: Nodes,
    folder: tempfile::TempDir,
}

/// What a command printed, and its exit code.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let market = Arc::new(Market::write(folder.path().join("network"), 4, 7).unwrap());
        let mut nodes = Nodes::new(market.network.clone()).unwrap();
        let all = nodes.all();
        let started = nodes.start(&all).unwrap();
        nodes.answer(&all, started).unwrap();
        Self { market, nodes, folder }
    }

    /// Transfers until the checkpoint covers so many entries.
    fn fill(&self, entries: u64) {
        let load = Load::start(&self.market, 7).unwrap();
        let started = Instant::now();
        while self.checkpoint_size() < entries {
            assert!(started.elapsed() < PATIENCE, "no checkpoint of {entries} entries");
            std::thread::sleep(Duration::from_millis(200));
        }
        let record = load.finish();
        assert!(record.violations().is_empty(), "{:?}", record.violations());
    }

    fn checkpoint_size(&self) -> u64 {
        let ran = self.cets("log checkpoint --output json");
        if ran.code == 0 { ran.json()["entries"].as_u64().unwrap() } else { 0 }
    }

    /// Runs `cets` as the auditor, with the words of a line.
    fn cets(&self, line: &str) -> Ran {
        self.cets_as("auditor", line)
    }

    fn cets_as(&self, context: &str, line: &str) -> Ran {
        let home = self.market.network.client_home.to_str().unwrap();
        let words = ["cets", "--home", home, "--context", context, "--lang", "en"];
        let words = words.into_iter().chain(line.split_whitespace());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = cets_cli::run(words, &mut out, &mut err);
        Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn export(&self, name: &str) -> Value {
        let folder = self.path(name);
        let ran = self.cets(&format!("log export --folder {} --output json", folder.display()));
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.json()
    }

    /// `cets log verify` of a folder; the sentence when it does not hold.
    fn verify(&self, folder: &Path) -> Result<Value, String> {
        let ran = self.cets(&format!("log verify --folder {} --output json", folder.display()));
        let json = ran.json();
        match ran.code {
            0 => Ok(json),
            1 => {
                assert_eq!(json["error"]["log"], "broken", "{json}");
                Err(json["error"]["message"].as_str().unwrap().to_owned())
            }
            code => panic!("{code}: {json}"),
        }
    }

    fn http(&self, node: usize, path: &str) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = self.nodes.files(node).api;
        runtime.block_on(async {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.0\r\nhost: n\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let head = String::from_utf8_lossy(&answer[..end]);
            assert_eq!(head.split(' ').nth(1), Some("200"), "{path}: {head}");
            answer[end + 4..].to_vec()
        })
    }
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn checkpoint_of(folder: &Path) -> (u64, tlog_tiles::Hash) {
    let note = Note::from_bytes(text(folder, "checkpoint").as_bytes()).unwrap();
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    (checkpoint.size(), *checkpoint.hash())
}

/// A note with only so many lines of cosigners, and as many of the log.
fn with_signers(note: &str, count: usize) -> String {
    let note: OwnNote = note.parse().unwrap();
    let lines = note.signatures();
    let (witnesses, logs): (Vec<_>, Vec<_>) =
        lines.iter().cloned().partition(|line| line.name.contains("/validator/"));
    let kept = witnesses.into_iter().take(count).chain(logs.into_iter().take(count)).collect();
    OwnNote::new(note.text().to_owned(), kept).unwrap().to_string()
}

/// What one test looks at: starting four processes costs more than all of it.
#[test]
fn other_implementations_check_what_real_nodes_serve_and_tampering_is_found() {
    let world = World::start();
    world.fill(ENTRIES_MIN);
    let exported = world.export("log");
    let folder = world.path("log");
    quorum_is_counted_by_others(&folder);
    the_whole_log_is_walked_by_others(&folder, exported["entries"].as_u64().unwrap());
    any_node_serves_the_same_tiles(&world, &folder);
    hashes_alone_are_for_everyone(&world);
    the_log_only_grows(&world, &folder);
    tampering_is_found_and_named(&world, &folder);
}

fn quorum_is_counted_by_others(folder: &Path) {
    let (note, policy) = (text(folder, "checkpoint"), text(folder, "tlog-policy"));
    assert_eq!(policy_threshold(&policy), 3, "2f + 1 of 4");
    assert!(cosigned(&note, &policy).unwrap() >= 3);
    let own: cets_contracts::transparency::Policy = policy.parse().unwrap();
    for (count, enough) in [(3, true), (2, false), (1, false)] {
        let fewer = with_signers(&note, count);
        assert_eq!(cosigned(&fewer, &policy).unwrap_or(0), count);
        assert_eq!(own.verify(&fewer.parse().unwrap()).is_ok(), enough, "{count} cosignatures");
    }
}

fn the_whole_log_is_walked_by_others(folder: &Path, entries: u64) {
    assert_eq!(walk(folder), Ok(entries));
}

fn any_node_serves_the_same_tiles(world: &World, folder: &Path) {
    let above = format!("tile/1/000.p/{}", checkpoint_of(folder).0 / 256);
    for node in world.nodes.all() {
        for path in ["tile/0/000", "tile/0/001", &above] {
            let served = world.http(node, &format!("/{path}"));
            assert_eq!(served, std::fs::read(folder.join(path)).unwrap(), "{node}: {path}");
        }
        let note = String::from_utf8(world.http(node, "/checkpoint")).unwrap();
        let policy = String::from_utf8(world.http(node, "/tlog-policy")).unwrap();
        assert_eq!(policy, text(folder, "tlog-policy"));
        assert!(cosigned(&note, &policy).unwrap() >= 3);
    }
}

fn hashes_alone_are_for_everyone(world: &World) {
    let folder = world.path("hashes");
    let line = format!("log export --folder {} --output json", folder.display());
    let refused = world.cets_as("exchange", &line);
    assert_eq!(refused.code, 3, "{}", refused.out);
    assert!(refused.out.contains("--hashes-only"), "{}", refused.out);
    let given = world.cets_as("exchange", &format!("{line} --hashes-only"));
    assert_eq!(given.code, 0, "{}{}", given.out, given.err);
    assert!(!folder.join("tile/entries").exists());
    let verified = world.verify(&folder).unwrap();
    assert_eq!(verified["bundles"], 0);
}

fn the_log_only_grows(world: &World, folder: &Path) {
    let (old_size, old_root) = checkpoint_of(folder);
    let started = Instant::now();
    // Empty blocks make it grow.
    while world.checkpoint_size() <= old_size {
        assert!(started.elapsed() < PATIENCE, "the log does not grow");
        std::thread::sleep(Duration::from_millis(200));
    }
    let again = world.export("log");
    let fetched = again["files_fetched"].as_u64().unwrap();
    assert!(fetched <= 8, "only what is new: {fetched}");
    let (size, root) = checkpoint_of(folder);
    assert!(size > old_size);
    let tiles = Folder(folder.to_owned());
    let reader = TileHashReader::new(size, root, &tiles);
    let proof = prove_tree(size, old_size, &reader).unwrap();
    check_tree(&proof, size, root, old_size, old_root).unwrap();
    assert!(check_tree(&proof, size, root, old_size, root).is_err(), "a fork");
}

fn tampering_is_found_and_named(world: &World, folder: &Path) {
    let verified = world.verify(folder).unwrap();
    assert_eq!(verified["holds"], true);
    let (size, _) = checkpoint_of(folder);
    let edge = size % 256;
    // One bit of any file.
    for (name, byte, named) in [
        ("tile/0/000".to_owned(), 77, "tile/0/000 does not hash to hash 0 of tile/1/000.p/"),
        ("tile/0/001".to_owned(), 8_191, "tile/0/001 does not hash to hash 1 of tile/1/000.p/"),
        (format!("tile/1/000.p/{}", size / 256), 3, "do not lead to the root of the checkpoint"),
        (format!("tile/0/{:03}.p/{edge}", size / 256), 5, "do not lead to the root"),
        ("tile/entries/000".to_owned(), 100, "tile/entries/000: entry 0 is not the one"),
        ("tile/entries/001".to_owned(), 0, "tile/entries/001"),
        ("validator-changes".to_owned(), 0, "validator-changes"),
    ] {
        if edge == 0 && name.contains(".p/0") {
            continue;
        }
        let path = folder.join(&name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[byte] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let found = world.cets(&format!("log verify --folder {}", folder.display()));
        assert_eq!(found.code, 1, "{name}");
        assert!(found.err.contains(named), "{name}: {}", found.err);
        std::fs::write(&path, &good).unwrap();
        std::fs::remove_file(&path).unwrap();
        let missing = world.cets(&format!("log verify --folder {}", folder.display()));
        assert!(missing.err.contains(&name) && missing.code == 1, "{name}: {}", missing.err);
        std::fs::write(&path, good).unwrap();
    }
    tampered_checkpoints(world, folder);
    assert!(world.verify(folder).is_ok(), "everything was put back");
}

fn tampered_checkpoints(world: &World, folder: &Path) {
    let note = text(folder, "checkpoint");
    let (size, _) = checkpoint_of(folder);
    let zeros = format!("{}=", "A".repeat(43));
    let other_root = note.replacen(note.lines().nth(2).unwrap(), &zeros, 1);
    for (tampered, named) in [
        // f validators.
        (with_signers(&note, 1), "1 known witnesses cosigned"),
        (with_signers(&note, 2), "that is no quorum (3 of the 4 validators)"),
        // A log forked at this height, and a last block that is deleted.
        (other_root, "forged"),
        (note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1), "forged"),
        (note.replacen("cets-ledger", "cets-other", 1), "which is no log of the policy"),
    ] {
        std::fs::write(folder.join("checkpoint"), tampered).unwrap();
        let found = world.verify(folder).unwrap_err();
        assert!(found.contains(named), "{named}: {found}");
    }
    std::fs::write(folder.join("checkpoint"), &note).unwrap();
    // An old log presented as the newest, to somebody who has seen more.
    let line = format!("log verify --folder {} --entries-min {}", folder.display(), size + 1);
    let old = world.cets(&line);
    assert!(old.code == 1 && old.err.contains("cut off"), "{}", old.err);
}

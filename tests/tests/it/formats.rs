//! The pages of `docs/formats`: their examples are those of the code, their session runs, and the
//! verifier that was written from them judges good and damaged proofs.

use std::path::PathBuf;
use std::process::{Command, Output};

use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{Proof, ProofFile};
use cets_contracts::transparency::{Policy, TlogProof};
use cets_tests::formats;
use cets_tests::sample_ledger::SampleLedger;
use cets_tests::workspace::{self, skip};

#[test]
fn examples_and_samples_are_those_of_the_code() {
    let differences = formats::differences();
    assert!(differences.is_empty(), "run `cargo bless-formats`: {differences:#?}");
}

fn sample(name: &str) -> PathBuf {
    workspace::root().join("docs/formats/sample").join(name)
}

#[test]
fn every_sample_verifies() {
    let genesis: Genesis =
        serde_json::from_str(&std::fs::read_to_string(sample("genesis.json")).unwrap()).unwrap();
    let policy: Policy = std::fs::read_to_string(sample("policy")).unwrap().parse().unwrap();
    for (name, text) in formats::samples() {
        if name.ends_with(".cets-proof") {
            ProofFile::from_text(&text).unwrap().verify(&genesis).unwrap();
        } else if name.ends_with(".tlog-proof") {
            text.parse::<TlogProof>().unwrap().verify(&policy).unwrap();
        }
    }
}

/// The session of the page, as its reader pastes it.
fn session() -> String {
    let page = workspace::root().join("docs/formats/transparency.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (_, rest) = text.split_once("<!-- session -->\n```bash\n").unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

fn has(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

fn run_session(folder: &std::path::Path) -> String {
    let output =
        Command::new("bash").arg("-c").arg(session()).current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_session_by_hand_accepts_the_sample_and_refuses_it_damaged() {
    if !has("openssl", "version") || !has("basenc", "--version") || !has("bash", "--version") {
        skip("openssl, basenc or bash is not installed");
        return;
    }
    let good = run_session(&sample(""));
    assert!(good.contains("in the log: "), "{good}");
    let id = "7afdb648a88afbde17d7f1dbe9e105af9b9d4e5af9177dda972b977a79b92e37";
    assert!(good.contains(&format!("transaction {id}: accepted in block 2\n")), "{good}");
    assert!(good.contains("validator/registry cosigned at 2021-07-16T01:30:03Z"), "{good}");
    assert!(good.ends_with("3 good cosignatures, 3 needed\n"), "{good}");

    let folder = tempfile::tempdir().unwrap();
    let policy = std::fs::read_to_string(sample("policy")).unwrap();
    std::fs::write(folder.path().join("policy"), policy).unwrap();
    let proof = std::fs::read_to_string(sample("receipt.tlog-proof")).unwrap();
    let damage = |from: &str, to: &str| {
        assert!(proof.contains(from));
        std::fs::write(folder.path().join("receipt.tlog-proof"), proof.replacen(from, to, 1))
            .unwrap();
        run_session(folder.path())
    };
    assert!(!damage("index 2", "index 1").contains("in the log"));
    assert!(!damage("extra AK", "extra AL").contains("in the log"));
    assert!(damage("\n5\n", "\n6\n").ends_with("0 good cosignatures, 3 needed\n"));
}

/// A Python with the packages of the verifier: the one that `make tools` sets up, or the system's.
fn python() -> Option<PathBuf> {
    let target = std::env::var("CARGO_TARGET_DIR")
        .map_or_else(|_| workspace::root().join("target"), |path| workspace::root().join(path));
    let candidates = [target.join("verifier/bin/python3"), PathBuf::from("python3")];
    candidates.into_iter().find(|python| {
        let import = ["-c", "import blake3, cryptography"];
        let output = Command::new(python).args(import).output();
        output.is_ok_and(|output| output.status.success())
    })
}

struct Verifier(PathBuf);

impl Verifier {
    /// The verifier, or none with a printed reason.
    fn new() -> Option<Self> {
        let found = python().map(Self);
        if found.is_none() {
            skip("no python3 with the packages of tests/verifier/requirements.txt");
        }
        found
    }

    fn run(&self, arguments: &[&std::ffi::OsStr]) -> Output {
        let script = workspace::root().join("tests/verifier/cets_verify.py");
        Command::new(&self.0).arg(script).args(arguments).output().unwrap()
    }

    fn proof(&self, file: &std::path::Path) -> Output {
        self.run(&["proof".as_ref(), sample("genesis.json").as_ref(), file.as_ref()])
    }
}

#[test]
fn the_python_verifier_accepts_every_sample() {
    let Some(verifier) = Verifier::new() else { return };
    for (name, says) in [
        ("units.cets-proof", "CEA-2021 151-154 belongs to CN-KEE-0000000002"),
        ("statement.cets-proof", "CN-KEE-0000000003-13 holds 15 t of CEA-2021, free"),
        ("receipt.cets-proof", "accepted"),
        ("refused.cets-proof", "refused with code 1009"),
        ("records.cets-proof", "2 records"),
        ("provenance.cets-proof", "hop 3"),
        ("dossier.cets-proof", "2 records"),
    ] {
        let output = verifier.proof(&sample(name));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {error}");
        assert!(text.contains(says), "{name}: {text}");
    }
    let (policy, proof) = (sample("policy"), sample("receipt.tlog-proof"));
    let output = verifier.run(&["tlog".as_ref(), policy.as_ref(), proof.as_ref()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let ledger = SampleLedger::story();
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short.tlog-proof");
    std::fs::write(&short, ledger.tlog_proof(2, 2, 2).to_string()).unwrap();
    let output = verifier.run(&["tlog".as_ref(), policy.as_ref(), short.as_ref()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("2 cosignatures of the checkpoint are no quorum"), "{message}");
}

#[test]
fn the_python_verifier_refuses_proofs_with_any_byte_changed() {
    let Some(verifier) = Verifier::new() else { return };
    let genesis = sample("genesis.json");
    let mut arguments: Vec<std::ffi::OsString> = vec!["tamper".into(), genesis.into()];
    for name in ["units", "statement", "receipt", "refused", "records", "provenance", "dossier"] {
        arguments.push(sample(&format!("{name}.cets-proof")).into());
    }
    let arguments: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
    let output = verifier.run(&arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("every change was detected"), "{text}");
}

#[test]
fn the_python_verifier_walks_the_log_and_the_history_and_names_what_is_damaged() {
    let Some(verifier) = Verifier::new() else { return };
    let ledger = SampleLedger::long(600);
    let height = ledger.newest().anchor.height().get();
    let folder = tempfile::tempdir().unwrap();
    ledger.write_log(folder.path(), height, 4);
    let history = folder.path().join("history");
    std::fs::write(&history, ledger.history()).unwrap();
    let policy = folder.path().join("policy");
    let run = || {
        let log = verifier.run(&["log".as_ref(), policy.as_ref(), folder.path().as_ref()]);
        let history = verifier.run(&["history".as_ref(), history.as_ref()]);
        let message = |output: Output| {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(()) } else { Err(stderr) }
        };
        (message(log), message(history))
    };
    assert_eq!(run(), (Ok(()), Ok(())));
    for (path, byte, names) in [
        ("tile/0/001", 40, "tile/0/001"),
        ("tile/entries/001", 700, "entry 2"),
        ("checkpoint", 5, "origin"),
    ] {
        let path = folder.path().join(path);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[byte] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let (log, _) = run();
        let message = log.unwrap_err();
        assert!(message.contains(names), "{}: {message}", path.display());
        std::fs::write(&path, good).unwrap();
    }
    let good = std::fs::read(&history).unwrap();
    // Without rules, records of derived tables, the last of the file, are not judged.
    let sizes: Vec<usize> = ledger.frames().iter().map(|frame| frame.encode().len()).collect();
    let records = good.len() - sizes.iter().rev().take(2).sum::<usize>();
    for position in [100, records / 4, records / 2, records - 100, records + 200] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        std::fs::write(&history, bad).unwrap();
        let (_, history) = run();
        assert!(history.is_err(), "byte {position} of the history");
    }
    let last_block = sizes[sizes.len() - 3];
    let cut = [&good[..records - last_block], &good[records..]].concat();
    for (bytes, says) in [(&good[..good.len() - sizes[sizes.len() - 1]], "no end"), (&cut, "ends")]
    {
        std::fs::write(&history, bytes).unwrap();
        let (_, history) = run();
        let message = history.unwrap_err();
        assert!(message.contains(says), "{message}");
    }
}

/// The proof in a text, and the text of a proof.
fn bytes_of(text: &str) -> Vec<u8> {
    cets_contracts::codec::encode(&ProofFile::from_text(text).unwrap())
}

#[test]
fn the_python_verifier_is_as_strict_as_the_page() {
    let Some(verifier) = Verifier::new() else { return };
    let (folder, genesis) = (tempfile::tempdir().unwrap(), sample("genesis.json"));
    let text = std::fs::read_to_string(sample("units.cets-proof")).unwrap();
    let good = bytes_of(&text);
    let raw = folder.path().join("proof.bytes");
    let judge = |bytes: &[u8]| {
        std::fs::write(&raw, bytes).unwrap();
        let output = verifier.run(&["bytes".as_ref(), genesis.as_ref(), raw.as_ref()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(error) }
    };
    assert_eq!(judge(&good), Ok(()));
    let trailing = [&good[..], &[0]].concat();
    assert!(judge(&trailing).unwrap_err().contains("1 bytes too many"));
    // The first byte is the number of validator changes; here it takes two bytes.
    let long_form = [&[good[0] | 0x80, 0][..], &good[1..]].concat();
    assert!(judge(&long_form).unwrap_err().contains("longer form than it needs"));
    // The kind of proof comes after the validator changes.
    let changes = cets_contracts::codec::encode(&ProofFile::from_text(&text).unwrap().validators);
    let mut unknown = good.clone();
    unknown[changes.len()] = 9;
    assert!(judge(&unknown).unwrap_err().contains("variant 9 is unknown"));

    // Certificates: one signature twice, and 2f of 3f + 1.
    let certificate = |change: fn(&mut Vec<cets_contracts::block::CommitSignature>)| {
        let mut file = ProofFile::from_text(&text).unwrap();
        let Proof::Units(proof) = &mut file.proof else { panic!("another proof") };
        change(&mut proof.anchor.certificate.signatures);
        cets_contracts::codec::encode(&file)
    };
    let twice = certificate(|signatures| {
        let first = signatures[0];
        *signatures.last_mut().unwrap() = first;
    });
    assert!(judge(&twice).unwrap_err().contains("stands twice"));
    let few = certificate(|signatures| signatures.truncate(2));
    assert!(judge(&few).unwrap_err().contains("has power 2, needs "));

    // Checkpoints: a cosignature written twice counts once, and no other form of a number or of
    // base64 is taken.
    let ledger = SampleLedger::story();
    let policy = sample("policy");
    let judge = |text: &str| {
        std::fs::write(&raw, text).unwrap();
        let output = verifier.run(&["tlog".as_ref(), policy.as_ref(), raw.as_ref()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(error) }
    };
    let good = ledger.tlog_proof(2, 2, 3).to_string();
    assert_eq!(judge(&good), Ok(()));
    let two = ledger.tlog_proof(2, 2, 2).to_string();
    let line = two.lines().find(|line| line.contains("/validator/")).unwrap();
    let doubled = format!("{two}{line}\n");
    assert!(
        judge(&doubled).unwrap_err().contains("2 cosignatures of the checkpoint are no quorum")
    );
    for (from, to, says) in [
        ("index 2\n", "index 02\n", "the index of the proof is no number"),
        ("index 2\n", "index +2\n", "the index of the proof is no number"),
        ("\n5\n", "\n05\n", "the size of the checkpoint is no number"),
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", "no tlog-proof"),
    ] {
        assert!(good.contains(from), "{from}");
        let found = judge(&good.replacen(from, to, 1)).unwrap_err();
        assert!(found.contains(says), "{says}: {found}");
    }
    // The root has 32 bytes, so that its last character has two bits that mean nothing.
    let root = good.lines().find(|line| line.ends_with('=') && !line.contains(' ')).unwrap();
    let at = root.len() - 2;
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = alphabet.iter().position(|one| *one == root.as_bytes()[at]).unwrap();
    let sloppy = format!("{}{}=", &root[..at], char::from(alphabet[value + 1]));
    let found = judge(&good.replacen(root, &sloppy, 1)).unwrap_err();
    assert!(found.contains("no canonical base64"), "{found}");
}

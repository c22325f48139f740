//! Proofs and certificates, verified offline: good ones, and every lie.

use std::path::{Path, PathBuf};

use cets_contracts::proof::{DossierProof, Proof, ProvenanceProof, RecordProof};
use cets_contracts::state::{KeyParts, ParameterName, StatusKind, keys};
use cets_contracts::transparency::{Policy, TlogProof};
use cets_contracts::types::{Instrument, Serial, TxId};

use crate::runner::{Desk, Ran};
use crate::small_ledger::{SmallLedger, YEAR, entity};

/// Samples of the formats, made and frozen by the tests of the workspace.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats/sample").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(sample(name)).unwrap()
}

/// Demands a refusal with exit code 1 and these words.
fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, 1, "{words}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(words), "{words}: {}", ran.err);
}

#[test]
fn every_kind_of_sample_is_verified_with_the_genesis_file_or_the_policy_alone() {
    let desk = Desk::new();
    let genesis = sample("genesis.json").display().to_string();
    for (name, kind, shown) in [
        ("units", "units", "CN-KEE-0000000002"),
        ("statement", "statement", "CN-KEE-0000000003-13"),
        ("receipt", "receipt", "transfer"),
        ("refused", "receipt", "1009"),
        ("records", "records", "Power plant A"),
        ("provenance", "provenance", "issued"),
        ("dossier", "dossier", "Power plant A"),
    ] {
        let file = sample(&format!("{name}.cets-proof")).display().to_string();
        let ran = desk.good(&format!("verify {file} --genesis {genesis}"));
        assert!(ran.out.contains(shown), "{name}: {}", ran.out);
        assert!(ran.out.contains("Verified with the genesis file alone."), "{}", ran.out);
        let json = desk.good(&format!("verify {file} --genesis {genesis} --output json")).json();
        assert_eq!((&json["verified"], &json["kind"]), (&true.into(), &kind.into()), "{name}");
        let chinese = desk.good(&format!("verify {file} --genesis {genesis} --lang zh")).out;
        assert!(chinese.contains("仅凭创世文件已核验"), "{chinese}");
    }
    let (file, policy) = (sample("receipt.tlog-proof"), sample("policy"));
    let line = format!("verify {} --policy {}", file.display(), policy.display());
    let shown = desk.good(&line).out;
    assert!(shown.contains("validator/") && shown.contains("transfer"), "{shown}");
    let json = desk.good(&format!("{line} --output json")).json();
    assert_eq!(json["witnesses"].as_array().unwrap().len(), 3);
    assert_eq!(json["entry"]["outcome"]["accepted"], true);
}

#[test]
fn a_wrong_genesis_a_missing_policy_and_no_proof_at_all_are_refused() {
    let desk = Desk::new();
    let text = String::from_utf8(bytes("genesis.json")).unwrap();
    desk.write("other.json", &text.replace("\"sample\"", "\"forged\""));
    let file = sample("units.cets-proof").display().to_string();
    refused(&desk.run(&format!("verify {file} --genesis other.json")), "the proof is of chain");
    let nothing = desk.run(&format!("verify {file}"));
    assert_eq!(nothing.code, 2);
    let tlog = sample("receipt.tlog-proof").display().to_string();
    assert_eq!(desk.run(&format!("verify {tlog}")).code, 2);
    desk.write("note.txt", "hello\n");
    refused(&desk.run("verify note.txt --genesis other.json"), "no proof file");
    let chinese = desk.run("verify note.txt --genesis other.json --lang zh");
    assert!(chinese.err.contains("不是证明文件"), "{}", chinese.err);
}

/// Changes one bit of every byte, and of each demands a refusal that begins as one of these.
fn require_tamper_proof(desk: &Desk, good: &[u8], arguments: &str, step: usize) {
    let path = desk.path("tampered").display().to_string();
    let home = desk.home().display().to_string();
    let mut words = vec!["cets", "--home", &home, "--lang", "en", "verify", &path];
    words.extend(arguments.split_whitespace());
    for position in (0..good.len()).step_by(step) {
        let mut bad = good.to_vec();
        bad[position] ^= 1 << (position % 8);
        std::fs::write(&path, &bad).unwrap();
        // In this process: a process for each of some thousand bytes would take minutes.
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = cets_cli::run(words.clone(), &mut out, &mut err);
        let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
        assert_eq!(code, 1, "byte {position} of {}: {out}{err}", good.len());
        let names = ["proves nothing", "is no proof file"];
        assert!(names.iter().any(|name| err.contains(name)), "byte {position}: {err}");
    }
}

#[test]
fn any_changed_byte_of_a_tlog_proof_is_detected() {
    let desk = Desk::new();
    let policy: Policy = String::from_utf8(bytes("policy")).unwrap().parse().unwrap();
    let proof = String::from_utf8(bytes("receipt.tlog-proof")).unwrap();
    let mut proof: TlogProof = proof.parse().unwrap();
    // The sample has a signature of the log for each validator; one suffices, as in `prove tx`.
    proof.checkpoint = policy.least(&proof.checkpoint).unwrap();
    let arguments = format!("--policy {}", sample("policy").display());
    require_tamper_proof(&desk, proof.to_string().as_bytes(), &arguments, 1);
}

#[test]
fn any_changed_byte_of_a_proof_file_is_detected() {
    let desk = Desk::new();
    let genesis = sample("genesis.json").display().to_string();
    let good = bytes("units.cets-proof");
    require_tamper_proof(&desk, &good, &format!("--genesis {genesis}"), 1);
    for name in ["statement", "receipt", "records", "provenance", "dossier"] {
        let good = bytes(&format!("{name}.cets-proof"));
        require_tamper_proof(&desk, &good, &format!("--genesis {genesis}"), 37);
    }
}

#[test]
fn a_policy_that_asks_for_more_cosignatures_than_there_are_is_not_met() {
    let desk = Desk::new();
    let policy = String::from_utf8(bytes("policy")).unwrap();
    desk.write("strict", &policy.replace("group validators 3", "group validators 4"));
    let tlog = sample("receipt.tlog-proof").display().to_string();
    let ran = desk.run(&format!("verify {tlog} --policy strict"));
    refused(&ran, "3 known witnesses cosigned");
    let proof = String::from_utf8(bytes("receipt.tlog-proof")).unwrap();
    let mut lines: Vec<&str> = proof.lines().collect();
    let cosigned = lines.iter().position(|line| line.contains("/validator/")).unwrap();
    lines.remove(cosigned);
    desk.write("short.tlog-proof", &(lines.join("\n") + "\n"));
    let policy = sample("policy").display().to_string();
    let ran = desk.run(&format!("verify short.tlog-proof --policy {policy}"));
    refused(&ran, "2 known witnesses cosigned the checkpoint");
}

#[test]
fn an_old_proof_is_not_newest_once_a_checkpoint_knows_more() {
    let desk = Desk::new();
    let (policy, genesis) = (sample("policy"), sample("genesis.json"));
    let proof = String::from_utf8(bytes("receipt.tlog-proof")).unwrap();
    let (_, checkpoint) = proof.split_once("\n\n").unwrap();
    desk.write("checkpoint", checkpoint);
    let trusted = format!("--policy {} --genesis {}", policy.display(), genesis.display());
    let tlog = sample("receipt.tlog-proof").display().to_string();
    desk.good(&format!("verify {tlog} {trusted} --checkpoint checkpoint"));
    // The samples of ours speak of a later block than the checkpoint of the sample.
    let units = sample("units.cets-proof").display().to_string();
    desk.good(&format!("verify {units} {trusted} --checkpoint checkpoint"));

    let mut ledger = SmallLedger::new(&desk.path("net"));
    let old = ledger.proof_file(|anchor| {
        let records = vec![ledger.record(&keys::account(entity(1)))];
        Proof::Records(RecordProof { records, anchor })
    });
    desk.write("old.proof", &old.to_text());
    ledger.comply();
    let (note, policy) = ledger.cosigned_checkpoint(3);
    desk.write("newest", &note.to_string());
    desk.write("policy", &policy.to_string());
    let genesis = ledger.network.genesis_path.display().to_string();
    let line = format!("--genesis {genesis} --policy policy --checkpoint newest");
    refused(&desk.run(&format!("verify old.proof {line}")), "an old proof: it knows");
    let new = ledger.proof_file(|anchor| {
        let records = vec![ledger.record(&keys::account(entity(1)))];
        Proof::Records(RecordProof { records, anchor })
    });
    desk.write("new.proof", &new.to_text());
    desk.good(&format!("verify new.proof {line}"));
    let (short, _) = ledger.cosigned_checkpoint(2);
    desk.write("newest", &short.to_string());
    refused(&desk.run(&format!("verify new.proof {line}")), "the checkpoint to compare with");
}

#[test]
fn the_life_of_a_unit_holds_its_holds_and_its_end() {
    let desk = Desk::new();
    let mut ledger = SmallLedger::new(&desk.path("net"));
    ledger.comply();
    let genesis = ledger.network.genesis_path.display().to_string();
    let life = |number| {
        let serial = Serial { instrument: Instrument::Cea(YEAR), number };
        let file = ledger.proof_file(|anchor| {
            let hops = ledger.hops_of(&serial);
            let last = ledger.record(&ledger.range_of(&serial));
            Proof::Provenance(ProvenanceProof { serial, hops, last, anchor })
        });
        desk.write("life.proof", &file.to_text());
        desk.good(&format!("verify life.proof --genesis {genesis} --output json")).json()
    };
    let status = |json: &serde_json::Value| {
        let hops = json["claim"]["hops"].as_array().unwrap().clone();
        let movements = hops.iter().flat_map(|hop| hop["movements"].as_array().unwrap().clone());
        movements.map(|moved| moved["to"]["status"].to_string()).collect::<Vec<_>>()
    };
    // Units 951 to 1,000 were frozen and released; 901 to 960 were cancelled afterwards.
    let frozen = status(&life(970));
    assert_eq!(frozen.len(), 3, "{frozen:?}");
    assert!(frozen[1].contains("Frozen") && frozen[2].contains("Free"), "{frozen:?}");
    let surrendered = status(&life(500));
    assert!(surrendered.last().unwrap().contains("Surrendered"), "{surrendered:?}");
    let cancelled = status(&life(905));
    assert!(cancelled.last().unwrap().contains("Cancelled"), "{cancelled:?}");
    let both = status(&life(955));
    assert!(both.len() == 4 && both[1].contains("Frozen") && both[3].contains("Cancelled"));
}

/// A ledger whose entity 1 met its obligation, and certificates of it.
struct Office {
    desk: Desk,
    ledger: SmallLedger,
    cancelled: TxId,
    genesis: String,
}

impl Office {
    fn new() -> Self {
        let desk = Desk::new();
        let mut ledger = SmallLedger::new(&desk.path("net"));
        let cancelled = ledger.comply();
        let genesis = ledger.network.genesis_path.display().to_string();
        Self { desk, ledger, cancelled, genesis }
    }

    /// The dossier of the obligation, without records that `leave_out` names.
    fn compliance(&self, leave_out: impl Fn(&KeyParts) -> bool) -> Proof {
        let deadline = ParameterName::SurrenderDeadline.tag();
        let mut asked = vec![
            keys::obligation(entity(1), YEAR),
            keys::account(entity(1)),
            keys::parameter(deadline, YEAR.get(), "2021-07-16".parse().unwrap()),
        ];
        let ended = StatusKind::Surrendered;
        let ranges = self.ledger.ranges().into_iter();
        asked.extend(ranges.filter(|(_, at)| at.status.kind() == ended).map(|(key, _)| key));
        asked.retain(|key| !leave_out(&KeyParts::of(key.as_bytes()).unwrap()));
        let records = asked.iter().map(|key| self.ledger.record(key)).collect();
        let file = self.ledger.proof_file(|anchor| {
            Proof::Dossier(DossierProof { transactions: vec![], records, anchor })
        });
        file.proof
    }

    fn cancellation(&self, with_units: bool) -> Proof {
        let mut asked = vec![keys::account(entity(1))];
        let ranges = self.ledger.ranges().into_iter();
        let cancelled =
            ranges.filter(|(_, at)| with_units && at.status.kind() == StatusKind::Cancelled);
        asked.extend(cancelled.map(|(key, _)| key));
        let records = asked.iter().map(|key| self.ledger.record(key)).collect();
        let transactions = vec![self.ledger.timed(self.cancelled)];
        let file = self
            .ledger
            .proof_file(|anchor| Proof::Dossier(DossierProof { transactions, records, anchor }));
        file.proof
    }

    /// The certificate that a proof gives, as its two files.
    fn certify(&self, proof: Proof) -> Result<(String, Vec<u8>), String> {
        let file = self.ledger.proof_file(|_| proof);
        let certificate =
            cets_cli::certificates::Certificate::of(&file, &self.ledger.network.genesis)
                .map_err(|error| error.to_string())?;
        let pdf = cets_cli::certificates::to_pdf(&certificate).unwrap();
        Ok((certificate.to_json(), pdf))
    }

    fn verify(&self, name: &str) -> Ran {
        self.desk.run(&format!("verify {name} --genesis {} --output json", self.genesis))
    }
}

#[test]
fn a_completion_certificate_says_who_owed_what_and_how_it_was_met() {
    let office = Office::new();
    let (json, pdf) = office.certify(office.compliance(|_| false)).unwrap();
    office.desk.write("done.json", &json);
    std::fs::write(office.desk.path("done.pdf"), &pdf).unwrap();
    for name in ["done.json", "done.pdf"] {
        let ran = office.verify(name);
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
        let shown = &ran.json()["certifies"]["compliance"];
        assert_eq!(shown["name"], "Entity 1");
        assert_eq!((&shown["verified"], &shown["due"]), (&520.into(), &500.into()));
        assert_eq!((&shown["surrendered"], &shown["offset"]), (&500.into(), &0.into()));
        assert_eq!(shown["allowances"][0]["tonnes"], 500);
        assert_eq!((&shown["deadline"], &shown["in_time"]), (&"2021-12-31".into(), &true.into()));
        assert_eq!(shown["completed_on"], "2021-07-16");
        assert_eq!(shown["credit_code"].as_str().unwrap().len(), 18);
    }
    for (lang, words) in [("zh", "碳排放配额清缴履约证明"), ("en", "completed compliance")]
    {
        let line = format!("verify done.pdf --genesis {} --lang {lang}", office.genesis);
        let shown = office.desk.good(&line).out;
        assert!(shown.contains(words) && shown.contains("2021-12-31"), "{shown}");
    }
    let (_, again) = office.certify(office.compliance(|_| false)).unwrap();
    assert!(pdf == again, "a page is drawn the same each time");
}

#[test]
fn a_completion_certificate_needs_every_unit_and_the_account() {
    let office = Office::new();
    let lacks = |leave_out: &dyn Fn(&KeyParts) -> bool| {
        office.certify(office.compliance(leave_out)).unwrap_err()
    };
    let units = lacks(&|parts| matches!(parts, KeyParts::UnitRange(..)));
    assert!(units.contains("add up to 0 t surrendered, the obligation says 500 t"), "{units}");
    assert!(lacks(&|parts| matches!(parts, KeyParts::Account(_))).contains("the account"));
    assert!(lacks(&|parts| matches!(parts, KeyParts::Obligation(..))).contains("the obligation"));
    let (json, _) = office
        .certify(office.compliance(|parts| matches!(parts, KeyParts::Parameter(..))))
        .unwrap();
    assert!(json.contains("\"deadline\": null"), "{json}");
}

#[test]
fn a_cancellation_certificate_names_the_units_and_shows_them_cancelled_still() {
    let office = Office::new();
    let (json, pdf) = office.certify(office.cancellation(true)).unwrap();
    office.desk.write("cancelled.json", &json);
    std::fs::write(office.desk.path("cancelled.pdf"), pdf).unwrap();
    for name in ["cancelled.json", "cancelled.pdf"] {
        let ran = office.verify(name);
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
        let shown = &ran.json()["certifies"]["cancellation"];
        assert_eq!((&shown["tonnes"], &shown["reason"]), (&60.into(), &"event".into()));
        assert_eq!(shown["tx_id"], office.cancelled.to_string());
    }
    let refused = office.certify(office.cancellation(false)).unwrap_err();
    assert!(refused.contains("is not shown to be cancelled"), "{refused}");
}

#[test]
fn a_certificate_says_nothing_but_what_its_proof_shows() {
    let office = Office::new();
    let (json, pdf) = office.certify(office.compliance(|_| false)).unwrap();
    for (from, to, field) in [
        ("\"due\": 500", "\"due\": 400", "certifies.compliance.due"),
        ("\"Entity 1\"", "\"Entity 2\"", "certifies.compliance.name"),
        ("\"in_time\": true", "\"in_time\": false", "certifies.compliance.in_time"),
        ("\"small\"", "\"large\"", "network"),
    ] {
        assert!(json.contains(from), "{from}");
        office.desk.write("forged.json", &json.replacen(from, to, 1));
        let error = office.verify("forged.json").json()["error"]["message"].to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
    office.desk.write("spaced.json", &json.replacen("\"due\": 500", "\"due\":  500", 1));
    let error = office.verify("spaced.json").json()["error"]["message"].to_string();
    assert!(error.contains("is not written as the proof demands"), "{error}");

    let arguments = format!("--genesis {}", office.genesis);
    require_tamper_proof(&office.desk, json.as_bytes(), &arguments, 7);
    require_tamper_proof(&office.desk, &pdf, &arguments, 97);
}

#[test]
fn a_page_that_was_redrawn_around_a_good_certificate_is_refused() {
    let office = Office::new();
    let (_, pdf) = office.certify(office.compliance(|_| false)).unwrap();
    let end = pdf.len() - 65;
    let position = pdf.windows(10).position(|window| window == b"endobj\n2 0").unwrap_or(20);
    let mut forged = pdf[..end].to_vec();
    forged.insert(position, b' ');
    let digest = blake3::hash(&forged).to_string();
    forged.extend(format!("{digest}\n").bytes());
    std::fs::write(office.desk.path("redrawn.pdf"), forged).unwrap();
    let ran = office.verify("redrawn.pdf");
    let error = ran.json()["error"]["message"].to_string();
    assert!(error.contains("the pages of the PDF file are not those"), "{error}");
}

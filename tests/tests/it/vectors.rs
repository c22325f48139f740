//! Regenerating the frozen vectors gives no difference.

use cets_contracts::codec;
use cets_contracts::rules::{Payload, RULES};
use cets_contracts::tx::{Transaction, VerifiedTransaction};
use cets_tests::vectors;

#[test]
fn regenerating_the_vectors_gives_no_difference() {
    for (path, text) in vectors::all() {
        let frozen = std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} is missing: run `cargo bless`", path.display()));
        for (number, (old, new)) in (1..).zip(frozen.lines().zip(text.lines())) {
            assert_eq!(old, new, "{}:{number}", path.display());
        }
        assert_eq!(frozen.len(), text.len(), "{}", path.display());
    }
}

#[test]
fn frozen_bytes_decode_to_what_they_say() {
    for rule in RULES {
        let text = std::fs::read_to_string(vectors::path(rule)).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let field = |name: &str| file["example"][name].as_str().unwrap().to_owned();
        let payload: Payload =
            codec::decode(&hex::decode(field("payload_bytes")).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(&payload).unwrap(), file["example"]["payload"]);
        assert_eq!(u64::from(rule.tag), file["tag"].as_u64().unwrap());
        let bytes = hex::decode(field("transaction_bytes")).unwrap();
        let transaction = Transaction::decode(bytes).unwrap();
        assert_eq!(transaction.id().to_string(), field("tx_id"));
        assert_eq!(transaction.body().payload, payload);
        assert!(VerifiedTransaction::verify(transaction).is_ok(), "{}", rule.name);
    }
}

#[test]
fn every_vector_file_belongs_to_a_rule() {
    let folder = cets_tests::workspace::root().join("tests/vectors");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(RULES.iter().any(|rule| vectors::path(rule) == path), "{}", path.display());
    }
}

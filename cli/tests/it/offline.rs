//! Transactions as files: built, signed and checked without any node.

use crate::runner::Desk;

const CHAIN: &str = "00112233445566778899aabbccddeeff";
const ACCOUNT: &str = "CN-KEE-0000000001-19";

fn desk_with_keys() -> Desk {
    let desk = Desk::new();
    desk.good(&format!("key new alice --account {ACCOUNT} --password-file pass"));
    desk.good(&format!("key new bob --account {ACCOUNT} --password-file pass"));
    desk.good(&format!("context set x --chain {CHAIN} --account {ACCOUNT}"));
    desk
}

#[test]
fn every_rule_has_an_example_that_builds() {
    let desk = desk_with_keys();
    let rules = desk.good("tx list-rules --output json").json();
    let rules = rules["rules"].as_array().unwrap();
    assert!(rules.len() >= 4);
    for rule in rules {
        let name = rule["name"].as_str().unwrap();
        let example = desk.good(&format!("tx example {name}"));
        assert_eq!(example.json(), rule["example"], "{name}");
        desk.write("order.json", &example.out);
        desk.good(&format!("tx build --payload order.json -o {name}.json"));
        let shown = desk.good(&format!("tx show {name}.json --output json")).json();
        assert_eq!(shown["body"]["payload"], rule["example"], "{name}");
        assert_eq!(shown["body"]["chain_id"], CHAIN);
    }
    assert_eq!(desk.run("tx example no_such_rule").code, 1);
}

#[test]
fn two_people_sign_one_file_on_different_machines() {
    let desk = desk_with_keys();
    desk.good("tx build --rule transfer -o tx.json");
    desk.good("tx sign tx.json --key alice --password-file pass -o tx2.json");
    let both = desk.good("tx sign tx2.json --key bob --password-file pass --output json").json();
    assert_eq!(verdicts(&both), [Some(true); 2]);
    let again = desk.good("tx sign tx2.json --key bob --password-file pass --output json").json();
    assert_eq!(verdicts(&again), [Some(true); 2], "a key signs once");
    let unsigned = desk.good("tx show tx.json --output json").json();
    assert_eq!(verdicts(&unsigned), [None; 2], "-o leaves the file alone");
}

/// Whether the signature of each signer verifies; none when it has not signed.
fn verdicts(report: &serde_json::Value) -> Vec<Option<bool>> {
    let signatures = report["signatures"].as_array().unwrap();
    signatures.iter().map(|one| one["verifies"].as_bool()).collect()
}

#[test]
fn only_the_signers_that_a_transaction_lists_may_sign_and_all_of_them_must() {
    let desk = desk_with_keys();
    desk.good("tx build --rule transfer --key alice -o tx.json");
    let other = desk.run("tx sign tx.json --key bob --password-file pass");
    assert_eq!(other.code, 1);
    assert!(other.err.contains("does not list"), "{}", other.err);
    let public = desk.good("key show bob --output json").json()["public_key"].clone();
    let public = public.as_str().unwrap();
    desk.good(&format!("tx build --rule transfer --key alice --key {public} -o both.json"));
    desk.good("tx sign both.json --key alice --password-file pass");
    let early = desk.run("tx submit both.json --node http://127.0.0.1:1");
    assert_eq!(early.code, 1);
    assert!(early.err.contains("missing") && early.err.contains(public), "{}", early.err);
}

#[test]
fn the_keys_of_the_account_sign_unless_others_are_named() {
    let desk = desk_with_keys();
    desk.good("tx build --rule transfer -o tx.json");
    let signed = desk.good("tx sign tx.json --password-file pass --output json").json();
    assert_eq!(verdicts(&signed), [Some(true); 2]);
    let refused = desk.run("tx build --rule transfer --account CN-KEE-0000000002-16 -o other.json");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("no key acts for account"), "{}", refused.err);
}

#[test]
fn a_changed_file_is_noticed() {
    let desk = desk_with_keys();
    desk.good("tx build --rule transfer --key alice -o tx.json");
    desk.good("tx sign tx.json --key alice --password-file pass");
    let text = std::fs::read_to_string(desk.path("tx.json")).unwrap();
    assert!(text.contains("1000"));
    desk.write("tx.json", &text.replace("1000", "9000"));
    let shown = desk.run("tx show tx.json");
    assert_eq!(shown.code, 1);
    assert!(shown.err.contains("was changed after it was built"), "{}", shown.err);
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for signature in document["signatures"].as_object_mut().unwrap().values_mut() {
        *signature = signature.as_str().unwrap().replace('0', "1").into();
    }
    desk.write("forged.json", &document.to_string());
    let shown = desk.good("tx show forged.json --output json").json();
    assert_eq!(shown["signatures"][0]["verifies"], false);
}

#[test]
fn files_are_not_overwritten_and_wrong_orders_are_refused_with_the_place() {
    let desk = desk_with_keys();
    desk.good("tx build --rule transfer -o tx.json");
    assert_eq!(desk.run("tx build --rule transfer -o tx.json").code, 1);
    desk.write("order.json", r#"{"transfer": {"to": "CN-KEE-0000000002-00", "units": {}}}"#);
    let refused = desk.run("tx build --payload order.json -o other.json");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("check digits") && refused.err.contains("line 1"));
    desk.write("order.json", r#"{"no_such_order": {}}"#);
    assert_eq!(desk.run("tx build --payload order.json -o other.json").code, 1);
}

#[test]
fn without_a_node_the_exit_code_is_4_and_without_an_address_1() {
    let desk = desk_with_keys();
    let nowhere = desk.run("status");
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.err.contains("--node"), "{}", nowhere.err);
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = desk.run(&format!("account show --node http://127.0.0.1:{port} --output json"));
    assert_eq!(away.code, 4, "{}", away.out);
    assert_eq!(away.json()["error"]["kind"], "unreachable");
    let all = desk.run(&format!("status --node http://127.0.0.1:{port},127.0.0.1:{port}"));
    assert_eq!(all.code, 4);
    assert_eq!(desk.run("status --node http://[").code, 2);
}

#[test]
fn orders_about_units_become_the_payload_that_their_words_say() {
    let desk = desk_with_keys();
    desk.good("context name-account plant CN-KEE-0000000002-16");
    let payload = |line: &str| {
        let path = desk.path("order-tx.json");
        std::fs::remove_file(&path).ok();
        desk.good(&format!("{line} -o order-tx.json"));
        desk.good("tx show order-tx.json --output json").json()["body"]["payload"].clone()
    };
    let order = payload("transfer plant --instrument CEA-2021 --tonnes 1,000");
    assert_eq!(order["transfer"]["to"], "CN-KEE-0000000002-16");
    assert_eq!(order["transfer"]["units"]["Quantity"]["tonnes"], 1_000);
    let range = "CN-CEA-2025-000000000001-000000004000-44";
    let order = payload(&format!("surrender --year 2025 --range {range}"));
    assert_eq!(order["surrender"]["year"], 2025);
    assert_eq!(order["surrender"]["units"]["Ranges"][0], range);
    let order = payload("offset --year 2021 --instrument CCER-A210008-2021 --tonnes 5");
    assert_eq!(order["offset"]["units"]["Quantity"]["instrument"], "CCER-A210008-2021");
    desk.write("statement.txt", "for the climate");
    let order =
        payload("cancel --instrument CEA-2021 --tonnes 1 --reason event --statement statement.txt");
    assert_eq!(order["cancel"]["reason"], "event");
    let digest = blake3::hash(b"for the climate").to_string();
    assert_eq!(order["cancel"]["statement"], digest);
    desk.write("table.csv", "account,tonnes\nplant,\"1000\"\nCN-KEE-0000000001-19,2_000\n");
    let order = payload(&format!("issue --vintage 2021 --table table.csv --document {digest}"));
    assert_eq!(order["issue"]["lines"][1]["tonnes"], 2_000);
    let order = payload(&format!("freeze plant --document {digest}"));
    assert!(order["freeze"]["units"].is_null());
    let order = payload(&format!("unfreeze plant --document {digest} --lifted-by statement.txt"));
    assert_eq!(order["unfreeze"]["lifted_by"], digest);
    let order = payload("date advance 2021-07-16");
    assert_eq!(order["advance_business_date"]["date"], "2021-07-16");
    let order = payload(&format!("task approve {digest}"));
    assert_eq!(order["approve"]["task"], digest);
    let order = payload("transfer plant --instrument CEA-2021 --tonnes 1 --propose");
    assert_eq!(order["propose"]["order"]["transfer"]["to"], "CN-KEE-0000000002-16");
}

#[test]
fn orders_without_units_or_with_wrong_tables_are_refused_with_the_line() {
    let desk = desk_with_keys();
    let nothing = desk.run("transfer CN-KEE-0000000002-16 -o x.json");
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("--instrument"), "{}", nothing.err);
    assert_eq!(desk.run("transfer nobody --instrument CEA-2021 --tonnes 1 -o x.json").code, 1);
    assert_eq!(desk.run("transfer plant --instrument CEA-21 --tonnes 1 -o x.json").code, 2);
    desk.write("table.csv", "account,tonnes\nCN-KEE-0000000002-16,12\nCN-KEE-0000000002-16,x\n");
    let digest = "00".repeat(32);
    let refused =
        desk.run(&format!("issue --vintage 2021 --table table.csv --document {digest} -o x.json"));
    assert!(refused.code != 0 && refused.err.contains("line 3"), "{}", refused.err);
    assert!(!desk.path("x.json").exists());
}

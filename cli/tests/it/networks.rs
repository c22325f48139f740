//! New networks.

use std::os::unix::fs::PermissionsExt;

use cets_cli::keys::{Passphrase, decrypt_key, read_key_text};
use cets_contracts::genesis::Genesis;

use crate::runner::Desk;

const FOUR: &str = "--institutions \
    ets-registry:registry,exchange:exchange,ccer-registry:ccer-registry,hubei:province:42";

#[test]
fn a_network_of_four_is_written_with_different_keys_everywhere() {
    let desk = Desk::new();
    let made = desk
        .good(&format!(
            "network init --folder net {FOUR} --accounts mee:ministry,bank:settlement \
             --base-port 27000 --output json"
        ))
        .json();
    let text = std::fs::read_to_string(desk.path("net/genesis.json")).unwrap();
    let genesis: Genesis = serde_json::from_str(&text).unwrap();
    assert_eq!(made["chain"], genesis.chain_id().to_string());
    assert_eq!(genesis.validators.len(), 4);
    assert_eq!(genesis.accounts.len(), 6);
    assert_eq!(made["institutions"][1]["node"], "http://127.0.0.1:27012");
    assert_eq!(made["institutions"][4]["node"], serde_json::Value::Null);

    let passphrase = std::fs::read_to_string(desk.path("net/passphrase")).unwrap();
    let passphrase = Passphrase::new(passphrase.trim_end());
    let mut keys = std::collections::BTreeSet::new();
    for node in ["ets-registry", "exchange", "ccer-registry", "hubei"] {
        for kind in ["consensus", "network", "cosigner"] {
            let path = desk.path(&format!("net/{node}/{kind}.pem"));
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path:?}");
            let key = decrypt_key(&read_key_text(&path).unwrap(), &passphrase).unwrap();
            assert!(keys.insert(key.verifying_key().to_bytes()));
        }
    }
    for account in &genesis.accounts {
        for person in &account.representatives {
            assert!(keys.insert(*person.key.as_bytes()));
        }
    }
    assert_eq!(keys.len(), 12 + 12);
}

#[test]
fn the_client_home_knows_every_institution() {
    let desk = Desk::new();
    desk.good(&format!("network init --folder net {FOUR}"));
    let listed = desk.good("--home net/client context list --output json").json();
    assert_eq!(listed["current"], "ets-registry");
    assert_eq!(listed["contexts"].as_object().unwrap().len(), 4);
    let keys = desk.good("--home net/client key list --output json").json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 8);
    let key = desk.good("--home net/client key show hubei-2 --output json").json();
    assert!(key["account"].as_str().unwrap().starts_with("CN-PRV-0000000001-"));
}

#[test]
fn a_folder_in_use_and_wrong_institutions_are_refused() {
    let desk = Desk::new();
    desk.good(&format!("network init --folder net {FOUR}"));
    let again = desk.run(&format!("network init --folder net {FOUR}"));
    assert_eq!(again.code, 1);
    assert!(again.err.contains("is not empty"), "{}", again.err);
    let role = desk.run("network init --folder other --institutions a:bank");
    assert_eq!(role.code, 2);
    assert!(role.err.contains("no role is called `bank`"), "{}", role.err);
    let twice = desk.run("network init --folder other --institutions a:registry,a:exchange");
    assert_eq!(twice.code, 2);
    let reserved = desk.run("network init --folder other --institutions client:registry");
    assert_eq!(reserved.code, 2);
    assert!(!desk.path("other").exists());
}

#[test]
fn a_given_passphrase_opens_everything() {
    let desk = Desk::new();
    desk.good("network init --folder net --institutions a:registry --password-file pass");
    let given = std::fs::read(desk.path("pass")).unwrap();
    assert_eq!(std::fs::read(desk.path("net/passphrase")).unwrap(), given);
}

#[test]
fn the_genesis_of_a_network_is_shown() {
    let desk = Desk::new();
    desk.good(&format!(
        "network init --folder net {FOUR} --clock by-order --business-date 2021-07-01"
    ));
    let shown = desk.good("network genesis net/genesis.json").out;
    assert!(shown.contains("2021-07-01") && shown.contains("by order"), "{shown}");
    let broken = desk.write("broken.json", "{\"network\": 1}");
    let refused = desk.run(&format!("network genesis {}", broken.display()));
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("line 1"), "{}", refused.err);
}

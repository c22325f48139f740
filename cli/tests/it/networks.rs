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

/// Three institutions at their own desks, each with keys and a card of its own.
fn institutions() -> Vec<(Desk, &'static str)> {
    let all = [
        ("registry:registry", "--host 10.0.0.1"),
        ("hubei:province", "--host 10.0.0.2 --base-port 27000"),
        ("mee:ministry", "--no-node"),
    ];
    let desks = all.map(|(institution, node)| {
        let desk = Desk::new();
        for person in ["li", "wang"] {
            desk.good(&format!("key new {person} --password-file pass"));
        }
        desk.good(&format!(
            "network keys {institution} --folder own {node} --representative li \
             --representative wang"
        ));
        (desk, institution.split(':').next().unwrap())
    });
    desks.into()
}

/// The coordinator joins their cards; returns its desk and what `join` said.
fn joined(institutions: &[(Desk, &str)]) -> (Desk, serde_json::Value) {
    let coordinator = Desk::new();
    let mut cards = String::new();
    for (desk, name) in institutions {
        let card = std::fs::read_to_string(desk.path("own/card.json")).unwrap();
        assert!(!card.contains("PRIVATE"), "{card}");
        coordinator.write(&format!("{name}.json"), &card);
        cards.push_str(&format!(" {name}.json"));
    }
    let line = format!("network join{cards} --folder net --network cets --output json");
    let said = coordinator.good(&line).json();
    (coordinator, said)
}

#[test]
fn institutions_join_a_network_without_showing_a_secret() {
    let institutions = institutions();
    let (coordinator, said) = joined(&institutions);
    let text = std::fs::read_to_string(coordinator.path("net/genesis.json")).unwrap();
    let genesis: Genesis = serde_json::from_str(&text).unwrap();
    assert_eq!(said["chain"], genesis.chain_id().to_string());
    assert_eq!(genesis.validators.len(), 2);
    assert_eq!(genesis.accounts.len(), 3);
    let mut passphrases = std::collections::BTreeSet::new();
    for (index, (desk, name)) in institutions.iter().enumerate() {
        let written = desk.run(&format!(
            "network node --folder own --genesis {0}/genesis.json --peers {0}/peers.json",
            coordinator.path("net").display()
        ));
        let person = desk.good("key show li --output json").json();
        let first = &genesis.accounts[index].representatives[0].key;
        assert_eq!(person["public_key"], first.to_string(), "{name}");
        if *name == "mee" {
            assert_eq!(written.code, 1);
            assert!(written.err.contains("has no node"), "{}", written.err);
            assert!(!desk.path("own/passphrase").exists());
            continue;
        }
        assert_eq!(written.code, 0, "{}", written.err);
        let config = std::fs::read_to_string(desk.path("own/node.toml")).unwrap();
        assert_eq!(config.matches("/p2p/").count(), 2, "one other node, twice: {config}");
        assert!(config.contains("listen = \"/ip4/0.0.0.0/tcp/"), "{config}");
        for file in ["consensus.pem", "network.pem", "cosigner.pem", "passphrase"] {
            let mode = std::fs::metadata(desk.path(&format!("own/{file}"))).unwrap();
            assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name} {file}");
        }
        passphrases.insert(std::fs::read(desk.path("own/passphrase")).unwrap());
    }
    assert_eq!(passphrases.len(), 2, "each opens its own keys alone");
}

#[test]
fn a_genesis_that_says_something_else_than_the_card_is_refused() {
    let institutions = institutions();
    let (coordinator, _) = joined(&institutions);
    let genesis = coordinator.path("net/genesis.json");
    let text = std::fs::read_to_string(&genesis).unwrap();
    let key = |account: usize| {
        let genesis: Genesis = serde_json::from_str(&text).unwrap();
        genesis.accounts[account].representatives[0].key.to_string()
    };
    // Somebody else's key in the place of the first representative of the registry.
    let stranger = Desk::new().good("key new x --password-file pass --output json").json();
    let changed = text.replace(&key(0), stranger["public_key"].as_str().unwrap());
    assert_ne!(changed, text);
    std::fs::write(&genesis, changed).unwrap();
    let (desk, _) = &institutions[0];
    let node = format!("network node --folder own --genesis {} --peers", genesis.display());
    let peers = coordinator.path("net/peers.json");
    let refused = desk.run(&format!("{node} {}", peers.display()));
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("is of chain"), "{}", refused.err);
    // With a list of peers to match.
    let chain: Genesis = serde_json::from_str(&std::fs::read_to_string(&genesis).unwrap()).unwrap();
    let list = std::fs::read_to_string(&peers).unwrap();
    let mut list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list["chain"] = chain.chain_id().to_string().into();
    std::fs::write(&peers, list.to_string()).unwrap();
    let refused = desk.run(&format!("{node} {}", peers.display()));
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("registry does not stand in the genesis"), "{}", refused.err);
    assert!(!desk.path("own/node.toml").exists());
}

#[test]
fn cards_that_share_a_name_or_a_key_are_not_joined() {
    let institutions = institutions();
    let card = std::fs::read_to_string(institutions[0].0.path("own/card.json")).unwrap();
    let coordinator = Desk::new();
    coordinator.write("a.json", &card);
    coordinator.write("b.json", &card.replace("registry:registry", "other:registry"));
    let refused = coordinator.run("network join a.json b.json --folder net --network cets");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("stands on a card already"), "{}", refused.err);
    coordinator.write("c.json", &card.replace("cets-institution/1", "cets-institution/9"));
    let refused = coordinator.run("network join c.json --folder net --network cets");
    assert_eq!(refused.code, 1);
    let desk = &institutions[0].0;
    let alone = desk.run("network keys x:exchange --folder x --host 10.0.0.3 --representative li");
    assert_eq!(alone.code, 2);
    assert!(alone.err.contains("at least 2 representatives"), "{}", alone.err);
    assert!(!coordinator.path("net").exists() && !desk.path("x").exists());
}

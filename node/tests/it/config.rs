//! The configuration file and the key files it names.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cets_node::config::{ConfigError, KeyError, NodeConfig, NodeKeys};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

use crate::world::key;

const EXAMPLE: &str = include_str!("../../../network-config/node.example.toml");

fn parse(text: &str) -> Result<NodeConfig, ConfigError> {
    NodeConfig::parse(text, Path::new("/etc/cets/node.toml"))
}

#[test]
fn the_documented_example_parses_and_names_the_defaults() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.genesis, Path::new("/etc/cets/genesis.json"));
    assert_eq!(config.keys.cosigner.as_deref(), Some(Path::new("/etc/cets/keys/cosigner.pem")));
    assert_eq!(config.gossip_config().unwrap().peers.len(), 3);
    // Every optional key of the example stands there with its default.
    let head: String = EXAMPLE
        .lines()
        .take_while(|line| !line.starts_with("[api.limits]"))
        .collect::<Vec<_>>()
        .join("\n");
    let short = parse(&head).unwrap();
    assert_eq!(short.api, config.api);
    assert_eq!(short.mempool, config.mempool);
    assert_eq!(short.blocks, config.blocks);
    assert_eq!(short.log, config.log);
    assert_eq!(short.engine(), config.engine());
}

#[test]
fn unknown_keys_are_refused_with_file_line_and_known_keys() {
    let text = EXAMPLE.replace("idle_millis", "idle_millies");
    let error = parse(&text).unwrap_err().to_string();
    for part in ["/etc/cets/node.toml", "idle_millies", "idle_millis", "line"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    let error = parse(&EXAMPLE.replace("[blocks]", "[block]")).unwrap_err().to_string();
    assert!(error.contains("unknown field `block`"), "{error}");
}

#[test]
fn values_out_of_range_are_refused_with_what_is_allowed() {
    let error = parse(&EXAMPLE.replace("idle_millis = 1000", "idle_millis = 1")).unwrap_err();
    assert!(error.to_string().contains("`blocks.idle_millis` must be 10 to 60000"), "{error}");
    let error =
        parse(&EXAMPLE.replace("/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo", ""))
            .unwrap_err();
    assert!(matches!(error, ConfigError::PeerAddress { .. }), "{error}");
    let missing = parse("name = \"a\"").unwrap_err().to_string();
    assert!(missing.contains("missing field"), "{missing}");
}

#[test]
fn a_missing_file_is_named() {
    let error = NodeConfig::read(Path::new("/nowhere/node.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/node.toml"), "{error}");
}

fn write_key(folder: &Path, name: &str, kind: u8, mode: u32) {
    let file = folder.join(name);
    let pem = key(9, kind).to_pkcs8_pem(LineEnding::LF).unwrap();
    std::fs::write(&file, pem.as_bytes()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn with_keys(folder: &Path) -> NodeConfig {
    for (kind, name) in (0..).zip(["consensus.pem", "network.pem", "gossip.pem", "cosigner.pem"]) {
        write_key(folder, name, kind, 0o600);
    }
    let mut config = parse(EXAMPLE).unwrap();
    config.keys.consensus = Some(folder.join("consensus.pem"));
    config.keys.network = folder.join("network.pem");
    config.keys.gossip = Some(folder.join("gossip.pem"));
    config.keys.cosigner = Some(folder.join("cosigner.pem"));
    config.keys.password_file = None;
    config
}

#[test]
fn keys_are_read_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_keys(folder.path());
    let keys = NodeKeys::read(&config).unwrap();
    assert_eq!(keys.network.to_bytes(), key(9, 1).to_bytes());
    let shown = format!("{keys:?}");
    assert!(!shown.contains(&hex::encode(key(9, 0).to_bytes())), "{shown}");
}

#[test]
fn keys_that_others_may_read_and_shared_keys_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_keys(folder.path());
    write_key(folder.path(), "network.pem", 1, 0o640);
    let error = NodeKeys::read(&config).unwrap_err();
    assert!(matches!(error, KeyError::Permissions { mode: 0o640, .. }), "{error}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    write_key(folder.path(), "network.pem", 0, 0o600);
    let error = NodeKeys::read(&config).unwrap_err();
    assert!(matches!(error, KeyError::Shared { .. }), "{error}");
    std::fs::write(folder.path().join("network.pem"), "nothing").unwrap();
    let error = NodeKeys::read(&config).unwrap_err();
    assert!(matches!(error, KeyError::NotAKey { .. }), "{error}");
}

#[test]
fn encrypted_keys_open_with_the_password_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = with_keys(folder.path());
    let pem = encrypted(&key(9, 1), b"correct horse");
    std::fs::write(folder.path().join("network.pem"), pem).unwrap();
    assert!(matches!(NodeKeys::read(&config).unwrap_err(), KeyError::NoPassword { .. }));
    let password = folder.path().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    config.keys.password_file = Some(password.clone());
    assert!(matches!(NodeKeys::read(&config).unwrap_err(), KeyError::WrongPassword { .. }));
    std::fs::write(&password, "correct horse\n").unwrap();
    let keys = NodeKeys::read(&config).unwrap();
    assert_eq!(keys.network.to_bytes(), key(9, 1).to_bytes());
}

/// As `openssl pkcs8 -topk8 -scrypt` writes it, with a low cost.
fn encrypted(key: &ed25519_dalek::SigningKey, password: &[u8]) -> String {
    use pkcs8::pkcs5::{pbes2, scrypt};
    let cost = scrypt::Params::new(4, 8, 1).unwrap();
    let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &[1; 16], [2; 16]).unwrap();
    let der = key.to_pkcs8_der().unwrap();
    let info = pkcs8::PrivateKeyInfoRef::try_from(der.as_bytes()).unwrap();
    let document = info.encrypt_with_params(parameters, password).unwrap();
    document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap().to_string()
}

//! The configuration file and the key files it names.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cets_node::config::{ConfigError, KeyError, NodeConfig, NodeKeys, TlsError, check_tls};
use cets_node::rpc::TlsConfig;
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
    assert_eq!(short.proofs, config.proofs);
    assert_eq!(short.log, config.log);
    assert_eq!(short.engine(), config.engine());
}

/// The example with its commented keys and sections.
fn whole_example() -> String {
    let is_setting = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.starts_with('[') || (line.contains(" = ") && !name.contains(' '))
    };
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every table below one, with the way to it.
fn tables(way: &[String], table: &toml::Table, found: &mut Vec<Vec<String>>) {
    found.push(way.to_vec());
    for (name, value) in table {
        if let toml::Value::Table(below) = value {
            tables(&[way, std::slice::from_ref(name)].concat(), below, found);
        }
    }
}

fn table_at<'a>(root: &'a mut toml::Table, way: &[String]) -> &'a mut toml::Table {
    way.iter().fold(root, |table, name| table[name].as_table_mut().unwrap())
}

#[test]
fn the_documented_example_names_every_key_of_every_section() {
    let example: toml::Table = whole_example().parse().unwrap();
    let mut found = Vec::new();
    tables(&[], &example, &mut found);
    assert_eq!(found.len(), 12, "{found:?}");
    for way in found {
        let mut with_unknown = example.clone();
        table_at(&mut with_unknown, &way).insert("no_such_key".to_owned(), true.into());
        let error = parse(&with_unknown.to_string()).unwrap_err().to_string();
        // A refusal of an unknown key lists those that the section knows.
        let known = error.split("unknown field `no_such_key`, expected ").nth(1).unwrap();
        let known: Vec<&str> =
            known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!known.is_empty(), "{way:?}: {error}");
        let mut shown = example.clone();
        let shown = table_at(&mut shown, &way);
        for key in known {
            assert!(shown.contains_key(key), "the example does not show {key} in {way:?}");
        }
    }
}

#[test]
fn settings_that_the_engine_refuses_are_refused_with_the_file() {
    for (right, wrong, said) in [
        ("part_bytes = 131072", "part_bytes = 1", "part_bytes must be 1024 to 2097152"),
        ("propose_millis = 1000", "propose_millis = 0", "timeouts must be above zero"),
        ("listen = \"/ip4/0.0.0.0/tcp/26656\"", "listen = \"here\"", "`here` is no multiaddr"),
        ("connections_per_ip_max = 256", "connections_per_ip_max = 0", "at least 1"),
    ] {
        let error = parse(&EXAMPLE.replacen(right, wrong, 1)).unwrap_err();
        assert!(matches!(error, ConfigError::Engine { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("/etc/cets/node.toml") && error.contains(said), "{error}");
    }
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

/// Of the name `node`, made by openssl for [`TLS_KEY`].
const TLS_CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBRTCB+KADAgECAhQOzREJHlEUM5TbbnNc2LfKaafQDTAFBgMrZXAwDzENMAsG
A1UEAwwEbm9kZTAgFw0yNjExMjMwMjAxMThaGA8yMTI2MTAzMDAyMDExOFowDzEN
MAsGA1UEAwwEbm9kZTAqMAUGAytlcAMhAGRivl3DWYlIOy/o5bo+3BVuWCLwL8kB
pHGg0kQSzHJEo2QwYjAdBgNVHQ4EFgQUGC20nir0+r2tOVIa8aGM0yBlGGMwHwYD
VR0jBBgwFoAUGC20nir0+r2tOVIa8aGM0yBlGGMwDwYDVR0TAQH/BAUwAwEB/zAP
BgNVHREECDAGggRub2RlMAUGAytlcANBABA9Wde7I9VyrzwZoyd1l8oDu4u+5E5N
U7TW6kAUyPFaEg2iyHSOTY1df9tnlCWSNQflYM41bELasaQDfUMzsAs=
-----END CERTIFICATE-----
";
const TLS_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEICPQlj8gNvo5IdU2rz0UTz1RaK80tjzZrO95+Y/V6hao
-----END PRIVATE KEY-----
";

#[test]
fn a_tls_identity_is_read_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut config = parse(EXAMPLE).unwrap();
    assert!(check_tls(&config).is_ok(), "plain text needs no identity");
    std::fs::write(path("key.pem"), TLS_KEY).unwrap();
    let mode = |mode| {
        std::fs::set_permissions(path("key.pem"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    config.api.tls = Some(TlsConfig { certificate, key, client_authority: None });
    mode(0o644);
    let open = check_tls(&config).unwrap_err();
    assert!(matches!(open, TlsError::Key(KeyError::Permissions { mode: 0o644, .. })), "{open}");
    mode(0o600);
    let missing = check_tls(&config).unwrap_err();
    assert!(missing.to_string().contains("certificate.pem"), "{missing}");
    std::fs::write(path("certificate.pem"), TLS_CERTIFICATE).unwrap();
    check_tls(&config).unwrap();
    write_key(folder.path(), "key.pem", 7, 0o600);
    let of_another = check_tls(&config).unwrap_err();
    assert!(matches!(of_another, TlsError::Unusable { .. }), "{of_another}");
    std::fs::write(path("key.pem"), TLS_KEY).unwrap();
    config.api.tls.as_mut().unwrap().client_authority = Some(path("certificate.pem"));
    check_tls(&config).unwrap();
    std::fs::write(path("nothing.pem"), "nothing").unwrap();
    config.api.tls.as_mut().unwrap().client_authority = Some(path("nothing.pem"));
    assert!(check_tls(&config).is_err());
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

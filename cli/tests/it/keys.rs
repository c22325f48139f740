//! Key files, names and passphrases.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::runner::{Desk, PASSPHRASE, skip};

#[test]
fn a_new_key_is_listed_and_shown_without_its_passphrase() {
    let desk = Desk::new();
    let made = desk.good("key new alice --password-file pass --output json").json();
    let listed = desk.good("key list --output json").json();
    assert_eq!(listed["keys"][0]["public_key"], made["public_key"]);
    assert_eq!(desk.good("key show alice --output json").json(), made);
    let csv = desk.good("key list --output csv").out;
    assert!(csv.starts_with("name,account,public key\r\nalice,,"), "{csv}");
}

#[test]
fn secret_files_are_private_and_never_overwritten() {
    let desk = Desk::new();
    desk.good("key new alice --password-file pass");
    let path = desk.home().join("keys/alice.pem");
    let before = std::fs::read(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = desk.run("key new alice --password-file pass");
    assert_eq!(again.code, 1);
    assert!(again.err.contains("never overwritten"), "{}", again.err);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_key_belongs_to_an_account() {
    let desk = Desk::new();
    let account = "CN-KEE-0000000001-19";
    desk.good(&format!("key new alice --account {account} --password-file pass"));
    assert_eq!(desk.good("key show alice --output json").json()["account"], account);
    desk.good("key new bob --password-file pass");
    desk.good(&format!("key assign bob {account}"));
    assert_eq!(desk.good("key show bob --output json").json()["account"], account);
    let typo = desk.run("key assign bob CN-KEE-0000000002-19");
    assert_eq!(typo.code, 2);
    assert!(typo.err.contains("check digits"), "{}", typo.err);
}

#[test]
fn passphrases_come_from_a_file_or_a_descriptor_and_a_wrong_one_is_said() {
    let desk = Desk::new();
    let mut command = desk.command(&["key", "new", "alice", "--password-fd", "0"]);
    command.stdin(std::fs::File::open(desk.path("pass")).unwrap());
    assert!(command.output().unwrap().status.success());
    desk.write("other", "another passphrase\n");
    let wrong = desk.run("key passphrase alice --password-file other --new-password-file other");
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("does not open key alice"), "{}", wrong.err);
    desk.good("key passphrase alice --password-file pass --new-password-file other");
    assert_eq!(
        desk.run("key passphrase alice --password-file pass --new-password-file other").code,
        1
    );
}

#[test]
fn without_a_terminal_the_missing_passphrase_is_a_usage_error() {
    let desk = Desk::new();
    let mut command = Command::new("setsid");
    let inner = desk.command(&["key", "new", "alice"]);
    command.arg("--wait").arg(inner.get_program()).args(inner.get_args());
    command.env("CETS_HOME", desk.home()).env_remove("LANG").env_remove("LC_ALL");
    let Ok(output) = command.stdin(Stdio::null()).output() else {
        return skip("setsid is not installed, so the terminal cannot be left");
    };
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("--password-file"), "{err}");
}

/// Runs openssl with our passphrase on its standard input; none when it is not installed.
fn openssl(desk: &Desk, words: &[&str]) -> Option<(bool, String)> {
    let child = Command::new("openssl")
        .args(words)
        .stdin(std::fs::File::open(desk.path("pass")).unwrap())
        .output();
    let Ok(output) = child else {
        skip("openssl is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn openssl_reads_our_key_files() {
    let desk = Desk::new();
    let made = desk.good("key new alice --password-file pass --output json").json();
    let file = desk.home().join("keys/alice.pem");
    let file = file.to_str().unwrap();
    let words = ["pkey", "-in", file, "-passin", "stdin", "-noout", "-text"];
    let Some((read, text)) = openssl(&desk, &words) else { return };
    assert!(read, "{text}");
    let public = text.split("pub:").nth(1).unwrap();
    let hex: String = public.chars().filter(char::is_ascii_hexdigit).collect();
    assert_eq!(hex, made["public_key"].as_str().unwrap());
}

#[test]
fn keys_made_by_openssl_are_imported() {
    let desk = Desk::new();
    let (plain, sealed) = (desk.path("plain.pem"), desk.path("sealed.pem"));
    let (plain, sealed) = (plain.to_str().unwrap(), sealed.to_str().unwrap());
    let Some((made, text)) = openssl(&desk, &["genpkey", "-algorithm", "ed25519", "-out", plain])
    else {
        return;
    };
    assert!(made, "{text}");
    let seal = ["pkcs8", "-topk8", "-in", plain, "-out", sealed, "-passout", "stdin", "-scrypt"];
    let (sealed_well, text) = openssl(&desk, &seal).unwrap();
    assert!(sealed_well, "{text}");
    desk.good("key import a plain.pem --password-file pass");
    desk.good("key import b sealed.pem --password-file pass");
    let show = |name: &str| {
        desk.good(&format!("key show {name} --output json")).json()["public_key"].clone()
    };
    assert_eq!(show("a"), show("b"));
    let rsa = ["genpkey", "-algorithm", "rsa", "-out", plain];
    assert!(openssl(&desk, &rsa).unwrap().0);
    let refused = desk.run("key import c plain.pem --password-file pass");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("Ed25519"), "{}", refused.err);
}

#[test]
fn no_secret_is_ever_printed() {
    let desk = Desk::new();
    let made = desk.good("key new alice --password-file pass --output json");
    let shown = desk.good("key show alice");
    for ran in [made, shown] {
        assert!(!ran.out.contains(PASSPHRASE) && !ran.err.contains(PASSPHRASE));
        assert!(!ran.out.contains("PRIVATE"), "{}", ran.out);
    }
}

//! Contexts and the configuration file.

use crate::runner::Desk;

#[test]
fn contexts_are_set_used_shown_and_removed() {
    let desk = Desk::new();
    desk.good(
        "context set a --node http://127.0.0.1:1 --node http://127.0.0.1:2 --account exchange",
    );
    desk.good("context set b --node http://127.0.0.1:3");
    let shown = desk.good("context show --output json").json();
    assert_eq!(shown["name"], "a");
    assert_eq!(shown["context"]["nodes"][1], "http://127.0.0.1:2");
    desk.good("context use b");
    assert_eq!(desk.good("context list --output json").json()["current"], "b");
    assert_eq!(desk.good("context show --context a --output json").json()["name"], "a");
    desk.good("context remove b");
    assert_eq!(desk.run("context show b").code, 1);
}

#[test]
fn the_configuration_keeps_what_the_user_wrote() {
    let desk = Desk::new();
    let text = "# written by hand\n[accounts]\nplant = \"CN-KEE-0000000001-19\" # main\n";
    let path = desk.write("home/config.toml", text);
    desk.good("context set a --node http://127.0.0.1:1");
    let after = std::fs::read_to_string(path).unwrap();
    assert!(after.contains(text), "{after}");
}

#[test]
fn unknown_keys_stop_every_command_with_the_line() {
    let desk = Desk::new();
    desk.write("home/config.toml", "current = \"a\"\n[contexts.a]\nnodse = []\n");
    let ran = desk.run("key list");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nodse") && ran.err.contains("line 3"), "{}", ran.err);
}

#[test]
fn accounts_get_names() {
    let desk = Desk::new();
    let ran = desk.good("context name-account plant CN-KEE-0000000001-19 --output json");
    assert_eq!(ran.json()["accounts"]["plant"], "CN-KEE-0000000001-19");
    assert_eq!(desk.run("context name-account CN-x CN-KEE-0000000001-19").code, 2);
}

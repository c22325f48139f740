//! Exit codes and failures, for people and as JSON, in both languages.

use cets_cli::error::ErrorKind;

use crate::runner::Desk;

#[test]
fn usage_errors_exit_with_2_in_both_languages() {
    let desk = Desk::new();
    let ran = desk.run("key nwe x");
    assert_eq!(ran.code, 2);
    assert!(ran.out.is_empty() && ran.err.starts_with("Usage error: "), "{}", ran.err);
    let ran = desk.run("--lang zh key nwe x");
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("用法错误: 未知命令 nwe"), "{}", ran.err);
}

#[test]
fn failures_are_json_when_json_is_asked_for() {
    let desk = Desk::new();
    for (line, kind, code) in [
        ("key show nobody --output json", "user", 1),
        ("key nwe --output json", "usage", 2),
        ("--output=json", "usage", 2),
    ] {
        let ran = desk.run(line);
        let error = &ran.json()["error"];
        assert_eq!(ran.code, code, "{line}");
        assert_eq!(error["kind"], kind, "{line}");
        assert_eq!(error["exit_code"], code, "{line}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{line}");
        assert!(ran.err.is_empty(), "{line}: {}", ran.err);
    }
}

#[test]
fn every_exit_code_is_explained_in_both_languages() {
    let desk = Desk::new();
    let expected: Vec<(String, &str)> = std::iter::once((0, "success"))
        .chain(ErrorKind::ALL.iter().map(|kind| (kind.exit_code(), kind.name())))
        .map(|(code, name)| (code.to_string(), name))
        .collect();
    for line in ["explain exit-codes", "explain exit-codes --lang zh"] {
        let shown = desk.good(line).out;
        // The first two columns of lines that begin with a number; long meanings take more lines.
        let words = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let rows: Vec<(String, String)> = words
            .filter_map(|words| match words.as_slice() {
                [code, name, ..] if code.parse::<u8>().is_ok() => {
                    Some(((*code).to_owned(), (*name).to_owned()))
                }
                _ => None,
            })
            .collect();
        let rows: Vec<(String, &str)> =
            rows.iter().map(|(code, name)| (code.clone(), name.as_str())).collect();
        assert_eq!(rows, expected, "{shown}");
    }
    let chinese = desk.good("explain exit-codes --lang zh").out;
    assert!(chinese.contains("退出码"), "{chinese}");
    assert_eq!(desk.run("explain nothing").code, 1);
}

#[test]
fn the_language_comes_from_the_environment() {
    let desk = Desk::new();
    let mut command = desk.command(&["key", "show", "nobody"]);
    let output = command.env("LANG", "zh_CN.UTF-8").output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.starts_with("错误: "), "{err}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let desk = Desk::new();
    let mut child = desk
        .command(&["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn codes_rules_and_parameters_are_explained() {
    let desk = Desk::new();
    let by_number = desk.good("explain 1009 --output json").json();
    assert_eq!(by_number["name"], "HOLDING_INSUFFICIENT");
    assert_eq!(desk.good("explain holding-insufficient --output json").json(), by_number);
    assert_eq!(desk.good("explain 8 --output json").json()["name"], "TRANSACTION_REPLAYED");
    let rule = desk.good("explain issue --output json").json();
    assert_eq!(rule["roles"][0], "registry");
    assert!(rule["codes"].as_array().unwrap().iter().any(|code| code["number"] == 5001));
    assert_eq!(desk.good("explain issue_cap --output json").json()["set_by"], "ministry");
    assert!(desk.good("explain 1009 --lang zh").out.contains("可用"));
}

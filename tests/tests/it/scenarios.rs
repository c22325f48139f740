//! Every scenario runs, every rule has one, and each shows an acceptance and a refusal.

use cets_contracts::rules::RULES;
use cets_tests::{scenario, workspace};

#[test]
fn every_rule_has_a_scenario_that_accepts_and_refuses() {
    let mut failed = Vec::new();
    for rule in RULES {
        let path = format!("tests/scenarios/{}/{}.scn", rule.module, rule.name);
        let text = std::fs::read_to_string(workspace::root().join(&path));
        let Ok(text) = text else {
            failed.push(format!("{path} is missing"));
            continue;
        };
        match scenario::run(&text) {
            Ok(run) => {
                let own = || run.steps.iter().filter(|step| step.verb == rule.name);
                if !own().any(|step| step.accepted) || own().all(|step| step.accepted) {
                    failed.push(format!("{path} needs an acceptance and a refusal"));
                }
            }
            Err(error) => failed.push(format!("{path}, {error}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn scenario_files_belong_to_rules() {
    let known: Vec<String> = RULES
        .iter()
        .map(|rule| format!("tests/scenarios/{}/{}.scn", rule.module, rule.name))
        .collect();
    for source in workspace::sources(&["scn"]) {
        assert!(known.contains(&source.path), "{} belongs to no rule", source.path);
    }
}

/// A runner that cannot fail would prove nothing.
#[test]
fn a_scenario_with_a_wrong_result_is_found() {
    let good = "open Power KeyEmittingEntity\n\
                Registry issue vintage=2021 lines=[(account=Power tonnes=3)] => accepted\n\
                balance Power CEA-2021 free=3\n";
    assert!(scenario::run(good).is_ok());
    for (from, to) in [
        ("free=3", "free=4"),
        ("=> accepted", "=> ISSUE_CAP_EXCEEDED"),
        ("tonnes=3", "tonnes=0"),
        ("tonnes=3", "weight=3"),
        ("issue", "isue"),
    ] {
        let broken = good.replace(from, to);
        assert!(scenario::run(&broken).is_err(), "{broken}");
    }
}

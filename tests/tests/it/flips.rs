//! Flipped bits are noticed: a short form of `cargo flips`.

use std::process::Command;
use std::sync::Arc;

use cets_tests::cluster::load::Load;
use cets_tests::cluster::market::Market;
use cets_tests::cluster::nodes::{Nodes, program};
use cets_tests::flips::campaign::Campaign;
use cets_tests::flips::folder::killed_node;
use cets_tests::workload::{Chooser, number_from_environment};

#[test]
fn no_flipped_bit_of_a_folder_changes_anything_without_a_word() {
    let seed = number_from_environment("SEED", 1);
    let work = tempfile::tempdir().unwrap();
    let data = work.path().join("original");
    killed_node(&data, seed, 4).unwrap();
    let campaign = Campaign::of(&data, work.path()).unwrap();
    let tally = campaign.run(&mut Chooser::new(seed), 120).unwrap();
    println!("{tally}");
    assert_eq!(tally.violations, Vec::<String>::new());
    let found: u64 = tally.kinds.values().map(|noticed| noticed.check).sum();
    assert!(found > 30, "most bytes matter: {found} of 120 were named");
}

#[test]
fn a_damaged_node_is_whole_again_after_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let market = Arc::new(Market::write(folder.path().join("network"), 4, 7).unwrap());
    let mut nodes = Nodes::new(market.network.clone()).unwrap();
    let all = nodes.all();
    let started = nodes.start(&all).unwrap();
    nodes.answer(&all, started).unwrap();
    let load = Load::start(&market, 7).unwrap();
    nodes.reach(0, 5).unwrap();
    nodes.kill(&[0]).unwrap();
    let ledger = nodes.data_folder(0).join("ledger");
    let logs = std::fs::read_dir(&ledger).unwrap().map(|entry| entry.unwrap().path());
    let log = logs.filter(|path| path.extension().is_some_and(|end| end == "log")).max().unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let config = nodes.files(0).config_path.clone();
    let run = |command: &str| {
        let mut cetsd = Command::new(program("cetsd").unwrap());
        let ran = cetsd.args([command, "--lang", "en", "--config"]).arg(&config).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    let (code, text) = run("check");
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains(".log, byte ") && text.contains("cetsd repair"), "{text}");
    let (code, text) = run("repair");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the ledger is whole again"), "{text}");
    assert!(nodes.data_folder(0).join("damaged/001/ledger/CURRENT").exists());
    assert_eq!(run("check").0, Some(0));
    let started = nodes.start(&[0]).unwrap();
    nodes.answer(&[0], started).unwrap();
    nodes.catch_up(0).unwrap();
    load.finish();
}

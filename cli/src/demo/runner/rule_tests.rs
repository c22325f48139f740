//! The whole replay through the ledger's own rules, in one process and without a network.

use cets_contracts::block::{BlockExecutor, commit_block};
use cets_contracts::genesis::{Genesis, GenesisAccount};
use cets_contracts::rules::Event;
use cets_contracts::rules::settlement::settle_trades::TradeOutcome;
use cets_contracts::tx::{Transaction, VerifiedTransaction};
use cets_contracts::types::{BlockTime, PublicKey, Representative, Right, ValidatorAddress};
use ed25519_dalek::SigningKey;

use super::institutions::{Desk, Desks, network_plan};
use super::phases::phases;
use super::readback::Readback;
use crate::demo::comparison::{all_hold, compare};
use crate::demo::monthly;
use crate::demo::plan::{Plan, SEED};
use crate::network::INSTITUTION_THRESHOLDS;

const START: BlockTime = BlockTime::from_millis(1_700_000_000_000);

/// A genesis with the institutions of the replay, and their desks.
fn founded(plan: &Plan) -> (Genesis, Desks) {
    let network = network_plan("unused".into(), START).unwrap();
    let institutions: Vec<_> = network.nodes.iter().chain(&network.accounts).collect();
    let keys: Vec<Vec<SigningKey>> = (1u8..)
        .zip(&institutions)
        .map(|(number, _)| {
            vec![SigningKey::from_bytes(&[number; 32]), SigningKey::from_bytes(&[number + 100; 32])]
        })
        .collect();
    let public = |key: &SigningKey| PublicKey::new(key.verifying_key().to_bytes());
    let accounts = institutions.iter().zip(&keys).map(|(one, keys)| GenesisAccount {
        role: one.role,
        name: one.name.clone(),
        credit_code: None,
        province: one.province,
        representatives: keys
            .iter()
            .map(|key| Representative { key: public(key), right: Right::InitiateAndApprove })
            .collect(),
        thresholds: INSTITUTION_THRESHOLDS,
    });
    let genesis = Genesis {
        network: network.network.clone(),
        time: START,
        business_date: network.business_date,
        clock: network.clock,
        block_interval_millis: 0,
        validators: vec![cets_contracts::block::Validator {
            name: "one".to_owned(),
            consensus_key: public(&keys[0][0]),
            cosigner_key: public(&keys[0][1]),
            power: 1,
        }],
        accounts: accounts.collect(),
        parameters: network.parameters.clone(),
    };
    let desks = genesis.account_ids().into_iter().zip(keys);
    let desks = desks.map(|(account, keys)| Desk { account, keys });
    let desks = Desks::of_founders(SEED, desks, plan).unwrap();
    (genesis, desks)
}

#[test]
fn every_order_of_the_replay_is_accepted_by_the_rules() {
    let market = monthly::market().unwrap();
    let plan = Plan::new(SEED, &market).unwrap();
    let (genesis, desks) = founded(&plan);
    let chain_id = genesis.chain_id();
    let mut state = genesis.state().unwrap();
    let mut time = START;
    let mut transactions = 0u64;
    let mut readback = Readback::default();
    for phase in phases(&plan, &desks).unwrap() {
        time = time.saturating_add_millis(1_000);
        let valid_until = time.saturating_add_millis(1_000);
        let executed = {
            let proposer = ValidatorAddress::new([0; 20]);
            let mut block = BlockExecutor::new(&state, time, proposer).unwrap();
            for order in phase.orders {
                transactions += 1;
                let desk = desks.desk(order.account);
                let signed = desk.sign(chain_id, valid_until, transactions, order.payload.clone());
                let transaction = Transaction::decode(signed.encode()).unwrap();
                let transaction = VerifiedTransaction::assume_verified(transaction);
                let outcome = block.push(&transaction).unwrap();
                assert!(outcome.receipt.outcome.is_accepted(), "{outcome:?} {order:?}");
                let record = outcome.events.as_ref().unwrap();
                readback.add(transaction.body(), record).unwrap();
                if let Event::SettleTrades(settled) = &record.event {
                    let failed =
                        |outcome: &&TradeOutcome| matches!(outcome, TradeOutcome::Failed(_));
                    assert_eq!(settled.outcomes.iter().find(failed), None);
                }
            }
            block.finish().unwrap().0
        };
        commit_block(&mut state, executed).unwrap();
    }
    println!("{transactions} transactions");
    assert_eq!(readback.transactions(), transactions);
    assert_eq!(readback.totals().money().0, readback.totals().money().1);
    assert!(readback.travelled_unit().is_some());
    let lines = compare(readback.totals(), &market);
    assert!(all_hold(&lines), "{lines:#?}");
    assert!(readback.totals() == &plan.expected().unwrap(), "the ledger differs from the plan");
}

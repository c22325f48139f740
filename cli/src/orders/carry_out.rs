//! Carrying out an order: dry run, file, or sign and send.

use cets_contracts::block::Outcome;
use cets_contracts::rules::Payload;
use cets_contracts::rules::governance::propose::Propose;
use cets_contracts::tx::{SignedTransaction, TxBody};
use cets_contracts::types::ChainId;
use serde_json::json;

use super::{
    OrderArgs, TransactionDocument, WaitArgs, finalised_report, new_body, open_keys, sign_all,
    signers, signing_keys, simulated_report,
};
use crate::client::{Node, rejected, unanswered};
use crate::clock::now;
use crate::error::CliError;
use crate::output::{Cell, OutputForm, Report};
use crate::session::Session;
use crate::text;

/// Carries out an order as far as its arguments ask.
pub fn carry_out(
    session: &mut Session<'_>,
    payload: Payload,
    args: &OrderArgs,
) -> Result<Report, CliError> {
    let account = session.acting_account(args.account.as_deref())?;
    let payload = match args.propose {
        false => payload,
        true => {
            let valid_until = now()?.saturating_add_millis(args.task_valid_for);
            Propose { order: Box::new(payload), valid_until }.into()
        }
    };
    if let Some(path) = &args.out {
        let signers = signers(session, &signing_keys(session, account, &args.key)?)?;
        let body = new_body(chain_id(session)?, account, signers, payload, args.valid_for)?;
        let document = TransactionDocument::new(body);
        document.write_new(path)?;
        return Ok(document_report(&document, path));
    }
    let keys = signing_keys(session, account, &args.key)?;
    let node = session.node_for(account, &keys)?;
    let signers = signers(session, &keys)?;
    let body = new_body(node.chain_id()?, account, signers, payload, args.valid_for)?;
    if args.dry_run {
        let simulated = node.simulate(&body)?;
        return Ok(simulated_report(&simulated, &body, session.lang()));
    }
    if session.is_interactive() && !args.yes {
        let simulated = node.simulate(&body)?;
        let shown = simulated_report(&simulated, &body, session.lang());
        session.show(&shown.render(OutputForm::Table, session.lang(), session.width()));
        if let Outcome::Rejected(reject) = &simulated.receipt.outcome {
            return Err(rejected(body.id(), reject));
        }
        session.confirm(&text!("Sign and send?", "签名并发送？"))?;
    }
    let opened = open_keys(session, &keys)?;
    send(session, &node, &sign_all(body, &opened), &args.wait)
}

/// Sends a signed transaction and, unless told otherwise, waits for its final answer.
pub fn send(
    session: &Session<'_>,
    node: &Node,
    transaction: &SignedTransaction,
    wait: &WaitArgs,
) -> Result<Report, CliError> {
    let id = transaction.body.id();
    let Some(millis) = wait.millis() else {
        node.submit(transaction).map_err(|error| unanswered(error, &transaction.body))?;
        return Ok(Report::new(json!({ "tx_id": id, "outcome": null })).facts(vec![
            (text!("transaction", "交易"), Cell::same(id)),
            (text!("outcome", "结果"), text!("sent, not final yet", "已发送，尚未最终确定").into()),
        ]));
    };
    let found = node
        .submit_and_wait(transaction, millis)
        .map_err(|error| unanswered(error, &transaction.body))?;
    match &found.receipt.outcome {
        Outcome::Accepted => Ok(finalised_report(&found, session.lang())),
        Outcome::Rejected(reject) => Err(rejected(id, reject)
            .fact("height", found.receipt.height.get())
            .fact("log_index", found.log_index)),
    }
}

/// The chain that an order is for: the context's, its genesis file's, else a node's.
pub fn chain_id(session: &Session<'_>) -> Result<ChainId, CliError> {
    let context = session.context();
    if let Some(chain) = context.chain {
        return Ok(chain);
    }
    if let Some(path) = &context.genesis {
        let path = session.home().resolve(path);
        return Ok(crate::commands::network::read_genesis(&path)?.chain_id());
    }
    session.node()?.chain_id()
}

/// What a transaction file holds.
pub fn document_report(document: &TransactionDocument, path: &std::path::Path) -> Report {
    let body: &TxBody = document.body();
    let signers = document.signers();
    let mut facts = vec![
        (text!("file", "文件"), Cell::same(path.display())),
        (text!("transaction", "交易"), Cell::same(document.id())),
    ];
    facts.extend(super::body_facts(body));
    for (key, verifies) in &signers {
        let verdict = match verifies {
            Some(true) => text!("{key}, verifies", "{key}，有效"),
            Some(false) => text!("{key}, DOES NOT VERIFY", "{key}，无效"),
            None => text!("{key}, not yet", "{key}，尚未签名"),
        };
        facts.push((text!("signature", "签名"), verdict.into()));
    }
    let checked: Vec<_> =
        signers.iter().map(|(key, verifies)| json!({ "key": key, "verifies": verifies })).collect();
    Report::new(json!({
        "file": path,
        "tx_id": document.id(),
        "body": body,
        "signatures": checked,
    }))
    .facts(facts)
}

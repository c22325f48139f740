//! Whether a proof speaks of the newest state: compared with a node, or with a checkpoint.

use cets_contracts::genesis::Genesis;
use cets_contracts::log::verify_consistency;
use cets_contracts::proof::{Anchor, ProofError, ValidatorHistory};
use cets_contracts::transparency::{Checkpoint, Cosigned, Note, Policy};
use cets_contracts::types::Height;

use crate::client::Node;
use crate::error::CliError;
use crate::text;

/// Refuses a proof when a node shows a newer block, or another block of the same height; a proof
/// may be older by so many milliseconds of block time.
///
/// The node is not trusted: what it shows must be decided by the validators that follow from the
/// genesis document. A node that hides newer blocks cannot be noticed; ask several.
pub fn require_newest(
    node: &Node,
    anchor: &Anchor,
    genesis: &Genesis,
    age_millis_max: u64,
) -> Result<Height, CliError> {
    let chain = node.validator_chain()?;
    let untrusted = |error: ProofError| {
        let address = node.address();
        CliError::user(text!(
            "what node {address} shows as newest is not decided by the validators: {error}",
            "节点 {address} 出示的最新区块并非由验证者决定：{error}"
        ))
    };
    let history = ValidatorHistory::verify(genesis, &chain).map_err(untrusted)?;
    let (header, certificate) = node.header(None)?;
    let newest = Anchor { header, certificate };
    newest.verify(&history).map_err(untrusted)?;
    if anchor.height() > newest.height() {
        return Ok(anchor.height());
    }
    let (same, _) = node.header(Some(anchor.height()))?;
    if same.id() != anchor.header.id() {
        let (address, height) = (node.address(), anchor.height());
        return Err(CliError::user(text!(
            "node {address} has another block at height {height} than the proof: {} and {}",
            "节点 {address} 在高度 {height} 的区块与证明不同：{} 与 {}",
            same.id(),
            anchor.header.id(),
        ))
        .hint(text!(
            "two decided blocks of one height accuse whoever signed both; keep both files",
            "同一高度有两个已决定的区块，可据以追究同时签名者；请保留两份文件"
        ))
        .fact("proof", "forked"));
    }
    let age = newest.time().as_millis().saturating_sub(anchor.time().as_millis());
    if anchor.height() == newest.height() || age <= age_millis_max {
        return Ok(newest.height());
    }
    let error = ProofError::NotNewest { height: anchor.height(), newest: newest.height() };
    Err(old(&error).fact("age_millis", age))
}

/// A checkpoint to compare with, which must satisfy the policy like any other.
pub fn checkpoint_to_compare(newest: &Note, policy: &Policy) -> Result<Cosigned, CliError> {
    policy.verify(newest).map_err(|error| {
        CliError::user(text!(
            "the checkpoint to compare with proves nothing: {error}",
            "用于比较的检查点不能证明任何事项：{error}"
        ))
    })
}

/// Refuses a proof when a checkpoint covers a longer log than the proof knows; it may be older by
/// so many milliseconds between the times that the cosigners state.
///
/// `size` counts the entries that the proof knows of.
pub fn require_newest_log(
    size: u64,
    cosigned_at: Option<u64>,
    newest: &Cosigned,
    age_millis_max: u64,
) -> Result<(), CliError> {
    let seconds = |(_, seconds): &(String, u64)| *seconds;
    let age = match (cosigned_at, newest.witnesses.iter().map(seconds).max()) {
        (Some(own), Some(newest)) => newest.saturating_sub(own).saturating_mul(1_000),
        _ => u64::MAX,
    };
    let known = newest.checkpoint.size;
    if size >= known || age <= age_millis_max {
        return Ok(());
    }
    Err(old(&format!("it knows {size} entries of the log; {known} are known, so it is not newest")))
}

/// Checks that the log of a node's checkpoint begins with that of a proof.
pub fn require_one_log(node: &Node, old: &Checkpoint, new: &Checkpoint) -> Result<(), CliError> {
    let (smaller, larger) = if old.size <= new.size { (old, new) } else { (new, old) };
    let path = node.consistency_path(smaller.size, larger.size)?;
    let roots = (&smaller.root, &larger.root);
    verify_consistency(smaller.size, larger.size, &path, roots.0, roots.1).map_err(|error| {
        CliError::user(text!(
            "the logs of the proof ({} entries) and of the node ({}) are not one: {error}",
            "证明的日志（{} 条）与节点的日志（{} 条）不是同一日志：{error}",
            old.size,
            new.size,
        ))
        .fact("proof", "forked")
    })
}

fn old(error: &dyn std::fmt::Display) -> CliError {
    CliError::user(text!("an old proof: {error}", "证明已旧：{error}"))
        .hint(text!(
            "`cets prove` writes a newer one; --max-age says how old one may be",
            "`cets prove` 可生成新的证明；--max-age 指定可接受的时间"
        ))
        .fact("proof", "old")
}

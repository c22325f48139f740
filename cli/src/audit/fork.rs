//! Finding who signed both sides of a fork.

use cets_contracts::audit::{Accusation, AccusationFile, Charge, LightAuditor};
use cets_contracts::block::Certificate;
use cets_contracts::genesis::Genesis;
use cets_contracts::proof::{ValidatorChain, ValidatorHistory};
use cets_contracts::transparency::Note;
use cets_contracts::types::Height;

use super::light::KnownSets;
use super::{HistorySource, StoredHistory, broken, light_audit_node};
use crate::client::Node;
use crate::error::CliError;
use crate::text;

/// An accusation that was verified, and the file that carries it.
#[derive(Clone, Debug)]
pub struct Accused {
    /// What is proven.
    pub charge: Charge,
    /// The file.
    pub file: AccusationFile,
}

/// Where two histories part, and who signed both sides.
#[derive(Clone, Debug)]
pub struct Fork {
    /// First height at which they differ; none when one is the beginning of the other.
    pub height: Option<Height>,
    /// Who is proven to have signed both sides.
    pub accused: Vec<Accused>,
}

/// Keeps the accusations that verify.
fn verified(
    genesis: &Genesis,
    chain: &ValidatorChain,
    accusations: Vec<Accusation>,
) -> Vec<Accused> {
    let files = accusations
        .into_iter()
        .map(|accusation| AccusationFile { validators: chain.clone(), accusation });
    files.filter_map(|file| Some(Accused { charge: file.verify(genesis).ok()?, file })).collect()
}

/// Compares two exported histories header by header until they part.
pub fn fork_of_files(
    first: &mut StoredHistory,
    second: &mut StoredHistory,
) -> Result<Fork, CliError> {
    let genesis = first.genesis().clone();
    let (own, found) = (genesis.chain_id(), second.genesis().chain_id());
    if own != found {
        return Err(CliError::user(text!(
            "the histories are of two chains, {own} and {found}",
            "两个历史属于不同的链：{own} 与 {found}"
        )));
    }
    let mut auditor = LightAuditor::new(&genesis).map_err(|error| broken(&error))?;
    let mut sets = KnownSets::default();
    loop {
        let (Some(left), Some(right)) = (first.next_block()?, second.next_block()?) else {
            return Ok(Fork { height: None, accused: Vec::new() });
        };
        let position = auditor.report().height.next();
        let (header, certificate) = sets.read(position, &left.block, &left.certificate)?;
        let (_, other) = sets.read(position, &right.block, &right.certificate)?;
        if certificate.block_id != other.block_id {
            let found = Accusation::from_certificates(genesis.chain_id(), &certificate, &other);
            let accused = verified(&genesis, &auditor.into_chain(), found);
            return Ok(Fork { height: Some(position), accused });
        }
        auditor
            .check(header, certificate, |digest| sets.0.get(digest).cloned())
            .map_err(|error| broken(&error))?;
    }
}

/// Finds by halving the first height at which two nodes have other blocks.
pub fn fork_of_nodes(genesis: &Genesis, first: &Node, second: &Node) -> Result<Fork, CliError> {
    let certificate = |node: &Node, height: u64| -> Result<Certificate, CliError> {
        Ok(node.header(Some(Height::new(height)))?.1)
    };
    let differ = |height: u64| -> Result<bool, CliError> {
        Ok(certificate(first, height)?.block_id != certificate(second, height)?.block_id)
    };
    let newest = first.status().height.min(second.status().height);
    // Blocks name their parents: below a difference everything may be equal, above it nothing is.
    if newest == 0 || !differ(newest)? {
        return Ok(Fork { height: None, accused: Vec::new() });
    }
    let (mut equal, mut other) = (0u64, newest);
    while other.saturating_sub(equal) > 1 {
        let middle = equal.midpoint(other);
        if differ(middle)? {
            other = middle;
        } else {
            equal = middle;
        }
    }
    let (left, right) = (certificate(first, other)?, certificate(second, other)?);
    let found = Accusation::from_certificates(genesis.chain_id(), &left, &right);
    let chain = light_audit_node(first, genesis, Some(Height::new(equal)), &|_| {})?.into_chain();
    let accused = verified(genesis, &chain, found);
    Ok(Fork { height: Some(Height::new(other)), accused })
}

/// The evidence that a node keeps, as far as it verifies; and how many pieces do not.
pub fn evidence_of_node(genesis: &Genesis, node: &Node) -> Result<(Vec<Accused>, usize), CliError> {
    let kept = node.evidence()?;
    if kept.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let chain = light_audit_node(node, genesis, None, &|_| {})?.into_chain();
    let count = kept.len();
    let accused = verified(genesis, &chain, kept);
    let unproven = count.saturating_sub(accused.len());
    Ok((accused, unproven))
}

/// Who cosigned two checkpoints of one size with different roots.
pub fn conflict_of_notes(
    genesis: &Genesis,
    chain: &ValidatorChain,
    first: &Note,
    second: &Note,
) -> Result<Vec<Accused>, CliError> {
    let history = ValidatorHistory::verify(genesis, chain).map_err(|error| broken(&error))?;
    let found = Accusation::from_notes(history.sets().map(|(_, set)| set), first, second);
    Ok(verified(genesis, chain, found))
}

/// Who signed two certificates for different blocks of one height and round.
pub fn conflict_of_certificates(
    genesis: &Genesis,
    chain: &ValidatorChain,
    first: &Certificate,
    second: &Certificate,
) -> Vec<Accused> {
    verified(genesis, chain, Accusation::from_certificates(genesis.chain_id(), first, second))
}

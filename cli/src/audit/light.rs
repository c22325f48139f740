//! The light audit over a node or a file.

use std::collections::BTreeMap;

use cets_contracts::audit::{LightAuditor, ordered_validator_sets};
use cets_contracts::block::{Block, Certificate, Header, ValidatorSet};
use cets_contracts::codec;
use cets_contracts::genesis::Genesis;
use cets_contracts::types::{Digest, Height};

use super::{HistorySource, StoredHistory, broken, broken_text};
use crate::client::Node;
use crate::error::CliError;
use crate::text;

/// Checks headers, certificates and changes of the validator set of a node up to a height; up to
/// its newest block without one.
///
/// Everyone may ask for this.
pub fn light_audit_node(
    node: &Node,
    genesis: &Genesis,
    to: Option<Height>,
    progress: &dyn Fn(u64),
) -> Result<LightAuditor, CliError> {
    let mut auditor = LightAuditor::new(genesis).map_err(|error| broken(&error))?;
    let to = to.unwrap_or(Height::new(node.status().height));
    if to == Height::GENESIS {
        return Ok(auditor);
    }
    let mut stream = node.stream_blocks(Height::new(1), to)?;
    while let Some(answer) = node.next_block(&mut stream)? {
        let header: Header = node.decode("header", &answer.header)?;
        let certificate: Certificate = node.decode("certificate", &answer.certificate)?;
        let height = header.height;
        let announced = |_: &Digest| codec::decode::<ValidatorSet>(&answer.next_validators).ok();
        auditor.check(header, certificate, announced).map_err(|error| broken(&error))?;
        progress(height.get());
    }
    auditor.check_end(to).map_err(|error| broken(&error))?;
    Ok(auditor)
}

/// Checks headers, certificates and changes of the validator set of an exported history.
pub fn light_audit_file(
    history: &mut StoredHistory,
    progress: &dyn Fn(u64),
) -> Result<LightAuditor, CliError> {
    let mut auditor = LightAuditor::new(history.genesis()).map_err(|error| broken(&error))?;
    let mut sets = KnownSets::default();
    while let Some(stored) = history.next_block()? {
        let position = auditor.report().height.next();
        let (header, certificate) = sets.read(position, &stored.block, &stored.certificate)?;
        auditor
            .check(header, certificate, |digest| sets.0.get(digest).cloned())
            .map_err(|error| broken(&error))?;
        progress(position.get());
    }
    while history.next_records()?.is_some() {}
    auditor.check_end(history.end()?).map_err(|error| broken(&error))?;
    Ok(auditor)
}

/// Validator sets that transactions named so far, by digest.
#[derive(Default)]
pub(super) struct KnownSets(pub(super) BTreeMap<Digest, ValidatorSet>);

impl KnownSets {
    /// Header and certificate of a stored block; takes note of the sets that it names.
    pub(super) fn read(
        &mut self,
        position: Height,
        block: &[u8],
        certificate: &[u8],
    ) -> Result<(Header, Certificate), CliError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            broken_text(text!("block {position}: {error}", "区块 {position}：{error}"))
        };
        let block = Block::decode(block).map_err(|error| unreadable(&error))?;
        let certificate = codec::decode(certificate).map_err(|error| unreadable(&error))?;
        for set in ordered_validator_sets(&block.transactions) {
            self.0.insert(set.digest(), set);
        }
        Ok((block.header, certificate))
    }
}

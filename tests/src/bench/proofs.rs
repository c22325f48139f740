//! G10: the proof that units belong to an account.

use std::time::Instant;

use cets_cli::client::Node;
use cets_cli::text::Lang;
use cets_contracts::proof::{Proof, ProofFile, ValidatorHistory};
use cets_contracts::types::{Role, SerialRange};
use eyre::{OptionExt as _, bail, ensure};

use super::goal::Goal;
use super::results::{Measured, median};
use super::world::World;

/// Verifications of a run.
const REPEATS: u32 = 500;
/// Units of the range that is proven; those of one live range.
const UNITS: u64 = 90;
/// Which of the holder's ranges.
const PLACE: usize = 1;

/// Measures G10 with a proof of the running network, which knows nothing of being measured.
pub fn measure(world: &World, runs: usize) -> eyre::Result<Measured> {
    let auditor = world.institution(Role::Auditor)?;
    let key = auditor.keys.first().ok_or_eyre("the auditor has no key")?;
    let address = world.addresses().into_iter().next().ok_or_eyre("no node runs")?;
    let node = Node::connect_to(&address, None, Lang::En)?.read_for(auditor.account, key)?;
    let holder = world.holder(1).account;
    let (holdings, _) = node.holdings(holder, None, false)?;
    let found = holdings.get(PLACE).or(holdings.first());
    let range = found.ok_or_eyre("the first holder has nothing")?.range;
    let end = range.end().min(range.start() + UNITS);
    let range = SerialRange::new(range.instrument(), range.start(), end)?;

    let mut made = Vec::new();
    for _ in 0..REPEATS {
        let started = Instant::now();
        node.unit_proof(range)?;
        made.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let mut file = node.unit_proof(range)?;
    let validators = ValidatorHistory::new(&world.network.genesis)?;
    let Proof::Units(proof) = &mut file.proof else { bail!("the node proves something else") };
    ensure!(proof.holder == holder, "the units are with {}", proof.holder);
    let served = proof.anchor.certificate.signatures.len();
    let quorum = world.scale.validators * 2 / 3 + 1;
    // More than a quorum may have signed; what a proof needs is the quorum.
    proof.anchor.certificate.signatures.truncate(quorum);
    let parts = proof.records.len();
    let bytes = file.encode();
    let text = file.to_text();
    let time = |verify: &dyn Fn() -> eyre::Result<()>| -> eyre::Result<f64> {
        let started = Instant::now();
        for _ in 0..REPEATS {
            verify()?;
        }
        Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(REPEATS))
    };
    let (mut decoded, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        decoded
            .push(time(&|| Ok(ProofFile::decode(&bytes)?.proof.verify(&validators).map(drop)?))?);
        let genesis = &world.network.genesis;
        whole.push(time(&|| Ok(ProofFile::from_text(&text)?.verify(genesis).map(drop)?))?);
    }
    let mut measured = Measured::of(Goal::G10, vec![bytes.len() as f64; runs]);
    measured.figure("us to decode and verify", median(&decoded));
    measured.figure("us from text and genesis document", median(&whole));
    measured.figure("bytes as text", text.len() as f64);
    measured.figure("ms to get it from a node, four questions", median(&made));
    measured.note(format!(
        "{range} at {} live ranges: header, {quorum} signatures ({served} were served), {parts} \
         record with its path; verified {REPEATS} times a run on one thread",
        world.scale.ranges
    ));
    Ok(measured)
}

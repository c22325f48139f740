//! Orders signed beforehand.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cets_cli::clock::now;
use cets_contracts::rules::allowances::transfer::Transfer;
use cets_contracts::types::{Instrument, Selection, Tonnes, TxId, Vintage};
use eyre::{OptionExt as _, ensure};
use rayon::prelude::*;

use super::world::{VINTAGE, World};
use crate::workload::Chooser;

/// Tonnes of every transfer.
const TONNES: u64 = 10;
/// How long a transfer may wait, in milliseconds; as `cets transfer` sets it.
const VALID_FOR_MILLIS: u64 = 600_000;

/// Signed transfers, and the lane of each: holders have a home node.
#[derive(Clone, Debug, Default)]
pub struct Transfers {
    /// Canonical bytes, by lane.
    pub lanes: Vec<Vec<Vec<u8>>>,
    /// Their identifiers.
    pub ids: BTreeSet<TxId>,
}

impl Transfers {
    /// Signs transfers of ten tonnes between holders chosen by a seed.
    pub fn sign(world: &mut World, count: u64, lanes: usize, seed: u64) -> eyre::Result<Self> {
        let salts = world.salts(count);
        let (accounts, chain_id) = (world.scale.accounts, world.chain_id);
        let valid_until = now()?.saturating_add_millis(VALID_FOR_MILLIS);
        let instrument = Instrument::Cea(Vintage::new(VINTAGE)?);
        let holders = world.holders();
        let signed: Vec<(usize, TxId, Vec<u8>)> = salts
            .into_par_iter()
            .map(|salt| {
                let mut chooser = Chooser::new(seed.wrapping_add(salt));
                let from = chooser.below(accounts);
                let to = (from + 1 + chooser.below(accounts - 1)) % accounts;
                let (from_desk, to) = (&holders[from as usize], holders[to as usize].account);
                let tonnes = Tonnes::new(TONNES);
                let units = Selection::Quantity { instrument, tonnes };
                let payload = Transfer { to, units }.into();
                let signed = from_desk.sign(chain_id, valid_until, salt, payload);
                (from as usize % lanes, signed.body.id(), signed.encode())
            })
            .collect();
        let mut transfers = Self { lanes: vec![Vec::new(); lanes], ids: BTreeSet::new() };
        for (lane, id, bytes) in signed {
            transfers.lanes[lane].push(bytes);
            transfers.ids.insert(id);
        }
        Ok(transfers)
    }
}

impl Transfers {
    /// Writes each lane into a file beside the network, and says which node it goes to.
    pub fn write(&self, world: &World) -> eyre::Result<Vec<(String, PathBuf)>> {
        let numbered = (0..).zip(world.addresses().into_iter().zip(&self.lanes));
        let lanes = numbered.map(|(number, (address, orders)): (usize, _)| {
            let file = world.folder().join(format!("orders-{number}"));
            write(&file, orders)?;
            Ok((address, file))
        });
        lanes.collect()
    }
}

/// Writes orders to a file: each preceded by its length as u32 big-endian.
pub fn write(file: &Path, orders: &[Vec<u8>]) -> eyre::Result<()> {
    let mut writer = BufWriter::new(File::create(file)?);
    for bytes in orders {
        writer.write_all(&u32::try_from(bytes.len())?.to_be_bytes())?;
        writer.write_all(bytes)?;
    }
    Ok(writer.flush()?)
}

/// Reads orders that [`write()`] wrote.
pub fn read(file: &Path) -> eyre::Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(file)?.read_to_end(&mut bytes)?;
    let (mut rest, mut orders) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_eyre("a length is cut off")?;
        let length = u32::from_be_bytes(*length) as usize;
        ensure!(length <= after.len(), "an order is cut off");
        let (order, after) = after.split_at(length);
        orders.push(order.to_vec());
        rest = after;
    }
    Ok(orders)
}

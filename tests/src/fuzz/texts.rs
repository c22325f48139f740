//! What people type: numbers of accounts, serials, quantities, money, dates, keys.

use cets_contracts::state::CreditCode;
use cets_contracts::types::{
    AccountId, BusinessDate, ChainId, Digest, Fen, Instrument, ProjectCode, PublicKey, SerialRange,
    Signature, Tonnes, TxId, Vintage,
};

use super::target::{Target, one_form, reads_back, text};

/// The targets of this file.
pub const TARGETS: &[Target] = &[Target::of_text("texts", texts)
    .reading("account numbers, serials with check digits, quantities, money, dates, keys")
    .holding("numbers, serials and dates have one form; what else is written reads back")
    .up_to(192)
    .weighing(2_000)
    .from_seeds(seeds)];

/// Reads a text as each of the types that people type.
pub fn texts(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let mut read = 0usize;
    macro_rules! each {
        ($how:ident: $($name:ty),+) => { $(read += usize::from($how::<$name>(text).is_some());)+ };
    }
    each!(one_form: AccountId, Instrument, SerialRange, BusinessDate, ProjectCode, Vintage);
    each!(reads_back: Tonnes, Fen, ChainId, Digest, TxId, PublicKey, Signature);
    if let Ok(range) = text.parse::<SerialRange>() {
        assert!(range.start() < range.end() && range.tonnes().get() > 0);
    }
    if let Ok(code) = CreditCode::try_from(text.to_owned()) {
        assert_eq!(String::from(code), text);
        read += 1;
    }
    read > 0
}

fn seeds() -> Vec<Vec<u8>> {
    let ledger = super::sample::ledger();
    let id = ledger.genesis.account_ids()[0];
    let range = crate::sample_ledger::range(101, 200);
    let ccer: Instrument = "CCER-A210008-2021".parse().unwrap_or(range.instrument());
    let ccer = SerialRange::inclusive(ccer, 1, 5_000_000).unwrap();
    let texts = [
        id.to_string(),
        range.to_string(),
        ccer.to_string(),
        range.instrument().to_string(),
        ccer.instrument().to_string(),
        "1,000_000".to_owned(),
        "52.80".to_owned(),
        "2021-12-31".to_owned(),
        "A210008".to_owned(),
        "91350100M000100Y43".to_owned(),
        ledger.genesis.chain_id().to_string(),
        super::sample::public_key(1).to_string(),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

//! The workload through the real executor, beside the model.

use std::collections::BTreeMap;

use cets_contracts::block::{Block, BlockExecutor, Outcome, PushError, commit_block};
use cets_contracts::genesis::{Genesis, GenesisParameter};
use cets_contracts::invariants;
use cets_contracts::state::{ParameterName, State};
use cets_contracts::tx::{EnvelopeError, SignedTransaction, Transaction, VerifiedTransaction};
use cets_contracts::types::{Signature, ValidatorAddress};

use super::{Chooser, Draft, Workload};
use crate::fixture::{self, People, parameter};
use crate::model::{Model, Seen, Verdict};

/// Transactions of a block, at most.
const BLOCK_MAX: u64 = 700;
/// Every so many blocks all signatures are real.
const REAL_SIGNATURES_EVERY: u64 = 50;
/// Every so many blocks every serial is compared.
const SERIALS_EVERY: u64 = 25;

/// How often each rule met each answer: 0 stands for accepted.
pub type Coverage = BTreeMap<(&'static str, u16), u64>;

/// A run: the ledger, the model and the generator.
#[derive(Clone, Debug)]
pub struct Run {
    /// The real ledger.
    pub state: State,
    /// The model.
    pub model: Model,
    /// The generator.
    pub workload: Workload,
    /// Transactions tried.
    pub operations: u64,
    /// Blocks committed.
    pub blocks: u64,
    /// Serials compared.
    pub serials: u64,
    /// Answers per rule.
    pub coverage: Coverage,
    /// Answers per envelope error.
    pub envelopes: BTreeMap<u16, u64>,
    disagreements: BTreeMap<String, String>,
    kept: Option<Vec<Block>>,
}

/// Parameters at which small numbers of tonnes meet every limit.
pub fn parameters() -> Vec<GenesisParameter> {
    use ParameterName as P;
    let day = |text: &str| i64::from(fixture::date(text).as_days());
    vec![
        parameter(P::OffsetCap, None, 500),
        parameter(P::BlockTradeMin, None, 40),
        parameter(P::CcerBlockTradeMin, None, 20),
        parameter(P::IssueCap, Some(1920), 3_000),
        parameter(P::IssueCap, Some(2021), 5_000),
        parameter(P::OffsetRegisteredFrom, None, day("2012-06-13")),
        parameter(P::OffsetRegisteredUntil, None, day("2060-01-01")),
        parameter(P::SurrenderVintageMin, None, 1920),
        parameter(P::SurrenderVintageMax, None, 2999),
    ]
}

impl Run {
    /// A ledger at genesis and its model.
    pub fn new(seed: u64) -> Self {
        let mut people = People::default();
        let genesis: Genesis = fixture::genesis(&mut people, parameters());
        Self {
            state: genesis.state().unwrap(),
            model: Model::new(&genesis),
            workload: Workload::new(seed, people),
            operations: 0,
            blocks: 0,
            serials: 0,
            coverage: Coverage::new(),
            envelopes: BTreeMap::new(),
            disagreements: BTreeMap::new(),
            kept: None,
        }
    }

    /// Runs blocks until so many transactions were tried; then compares every serial.
    pub fn until(&mut self, operations: u64) {
        while self.operations < operations {
            self.block();
            if self.blocks.is_multiple_of(SERIALS_EVERY) {
                self.compare_serials();
            }
        }
        self.compare_serials();
        assert!(self.disagreements.is_empty(), "{:#?}", self.disagreements);
    }

    /// Goes on as the bytes choose, until none are left; then compares every serial.
    pub fn play(&mut self, bytes: &[u8]) {
        self.workload.chooser = Chooser::from_bytes(bytes.to_vec());
        while !self.workload.chooser.is_exhausted() {
            self.block();
        }
        self.compare_serials();
        assert!(self.disagreements.is_empty(), "{:#?}", self.disagreements);
    }

    /// Keeps the blocks from now on.
    pub fn keep_blocks(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// The blocks kept.
    pub fn kept_blocks(&self) -> &[Block] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Compares every unit with the model.
    pub fn compare_serials(&mut self) {
        let (wrong, compared) = self.model.serials_elsewhere(&self.state);
        assert!(wrong.is_empty(), "block {}: {wrong:#?}", self.blocks);
        self.serials += compared;
    }

    /// One block through executor and model; every answer, balance and invariant is compared.
    pub fn block(&mut self) {
        let now = self.state.tip.time.saturating_add_millis(1_000);
        let real = self.blocks % REAL_SIGNATURES_EVERY == 7;
        self.model.start_block(now);
        // The executor borrows the state; it stands aside so that the run can go on changing.
        let empty = State::empty(self.state.tip);
        let mut state = std::mem::replace(&mut self.state, empty);
        let (executed, transactions) = {
            let proposer = ValidatorAddress::new([1; 20]);
            let mut executor = BlockExecutor::new(&state, now, proposer).unwrap();
            for count in 0..self.workload.chooser.within(1, BLOCK_MAX) {
                if count > 0 && self.workload.chooser.is_exhausted() {
                    break;
                }
                let chain_id = state.tip.chain_id;
                let draft = self.workload.draft(&self.model, chain_id);
                self.operations += 1;
                self.transaction(&draft, real, &mut executor);
            }
            executor.finish().unwrap()
        };
        if let Some(kept) = &mut self.kept {
            kept.push(Block { header: executed.header.clone(), transactions });
        }
        commit_block(&mut state, executed).unwrap();
        self.state = state;
        self.blocks += 1;
        let block = self.blocks;
        let violations = invariants::check(&self.state);
        assert!(violations.is_empty(), "block {block}: {violations:#?}");
        let differences = self.model.differences(&self.state);
        assert!(differences.is_empty(), "block {block}: {differences:#?}");
        assert!(!self.model.account_count_differs(&self.state), "block {block}");
    }

    fn transaction(&mut self, draft: &Draft, real: bool, executor: &mut BlockExecutor<'_>) {
        let verb = draft.body.payload.rule().name;
        let transaction = match self.envelope(draft, real) {
            Ok(transaction) => transaction,
            Err(error) => {
                *self.envelopes.entry(error.number()).or_default() += 1;
                return;
            }
        };
        let id = transaction.id();
        let seen = Seen { id, body: &draft.body, signers: &draft.body.signers };
        let expected = self.model.take(seen);
        let found = match executor.push(&transaction) {
            Ok(outcome) => match &outcome.receipt.outcome {
                Outcome::Accepted => Verdict::Accepted,
                Outcome::Rejected(reject) => Verdict::Refused(reject.number),
            },
            Err(PushError::Envelope(error)) => Verdict::Envelope(error.number()),
            Err(PushError::Fault(fault)) => panic!("{fault}: {draft:?}"),
        };
        if found != expected {
            self.disagree(draft, found, expected);
        }
        match found {
            Verdict::Envelope(number) => *self.envelopes.entry(number).or_default() += 1,
            Verdict::Refused(number) => *self.coverage.entry((verb, number)).or_default() += 1,
            Verdict::Accepted => *self.coverage.entry((verb, 0)).or_default() += 1,
        }
    }

    /// Keeps one example of each kind of disagreement; stops at once where balances would differ.
    fn disagree(&mut self, draft: &Draft, found: Verdict, expected: Verdict) {
        let body = serde_json::to_string(&draft.body).unwrap();
        let kind =
            format!("{}: ledger {found:?}, model {expected:?}", draft.body.payload.rule().name);
        let today = self.model.today;
        let example = format!("operation {}, {today}: {body}", self.operations);
        self.disagreements.entry(kind).or_insert(example);
        let one_applied = found == Verdict::Accepted || expected == Verdict::Accepted;
        assert!(!one_applied, "{:#?}\nsigners {:?}", self.disagreements, draft.body.signers);
    }

    /// The envelope as it would arrive: signed and verified in some blocks, taken on trust in
    /// others. A spoiled signature must be found.
    fn envelope(
        &mut self,
        draft: &Draft,
        real: bool,
    ) -> Result<VerifiedTransaction, EnvelopeError> {
        let body = draft.body.clone();
        if !real {
            let signed = SignedTransaction::unsigned(body);
            let transaction = Transaction::decode(signed.encode())?;
            return Ok(VerifiedTransaction::assume_verified(transaction));
        }
        let mut signed: SignedTransaction = self.workload.people.sign(body);
        let spoiled = self.workload.chooser.percent(3);
        if spoiled {
            let mut bytes = *signed.signatures[0].as_bytes();
            bytes[self.workload.chooser.below(63) as usize] ^= 4;
            signed.signatures[0] = Signature::new(bytes);
        }
        let transaction = Transaction::decode(signed.encode())?;
        let verdict = VerifiedTransaction::verify(transaction);
        assert_eq!(verdict.is_err(), spoiled, "{draft:?}");
        verdict
    }

    /// The run in lines for people.
    pub fn report(&self) -> String {
        let mut lines = vec![format!(
            "{} operations in {} blocks; {} serials compared; business date {}; height {}",
            self.operations, self.blocks, self.serials, self.model.today, self.state.tip.height
        )];
        let mut verbs: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
        for ((verb, number), count) in &self.coverage {
            let entry = verbs.entry(verb).or_default();
            if *number == 0 {
                entry.0 = *count;
            } else {
                entry.1.push(format!("{number}×{count}"));
            }
        }
        for (verb, (accepted, refused)) in verbs {
            lines.push(format!("{verb:26} accepted {accepted:7}; refused {}", refused.join(" ")));
        }
        lines.push(format!("envelope errors {:?}", self.envelopes));
        lines.join("\n")
    }
}

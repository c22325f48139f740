//! State keys read back into what they name, for those who receive records.

use super::Table;
use crate::types::{
    AccountId, BusinessDate, Digest, Instrument, Market, ProjectCode, TaskId, TxId, Vintage,
};

/// What a state key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyParts {
    /// The only record of [`Table::Ledger`].
    Ledger,
    /// An account.
    Account(AccountId),
    /// The range that starts at a serial number.
    UnitRange(Instrument, u64),
    /// The supply of an instrument.
    Supply(Instrument),
    /// A project.
    Project(ProjectCode),
    /// A version of a parameter: its number, compliance year (none for all), first day.
    Parameter(u16, Option<Vintage>, BusinessDate),
    /// The only record of [`Table::Validators`].
    Validators,
    /// A pending task of an account.
    Task(AccountId, TaskId),
    /// An account's obligation of a compliance year.
    Obligation(AccountId, Vintage),
    /// A settled batch: exchange, day, number of the batch.
    Settlement(AccountId, BusinessDate, u32),
    /// A freeze: of whose, by the digest of its order, in the registry of which market.
    Freeze(AccountId, Digest, Market),
    /// A holder's unified social credit code in the registry of a market.
    Holder(Market, [u8; 18]),
    /// A confirmed movement of money by the digest of its bank reference.
    FundOrder(Digest),
    /// A range in the index by holder: holder, number of the status, instrument, first serial.
    UnitByHolder(AccountId, u8, Instrument, u64),
    /// A remembered transaction and the time until which it is, in milliseconds.
    Replay(u64, TxId),
}

impl KeyParts {
    /// Reads a key; none when it is no key of a known table.
    pub fn of(key: &[u8]) -> Option<Self> {
        let table = Table::of(key)?;
        let mut rest = Reader(key.get(1..)?);
        let parts = match table {
            Table::Ledger => Self::Ledger,
            Table::Accounts => Self::Account(rest.account()?),
            Table::Units => Self::UnitRange(rest.instrument()?, rest.number()?),
            Table::Supplies => Self::Supply(rest.instrument()?),
            Table::Projects => Self::Project(rest.project()?),
            Table::Parameters => {
                let name = u16::from_be_bytes(rest.take()?);
                let year = u16::from_be_bytes(rest.take()?);
                let year = if year == 0 { None } else { Some(Vintage::new(year).ok()?) };
                Self::Parameter(name, year, rest.date()?)
            }
            Table::Validators => Self::Validators,
            Table::Tasks => Self::Task(rest.account()?, TaskId::new(rest.take()?)),
            Table::Obligations => Self::Obligation(rest.account()?, rest.vintage()?),
            Table::Settlements => {
                let (exchange, day) = (rest.account()?, rest.date()?);
                Self::Settlement(exchange, day, u32::from_be_bytes(rest.take()?))
            }
            Table::Freezes => {
                let (account, order) = (rest.account()?, Digest::new(rest.take()?));
                Self::Freeze(account, order, rest.market()?)
            }
            Table::Holders => Self::Holder(rest.market()?, rest.take()?),
            Table::FundOrders => Self::FundOrder(Digest::new(rest.take()?)),
            Table::UnitsByHolder => {
                let holder = rest.account()?;
                let [status] = rest.take()?;
                Self::UnitByHolder(holder, status, rest.instrument()?, rest.number()?)
            }
            Table::Replays => Self::Replay(rest.number()?, TxId::new(rest.take()?)),
        };
        rest.0.is_empty().then_some(parts)
    }
}

/// Takes fields from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn account(&mut self) -> Option<AccountId> {
        AccountId::from_key(self.take()?).ok()
    }

    fn date(&mut self) -> Option<BusinessDate> {
        BusinessDate::from_days(u32::from_be_bytes(self.take()?)).ok()
    }

    fn market(&mut self) -> Option<Market> {
        let [tag] = self.take()?;
        Market::from_tag(tag)
    }

    fn vintage(&mut self) -> Option<Vintage> {
        Vintage::new(u16::from_be_bytes(self.take()?)).ok()
    }

    fn project(&mut self) -> Option<ProjectCode> {
        ProjectCode::new(self.take()?).ok()
    }

    fn instrument(&mut self) -> Option<Instrument> {
        match self.take()? {
            [0] => Some(Instrument::Cea(self.vintage()?)),
            [1] => {
                let project = self.project()?;
                Some(Instrument::Ccer(project, self.vintage()?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;
    use crate::types::{BlockTime, Role};

    #[test]
    fn every_kind_of_key_reads_back() {
        let account = AccountId::new(Role::KeyEmittingEntity, 7).unwrap();
        let year = Vintage::new(2021).unwrap();
        let cea = Instrument::Cea(year);
        let code = "A210008".parse().unwrap();
        let ccer = Instrument::Ccer(code, year);
        let day = BusinessDate::from_days(18_824).unwrap();
        let digest = Digest::new([5; 32]);
        let task = TaskId::new([6; 32]);
        let (market, credit_code) = (Market::Reductions, b"91350100M000100Y43");
        let pairs = [
            (keys::single(Table::Ledger), KeyParts::Ledger),
            (keys::account(account), KeyParts::Account(account)),
            (keys::unit_range(&cea, 9), KeyParts::UnitRange(cea, 9)),
            (keys::unit_range(&ccer, 9), KeyParts::UnitRange(ccer, 9)),
            (keys::supply(&ccer), KeyParts::Supply(ccer)),
            (keys::project(&code), KeyParts::Project(code)),
            (keys::parameter(3, 0, day), KeyParts::Parameter(3, None, day)),
            (keys::parameter(3, 2021, day), KeyParts::Parameter(3, Some(year), day)),
            (keys::single(Table::Validators), KeyParts::Validators),
            (keys::task(account, &task), KeyParts::Task(account, task)),
            (keys::obligation(account, year), KeyParts::Obligation(account, year)),
            (keys::settlement(account, day, 2), KeyParts::Settlement(account, day, 2)),
            (keys::freeze(account, &digest, market), KeyParts::Freeze(account, digest, market)),
            (keys::holder(market, credit_code), KeyParts::Holder(market, *credit_code)),
            (keys::fund_order(&digest), KeyParts::FundOrder(digest)),
            (keys::unit_by_holder(account, 5, &cea, 1), KeyParts::UnitByHolder(account, 5, cea, 1)),
            (
                keys::replay(BlockTime::from_millis(8), &TxId::new([4; 32])),
                KeyParts::Replay(8, TxId::new([4; 32])),
            ),
        ];
        let tables: std::collections::BTreeSet<_> =
            pairs.iter().map(|(key, _)| Table::of(key.as_bytes()).unwrap()).collect();
        assert_eq!(tables.len(), Table::ALL.len(), "a table is missing here");
        for (key, parts) in pairs {
            assert_eq!(KeyParts::of(key.as_bytes()), Some(parts));
        }
    }

    #[test]
    fn shortened_lengthened_and_unknown_keys_are_refused() {
        let account = AccountId::new(Role::KeyEmittingEntity, 7).unwrap();
        let key = keys::obligation(account, Vintage::new(2021).unwrap()).into_bytes();
        for length in 0..key.len() {
            assert_eq!(KeyParts::of(&key[..length]), None);
        }
        assert_eq!(KeyParts::of(&[key.as_slice(), &[0]].concat()), None);
        assert_eq!(KeyParts::of(&[255, 1]), None);
    }
}

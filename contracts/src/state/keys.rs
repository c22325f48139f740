//! Every state key, built here and nowhere else: one prefix byte per table, then big-endian fields.

use crate::types::{
    AccountId, BlockTime, BusinessDate, Digest, Instrument, Market, ProjectCode, Role, TaskId,
    TxId, Vintage,
};

macro_rules! tables {
    ($($(#[$doc:meta])* $prefix:literal $name:ident $text:literal $committed:literal),+ $(,)?) => {
        /// Tables of the state. Prefixes are append-only and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Table { $($(#[$doc])* $name = $prefix),+ }

        impl Table {
            /// All tables.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// First byte of every key of the table.
            pub const fn prefix(self) -> u8 {
                match self { $(Self::$name => $prefix),+ }
            }

            /// Name for people.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Whether records of the table are leaves of the state tree. The others are derived
            /// from committed tables or from the log and can be rebuilt.
            pub const fn is_committed(self) -> bool {
                match self { $(Self::$name => $committed),+ }
            }

            /// Whether the table is an index over a committed one: it is made again whenever a
            /// state is rebuilt, and never stored or carried.
            pub const fn is_index(self) -> bool {
                matches!(self, Self::UnitsByHolder)
            }

            /// Whether the table is large and its keys end in a number of eight bytes, with nothing
            /// before the number that is the beginning of what stands before another one.
            pub const fn is_numbered(self) -> bool {
                matches!(self, Self::Accounts | Self::Units | Self::UnitsByHolder)
            }

            /// The table of a key.
            pub fn of(key: &[u8]) -> Option<Self> {
                match key.first()? { $($prefix => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

tables! {
    /// The ledger's own variables: business date, clock rule, next account numbers.
    1 Ledger "ledger" true,
    /// Accounts with totals per instrument and money.
    2 Accounts "accounts" true,
    /// Ranges of units: holder and status of every unit ever issued.
    3 Units "units" true,
    /// Issued amount, next serial and totals per status of each instrument.
    4 Supplies "supplies" true,
    /// Voluntary reduction projects.
    5 Projects "projects" true,
    /// Parameters by name, compliance year and first day of validity.
    6 Parameters "parameters" true,
    /// Validators of the next height.
    7 Validators "validators" true,
    /// Orders that wait for approval.
    8 Tasks "tasks" true,
    /// Verified emissions and what was surrendered, by account and compliance year.
    9 Obligations "obligations" true,
    /// Settled batches of trades.
    10 Settlements "settlements" true,
    /// Freezes in force and ended ones.
    11 Freezes "freezes" true,
    /// Account of each unified social credit code, per registry.
    12 Holders "holders" true,
    /// Bank references of confirmed deposits and withdrawals.
    13 FundOrders "fund orders" true,
    /// Ranges by holder and status; derived from [`Table::Units`].
    64 UnitsByHolder "units by holder" false,
    /// Transactions remembered until they expire; derived from the log.
    65 Replays "replays" false,
}

/// Most bytes of a key: what every table needs, and small enough to lie inside a map's node.
pub const KEY_BYTES_MAX: usize = 47;

/// A key of a record, with its table's prefix.
///
/// The bytes lie in the key itself: a search in a map of a million records then reads the nodes
/// of the map and nothing else. Unused bytes are zero and the length comes last, so that keys
/// sort as their bytes do, and are compared eight bytes at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES_MAX + 1]);

impl Key {
    const EMPTY: Self = Self([0; KEY_BYTES_MAX + 1]);

    /// A key that came from outside; none when it is longer than [`KEY_BYTES_MAX`].
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut key = Self::EMPTY;
        key.append(bytes).then_some(key)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(..self.length()).unwrap_or_default()
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    /// The first byte, which names the table; 0 of an empty key.
    pub(super) const fn prefix(&self) -> u8 {
        self.0[0]
    }

    /// The smallest key after this one; none after one of [`KEY_BYTES_MAX`] bytes.
    #[cfg(test)]
    pub(super) fn next(mut self) -> Option<Self> {
        self.append(&[0]).then_some(self)
    }

    /// The key without the number of eight bytes at its end, and the number; none of a key that
    /// is too short for both.
    pub(super) fn split_number(&self) -> Option<(Self, u64)> {
        let start = self.length().checked_sub(size_of::<u64>()).filter(|start| *start > 0)?;
        let mut group = *self;
        let bytes = group.0.get_mut(start..)?.first_chunk_mut::<8>()?;
        let number = u64::from_be_bytes(*bytes);
        *bytes = [0; 8];
        group.0[KEY_BYTES_MAX] = u8::try_from(start).ok()?;
        Some((group, number))
    }

    /// The key with a number of eight bytes at its end.
    ///
    /// # Panics
    /// When it is no key that a number was split from.
    pub(super) fn with_number(mut self, number: u64) -> Self {
        assert!(self.append(&number.to_be_bytes()), "it was split from a key");
        self
    }

    const fn length(&self) -> usize {
        self.0[KEY_BYTES_MAX] as usize
    }

    /// Adds bytes; false when there is no room.
    fn append(&mut self, more: &[u8]) -> bool {
        let start = self.length();
        let end = start.saturating_add(more.len());
        let room = self.0.get_mut(start..end).filter(|_| end <= KEY_BYTES_MAX);
        let (Some(room), Ok(length)) = (room, u8::try_from(end)) else { return false };
        room.copy_from_slice(more);
        self.0[KEY_BYTES_MAX] = length;
        true
    }

    fn build(table: Table, parts: &[&[u8]]) -> Self {
        let mut key = Self::EMPTY;
        assert!(key.append(&[table.prefix()]), "a key has room for its prefix");
        for part in parts {
            assert!(key.append(part), "no table has keys of more than KEY_BYTES_MAX bytes");
        }
        key
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        let (own, others) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        for (own, others) in own.iter().zip(others) {
            let (own, others) = (u64::from_be_bytes(*own), u64::from_be_bytes(*others));
            if own != others {
                return own.cmp(&others);
            }
        }
        core::cmp::Ordering::Equal
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

const _: () = assert!((KEY_BYTES_MAX + 1).is_multiple_of(8));

impl core::ops::Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

/// Bytes that sort instruments: allowances by vintage, then reductions by project and vintage.
struct InstrumentKey {
    bytes: [u8; 10],
    length: usize,
}

impl InstrumentKey {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn instrument_key(instrument: &Instrument) -> InstrumentKey {
    let mut bytes = [0u8; 10];
    let length = match instrument {
        Instrument::Cea(vintage) => {
            bytes[1..3].copy_from_slice(&vintage.get().to_be_bytes());
            3
        }
        Instrument::Ccer(project, vintage) => {
            bytes[0] = 1;
            bytes[1..8].copy_from_slice(project.as_bytes());
            bytes[8..].copy_from_slice(&vintage.get().to_be_bytes());
            10
        }
    };
    InstrumentKey { bytes, length }
}

/// The instrument in a key of the tables of units or supplies.
pub fn instrument_of(key: &[u8]) -> Option<Instrument> {
    let rest = key.get(1..)?;
    let vintage = |bytes: Option<&[u8]>| {
        let bytes: [u8; 2] = bytes?.try_into().ok()?;
        Vintage::new(u16::from_be_bytes(bytes)).ok()
    };
    match rest.first()? {
        0 => Some(Instrument::Cea(vintage(rest.get(1..3))?)),
        1 => {
            let project = ProjectCode::new(rest.get(1..8)?.try_into().ok()?).ok()?;
            Some(Instrument::Ccer(project, vintage(rest.get(8..10))?))
        }
        _ => None,
    }
}

/// The account and the compliance year in a key of an obligation.
pub fn obligation_of(key: &[u8]) -> Option<(AccountId, Vintage)> {
    let account = AccountId::from_key(key.get(1..9)?.try_into().ok()?).ok()?;
    let year = u16::from_be_bytes(key.get(9..11)?.try_into().ok()?);
    Some((account, Vintage::new(year).ok()?))
}

/// Prefix of all records of a table.
pub fn table_prefix(table: Table) -> Key {
    Key::build(table, &[])
}

/// Key of the only record of the tables [`Table::Ledger`] and [`Table::Validators`].
pub fn single(table: Table) -> Key {
    Key::build(table, &[])
}

/// Key of an account.
pub fn account(id: AccountId) -> Key {
    Key::build(Table::Accounts, &[&id.to_key()])
}

/// Prefix of all accounts of a role.
pub fn accounts_of(role: Role) -> Key {
    Key::build(Table::Accounts, &[&[role.tag()]])
}

/// Key of the range that starts at a serial number.
pub fn unit_range(instrument: &Instrument, start: u64) -> Key {
    Key::build(Table::Units, &[instrument_key(instrument).as_bytes(), &start.to_be_bytes()])
}

/// Prefix of all ranges of an instrument.
pub fn unit_ranges(instrument: &Instrument) -> Key {
    Key::build(Table::Units, &[instrument_key(instrument).as_bytes()])
}

/// Key of the supply of an instrument.
pub fn supply(instrument: &Instrument) -> Key {
    Key::build(Table::Supplies, &[instrument_key(instrument).as_bytes()])
}

/// Key of a project.
pub fn project(code: &ProjectCode) -> Key {
    Key::build(Table::Projects, &[code.as_bytes()])
}

/// Key of a version of a parameter.
pub fn parameter(name: u16, year: u16, valid_from: BusinessDate) -> Key {
    Key::build(
        Table::Parameters,
        &[&name.to_be_bytes(), &year.to_be_bytes(), &valid_from.as_days().to_be_bytes()],
    )
}

/// Key of a pending task of an account.
pub fn task(account: AccountId, id: &TaskId) -> Key {
    Key::build(Table::Tasks, &[&account.to_key(), id.as_bytes()])
}

/// Prefix of all pending tasks of an account.
pub fn tasks_of(account: AccountId) -> Key {
    Key::build(Table::Tasks, &[&account.to_key()])
}

/// Key of an account's obligation of a compliance year.
pub fn obligation(account: AccountId, year: Vintage) -> Key {
    Key::build(Table::Obligations, &[&account.to_key(), &year.get().to_be_bytes()])
}

/// Prefix of all obligations of an account.
pub fn obligations_of(account: AccountId) -> Key {
    Key::build(Table::Obligations, &[&account.to_key()])
}

/// Prefix of all settled batches of an exchange.
pub fn settlements_of(exchange: AccountId) -> Key {
    Key::build(Table::Settlements, &[&exchange.to_key()])
}

/// Prefix of all batches of an exchange that were settled on a day.
pub fn settlements_of_day(exchange: AccountId, day: BusinessDate) -> Key {
    Key::build(Table::Settlements, &[&exchange.to_key(), &day.as_days().to_be_bytes()])
}

/// Key of a settled batch of an exchange.
pub fn settlement(exchange: AccountId, day: BusinessDate, batch: u32) -> Key {
    Key::build(
        Table::Settlements,
        &[&exchange.to_key(), &day.as_days().to_be_bytes(), &batch.to_be_bytes()],
    )
}

/// Key of a freeze: of whose, by the digest of its order, in the registry of a market. One order
/// may name several accounts, and units that both registries keep.
pub fn freeze(account: AccountId, order: &Digest, market: Market) -> Key {
    Key::build(Table::Freezes, &[&account.to_key(), order.as_bytes(), &[market.tag()]])
}

/// Key of a holder's code in the registry of a market.
pub fn holder(market: Market, credit_code: &[u8; 18]) -> Key {
    Key::build(Table::Holders, &[&[market.tag()], credit_code])
}

/// Key of a confirmed movement of money by the digest of its bank reference.
pub fn fund_order(reference: &Digest) -> Key {
    Key::build(Table::FundOrders, &[reference.as_bytes()])
}

/// Key of a range in the index by holder.
pub fn unit_by_holder(holder: AccountId, status: u8, instrument: &Instrument, start: u64) -> Key {
    Key::build(
        Table::UnitsByHolder,
        &[&holder.to_key(), &[status], instrument_key(instrument).as_bytes(), &start.to_be_bytes()],
    )
}

/// Prefix of a holder's ranges of one status and instrument.
pub fn units_by_holder(holder: AccountId, status: u8, instrument: &Instrument) -> Key {
    Key::build(
        Table::UnitsByHolder,
        &[&holder.to_key(), &[status], instrument_key(instrument).as_bytes()],
    )
}

/// Prefix of all of a holder's ranges, of every status and instrument.
pub fn units_of_holder(holder: AccountId) -> Key {
    Key::build(Table::UnitsByHolder, &[&holder.to_key()])
}

/// Key of a remembered transaction.
pub fn replay(valid_until: BlockTime, id: &TxId) -> Key {
    Key::build(Table::Replays, &[&valid_until.as_millis().to_be_bytes(), id.as_bytes()])
}

/// The expiry and the identifier in a key of a remembered transaction.
pub(super) fn replay_of(key: &Key) -> Option<(BlockTime, TxId)> {
    let (table, rest) = key.split_first()?;
    let (valid_until, id) = rest.split_first_chunk::<8>()?;
    if *table != Table::Replays.prefix() {
        return None;
    }
    let valid_until = BlockTime::from_millis(u64::from_be_bytes(*valid_until));
    Some((valid_until, TxId::new(id.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_prefixes_are_unique_and_found_again() {
        for table in Table::ALL {
            assert_eq!(Table::of(&[table.prefix(), 1, 2]), Some(*table));
        }
        assert_eq!(Table::of(&[255]), None);
        assert_eq!(Table::of(&[]), None);
    }

    #[test]
    fn keys_of_ranges_sort_by_instrument_and_serial() {
        let cea = |year, start| {
            unit_range(&Instrument::Cea(crate::types::Vintage::new(year).unwrap()), start)
        };
        let ccer = Instrument::Ccer("A210008".parse().unwrap(), "2021".parse().unwrap());
        let sorted = [cea(1920, 1), cea(1920, 256), cea(2021, 2), unit_range(&ccer, 1)];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn keys_sort_and_compare_as_their_bytes() {
        let texts: [&[u8]; 7] = [b"", b"a", b"a\0", b"a\0\0", b"a\0\x01", b"a\x01", b"b"];
        for a in texts {
            for b in texts {
                let (left, right) = (Key::of(a).unwrap(), Key::of(b).unwrap());
                assert_eq!(left.cmp(&right), a.cmp(b), "{a:?} {b:?}");
                assert_eq!(left.as_bytes(), a);
            }
        }
        let longest = Key::of(&[7; KEY_BYTES_MAX]).unwrap();
        assert_eq!(longest.next(), None);
        assert!(Key::of(&[7; KEY_BYTES_MAX + 1]).is_none());
        assert_eq!(Key::of(b"a").unwrap().next(), Key::of(b"a\0"));
    }
}

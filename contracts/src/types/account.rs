//! Account numbers, roles, provinces and the rights of representatives.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::check_digits;

/// Why a text is no account number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountIdError {
    /// Another shape.
    #[error("expected CN-RRR-NNNNNNNNNN-CC, for example CN-KEE-0000000001-{check:02}",
        check = AccountId::EXAMPLE_CHECK)]
    Shape,
    /// The three letters name no role.
    #[error("the three letters after CN- name no role")]
    Role,
    /// The check digits do not fit the rest.
    #[error("the check digits should be {expected:02}")]
    CheckDigits {
        /// The check digits of the text as it stands.
        expected: u8,
    },
}

macro_rules! roles {
    ($(
        $(#[$doc:meta])*
        $tag:literal $name:ident $letters:literal $en:literal $zh:literal
    ),+ $(,)?) => {
        /// What a market participant is; decides which rules it may call.
        ///
        /// The numbers are part of account numbers and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Role { $($(#[$doc])* $name = $tag),+ }

        impl Role {
            /// All roles.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Number in account identifiers and state keys.
            pub const fn tag(self) -> u8 {
                match self { $(Self::$name => $tag),+ }
            }

            /// The role of a number.
            pub const fn from_tag(tag: u8) -> Option<Self> {
                match tag { $($tag => Some(Self::$name),)+ _ => None }
            }

            /// Three letters in account numbers.
            pub const fn letters(self) -> &'static str {
                match self { $(Self::$name => $letters),+ }
            }

            /// Name in English.
            pub const fn english(self) -> &'static str {
                match self { $(Self::$name => $en),+ }
            }

            /// Name in Chinese.
            pub const fn chinese(self) -> &'static str {
                match self { $(Self::$name => $zh),+ }
            }
        }
    };
}

roles! {
    /// Ministry of Ecology and Environment: caps, parameters, validators.
    0 Ministry "MEE" "ministry" "生态环境部",
    /// National registration institution for allowances.
    1 Registry "REG" "ETS registry" "全国碳排放权注册登记机构",
    /// National trading institution for allowances.
    2 Exchange "EXC" "ETS exchange" "全国碳排放权交易机构",
    /// Registration institution for certified voluntary reductions.
    3 CcerRegistry "CRG" "CCER registry" "自愿减排注册登记机构",
    /// Trading institution for certified voluntary reductions.
    4 CcerExchange "CEX" "CCER exchange" "自愿减排交易机构",
    /// Settlement institution or bank: confirms money.
    5 Settlement "STL" "settlement institution" "结算机构",
    /// Provincial ecology and environment department.
    6 Province "PRV" "provincial authority" "省级生态环境主管部门",
    /// Key emitting entity.
    7 KeyEmittingEntity "KEE" "key emitting entity" "重点排放单位",
    /// Owner of a voluntary reduction project.
    8 ProjectOwner "PRO" "project owner" "项目业主",
    /// Another trading entity.
    9 Trader "TRD" "trading entity" "其他交易主体",
    /// Auditor: reads everything, moves nothing.
    10 Auditor "AUD" "auditor" "审计机构",
    /// Government account: reserve, differentiated allocation.
    11 Government "GOV" "government account" "政府账户",
}

/// Number of an account: role and ten digits; text carries check digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    role: Role,
    number: u64,
}

impl AccountId {
    /// Largest account number within a role.
    pub const NUMBER_MAX: u64 = 9_999_999_999;
    const EXAMPLE_CHECK: u8 = 19;

    /// An account number; refused beyond ten digits.
    pub const fn new(role: Role, number: u64) -> Result<Self, AccountIdError> {
        if number > Self::NUMBER_MAX {
            return Err(AccountIdError::Shape);
        }
        Ok(Self { role, number })
    }

    /// Role of the holder.
    pub const fn role(self) -> Role {
        self.role
    }

    /// Number within the role.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Eight bytes that sort like the identifier: role, then number.
    pub const fn to_key(self) -> [u8; 8] {
        let mut key = self.number.to_be_bytes();
        key[0] = self.role.tag();
        key
    }

    /// The account of eight key bytes.
    pub fn from_key(mut key: [u8; 8]) -> Result<Self, AccountIdError> {
        let role = Role::from_tag(key[0]).ok_or(AccountIdError::Role)?;
        key[0] = 0;
        Self::new(role, u64::from_be_bytes(key))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = format!("CN-{}-{:010}", self.role.letters(), self.number);
        write!(f, "{code}-{:02}", check_digits(&code))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, AccountIdError> {
        let (code, check) = text.rsplit_once('-').ok_or(AccountIdError::Shape)?;
        let parts: Vec<&str> = code.split('-').collect();
        let ["CN", letters, digits] = parts.as_slice() else {
            return Err(AccountIdError::Shape);
        };
        if digits.len() != 10 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AccountIdError::Shape);
        }
        let role =
            Role::ALL.iter().find(|role| role.letters() == *letters).ok_or(AccountIdError::Role)?;
        let expected = check_digits(code);
        if check != format!("{expected:02}") {
            return Err(AccountIdError::CheckDigits { expected });
        }
        Self::new(*role, digits.parse().map_err(|_| AccountIdError::Shape)?)
    }
}

/// Name of the type in the canonical form, by which its values are found in any record.
pub(crate) const ACCOUNT_ID_NAME: &str = "AccountId";

/// The canonical form: the number whose big-endian bytes are [`AccountId::to_key`].
#[derive(Serialize, Deserialize)]
#[serde(rename = "AccountId")]
struct AccountKey(u64);

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            AccountKey(u64::from_be_bytes(self.to_key())).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let AccountKey(key) = AccountKey::deserialize(deserializer)?;
            Self::from_key(key.to_be_bytes()).map_err(D::Error::custom)
        }
    }
}

/// A province, autonomous region, municipality or the XPCC, by its GB/T 2260 two-digit code.
///
/// The Xinjiang Production and Construction Corps (XPCC) has the code 66 used by its own
/// statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct ProvinceCode(u8);

/// A number that is no province code of GB/T 2260.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no province has this code; see GB/T 2260 (11 Beijing … 65 Xinjiang, 66 XPCC)")]
pub struct ProvinceCodeError;

impl ProvinceCode {
    /// Code, English and Chinese name of the 31 mainland provinces and the XPCC.
    pub const ALL: &'static [(u8, &'static str, &'static str)] = &[
        (11, "Beijing", "北京"),
        (12, "Tianjin", "天津"),
        (13, "Hebei", "河北"),
        (14, "Shanxi", "山西"),
        (15, "Inner Mongolia", "内蒙古"),
        (21, "Liaoning", "辽宁"),
        (22, "Jilin", "吉林"),
        (23, "Heilongjiang", "黑龙江"),
        (31, "Shanghai", "上海"),
        (32, "Jiangsu", "江苏"),
        (33, "Zhejiang", "浙江"),
        (34, "Anhui", "安徽"),
        (35, "Fujian", "福建"),
        (36, "Jiangxi", "江西"),
        (37, "Shandong", "山东"),
        (41, "Henan", "河南"),
        (42, "Hubei", "湖北"),
        (43, "Hunan", "湖南"),
        (44, "Guangdong", "广东"),
        (45, "Guangxi", "广西"),
        (46, "Hainan", "海南"),
        (50, "Chongqing", "重庆"),
        (51, "Sichuan", "四川"),
        (52, "Guizhou", "贵州"),
        (53, "Yunnan", "云南"),
        (54, "Tibet", "西藏"),
        (61, "Shaanxi", "陕西"),
        (62, "Gansu", "甘肃"),
        (63, "Qinghai", "青海"),
        (64, "Ningxia", "宁夏"),
        (65, "Xinjiang", "新疆"),
        (66, "XPCC", "新疆生产建设兵团"),
    ];

    /// A province code; refused when GB/T 2260 has none.
    pub fn new(code: u8) -> Result<Self, ProvinceCodeError> {
        if Self::ALL.iter().any(|(known, _, _)| *known == code) {
            Ok(Self(code))
        } else {
            Err(ProvinceCodeError)
        }
    }

    /// The two-digit code.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for ProvinceCode {
    type Error = ProvinceCodeError;

    fn try_from(code: u8) -> Result<Self, ProvinceCodeError> {
        Self::new(code)
    }
}

impl From<ProvinceCode> for u8 {
    fn from(province: ProvinceCode) -> u8 {
        province.0
    }
}

impl fmt::Display for ProvinceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a representative may do for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Right {
    /// Reads the account.
    Read,
    /// Starts transactions.
    Initiate,
    /// Approves what others started.
    Approve,
    /// Starts, or approves what others started.
    InitiateAndApprove,
}

impl Right {
    /// Whether transactions may be started.
    pub const fn may_initiate(self) -> bool {
        matches!(self, Self::Initiate | Self::InitiateAndApprove)
    }

    /// Whether transactions of others may be approved.
    pub const fn may_approve(self) -> bool {
        matches!(self, Self::Approve | Self::InitiateAndApprove)
    }
}

/// A person who acts for an account, known by a public key only; no personal data is on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Representative {
    /// Public key of the person.
    pub key: super::PublicKey,
    /// What the person may do.
    pub right: Right,
}

/// Classes of operations that an account may protect by different numbers of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OperationClass {
    /// Routine acts of an institution: the business date, settlement of a trading day.
    Operation,
    /// Accounts, representatives, parameters, validators, freezes.
    Administration,
    /// Moving units or money out of the account.
    Transfer,
    /// Issue, surrender, offset, cancellation, verified emissions.
    Compliance,
}

/// People needed for each class of operation, at least one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// For [`OperationClass::Operation`].
    pub operation: u8,
    /// For [`OperationClass::Administration`].
    pub administration: u8,
    /// For [`OperationClass::Transfer`].
    pub transfer: u8,
    /// For [`OperationClass::Compliance`].
    pub compliance: u8,
}

impl Thresholds {
    /// The number of people for a class.
    pub const fn of(&self, class: OperationClass) -> u8 {
        match class {
            OperationClass::Operation => self.operation,
            OperationClass::Administration => self.administration,
            OperationClass::Transfer => self.transfer,
            OperationClass::Compliance => self.compliance,
        }
    }

    /// The same number for every class.
    pub const fn uniform(people: u8) -> Self {
        Self { operation: people, administration: people, transfer: people, compliance: people }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_round_trip_and_detect_errors() {
        for role in Role::ALL {
            let id = AccountId::new(*role, 1_234_567_890).unwrap();
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(AccountId::from_key(id.to_key()), Ok(id));
        }
        let id = AccountId::new(Role::KeyEmittingEntity, 1).unwrap();
        assert_eq!(id.to_string(), format!("CN-KEE-0000000001-{}", AccountId::EXAMPLE_CHECK));
        let wrong = id.to_string().replace("0001", "0002");
        assert!(matches!(wrong.parse::<AccountId>(), Err(AccountIdError::CheckDigits { .. })));
        assert_eq!("CN-XXX-0000000001-00".parse::<AccountId>(), Err(AccountIdError::Role));
    }
}

//! Institutions as they are named on the command line: `NAME:ROLE[:PROVINCE]`.

use std::fmt;
use std::str::FromStr;

use cets_contracts::types::{ProvinceCode, Role};

/// Somebody who has an account from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Short name: of the node, of its keys, of its account.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Province that it governs.
    pub province: Option<ProvinceCode>,
}

/// Why a text names no institution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstitutionError {
    /// Not two or three parts.
    #[error("expected NAME:ROLE or NAME:province:PROVINCE, for example ets-registry:registry")]
    Shape,
    /// The name is not plain.
    #[error(
        "a name has 1 to 64 letters, digits, `-`, `_` or `.`, and begins with one of the former"
    )]
    Name,
    /// No role of this name.
    #[error(
        "no role is called `{0}`; roles are ministry, registry, exchange, ccer-registry, \
         ccer-exchange, settlement, province, entity, project-owner, trader, auditor, government"
    )]
    Role(String),
    /// A province is missing, superfluous or unknown.
    #[error(
        "a provincial authority, and nobody else, names a province: NAME:province:42 or, by its \
         English name, hubei:province"
    )]
    Province,
}

/// Roles by the names that people type; the three letters of account numbers work too.
const ROLE_NAMES: &[(&str, Role)] = &[
    ("ministry", Role::Ministry),
    ("registry", Role::Registry),
    ("exchange", Role::Exchange),
    ("ccer-registry", Role::CcerRegistry),
    ("ccer-exchange", Role::CcerExchange),
    ("settlement", Role::Settlement),
    ("province", Role::Province),
    ("entity", Role::KeyEmittingEntity),
    ("project-owner", Role::ProjectOwner),
    ("trader", Role::Trader),
    ("auditor", Role::Auditor),
    ("government", Role::Government),
];

/// The role of a name or of three letters.
pub fn role_named(text: &str) -> Option<Role> {
    let plain = text.replace('_', "-");
    let by_name = ROLE_NAMES.iter().find(|(name, _)| *name == plain).map(|(_, role)| *role);
    let letters = text.to_ascii_uppercase();
    by_name.or_else(|| Role::ALL.iter().find(|role| role.letters() == letters).copied())
}

/// The name that people type for a role.
pub fn role_name(role: Role) -> &'static str {
    ROLE_NAMES.iter().find(|(_, known)| *known == role).map_or(role.letters(), |(name, _)| name)
}

/// The province of a code or an English name.
pub fn province_named(text: &str) -> Option<ProvinceCode> {
    let code = text.parse().ok().or_else(|| {
        let named = |name: &str| name.eq_ignore_ascii_case(&text.replace('-', " "));
        ProvinceCode::ALL.iter().find(|(_, name, _)| named(name)).map(|(code, _, _)| *code)
    });
    ProvinceCode::new(code?).ok()
}

impl fmt::Display for Institution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, role_name(self.role))?;
        self.province.map_or(Ok(()), |province| write!(f, ":{}", province.get()))
    }
}

impl FromStr for Institution {
    type Err = InstitutionError;

    fn from_str(text: &str) -> Result<Self, InstitutionError> {
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let (name, role, province) = match parts.as_slice() {
            [name, role] => (*name, *role, None),
            [name, role, province] => (*name, *role, Some(*province)),
            _ => return Err(InstitutionError::Shape),
        };
        if crate::keys::check_name(name).is_err() {
            return Err(InstitutionError::Name);
        }
        let role = role_named(role).ok_or_else(|| InstitutionError::Role(role.to_owned()))?;
        let province = match (role, province) {
            (_, Some(text)) => Some(province_named(text).ok_or(InstitutionError::Province)?),
            // An authority that bears the name of its province need not repeat it.
            (Role::Province, None) => province_named(name),
            _ => None,
        };
        if (role == Role::Province) != province.is_some() {
            return Err(InstitutionError::Province);
        }
        Ok(Self { name: name.to_owned(), role, province })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn institutions_read_by_name_or_letters() {
        let parse = |text: &str| text.parse::<Institution>();
        assert_eq!(parse("a:registry").unwrap().role, Role::Registry);
        assert_eq!(parse("a:REG").unwrap().role, Role::Registry);
        let hubei = parse("hubei:province:42").unwrap();
        assert_eq!(parse("hubei:province:Hubei").unwrap(), hubei);
        assert_eq!(parse("hubei:province").unwrap(), hubei);
        for one in [hubei.clone(), parse("a:registry").unwrap()] {
            assert_eq!(parse(&one.to_string()).unwrap(), one);
        }
        assert_eq!(parse("nm:prv:inner-mongolia").unwrap().province.unwrap().get(), 15);
    }

    #[test]
    fn every_role_has_a_name() {
        for role in Role::ALL {
            assert_eq!(role_named(role_name(*role)), Some(*role));
        }
    }

    #[test]
    fn wrong_institutions_are_refused_with_a_reason() {
        let error = |text: &str| text.parse::<Institution>().unwrap_err();
        assert_eq!(error("a"), InstitutionError::Shape);
        assert_eq!(error("a b:registry"), InstitutionError::Name);
        assert_eq!(error("a:bank"), InstitutionError::Role("bank".to_owned()));
        for text in ["a:province", "a:province:99", "a:registry:42"] {
            assert_eq!(error(text), InstitutionError::Province, "{text}");
        }
    }
}

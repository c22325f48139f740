//! Languages, and texts that exist in all of them.
//!
//! Whatever a person reads is a [`Text`] until the moment it is printed, so that no command has
//! to know the language and no message can exist in one language only.

/// Language of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The language of the environment: `LC_ALL`, else `LC_MESSAGES`, else `LANG`; English unless
    /// it begins with `zh`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        match set {
            Some(value) if value.to_ascii_lowercase().starts_with("zh") => Self::Zh,
            _ => Self::En,
        }
    }
}

/// A text for people in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    en: String,
    zh: String,
}

impl Text {
    /// A text from its two forms; prefer the macro `text!`.
    pub const fn new(en: String, zh: String) -> Self {
        Self { en, zh }
    }

    /// A text that is the same in every language, for example a number or a file name.
    pub fn same(text: impl ToString) -> Self {
        let text = text.to_string();
        Self { en: text.clone(), zh: text }
    }

    /// The form in a language.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

/// Makes a [`Text`] from an English and a Chinese format string over the same arguments.
#[macro_export]
macro_rules! text {
    ($en:literal, $zh:literal $(, $argument:expr)* $(,)?) => {
        $crate::text::Text::new(format!($en $(, $argument)*), format!($zh $(, $argument)*))
    };
}

/// Whole number with commas between groups of three digits.
pub fn grouped(number: impl ToString) -> String {
    let number = number.to_string();
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number.as_str()),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let mut grouped = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_the_first_variable_that_is_set() {
        let with = |set: &'static [(&str, &str)]| {
            Lang::from_environment(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
            })
        };
        assert_eq!(with(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(with(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(with(&[("LC_ALL", ""), ("LANG", "zh")]), Lang::Zh);
        assert_eq!(with(&[]), Lang::En);
    }

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        for (number, expected) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("5104000000", "5,104,000,000"),
            ("24919150519.28", "24,919,150,519.28"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}

//! Where passphrases come from: a file, a descriptor or one prompt; never an argument.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::error::CliError;
use crate::text;
use crate::text::{Lang, Text};

/// Longest passphrase in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Least number of characters of the passphrase of a new key.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

/// A passphrase; wiped from memory when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Wraps a passphrase.
    pub fn new(passphrase: &str) -> Self {
        Self(Zeroizing::new(passphrase.to_owned()))
    }

    /// Its bytes, as the key derivation takes them.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Where the passphrase of a command comes from.
#[derive(Clone, Debug, Default)]
pub struct PassphraseSource {
    /// File whose first line is the passphrase.
    pub file: Option<PathBuf>,
    /// Number of an open file descriptor whose first line is the passphrase.
    pub descriptor: Option<u32>,
}

impl PassphraseSource {
    /// The passphrase of an existing key; asks at most once on the terminal.
    pub fn existing(&self, key: &str, lang: Lang) -> Result<Passphrase, CliError> {
        match self.prepared()? {
            Some(passphrase) => Ok(passphrase),
            None => prompt(&text!("Passphrase of key {key}: ", "密钥 {key} 的口令："), lang),
        }
    }

    /// The passphrase of a new key; typed twice on the terminal, at least 8 characters.
    pub fn fresh(&self, key: &str, lang: Lang) -> Result<Passphrase, CliError> {
        let passphrase = match self.prepared()? {
            Some(passphrase) => passphrase,
            None => {
                let asked = text!("New passphrase for key {key}: ", "密钥 {key} 的新口令：");
                let first = prompt(&asked, lang)?;
                let second = prompt(&text!("The same again: ", "请再次输入："), lang)?;
                if first != second {
                    return Err(CliError::user(text!(
                        "the two passphrases differ",
                        "两次输入的口令不一致"
                    )));
                }
                first
            }
        };
        if passphrase.0.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(CliError::user(text!(
                "a passphrase has at least {PASSPHRASE_CHARS_MIN} characters",
                "口令至少需要 {PASSPHRASE_CHARS_MIN} 个字符"
            )));
        }
        Ok(passphrase)
    }

    fn prepared(&self) -> Result<Option<Passphrase>, CliError> {
        let path = match (&self.file, self.descriptor) {
            (Some(path), _) => path.clone(),
            (None, Some(descriptor)) => PathBuf::from(format!("/dev/fd/{descriptor}")),
            (None, None) => return Ok(None),
        };
        let file = File::open(&path).map_err(|error| CliError::file(&path, &error))?;
        let limit = u64::try_from(PASSPHRASE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut line = Zeroizing::new(String::with_capacity(PASSPHRASE_BYTES_MAX));
        BufReader::new(file.take(limit))
            .read_line(&mut line)
            .map_err(|error| CliError::file(&path, &error))?;
        let passphrase = line.trim_end_matches(['\n', '\r']);
        if passphrase.is_empty() {
            let path = path.display();
            return Err(CliError::user(text!(
                "the first line of {path} is empty, expected a passphrase",
                "{path} 的首行为空，应为口令"
            )));
        }
        Ok(Some(Passphrase::new(passphrase)))
    }
}

fn prompt(question: &Text, lang: Lang) -> Result<Passphrase, CliError> {
    let typed = rpassword::prompt_password(question.get(lang)).map_err(|_| {
        CliError::usage(text!(
            "a passphrase is needed and there is no terminal to ask on",
            "需要口令，但没有可供输入的终端"
        ))
        .hint(text!(
            "give --password-file FILE or --password-fd NUMBER",
            "请使用 --password-file 文件 或 --password-fd 描述符"
        ))
    })?;
    Ok(Passphrase(Zeroizing::new(typed)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn from_text(text: &str) -> Result<Passphrase, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pass");
        std::fs::write(&path, text).unwrap();
        PassphraseSource { file: Some(path), descriptor: None }.fresh("k", Lang::En)
    }

    #[test]
    fn the_first_line_of_the_file_is_the_passphrase() {
        let expected = Passphrase::new("correct horse ");
        assert_eq!(from_text("correct horse \r\nsecond line").unwrap(), expected);
        assert_eq!(from_text("correct horse ").unwrap(), expected);
    }

    #[test]
    fn empty_and_short_passphrases_are_refused() {
        assert!(from_text("").is_err());
        assert!(from_text("\nlater").is_err());
        assert!(from_text("seven77").unwrap_err().to_string().contains("at least 8"));
    }

    #[test]
    fn passphrases_are_never_printed() {
        assert_eq!(format!("{:?}", Passphrase::new("secret")), "Passphrase(..)");
    }
}

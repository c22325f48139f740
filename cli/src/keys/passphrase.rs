//! Where passphrases come from: a file, a descriptor or one prompt; never an argument.

use std::cell::RefCell;
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

/// Where the passphrases of a command come from; each is read or asked for once.
#[derive(Debug, Default)]
pub struct PassphraseSource {
    /// File whose first line is the passphrase.
    file: Option<PathBuf>,
    /// Number of an open file descriptor whose first line is the passphrase.
    descriptor: Option<u32>,
    /// Passphrases that opened a key before.
    known: RefCell<Vec<Passphrase>>,
}

impl PassphraseSource {
    /// A source: a file, else a descriptor, else the terminal.
    pub const fn new(file: Option<PathBuf>, descriptor: Option<u32>) -> Self {
        Self { file, descriptor, known: RefCell::new(Vec::new()) }
    }

    /// Whether keys can be opened without asking anybody.
    pub const fn is_ready(&self) -> bool {
        self.file.is_some() || self.descriptor.is_some()
    }

    /// Opens something with the passphrases known so far, else with a new one.
    ///
    /// One prompt serves all keys of a command; only a key that it does not open asks again.
    pub fn open<T>(
        &self,
        key: &str,
        lang: Lang,
        attempt: impl Fn(&Passphrase) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let known = self.known.borrow().clone();
        if let Some(opened) = known.iter().find_map(|passphrase| attempt(passphrase).ok()) {
            return Ok(opened);
        }
        let passphrase = match (self.is_ready(), known.first()) {
            // The only passphrase of the file or descriptor: tell why it does not fit.
            (true, Some(only)) => only.clone(),
            _ => self.existing(key, lang)?,
        };
        let opened = attempt(&passphrase);
        if opened.is_ok() || self.is_ready() {
            self.known.borrow_mut().push(passphrase);
        }
        opened
    }

    fn existing(&self, key: &str, lang: Lang) -> Result<Passphrase, CliError> {
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
        PassphraseSource::new(Some(path), None).fresh("k", Lang::En)
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
    fn a_known_passphrase_is_tried_before_anybody_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pass");
        std::fs::write(&path, "correct horse").unwrap();
        let source = PassphraseSource::new(Some(path.clone()), None);
        let fits = |passphrase: &Passphrase| match *passphrase == Passphrase::new("correct horse") {
            true => Ok(()),
            false => Err(CliError::user(text!("no", "否"))),
        };
        source.open("a", Lang::En, fits).unwrap();
        std::fs::remove_file(path).unwrap();
        source.open("b", Lang::En, fits).unwrap();
        let never = |_: &Passphrase| Err::<(), _>(CliError::user(text!("does not fit", "不符")));
        assert!(source.open("c", Lang::En, never).unwrap_err().to_string().contains("not fit"));
    }

    #[test]
    fn passphrases_are_never_printed() {
        assert_eq!(format!("{:?}", Passphrase::new("secret")), "Passphrase(..)");
    }
}

//! What one run of the program works with: home, context, language, terminal.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use cets_contracts::types::AccountId;
use ed25519_dalek::SigningKey;

use crate::app::GlobalArgs;
use crate::client::Node;
use crate::config::{Config, Context, Home};
use crate::error::CliError;
use crate::keys::{
    KeyStore, Passphrase, PassphraseSource, check_name, decrypt_key, is_encrypted, key_error,
    plain_key, read_key_text,
};
use crate::orders::{open_key, signing_keys};
use crate::output::OutputForm;
use crate::text;
use crate::text::{Lang, Text};

/// Everything a command may need besides its own arguments.
pub struct Session<'a> {
    home: Home,
    config: Config,
    context_name: Option<String>,
    context: Context,
    lang: Lang,
    form: OutputForm,
    quiet: bool,
    passphrases: PassphraseSource,
    global: GlobalArgs,
    opened: RefCell<BTreeMap<String, SigningKey>>,
    notices: &'a mut dyn Write,
}

impl<'a> Session<'a> {
    /// Reads the configuration and picks the context.
    pub fn new(
        global: &GlobalArgs,
        lang: Lang,
        form: OutputForm,
        notices: &'a mut dyn Write,
    ) -> Result<Self, CliError> {
        let home = match &global.home {
            Some(folder) => Home::new(folder.clone()),
            None => Home::from_environment(|name| std::env::var(name).ok())?,
        };
        let config = home.config()?;
        let (context_name, mut context) = config.context(global.context.as_deref())?;
        if !global.node.is_empty() {
            context.nodes.clone_from(&global.node);
        }
        let of_context = || context.password_file.as_deref().map(|path| home.resolve(path));
        let passphrases = PassphraseSource::new(
            match global.password_fd {
                None => global.password_file.clone().or_else(of_context),
                Some(_) => None,
            },
            global.password_fd,
        );
        let quiet = global.quiet;
        let global = global.clone();
        Ok(Self {
            home,
            config,
            context_name,
            context,
            lang,
            form,
            quiet,
            passphrases,
            global,
            opened: RefCell::default(),
            notices,
        })
    }

    /// The home directory.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The context in use, with what the command line changed.
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Name of the context in use.
    pub fn context_name(&self) -> Option<&str> {
        self.context_name.as_deref()
    }

    /// The keys.
    pub fn keys(&self) -> KeyStore {
        KeyStore::new(self.home.keys_folder())
    }

    /// Where passphrases come from.
    pub const fn passphrases(&self) -> &PassphraseSource {
        &self.passphrases
    }

    /// Nodes named on the command line, as opposed to those of the context.
    pub fn node_arguments(&self) -> Option<Vec<String>> {
        (!self.global.node.is_empty()).then(|| self.global.node.clone())
    }

    /// Passphrase file named on the command line, as opposed to that of the context.
    pub fn password_file_argument(&self) -> Option<PathBuf> {
        self.global.password_file.clone()
    }

    /// Whether the command line names a descriptor with the passphrase.
    pub const fn has_password_descriptor(&self) -> bool {
        self.global.password_fd.is_some()
    }

    /// Language of texts.
    pub const fn lang(&self) -> Lang {
        self.lang
    }

    /// Form of the answer.
    pub const fn form(&self) -> OutputForm {
        self.form
    }

    /// Opens a key of the store.
    pub fn open_key(&self, name: &str) -> Result<SigningKey, CliError> {
        if let Some(key) = self.opened.borrow().get(name) {
            return Ok(key.clone());
        }
        let store = self.keys();
        store.check_known(name)?;
        let opened =
            self.passphrases.open(name, self.lang, |passphrase| store.open(name, passphrase));
        let key = opened?;
        self.opened.borrow_mut().insert(name.to_owned(), key.clone());
        Ok(key)
    }

    /// Opens a key file anywhere on disk.
    pub fn open_key_file(&self, path: &Path) -> Result<SigningKey, CliError> {
        let name = path.display().to_string();
        let failed = |error| key_error(&name, error);
        let pem = read_key_text(path).map_err(failed)?;
        if !is_encrypted(&pem) {
            return plain_key(&pem).map_err(failed);
        }
        let attempt = |passphrase: &Passphrase| decrypt_key(&pem, passphrase).map_err(failed);
        self.passphrases.open(&name, self.lang, attempt)
    }

    /// Connects to the first node of the context that answers, to read.
    ///
    /// Says who reads when that needs no question, or when `--as` asks for it.
    pub fn node(&self) -> Result<Node, CliError> {
        self.reading(Node::connect(self)?)
    }

    /// Connects to one node, to read, like [`Self::node`].
    pub fn node_at(&self, address: &str) -> Result<Node, CliError> {
        let certificates = Node::certificates(self)?;
        self.reading(Node::connect_to(address, certificates.as_deref(), self.lang)?)
    }

    fn reading(&self, node: Node) -> Result<Node, CliError> {
        let Some(name) = self.global.read_as.as_deref().or(self.context.account.as_deref()) else {
            return Ok(node);
        };
        if self.global.read_as.is_none() && !self.passphrases.is_ready() {
            return Ok(node);
        }
        let account = self.account_named(name)?;
        match signing_keys(self, account, &[]) {
            Ok(keys) => self.known_to(node, account, &keys),
            Err(_) if self.global.read_as.is_none() => Ok(node),
            Err(error) => Err(error),
        }
    }

    /// Connects like [`Self::node`], as a representative of an account with one of its keys.
    pub fn node_for(&self, account: AccountId, keys: &[String]) -> Result<Node, CliError> {
        self.known_to(Node::connect(self)?, account, keys)
    }

    fn known_to(&self, node: Node, account: AccountId, keys: &[String]) -> Result<Node, CliError> {
        let Some(name) = keys.first() else { return Ok(node) };
        if !self.context.plaintext {
            node.refuse_to_expose_tokens()?;
        }
        node.read_for(account, &open_key(self, name)?)
    }

    /// An account by number, by a name of the configuration, or by the name of one of its keys.
    pub fn account_named(&self, name: &str) -> Result<AccountId, CliError> {
        let number = name.parse::<AccountId>();
        if let Ok(account) = number {
            return Ok(account);
        }
        if let Some(account) = self.config.accounts.get(name) {
            return Ok(*account);
        }
        if let (false, Err(error)) = (check_name(name).is_ok(), number) {
            return Err(CliError::usage(text!(
                "`{name}` is no account: {error}",
                "`{name}` 不是账户：{error}"
            )));
        }
        let key = self.keys().list()?.into_iter().find(|key| key.name == name);
        key.and_then(|key| key.account).ok_or_else(|| {
            CliError::user(text!(
                "`{name}` is neither an account number nor a name of an account",
                "`{name}` 既不是账户号也不是账户名称"
            ))
            .hint(text!(
                "`cets context name-account {name} NUMBER` gives an account this name",
                "`cets context name-account {name} 账户号` 可为账户命名"
            ))
        })
    }

    /// The account that acts: the one named, else the context's.
    pub fn acting_account(&self, named: Option<&str>) -> Result<AccountId, CliError> {
        let name = named.or(self.context.account.as_deref()).ok_or_else(|| {
            CliError::usage(text!("which account? nothing names it", "未指明账户")).hint(text!(
                "give --account NAME, or `cets context set CONTEXT --account NAME`",
                "请使用 --account 名称，或 `cets context set 上下文 --account 名称`"
            ))
        })?;
        self.account_named(name)
    }

    /// Shows the person something before a question, on standard error.
    pub fn show(&mut self, text: &str) {
        // A closed standard error leaves nobody to tell.
        write!(self.notices, "{text}").ok();
    }

    /// Asks a question that is answered by yes or no; anything but yes is a refusal.
    pub fn confirm(&mut self, question: &Text) -> Result<(), CliError> {
        let asked = format!("{} [y/N] ", question.get(self.lang));
        self.show(&asked);
        self.notices.flush().ok();
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        let yes = ["y", "yes", "是"].contains(&answer.trim().to_lowercase().as_str());
        match read {
            Ok(_) if yes => Ok(()),
            _ => Err(CliError::user(text!("nothing was signed", "未签名"))),
        }
    }

    /// Columns of the terminal; none when the answer goes to a file or a pipe.
    pub fn width(&self) -> Option<u16> {
        if !std::io::stdout().is_terminal() {
            return None;
        }
        comfy_table::Table::new().width()
    }

    /// Whether progress and questions make sense: a person sits at a terminal.
    pub fn is_interactive(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal() && std::io::stdin().is_terminal()
    }

    /// Whether progress of long work is shown.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Tells the person something that is not part of the answer, on standard error.
    pub fn notice(&mut self, notice: &Text) {
        if !self.quiet {
            // A closed standard error leaves nobody to tell.
            writeln!(self.notices, "{}", notice.get(self.lang)).ok();
        }
    }
}

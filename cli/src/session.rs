//! What one run of the program works with: home, context, language, terminal.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use crate::app::GlobalArgs;
use crate::config::{Config, Context, Home};
use crate::error::CliError;
use crate::keys::{KeyStore, PassphraseSource};
use crate::output::OutputForm;
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
        let passphrases = PassphraseSource {
            file: global.password_file.clone().or_else(|| match global.password_fd {
                None => context.password_file.as_deref().map(|path| home.resolve(path)),
                Some(_) => None,
            }),
            descriptor: global.password_fd,
        };
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

    /// Tells the person something that is not part of the answer, on standard error.
    pub fn notice(&mut self, notice: &Text) {
        if !self.quiet {
            // A closed standard error leaves nobody to tell.
            writeln!(self.notices, "{}", notice.get(self.lang)).ok();
        }
    }
}

//! The other side: a registry in PostgreSQL, whose log is a chain of hashes.
//!
//! One operator can rewrite it all and nothing is signed: it is what a user would pick instead,
//! not an equal. The cluster is made for the measurement and stopped after it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use eyre::{OptionExt as _, WrapErr as _, ensure, eyre};
use tempfile::TempDir;

use super::machine;
use super::world::Scale;

const SCHEMA: &str = include_str!("postgres/schema.sql");
const LOAD: &str = include_str!("postgres/load.sql");
const CHAIN: &str = include_str!("postgres/t_chain.sql");
const NO_CHAIN: &str = include_str!("postgres/t_nochain.sql");
const BATCH: &str = include_str!("postgres/t_batch100.sql");
/// Transfers of one commit of [`BATCH`].
const BATCH_TRANSFERS: f64 = 100.0;
/// Users that may run a database when this program runs as root.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// What is measured of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// Hash chain on one node.
    Chain,
    /// No tamper evidence at all.
    NoChain,
    /// Hash chain, a hundred transfers per commit.
    Batched,
}

impl Variant {
    const fn script(self) -> (&'static str, &'static str, f64, &'static [u32]) {
        match self {
            Self::Chain => ("chain.sql", CHAIN, 1.0, &[2, 8]),
            Self::NoChain => ("no-chain.sql", NO_CHAIN, 1.0, &[8, 32]),
            Self::Batched => ("batch.sql", BATCH, BATCH_TRANSFERS, &[1]),
        }
    }
}

/// The best number of clients.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    /// Transfers a second.
    pub rate: f64,
    /// Processor seconds of the whole machine meanwhile.
    pub busy_seconds: f64,
}

/// A cluster that runs.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    user: Option<&'static str>,
    folder: TempDir,
    port: u16,
    standby: Option<u16>,
    accounts: u64,
}

/// Where the programs of PostgreSQL are; none when it is not installed.
pub fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("PGBIN").map(PathBuf::from);
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    installed.sort();
    let search = std::env::var_os("PATH").unwrap_or_default();
    let search = std::env::split_paths(&search).collect::<Vec<_>>();
    let candidates = named.into_iter().chain(installed.into_iter().rev()).chain(search);
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "pgbench", "psql"].iter().all(|name| folder.join(name).is_file())
    };
    candidates.filter(|folder| folder.is_absolute()).find(has_all)
}

/// A port that nobody listens on.
pub(super) fn free_port() -> eyre::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn is_root() -> bool {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines().any(|line| line.split_whitespace().take(2).eq(["Uid:", "0"]))
}

impl Postgres {
    /// Makes and starts a cluster with accounts and ranges.
    pub fn start(programs: PathBuf, scale: Scale) -> eyre::Result<Self> {
        let folder = TempDir::with_prefix("cets-bench-postgres-")?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let known =
            |user: &&str| Command::new("id").arg(user).output().is_ok_and(|o| o.status.success());
        let user = match is_root() {
            true => Some(USERS.into_iter().find(known).ok_or_else(|| eyre!("no user for it"))?),
            false => None,
        };
        let (port, accounts) = (free_port()?, scale.accounts);
        let postgres = Self { programs, user, folder, port, standby: None, accounts };
        let main = postgres.own_folder("main")?;
        postgres.own_folder("sockets")?;
        postgres.call("initdb", ["-D", &text(&main), "-U", "reg", "-A", "trust", "--no-locale"])?;
        postgres.append(&main.join("postgresql.conf"), &postgres.settings(port, "2GB"))?;
        postgres.ctl(&main, "start")?;
        for (name, script) in [("schema.sql", SCHEMA), ("load.sql", LOAD)] {
            std::fs::write(postgres.path(name), script)?;
        }
        for (name, script, ..) in
            [Variant::Chain, Variant::NoChain, Variant::Batched].map(Variant::script)
        {
            // The batch chooses among 3,000 accounts by itself.
            let script = script.replace("2999", &(accounts - 1).to_string());
            std::fs::write(postgres.path(name), script)?;
        }
        let (accounts, ranges) = (format!("accts={accounts}"), format!("blocks={}", scale.ranges));
        postgres.psql(["-f", &text(&postgres.path("schema.sql"))])?;
        postgres.psql(["-v", &accounts, "-v", &ranges, "-f", &text(&postgres.path("load.sql"))])?;
        postgres.psql(["-c", "checkpoint"])?;
        Ok(postgres)
    }

    /// Version and settings, in a line.
    pub fn describe(&self) -> eyre::Result<String> {
        let version = self.psql(["-At", "-c", "show server_version"])?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        Ok(format!("PostgreSQL {version}, synchronous_commit=on, fsync=on, no signatures checked"))
    }

    /// Transfers a second; the best number of clients counts.
    pub fn measure(&self, variant: Variant, seconds: u64) -> eyre::Result<Best> {
        let (script, _, each, clients) = variant.script();
        let mut best = Best { rate: 0.0, busy_seconds: 0.0 };
        for clients in clients {
            let (seconds, clients) = (seconds.to_string(), clients.to_string());
            let accounts = format!("accts={}", self.accounts);
            let script = text(&self.path(script));
            let busy = machine::busy_seconds();
            let output = self.client(
                "pgbench",
                [
                    "-n", "-M", "prepared", "-f", &script, "-D", &accounts, "-c", &clients, "-j",
                    "2", "-T", &seconds, "postgres",
                ],
            )?;
            let said = String::from_utf8_lossy(&output.stdout);
            let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
            let rate: f64 = rate.ok_or_eyre("pgbench gave no figure")?.parse()?;
            let busy_seconds = machine::busy_seconds() - busy;
            if rate * each > best.rate {
                best = Best { rate: rate * each, busy_seconds };
            }
        }
        Ok(best)
    }

    /// Bytes of a row of the log and of a range, with their indexes.
    pub fn row_bytes(&self) -> eyre::Result<(f64, f64)> {
        let size = |table: &str| {
            let query = format!(
                "select pg_total_relation_size('{table}')::float / greatest(count(*), 1) \
                 from {table}"
            );
            let output = self.psql(["-At", "-c", &query])?;
            eyre::Ok(String::from_utf8_lossy(&output.stdout).trim().parse::<f64>()?)
        };
        Ok((size("tx_log")?, size("unit_block")?))
    }

    /// Adds a standby on this machine that every commit waits for.
    pub fn add_standby(&mut self) -> eyre::Result<()> {
        let (main, standby) = (self.path("main"), self.own_folder("standby")?);
        let port = free_port()?;
        self.psql(["-c", "alter system set synchronous_standby_names = 's1'"])?;
        self.append(&main.join("pg_hba.conf"), "host replication reg 127.0.0.1/32 trust\n")?;
        self.psql(["-c", "select pg_reload_conf()"])?;
        let from = self.port.to_string();
        self.call(
            "pg_basebackup",
            [
                "-c",
                "fast",
                "-h",
                "127.0.0.1",
                "-p",
                &from,
                "-U",
                "reg",
                "-D",
                &text(&standby),
                "-R",
                "-X",
                "stream",
            ],
        )?;
        self.append(&standby.join("postgresql.conf"), &self.settings(port, "512MB"))?;
        let connection = format!(
            "primary_conninfo = 'application_name=s1 host=127.0.0.1 port={from} user=reg'\n"
        );
        self.append(&standby.join("postgresql.auto.conf"), &connection)?;
        self.standby = Some(port);
        self.ctl(&standby, "start")?;
        for _ in 0..100 {
            let state = self.psql(["-At", "-c", "select sync_state from pg_stat_replication"])?;
            if String::from_utf8_lossy(&state.stdout).trim() == "sync" {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err(eyre!("the standby of PostgreSQL does not become synchronous"))
    }

    fn settings(&self, port: u16, buffers: &str) -> String {
        format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
             shared_buffers = {buffers}\nsynchronous_commit = on\nfsync = on\n\
             full_page_writes = on\nmax_wal_size = 4GB\ncheckpoint_timeout = 15min\n\
             max_connections = 60\nwal_level = replica\n",
            self.path("sockets").display()
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder that belongs to the user of the database.
    fn own_folder(&self, name: &str) -> eyre::Result<PathBuf> {
        let folder = self.path(name);
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        if let Some(user) = self.user {
            let status = Command::new("chown").arg(user).arg(&folder).status()?;
            ensure!(status.success(), "{} cannot be given to {user}", folder.display());
        }
        Ok(folder)
    }

    fn append(&self, file: &Path, text: &str) -> eyre::Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).open(file)?;
        Ok(file.write_all(text.as_bytes())?)
    }

    fn ctl(&self, folder: &Path, action: &str) -> eyre::Result<()> {
        let log = text(&self.path("sockets").join("log"));
        self.call("pg_ctl", ["-D", &text(folder), "-l", &log, "-w", "-m", "fast", action]).map(drop)
    }

    fn psql<const N: usize>(&self, arguments: [&str; N]) -> eyre::Result<Output> {
        let first = ["-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1"];
        self.client("psql", first.into_iter().chain(arguments))
    }

    /// Runs a program of the server as the user of the database.
    fn call<const N: usize>(&self, name: &str, arguments: [&str; N]) -> eyre::Result<Output> {
        let program = self.programs.join(name);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                let reuid = format!("--reuid={user}");
                command.args([&reuid, "--clear-groups", "env", "HOME=/tmp"]);
                command.arg(program);
                command
            }
        };
        command.args(arguments).current_dir(self.folder.path());
        done(name, command)
    }

    /// Runs a client of the server.
    fn client(
        &self,
        name: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> eyre::Result<Output> {
        let mut command = Command::new(self.programs.join(name));
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "reg");
        command.args(arguments).current_dir(self.folder.path());
        done(name, command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        for (name, runs) in [("standby", self.standby.is_some()), ("main", true)] {
            if runs {
                // A server that ended already needs no stopping.
                self.ctl(&self.path(name), "stop").ok();
            }
        }
    }
}

fn done(name: &str, mut command: Command) -> eyre::Result<Output> {
    // What pg_ctl starts keeps its output open: it goes to files.
    let (out, errors) = (tempfile::NamedTempFile::new()?, tempfile::NamedTempFile::new()?);
    command.stdin(std::process::Stdio::null());
    command.stdout(out.reopen()?).stderr(errors.reopen()?);
    let status = command.status().wrap_err_with(|| format!("{name} does not start"))?;
    let (stdout, stderr) = (std::fs::read(out.path())?, std::fs::read(errors.path())?);
    ensure!(status.success(), "{name} failed: {}", String::from_utf8_lossy(&stderr).trim());
    Ok(Output { status, stdout, stderr })
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

//! What the machine allows: small disks and clocks of single processes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use eyre::{OptionExt as _, WrapErr as _, bail, ensure};

/// Where the library that fakes clocks is installed: by Debian's package `faketime`, by others.
const CLOCK_LIBRARIES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];
/// Ways to get a place of one's own for mounts: as root, and as anybody where that is allowed.
const OWN_MOUNTS: [&[&str]; 2] = [&["--mount"], &["--mount", "--user", "--map-root-user"]];
/// Bytes beyond the end of a file that stay reserved for it: its writer is not waited for.
const RESERVED_BYTES: u64 = 64 << 10;
/// More than any file reserves.
const RESERVED_BYTES_MAX: u64 = 1 << 30;
/// Pieces in which a disk is filled up.
const FILL_BYTES: [usize; 3] = [1 << 20, 4_096, 1];

/// A disk of few bytes that only the processes started within it see.
///
/// It is memory, mounted where nobody else looks, and gone when this value is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    folder: PathBuf,
    is_of_user: bool,
}

impl SmallDisk {
    /// Mounts an empty disk over a folder.
    ///
    /// # Errors
    /// When the machine does not allow it, with what it said.
    pub fn mount(folder: &Path, bytes: u64) -> eyre::Result<Self> {
        let mut refused = Vec::new();
        for own in OWN_MOUNTS {
            match hold(own, folder, bytes) {
                Ok(holder) => {
                    let is_of_user = own.contains(&"--user");
                    return Ok(Self { holder, folder: folder.to_owned(), is_of_user });
                }
                Err(error) => refused.push(format!("{error:#}")),
            }
        }
        bail!("no small disk can be mounted: {}", refused.join("; "))
    }

    /// What starts a program within.
    pub fn within(&self) -> Vec<OsString> {
        let process = self.holder.id();
        let mut words = vec!["nsenter".to_owned(), format!("--mount=/proc/{process}/ns/mnt")];
        if self.is_of_user {
            words.push(format!("--user=/proc/{process}/ns/user"));
            words.push("--preserve-credentials".to_owned());
        }
        words.push("--".to_owned());
        words.into_iter().map(OsString::from).collect()
    }

    /// The folder of the disk as it is seen from outside.
    pub fn seen_at(&self) -> PathBuf {
        let below_root = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(below_root)
    }

    /// Fills the disk to the last byte; returns how many bytes were written.
    ///
    /// A database reserves room for its log before it writes it. That is taken back first, so that
    /// the disk is as full for it as for everybody.
    pub fn fill(&self) -> eyre::Result<u64> {
        take_back_reserved(&self.seen_at())?;
        let mut ballast = File::create(self.ballast())?;
        let mut written = 0;
        for size in FILL_BYTES {
            let piece = vec![0; size];
            loop {
                match ballast.write(&piece) {
                    Ok(length) => written += length as u64,
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).wrap_err("filling the disk"),
                }
            }
        }
        Ok(written)
    }

    /// Makes room again.
    pub fn make_room(&self) -> eyre::Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.seen_at().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It ends with its input anyway.
        self.holder.kill().and_then(|()| self.holder.wait()).ok();
    }
}

/// A process that holds a mount until its input is closed, also when this program is killed.
fn hold(own: &[&str], folder: &Path, bytes: u64) -> eyre::Result<Child> {
    let script = "mount -t tmpfs -o \"size=$1,mode=0700\" tmpfs \"$2\" && echo mounted && exec cat";
    let mut child = Command::new("unshare")
        .args(own)
        .args(["sh", "-c", script, "sh", &bytes.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .wrap_err("unshare")?;
    let mut line = String::new();
    let output = child.stdout.take().ok_or_eyre("no output")?;
    BufReader::new(output).read_line(&mut line)?;
    if line.trim() != "mounted" {
        child.stdin.take();
        let said = child.wait_with_output()?.stderr;
        bail!("{}", String::from_utf8_lossy(&said).trim());
    }
    Ok(child)
}

/// Frees what the files of a folder and its folders have reserved beyond their ends.
fn take_back_reserved(folder: &Path) -> eyre::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            take_back_reserved(&path)?;
            continue;
        }
        // A file that is gone meanwhile has nothing reserved.
        let Ok(length) = std::fs::metadata(&path).map(|file| file.len()) else { continue };
        let from = (length + RESERVED_BYTES).to_string();
        let freed = Command::new("fallocate")
            .args(["--punch-hole", "--offset", &from, "--length", &RESERVED_BYTES_MAX.to_string()])
            .arg(&path)
            .output()?;
        let said = String::from_utf8_lossy(&freed.stderr);
        ensure!(freed.status.success() || !path.exists(), "{}: {said}", path.display());
    }
    Ok(())
}

/// Copies a folder with all that is in it into another one that exists.
pub fn copy_folder(from: &Path, into: &Path) -> eyre::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(into).output()?;
    let said = String::from_utf8_lossy(&copied.stderr);
    ensure!(copied.status.success(), "copying {}: {said}", from.display());
    Ok(())
}

/// A clock that is set while the processes that read it run.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// The library that fakes clocks, where it is installed.
    pub fn library() -> Option<PathBuf> {
        CLOCK_LIBRARIES.iter().map(PathBuf::from).find(|path| path.is_file())
    }

    /// A clock that is right, kept in a file.
    pub fn new(file: PathBuf) -> eyre::Result<Self> {
        let library = Self::library().ok_or_eyre("libfaketime is not installed")?;
        let clock = Self { library, file };
        clock.set_ahead(0)?;
        Ok(clock)
    }

    /// Steps the clock to so many milliseconds ahead of the right time.
    pub fn set_ahead(&self, millis: i64) -> eyre::Result<()> {
        let sign = if millis < 0 { '-' } else { '+' };
        let (seconds, rest) = (millis.unsigned_abs() / 1_000, millis.unsigned_abs() % 1_000);
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{sign}{seconds}.{rest:03}\n"))?;
        Ok(std::fs::rename(fresh, &self.file)?)
    }

    /// What starts a program by this clock. Only the civil time is faked: timers run on.
    pub fn within(&self) -> Vec<OsString> {
        let mut preload = OsString::from("LD_PRELOAD=");
        preload.push(&self.library);
        let mut file = OsString::from("FAKETIME_TIMESTAMP_FILE=");
        file.push(&self.file);
        let fixed = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
        let words = [OsString::from("env"), preload, file];
        words.into_iter().chain(fixed.map(OsString::from)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_is_filled_to_the_brim_and_seen_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let disk = match SmallDisk::mount(folder.path(), 1 << 20) {
            Ok(disk) => disk,
            Err(error) => return println!("skipped: {error:#}"),
        };
        assert!(disk.fill().unwrap() >= 900_000);
        let full = std::fs::write(disk.seen_at().join("more"), b"x").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        disk.make_room().unwrap();
        std::fs::write(disk.seen_at().join("more"), b"x").unwrap();
    }

    #[test]
    fn a_clock_is_stepped_while_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let Ok(clock) = Clock::new(folder.path().join("clock")) else {
            return println!("skipped: libfaketime is not installed");
        };
        let read = || {
            let [first, rest @ ..] = &clock.within()[..] else { panic!("no words") };
            let said = Command::new(first).args(rest).args(["date", "+%s"]).output().unwrap();
            String::from_utf8(said.stdout).unwrap().trim().parse::<i64>().unwrap()
        };
        let right = read();
        clock.set_ahead(-7_200_500).unwrap();
        assert!((7_100..7_300).contains(&(right - read())));
    }
}

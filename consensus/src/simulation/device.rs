//! The storage of a machine: it loses power at a chosen step, fills up, and is slow.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// When the power goes, seen from the write it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of the write is there.
    Before,
    /// The write may be there, but was not synced.
    Within,
    /// The write is done; the program never hears of it.
    After,
}

#[derive(Debug, Default)]
struct State {
    steps: u64,
    cut_at: Option<(u64, Moment)>,
    is_off: bool,
    is_full: bool,
    sync_micros: u64,
    spent_micros: u64,
}

/// The storage of a machine, shared by the files and databases on it; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Device(Arc<Mutex<State>>);

impl Device {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power at the write that comes after so many others.
    pub fn cut_after(&self, writes: u64, moment: Moment) {
        let mut state = self.lock();
        state.cut_at = Some((state.steps.saturating_add(writes), moment));
    }

    /// Cuts the power now.
    pub fn cut(&self) {
        self.lock().is_off = true;
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.lock().is_off
    }

    /// Power is back.
    pub fn switch_on(&self) {
        let mut state = self.lock();
        state.is_off = false;
        state.cut_at = None;
    }

    /// Whether writes find no room from now on.
    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// Whether writes find no room.
    pub fn is_full(&self) -> bool {
        self.lock().is_full
    }

    /// How long each synced write takes from now on, in microseconds.
    pub fn set_sync_micros(&self, micros: u64) {
        self.lock().sync_micros = micros;
    }

    /// Time spent on writes since it was last asked, in microseconds.
    pub fn take_spent_micros(&self) -> u64 {
        std::mem::take(&mut self.lock().spent_micros)
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.lock().steps
    }

    /// Reads, unless the power is off.
    ///
    /// # Errors
    /// When it is off.
    pub fn read(&self) -> Result<(), Error> {
        if self.lock().is_off { Err(off()) } else { Ok(()) }
    }

    /// Writes through `apply`, which is told whether what it writes is synced.
    ///
    /// # Errors
    /// When there is no power or no room; the write may be there all the same.
    pub fn write(&self, is_synced: bool, mut apply: impl FnMut(bool)) -> Result<(), Error> {
        let mut state = self.lock();
        if state.is_off {
            return Err(off());
        }
        if state.is_full {
            return Err(Error::new(ErrorKind::StorageFull, "no space left on device"));
        }
        let step = state.steps;
        state.steps = step.saturating_add(1);
        if is_synced {
            state.spent_micros = state.spent_micros.saturating_add(state.sync_micros);
        }
        let Some((_, moment)) = state.cut_at.filter(|(at, _)| *at <= step) else {
            apply(is_synced);
            return Ok(());
        };
        state.is_off = true;
        match moment {
            Moment::Before => {}
            Moment::Within => apply(false),
            Moment::After => apply(is_synced),
        }
        Err(off())
    }
}

fn off() -> Error {
    Error::other("the power is off")
}

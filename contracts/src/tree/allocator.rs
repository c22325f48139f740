//! Which slot a new object takes.

use std::collections::BTreeSet;

use super::{DEPTH_MAX, Slot};

/// Gives out slots: the lowest unused one first.
///
/// What it gives out depends only on which slots are used, so it is rebuilt from the state table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotAllocator {
    /// Unused slots below `end`.
    free: BTreeSet<u32>,
    /// Highest used slot + 1.
    end: u64,
}

/// Slots freed and allocated by one block, not yet taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a plan changes nothing until it is applied"]
pub struct SlotPlan {
    freed: Vec<Slot>,
    allocated: Vec<Slot>,
}

impl SlotPlan {
    /// Slots for the new objects, ascending: the first for the first object asked for.
    pub fn allocated(&self) -> &[Slot] {
        &self.allocated
    }

    /// Slots of the ended objects, ascending; some may be allocated again.
    pub fn freed(&self) -> &[Slot] {
        &self.freed
    }
}

/// Why slots could not be planned or taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// A slot is freed that holds nothing.
    #[error("slot {0} is freed but not used")]
    NotUsed(Slot),
    /// A slot is allocated that holds something.
    #[error("slot {0} is allocated but already used")]
    AlreadyUsed(Slot),
    /// Freed slots are not strictly ascending.
    #[error("slot {0} does not come after the slot before it")]
    Unsorted(Slot),
    /// Every slot is used.
    #[error("all 2^{DEPTH_MAX} slots are used")]
    Exhausted,
}

impl SlotAllocator {
    /// The allocator of a state without objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// The allocator of a state whose objects hold these slots, in any order.
    ///
    /// # Errors
    /// [`SlotError::AlreadyUsed`] when two objects hold one slot.
    pub fn rebuild(used: impl IntoIterator<Item = Slot>) -> Result<Self, SlotError> {
        let mut used: Vec<Slot> = used.into_iter().collect();
        used.sort();
        let mut allocator = Self::new();
        for slot in used {
            if slot.get() < allocator.end {
                return Err(SlotError::AlreadyUsed(slot));
            }
            allocator.extend_past(slot);
        }
        Ok(allocator)
    }

    /// Frees `freed` (strictly ascending) and allocates `wanted` slots, lowest first.
    ///
    /// Nothing changes until [`Self::apply`].
    ///
    /// # Errors
    /// [`SlotError::Unsorted`], [`SlotError::NotUsed`] or [`SlotError::Exhausted`].
    pub fn plan(&self, freed: &[Slot], wanted: usize) -> Result<SlotPlan, SlotError> {
        let mut before = None;
        for slot in freed {
            if before >= Some(*slot) {
                return Err(SlotError::Unsorted(*slot));
            }
            if !self.is_used(*slot) {
                return Err(SlotError::NotUsed(*slot));
            }
            before = Some(*slot);
        }
        let mut old = self.free.iter().map(|index| Slot::from_index(*index)).peekable();
        let mut new = freed.iter().copied().peekable();
        let mut fresh = self.end;
        let mut allocated = Vec::with_capacity(wanted);
        while allocated.len() < wanted {
            let lowest = match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if a < b => old.next(),
                (_, Some(_)) => new.next(),
                (Some(_), None) => old.next(),
                (None, None) => None,
            };
            let slot = match lowest {
                Some(slot) => slot,
                None => {
                    let slot = Slot::new(fresh).map_err(|_| SlotError::Exhausted)?;
                    fresh = fresh.saturating_add(1);
                    slot
                }
            };
            allocated.push(slot);
        }
        Ok(SlotPlan { freed: freed.to_vec(), allocated })
    }

    /// Takes over a plan.
    ///
    /// # Errors
    /// [`SlotError::NotUsed`] or [`SlotError::AlreadyUsed`] when the plan was made for other slots;
    /// the allocator is then unchanged.
    pub fn apply(&mut self, plan: SlotPlan) -> Result<(), SlotError> {
        if let Some(slot) = plan.freed.iter().find(|slot| !self.is_used(**slot)) {
            return Err(SlotError::NotUsed(*slot));
        }
        let freed = |slot: &Slot| plan.freed.binary_search(slot).is_ok();
        if let Some(slot) = plan.allocated.iter().find(|slot| self.is_used(**slot) && !freed(slot))
        {
            return Err(SlotError::AlreadyUsed(*slot));
        }
        for slot in &plan.freed {
            self.free.insert(slot.index());
        }
        for slot in &plan.allocated {
            if !self.free.remove(&slot.index()) {
                self.extend_past(*slot);
            }
        }
        self.trim();
        Ok(())
    }

    /// Number of used slots.
    pub fn used(&self) -> u64 {
        let free = u64::try_from(self.free.len()).unwrap_or(u64::MAX);
        self.end.saturating_sub(free)
    }

    fn is_used(&self, slot: Slot) -> bool {
        slot.get() < self.end && !self.free.contains(&slot.index())
    }

    /// Uses `slot`, which is not below the end; those skipped are free.
    fn extend_past(&mut self, slot: Slot) {
        if let Ok(end) = u32::try_from(self.end) {
            self.free.extend(end..slot.index());
        }
        self.end = slot.get().saturating_add(1);
    }

    /// Lowers the end to just above the highest used slot.
    fn trim(&mut self) {
        while let Some(last) = self.free.last().copied() {
            if u64::from(last).saturating_add(1) != self.end {
                break;
            }
            self.free.remove(&last);
            self.end = u64::from(last);
        }
    }
}

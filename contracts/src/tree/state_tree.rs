//! The tree in memory.

use std::collections::BTreeMap;

use super::hash::{EMPTY_LEAF, Node, Pair, empty_nodes, hash_pairs, node_hash, state_root};
use super::{LeafHash, Slot, StateProof};
use crate::types::StateRoot;

/// What one slot holds after a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// The slot.
    pub slot: Slot,
    /// The record it holds; none when the slot is free.
    pub leaf: Option<LeafHash>,
}

/// Why the tree refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Changes are not strictly ascending by slot.
    #[error("the change of slot {0} does not come after the change before it")]
    Unsorted(Slot),
    /// Two records hold one slot.
    #[error("slot {0} holds two records; the state table is damaged")]
    SlotTwice(Slot),
    /// The update was prepared for another state.
    #[error("the update starts from state root {expected}, the tree has {found}")]
    OtherBase {
        /// Root the update was prepared on.
        expected: StateRoot,
        /// Root of the tree.
        found: StateRoot,
    },
    /// The slot holds nothing that could be proven.
    #[error("slot {0} holds no record")]
    Unused(Slot),
}

/// A dense binary Merkle tree over slots, all nodes in memory.
///
/// Level `k` above the leaves is a vector of sibling pairs; nodes past its end are those of empty
/// subtrees, so a level is as long as the highest used slot demands and no longer.
#[derive(Clone)]
pub struct StateTree {
    /// Pairs of siblings per level, leaves first; as many levels as the depth.
    levels: Vec<Vec<Pair>>,
    top: Node,
    /// Highest used slot + 1.
    slots: u64,
    root: StateRoot,
    /// Node of an empty subtree per level.
    empty: Vec<Node>,
}

/// A new root and the nodes that change for it, not yet in the tree.
#[derive(Clone)]
#[must_use = "an update changes nothing until it is applied"]
pub struct TreeUpdate {
    base: StateRoot,
    root: StateRoot,
    top: Node,
    slots: u64,
    /// Per level, leaves first, the pairs that change.
    levels: Vec<LevelUpdate>,
}

#[derive(Clone, Default)]
struct LevelUpdate {
    /// Positions of the pairs in their level, ascending.
    positions: Vec<u32>,
    pairs: Vec<Pair>,
}

/// Changed nodes of one level, ascending by position.
struct Changed {
    positions: Vec<u32>,
    nodes: Vec<Node>,
}

impl TreeUpdate {
    /// Root after the update.
    pub fn root(&self) -> StateRoot {
        self.root
    }
}

impl Default for StateTree {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for StateTree {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "StateTree({} of {} slots)", self.root, self.slots)
    }
}

impl core::fmt::Debug for TreeUpdate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TreeUpdate({} to {})", self.base, self.root)
    }
}

impl StateTree {
    /// The tree of a state without objects.
    pub fn new() -> Self {
        Self {
            levels: Vec::new(),
            top: EMPTY_LEAF,
            slots: 0,
            root: state_root(0, &EMPTY_LEAF),
            empty: empty_nodes(),
        }
    }

    /// The tree of these records, in any order.
    ///
    /// # Errors
    /// [`TreeError::SlotTwice`] when two records hold one slot.
    pub fn rebuild(records: impl IntoIterator<Item = (Slot, LeafHash)>) -> Result<Self, TreeError> {
        let mut leaves: Vec<Pair> = Vec::new();
        let mut slots = 0u64;
        for (slot, leaf) in records {
            let (position, side) = split(slot.index());
            if position >= leaves.len() {
                leaves.resize(position.saturating_add(1), Pair::ZERO);
            }
            let place = &mut leaves[position].0[side];
            if *place != EMPTY_LEAF {
                return Err(TreeError::SlotTwice(slot));
            }
            *place = *leaf.as_bytes();
            slots = slots.max(slot.get().saturating_add(1));
        }
        let mut tree = Self::new();
        tree.top = leaves.first().map_or(EMPTY_LEAF, |pair| pair.0[0]);
        tree.slots = slots;
        for level in 0..depth_of(slots) {
            let beside = tree.empty_node(level.saturating_add(1));
            let mut parents = Vec::with_capacity(leaves.len().div_ceil(2));
            hash_pairs(&leaves, |nodes| {
                for two in nodes.chunks(2) {
                    parents.push(Pair([two[0], two.get(1).copied().unwrap_or(beside)]));
                }
            });
            tree.top = parents.first().map_or(EMPTY_LEAF, |pair| pair.0[0]);
            tree.levels.push(core::mem::replace(&mut leaves, parents));
        }
        tree.root = state_root(tree.depth(), &tree.top);
        Ok(tree)
    }

    /// Root of a tree of these leaves, found without room for the free slots between them: for
    /// records from outside, whose slots may be anything.
    ///
    /// # Errors
    /// [`TreeError::SlotTwice`].
    pub fn root_of(
        records: impl IntoIterator<Item = (Slot, LeafHash)>,
    ) -> Result<StateRoot, TreeError> {
        let mut nodes = BTreeMap::new();
        for (slot, leaf) in records {
            if nodes.insert(slot.index(), *leaf.as_bytes()).is_some() {
                return Err(TreeError::SlotTwice(slot));
            }
        }
        let highest = nodes.last_key_value().map(|(slot, _)| u64::from(*slot));
        let depth = depth_of(highest.map_or(0, |slot| slot.saturating_add(1)));
        for empty in empty_nodes().iter().take(depth.into()) {
            let mut parents: BTreeMap<u32, Pair> = BTreeMap::new();
            for (position, node) in &nodes {
                let pair = parents.entry(position >> 1).or_insert(Pair([*empty; 2]));
                pair.0[usize::from(position & 1 == 1)] = *node;
            }
            nodes = parents.iter().map(|(position, pair)| (*position, node_hash(pair))).collect();
        }
        let top = nodes.first_key_value().map_or(EMPTY_LEAF, |(_, node)| *node);
        Ok(state_root(depth, &top))
    }

    /// Root of the state.
    pub fn root(&self) -> StateRoot {
        self.root
    }

    /// Levels between a leaf and the top; `ceil(log2(highest used slot + 1))`.
    pub fn depth(&self) -> u8 {
        depth_of(self.slots)
    }

    /// What a slot holds.
    pub fn leaf(&self, slot: Slot) -> Option<LeafHash> {
        LeafHash::from_node(self.node(0, slot.index()))
    }

    /// Computes the root after `changes` (strictly ascending by slot) and leaves the tree as it is.
    ///
    /// Costs one hash per node on the paths of the changed slots, computed level by level.
    ///
    /// # Errors
    /// [`TreeError::Unsorted`].
    pub fn prepare(&self, changes: &[SlotChange]) -> Result<TreeUpdate, TreeError> {
        for two in changes.windows(2) {
            if two[0].slot >= two[1].slot {
                return Err(TreeError::Unsorted(two[1].slot));
            }
        }
        let slots = self.slots_after(changes);
        let depth = depth_of(slots);
        let capacity = capacity_of(depth);
        // Slots past a shrunken tree can only have been freed: they do not reach its top.
        let within = || changes.iter().filter(|change| change.slot.get() < capacity);
        let leaf = |change: &SlotChange| change.leaf.map_or(EMPTY_LEAF, |leaf| *leaf.as_bytes());
        let mut changed = Changed {
            positions: within().map(|change| change.slot.index()).collect(),
            nodes: within().map(leaf).collect(),
        };
        let mut levels = Vec::with_capacity(usize::from(depth));
        for level in 0..depth {
            if level == self.depth() && changed.positions.first() != Some(&0) {
                // The tree grows: its old top becomes the leftmost node of this level.
                changed.positions.insert(0, 0);
                changed.nodes.insert(0, self.top);
            }
            let update = self.pair_up(level, &changed);
            changed.nodes.clear();
            hash_pairs(&update.pairs, |parents| changed.nodes.extend_from_slice(parents));
            changed.positions.clone_from(&update.positions);
            levels.push(update);
        }
        let top = changed.nodes.first().copied().unwrap_or_else(|| self.node(depth, 0));
        Ok(TreeUpdate { base: self.root, root: state_root(depth, &top), top, slots, levels })
    }

    /// Takes over an update.
    ///
    /// # Errors
    /// [`TreeError::OtherBase`] when it was prepared on another state; the tree is then unchanged.
    pub fn apply(&mut self, update: TreeUpdate) -> Result<(), TreeError> {
        if update.base != self.root {
            return Err(TreeError::OtherBase { expected: update.base, found: self.root });
        }
        self.levels.resize_with(update.levels.len(), Vec::new);
        let mut length = usize::try_from(update.slots).unwrap_or(usize::MAX);
        for ((level, change), empty) in self.levels.iter_mut().zip(&update.levels).zip(&self.empty)
        {
            length = length.div_ceil(2);
            level.resize(length, Pair([*empty; 2]));
            for (position, pair) in change.positions.iter().zip(&change.pairs) {
                // A pair past the end of a shrunken level is an empty one.
                if let Some(place) = level.get_mut(*position as usize) {
                    *place = *pair;
                }
            }
        }
        self.top = update.top;
        self.slots = update.slots;
        self.root = update.root;
        Ok(())
    }

    /// Proof that a used slot holds its record.
    ///
    /// # Errors
    /// [`TreeError::Unused`].
    pub fn prove(&self, slot: Slot) -> Result<StateProof, TreeError> {
        if self.leaf(slot).is_none() {
            return Err(TreeError::Unused(slot));
        }
        let mut position = slot.index();
        let mut path = Vec::with_capacity(self.levels.len());
        for level in 0..self.depth() {
            path.push(self.node(level, position ^ 1));
            position >>= 1;
        }
        Ok(StateProof { slot, depth: self.depth(), path })
    }

    /// The pairs of a level that hold changed nodes, with the siblings that do not change.
    fn pair_up(&self, level: u8, changed: &Changed) -> LevelUpdate {
        let stored = self.levels.get(usize::from(level)).map_or(&[][..], Vec::as_slice);
        let empty = Pair([self.empty_node(level); 2]);
        let mut update = LevelUpdate {
            positions: Vec::with_capacity(changed.positions.len()),
            pairs: Vec::with_capacity(changed.positions.len()),
        };
        let mut open: Option<u32> = None;
        for (index, node) in changed.positions.iter().zip(&changed.nodes) {
            let (position, side) = split(*index);
            if open != Some(*index >> 1) {
                open = Some(*index >> 1);
                update.positions.push(*index >> 1);
                update.pairs.push(stored.get(position).copied().unwrap_or(empty));
            }
            if let Some(pair) = update.pairs.last_mut() {
                pair.0[side] = *node;
            }
        }
        update
    }

    /// Highest used slot + 1 after the changes.
    fn slots_after(&self, changes: &[SlotChange]) -> u64 {
        let freed = |slot: u64| {
            let found = changes.binary_search_by_key(&slot, |change| change.slot.get());
            found.ok().and_then(|at| changes.get(at)).is_some_and(|change| change.leaf.is_none())
        };
        let set = changes.iter().rev().find(|change| change.leaf.is_some());
        let set = set.map_or(0, |change| change.slot.get().saturating_add(1));
        let mut kept = self.slots;
        while kept > set && freed(kept.saturating_sub(1)) {
            kept = self.used_below(kept.saturating_sub(1));
        }
        kept.max(set)
    }

    /// Highest used slot below `end`, + 1; 0 when there is none.
    fn used_below(&self, end: u64) -> u64 {
        // Slots below `end` are the subtrees at its one-bits: nearest first, then descend right.
        for level in 0..=self.depth() {
            let Ok(past) = u32::try_from(end.checked_shr(level.into()).unwrap_or(0)) else {
                continue;
            };
            if past & 1 == 0 || self.node(level, past ^ 1) == self.empty_node(level) {
                continue;
            }
            let mut position = past ^ 1;
            for below in (0..level).rev() {
                let right = (position << 1) | 1;
                let is_empty = self.node(below, right) == self.empty_node(below);
                position = if is_empty { right ^ 1 } else { right };
            }
            return u64::from(position).saturating_add(1);
        }
        0
    }

    fn node(&self, level: u8, index: u32) -> Node {
        if level == self.depth() && index == 0 {
            return self.top;
        }
        let (position, side) = split(index);
        let pair = self.levels.get(usize::from(level)).and_then(|pairs| pairs.get(position));
        pair.map_or_else(|| self.empty_node(level), |pair| pair.0[side])
    }

    fn empty_node(&self, level: u8) -> Node {
        self.empty.get(usize::from(level)).copied().expect("no level is above DEPTH_MAX")
    }
}

/// Position of the pair of a node in its level, and its side.
const fn split(index: u32) -> (usize, usize) {
    ((index >> 1) as usize, (index & 1) as usize)
}

/// Depth of a tree whose highest used slot is `slots - 1`.
fn depth_of(slots: u64) -> u8 {
    let bits = u64::BITS.saturating_sub(slots.saturating_sub(1).leading_zeros());
    u8::try_from(bits).expect("a u64 has 64 bits")
}

/// Slots a tree of this depth has room for.
fn capacity_of(depth: u8) -> u64 {
    1u64.checked_shl(u32::from(depth)).expect("no tree is deeper than DEPTH_MAX")
}

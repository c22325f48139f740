//! How the node is, renewed by the task that watches the engine.

use std::sync::{Arc, PoisonError, RwLock};

/// What the engine and the watch over it say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineView {
    /// Connected peers of the consensus network.
    pub peers: usize,
    /// Whether this node votes at the height being decided.
    pub is_validator: bool,
    /// Whether the newest block is younger than 15 seconds: an idle network makes one a second.
    pub is_synced: bool,
    /// What is wrong; none when healthy.
    pub problem: Option<String>,
}

/// The newest view of the engine; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<RwLock<EngineView>>);

impl Health {
    /// The newest view.
    pub fn engine(&self) -> EngineView {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the view.
    pub fn set(&self, view: EngineView) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

//! Enforcement: freezes by order.

//! Certified voluntary reductions (CCER): projects and their units.

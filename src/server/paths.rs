//! The paths of the draft.

/// What the draft's own endpoints begin with.
pub const PFX: &str = "/_matrix/federation/unstable/org.matrix.i-d.ralston-mimi-linearized-matrix.02";

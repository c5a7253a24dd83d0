//! The event types that rules know by name.

/// Makes the room.
pub const CREATE: &str = "m.room.create";
/// Who is in the room.
pub const MEMBER: &str = "m.room.member";
/// Who may do what.
pub const POWER_LEVELS: &str = "m.room.power_levels";
/// Who may join.
pub const JOIN_RULES: &str = "m.room.join_rules";
/// Who may read what was before.
pub const HISTORY_VISIBILITY: &str = "m.room.history_visibility";
/// Which servers may take part.
pub const SERVER_ACL: &str = "m.room.server_acl";
/// How long events are kept.
pub const RETENTION: &str = "m.room.retention";
/// Removes the content of an earlier event.
pub const REDACTION: &str = "m.room.redaction";
/// Moves the room to another hub.
pub const HUB: &str = "m.room.hub";
/// A change of the encrypted group.
pub const MLS_COMMIT: &str = "m.mls.commit";

//! The event types that rules know by name.

pub(super) const CREATE: &str = "m.room.create";
pub(super) const MEMBER: &str = "m.room.member";
pub(super) const POWER_LEVELS: &str = "m.room.power_levels";
pub(super) const JOIN_RULES: &str = "m.room.join_rules";
pub(super) const HISTORY_VISIBILITY: &str = "m.room.history_visibility";
pub(super) const SERVER_ACL: &str = "m.room.server_acl";
pub(super) const RETENTION: &str = "m.room.retention";
pub(super) const REDACTION: &str = "m.room.redaction";
pub(super) const HUB: &str = "m.room.hub";
pub(super) const MLS_COMMIT: &str = "m.mls.commit";

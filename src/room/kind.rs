//! The event types that rules know by name.

pub(crate) const CREATE: &str = "m.room.create";
pub(crate) const MEMBER: &str = "m.room.member";
pub(crate) const POWER_LEVELS: &str = "m.room.power_levels";
pub(crate) const JOIN_RULES: &str = "m.room.join_rules";
pub(crate) const HISTORY_VISIBILITY: &str = "m.room.history_visibility";
pub(crate) const SERVER_ACL: &str = "m.room.server_acl";
pub(crate) const RETENTION: &str = "m.room.retention";
pub(crate) const REDACTION: &str = "m.room.redaction";
pub(crate) const HUB: &str = "m.room.hub";
pub(crate) const MLS_COMMIT: &str = "m.mls.commit";

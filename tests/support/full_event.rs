//! An event that has every field, for the tests of what redaction keeps.

use hublet::event::RoomVersionRules;
use serde_json::{Map, Value, json};

const ID: &str = "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438";

/// Every content key that some version keeps of some type, and a few that none keeps.
pub(crate) const CONTENT: &[&str] = &[
    "aliases",
    "allow",
    "ban",
    "body",
    "creator",
    "events",
    "events_default",
    "history_visibility",
    "hublet.redacts",
    "invite",
    "join_authorised_via_users_server",
    "join_rule",
    "kick",
    "membership",
    "notifications",
    "redact",
    "redacts",
    "room_version",
    "state_default",
    "third_party_invite",
    "users",
    "users_default",
];

/// Event types that some rule names, and a few that none does.
pub(crate) const TYPES: &[&str] = &[
    "m.room.create",
    "m.room.member",
    "m.room.join_rules",
    "m.room.power_levels",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.aliases",
    "m.room.server_acl",
    "m.room.hub",
    "m.room.message",
];

/// Every top-level field that some version keeps, and two that none keeps.
pub(crate) const TOP: &[&str] = &[
    "auth_events",
    "content",
    "depth",
    "event_id",
    "hashes",
    "hub_server",
    "membership",
    "origin",
    "origin_server_ts",
    "prev_events",
    "prev_state",
    "redacts",
    "room_id",
    "sender",
    "signatures",
    "state_key",
    "type",
    "unknown",
];

/// An event with every top-level field and every content key.
pub(crate) fn full(kind: &str, rules: &RoomVersionRules) -> Value {
    let mut content: Map<String, Value> = CONTENT.iter().map(|key| ((*key).to_owned(), json!({"of": key}))).collect();
    content.insert("third_party_invite".into(), json!({"display_name": "Ann", "signed": {"mxid": "@ann:x"}}));
    let mut event: Map<String, Value> = TOP.iter().map(|key| ((*key).to_owned(), json!({"of": key}))).collect();
    for (key, value) in [
        ("type", json!(kind)),
        ("content", Value::Object(content)),
        ("depth", json!(1)),
        ("origin_server_ts", json!(1)),
        ("sender", json!("@ann:part.example")),
        ("state_key", json!("")),
        ("hub_server", json!("hub.example")),
        ("hashes", json!({"sha256": "x", "lpdu": {"sha256": "y"}, "other": 1})),
        ("auth_events", json!([ID])),
        ("prev_events", json!([ID])),
        ("signatures", json!({"part.example": {"ed25519:1": "z"}})),
    ] {
        event.insert(key.into(), value);
    }
    match (rules.id, kind) {
        ("12", "m.room.create") => drop(event.remove("room_id")),
        ("12", _) => drop(event.insert("room_id".into(), ID.replace('$', "!").into())),
        _ => drop(event.insert("room_id".into(), "!room:hub.example".into())),
    }
    Value::Object(event)
}

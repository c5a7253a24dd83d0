//! Events and rooms for the tests of the rules: well-formed, unsigned, with made-up hashes.

#[cfg_attr(
    target_family = "wasm",
    allow(dead_code, reason = "the oracle, which uses the rest, is no module for WebAssembly")
)]
pub(crate) mod arbitrary;
pub(crate) mod signed;

use alloc::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::state::RoomState;
use super::state_row::StateRow;
use crate::event::{Event, LINEARIZED_02, UnverifiedPdu};
use crate::id::{EventId, RoomId, UserId};
use crate::json::{Document, KeyOrder, Limits, parse};

pub(crate) const ROOM: &str = "!room:a.org";
const HASH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

pub(crate) fn document(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 512 }).unwrap()
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

/// An event ID that is told apart by `number`.
pub(crate) fn event_id(number: u64) -> EventId {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    EventId::from_hash(hash)
}

/// Puts an event together.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    fields: BTreeMap<String, String>,
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(ids: &[EventId]) -> String {
    serde_json::Value::from(ids.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

pub(crate) fn message(sender: &str, kind: &str, content: &str) -> Builder {
    let prev = if kind == "m.room.create" { Vec::new() } else { Vec::from([event_id(0)]) };
    let fields = [
        ("auth_events", String::from("[]")),
        ("content", content.to_string()),
        ("hashes", format!(r#"{{"sha256":"{HASH}"}}"#)),
        ("origin_server_ts", String::from("1000")),
        ("prev_events", list(&prev)),
        ("room_id", quoted(ROOM)),
        ("sender", quoted(sender)),
        ("signatures", String::from("{}")),
        ("type", quoted(kind)),
    ];
    Builder { fields: fields.into_iter().map(|(key, value)| (key.to_string(), value)).collect() }
}

pub(crate) fn state_event(sender: &str, kind: &str, state_key: &str, content: &str) -> Builder {
    message(sender, kind, content).top_level("state_key", &quoted(state_key))
}

pub(crate) fn member(sender: &str, target: &str, membership: &str) -> Builder {
    state_event(sender, "m.room.member", target, &format!(r#"{{"membership":"{membership}"}}"#))
}

impl Builder {
    /// Sets a field to JSON.
    pub(crate) fn top_level(mut self, key: &str, json: &str) -> Self {
        self.fields.insert(key.to_string(), json.to_string());
        self
    }

    pub(crate) fn at(self, millis: u64) -> Self {
        self.top_level("origin_server_ts", &millis.to_string())
    }

    pub(crate) fn prev(self, ids: &[EventId]) -> Self {
        self.top_level("prev_events", &list(ids))
    }

    pub(crate) fn auth(self, ids: &[EventId]) -> Self {
        self.top_level("auth_events", &list(ids))
    }

    /// Through this hub.
    pub(crate) fn hub(self, server: &str) -> Self {
        self.top_level("hub_server", &quoted(server))
            .top_level("hashes", &format!(r#"{{"lpdu":{{"sha256":"{HASH}"}},"sha256":"{HASH}"}}"#))
    }

    pub(crate) fn json(&self) -> String {
        let members: Vec<_> = self.fields.iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
        format!("{{{}}}", members.join(","))
    }

    pub(crate) fn build(self) -> Event {
        let json = self.json();
        match UnverifiedPdu::parse(document(&json), &LINEARIZED_02) {
            Ok(pdu) => pdu.event().clone(),
            Err(error) => panic!("{error}: {json}"),
        }
    }
}

/// A room's state in the making. The event set as the nth (from 1) has `event_id(n)` and position n-1.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    state: RoomState,
    count: u64,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Room {
    /// No event yet.
    pub(crate) fn empty() -> Self {
        let state = RoomState::new(RoomId::parse(ROOM).unwrap(), &LINEARIZED_02);
        Self { state, count: 0, rows: BTreeMap::new() }
    }

    /// Created by `@ann:a.org` with these members of create's content beside the version.
    pub(crate) fn created_with(extra: &str) -> Self {
        let mut room = Self::empty();
        let content = format!(r#"{{{extra}"room_version":"{}"}}"#, LINEARIZED_02.id);
        room.set(state_event("@ann:a.org", "m.room.create", "", &content));
        room.joined("@ann:a.org")
    }

    /// By `@ann:a.org`, joined at level 100; public.
    pub(crate) fn new() -> Self {
        Self::created_with("").levels(r#"{"users":{"@ann:a.org":100}}"#).join_rule("public")
    }

    pub(crate) fn set(&mut self, builder: Builder) -> EventId {
        self.apply(&builder.build())
    }

    pub(crate) fn apply(&mut self, event: &Event) -> EventId {
        self.count += 1;
        let id = event_id(self.count);
        let position = i64::try_from(self.count).unwrap() - 1;
        if let Some(row) = self.state.apply(event, id, position) {
            self.rows.insert(row.key(), row.encode());
        }
        id
    }

    pub(crate) fn with(mut self, builder: Builder) -> Self {
        self.set(builder);
        self
    }

    pub(crate) fn member(self, user: &str, membership: &str) -> Self {
        self.with(member(user, user, membership))
    }

    pub(crate) fn joined(self, user: &str) -> Self {
        self.member(user, "join")
    }

    pub(crate) fn levels(self, content: &str) -> Self {
        self.with(state_event("@ann:a.org", "m.room.power_levels", "", content))
    }

    pub(crate) fn join_rule(self, rule: &str) -> Self {
        self.with(state_event("@ann:a.org", "m.room.join_rules", "", &format!(r#"{{"join_rule":"{rule}"}}"#)))
    }

    pub(crate) fn state(&self) -> RoomState {
        self.state.clone()
    }

    /// The rows that a store would hold, decoded.
    pub(crate) fn rows(&self) -> Vec<StateRow> {
        self.rows.iter().map(|(key, value)| StateRow::decode(key, value).unwrap()).collect()
    }
}

//! Room versions as data: what differs between them in event format, redaction, hashes and signatures.
//!
//! Each version is built from its neighbour by difference. Invariant: this is the only file that knows version
//! strings; everything else takes the narrowest of these structs that it needs.

use super::field::{Field, FieldSet};
use crate::{id::RoomVersionId, json::KeyOrder};

/// The rules of one room version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomVersionRules {
    /// The version's identifier, as `content.room_version` of the create event holds it.
    pub id: &'static str,
    /// How object keys sort in canonical JSON; documents of this version are parsed with it (spec, 3.1).
    pub key_order: KeyOrder,
    /// Which fields an event has.
    pub format: EventFormat,
    /// What redaction keeps.
    pub redaction: RedactionRules,
}

/// Which fields an event has, beside those that all versions share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFormat {
    /// How events are linked, and who may sign them.
    pub linking: Linking,
    /// How the room's ID relates to its create event.
    pub room_id: RoomIdForm,
    /// The most `prev_events` that one event may have.
    pub max_prev_events: usize,
    /// The most `auth_events` that one event may have, where the schema has a limit.
    pub max_auth_events: Option<usize>,
}

/// How a room's events are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// One array, ordered by a hub: `hub_server` and `hashes.lpdu` have a meaning, and there are LPDUs.
    Linear,
    /// A graph with a required `depth`; every event comes from its sender's server.
    Graph,
}

/// How a room's ID relates to its create event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomIdForm {
    /// `!opaque:server`, in every event.
    Named,
    /// `!` and the create event's reference hash, in every event but the create event, which has none.
    CreateHash,
}

/// What redaction keeps (spec, 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedactionRules {
    /// The top-level fields that stay.
    pub top_level: FieldSet,
    /// Content of `m.room.create`.
    pub create: Keep,
    /// Content of `m.room.member`.
    pub member: Keep,
    /// Content of `m.room.join_rules`.
    pub join_rules: Keep,
    /// Content of `m.room.power_levels`.
    pub power_levels: Keep,
    /// Content of `m.room.history_visibility`.
    pub history_visibility: Keep,
    /// Content of `m.room.redaction`.
    pub redaction: Keep,
}

/// What redaction keeps of one event type's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The whole content.
    All,
    /// These keys; an empty list keeps nothing.
    Keys(&'static [KeepKey]),
}

/// One content key that redaction keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepKey {
    /// The key with its whole value.
    Whole(&'static str),
    /// Of the object under the first name, the member of the second name; dropped if it is no object.
    Inner(&'static str, &'static str),
}

impl RedactionRules {
    /// What stays of the content of an event of this type; of types that no rule names, nothing.
    pub fn content(&self, kind: &str) -> Keep {
        match kind {
            "m.room.create" => self.create,
            "m.room.member" => self.member,
            "m.room.join_rules" => self.join_rules,
            "m.room.power_levels" => self.power_levels,
            "m.room.history_visibility" => self.history_visibility,
            "m.room.redaction" => self.redaction,
            _ => NOTHING,
        }
    }
}

/// The rules of a room version; `None` if we do not know it.
pub fn rules(version: &RoomVersionId) -> Option<&'static RoomVersionRules> {
    ALL.iter().copied().find(|rules| rules.id == version.as_str())
}

static ALL: [&RoomVersionRules; 5] = [&I_1, &LINEARIZED_02, &V10, &V11, &V12];

const NOTHING: Keep = Keep::Keys(&[]);

/// Matrix room version 10.
pub const V10: RoomVersionRules = RoomVersionRules {
    id: "10",
    key_order: KeyOrder::CodePoint,
    format: EventFormat {
        linking: Linking::Graph,
        room_id: RoomIdForm::Named,
        max_prev_events: 20,
        max_auth_events: Some(10),
    },
    redaction: RedactionRules {
        top_level: FieldSet::of(&[
            Field::AuthEvents,
            Field::Content,
            Field::Depth,
            Field::EventId,
            Field::Hashes,
            Field::Membership,
            Field::Origin,
            Field::OriginServerTs,
            Field::PrevEvents,
            Field::PrevState,
            Field::RoomId,
            Field::Sender,
            Field::Signatures,
            Field::StateKey,
            Field::Type,
        ]),
        create: Keep::Keys(&[KeepKey::Whole("creator")]),
        member: Keep::Keys(&[KeepKey::Whole("membership"), KeepKey::Whole("join_authorised_via_users_server")]),
        join_rules: Keep::Keys(&[KeepKey::Whole("join_rule"), KeepKey::Whole("allow")]),
        power_levels: Keep::Keys(&[
            KeepKey::Whole("ban"),
            KeepKey::Whole("events"),
            KeepKey::Whole("events_default"),
            KeepKey::Whole("kick"),
            KeepKey::Whole("redact"),
            KeepKey::Whole("state_default"),
            KeepKey::Whole("users"),
            KeepKey::Whole("users_default"),
        ]),
        history_visibility: Keep::Keys(&[KeepKey::Whole("history_visibility")]),
        redaction: NOTHING,
    },
};

/// Matrix room version 11: other redaction rules.
pub const V11: RoomVersionRules = RoomVersionRules {
    id: "11",
    redaction: RedactionRules {
        top_level: V10.redaction.top_level.without(&[Field::Membership, Field::Origin, Field::PrevState]),
        create: Keep::All,
        member: Keep::Keys(&[
            KeepKey::Whole("membership"),
            KeepKey::Whole("join_authorised_via_users_server"),
            KeepKey::Inner("third_party_invite", "signed"),
        ]),
        power_levels: Keep::Keys(&[
            KeepKey::Whole("ban"),
            KeepKey::Whole("events"),
            KeepKey::Whole("events_default"),
            KeepKey::Whole("invite"),
            KeepKey::Whole("kick"),
            KeepKey::Whole("redact"),
            KeepKey::Whole("state_default"),
            KeepKey::Whole("users"),
            KeepKey::Whole("users_default"),
        ]),
        redaction: Keep::Keys(&[KeepKey::Whole("redacts")]),
        ..V10.redaction
    },
    ..V10
};

/// Matrix room version 12: the room's ID is the hash of its create event.
pub const V12: RoomVersionRules =
    RoomVersionRules { id: "12", format: EventFormat { room_id: RoomIdForm::CreateHash, ..V11.format }, ..V11 };

/// Linearized Matrix as it will be called: version 11, linked by a hub instead of a graph (spec, section 3).
pub const I_1: RoomVersionRules = RoomVersionRules {
    id: "I.1",
    key_order: KeyOrder::Utf16,
    format: EventFormat { linking: Linking::Linear, max_auth_events: None, ..V11.format },
    redaction: RedactionRules {
        top_level: V11.redaction.top_level.without(&[Field::Depth, Field::EventId]).with(&[Field::HubServer]),
        member: Keep::Keys(&[KeepKey::Whole("membership")]),
        redaction: NOTHING,
        ..V11.redaction
    },
};

/// The draft's version, the default for new rooms: the same algorithms as [`I_1`].
pub const LINEARIZED_02: RoomVersionRules =
    RoomVersionRules { id: "org.matrix.i-d.ralston-mimi-linearized-matrix.02", ..I_1 };

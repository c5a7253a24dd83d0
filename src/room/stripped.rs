//! Stripped state: what an invited or knocking user is shown of a room (spec, section 7).

use alloc::vec::Vec;

use super::state::RoomState;
use super::state_row::StateEntry;
use crate::event::Event;
use crate::json::write_object;

/// The types that are shown, all with an empty state key.
pub const KINDS: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
];

/// The state events to show, in the order of [`KINDS`]; their contents are read from the log.
pub fn select(state: &RoomState) -> impl Iterator<Item = &StateEntry> {
    KINDS.iter().filter_map(|kind| state.entry(kind, ""))
}

/// Appends the stripped form of a state event: canonical JSON of `content`, `sender`, `state_key` and `type`.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    write_object(out, |object| {
        object.raw("content", event.content().bytes());
        object.string("sender", event.sender().as_str());
        if let Some(state_key) = event.state_key() {
            object.string("state_key", state_key);
        }
        object.string("type", event.kind());
    });
}

#[cfg(test)]
mod tests {
    use super::{select, write};
    use crate::room::testing::{Room, state_event};
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn only_the_listed_types_are_shown() {
        let mut room = Room::new();
        room.set(state_event("@ann:a.org", "m.room.topic", "", r#"{"topic":"t"}"#));
        room.set(state_event("@ann:a.org", "m.room.topic", "x", r#"{"topic":"u"}"#));
        room.set(state_event("@ann:a.org", "m.room.pinned_events", "", "{}"));
        let state = room.state();
        let shown: Vec<_> = select(&state).copied().collect();
        let entry = |kind| *state.entry(kind, "").unwrap();
        assert_eq!(shown, [entry("m.room.create"), entry("m.room.topic"), entry("m.room.join_rules")]);
    }

    #[test]
    fn the_stripped_form_has_four_fields() {
        let mut out = Vec::new();
        write(&state_event("@ann:a.org", "m.room.topic", "", r#"{"topic":"t"}"#).build(), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"content":{"topic":"t"},"sender":"@ann:a.org","state_key":"","type":"m.room.topic"}"#
        );
    }
}

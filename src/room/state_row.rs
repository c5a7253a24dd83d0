//! The stored form of one entry of a room's state.
//!
//! A stored room opens from these rows alone: each carries its event's ID and position, and what the rules need of the
//! event. Nothing is read from the log, so a room of a million events opens as fast as one of ten.
//!
//! Form 1 of a value: `1`, event ID (32 bytes), position (8), then a tag: `0` and nothing; `1` and the membership's
//! number; `2`, the sender and the canonical content. A key is the type and the state key, each behind its length.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::membership::Membership;
use super::summary::{Need, Summary};
use crate::event::{Event, RoomVersionRules};
use crate::id::{EventId, UserId};
use crate::json::{self, Limits};
use crate::store::{DecodeError, Reader, Writer};

const FORM: u8 = 1;
const PLAIN: u8 = 0;
const MEMBER: u8 = 1;
const TYPED: u8 = 2;

/// An event's content is at most this long (spec, section 3).
const CONTENT_LIMITS: Limits = Limits { bytes: 65_536, depth: 512 };

/// Where a state event is found, as [`RoomState`](super::state::RoomState) knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateEntry {
    /// The event's ID.
    pub event_id: EventId,
    /// Its position in the log; of state that came with a join, one before 0.
    pub position: i64,
}

/// One entry of a room's state in stored form.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRow {
    kind: Arc<str>,
    state_key: Arc<str>,
    entry: StateEntry,
    /// What [`Summary`] is read from again.
    stored: Stored,
}

#[derive(Clone, Debug, PartialEq)]
enum Stored {
    Plain,
    Member(Membership),
    Typed { sender: UserId, content: Vec<u8> },
}

impl StateRow {
    pub(super) fn new(
        kind: Arc<str>,
        state_key: Arc<str>,
        entry: StateEntry,
        summary: &Summary,
        event: &Event,
    ) -> Self {
        let stored = match (summary.need(), summary) {
            (Need::SenderAndContent, _) => {
                Stored::Typed { sender: event.sender().clone(), content: event.content().bytes().to_vec() }
            }
            (_, Summary::Member(membership)) => Stored::Member(*membership),
            (Need::Nothing | Need::Membership, _) => Stored::Plain,
        };
        Self { kind, state_key, entry, stored }
    }

    /// The event's type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its state key.
    pub fn state_key(&self) -> &str {
        &self.state_key
    }

    /// Where the event is found.
    pub fn entry(&self) -> StateEntry {
        self.entry
    }

    /// The row's key, as [`key_of`] makes it.
    pub fn key(&self) -> Vec<u8> {
        key_of(&self.kind, &self.state_key)
    }

    /// The row's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(FORM).raw(self.entry.event_id.as_bytes()).position(self.entry.position);
        match &self.stored {
            Stored::Plain => writer.u8(PLAIN),
            Stored::Member(membership) => writer.u8(MEMBER).u8(membership_number(*membership)),
            Stored::Typed { sender, content } => writer.u8(TYPED).text(sender.as_str()).bytes(content),
        };
        writer.into_bytes()
    }

    /// Reads a row back.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that [`StateRow::encode`] did not write: the store is damaged, or newer than this code.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Self, DecodeError> {
        let (kind, state_key) = split_key(key)?;
        let mut reader = Reader::new(value);
        if reader.u8()? != FORM {
            return Err(DecodeError("state row of an unknown form"));
        }
        let entry = StateEntry { event_id: EventId::from_hash(reader.array()?), position: reader.position()? };
        let stored = match reader.u8()? {
            PLAIN => Stored::Plain,
            MEMBER => Stored::Member(membership_of(reader.u8()?)?),
            TYPED => Stored::Typed {
                sender: UserId::parse(&reader.text()?).map_err(|_| DecodeError("state row without a sender"))?,
                content: reader.bytes()?.to_vec(),
            },
            _ => return Err(DecodeError("state row of an unknown kind")),
        };
        if !reader.rest().is_empty() {
            return Err(DecodeError("state row with bytes left over"));
        }
        Ok(Self { kind: kind.into(), state_key: state_key.into(), entry, stored })
    }

    pub(super) fn summary(&self, rules: &RoomVersionRules) -> Result<Summary, DecodeError> {
        match &self.stored {
            Stored::Plain => Ok(Summary::Plain),
            Stored::Member(membership) => Ok(Summary::Member(*membership)),
            Stored::Typed { sender, content } => {
                let content = json::parse(content, rules.key_order, CONTENT_LIMITS)
                    .map_err(|_| DecodeError("state row without a content"))?;
                Ok(Summary::read(&self.kind, &self.state_key, sender, content.root()))
            }
        }
    }

    pub(super) fn shared_names(&self) -> (Arc<str>, Arc<str>) {
        (self.kind.clone(), self.state_key.clone())
    }
}

/// The key of (type, state key); with a position behind it ([`Writer::position`]), the key of an index over time.
pub fn key_of(kind: &str, state_key: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.text(kind).text(state_key);
    writer.into_bytes()
}

fn split_key(key: &[u8]) -> Result<(String, String), DecodeError> {
    let mut reader = Reader::new(key);
    let names = (reader.text()?, reader.text()?);
    if reader.rest().is_empty() { Ok(names) } else { Err(DecodeError("state key with bytes left over")) }
}

fn membership_number(membership: Membership) -> u8 {
    match membership {
        Membership::Leave => 0,
        Membership::Join => 1,
        Membership::Invite => 2,
        Membership::Knock => 3,
        Membership::Ban => 4,
    }
}

fn membership_of(number: u8) -> Result<Membership, DecodeError> {
    Ok(match number {
        0 => Membership::Leave,
        1 => Membership::Join,
        2 => Membership::Invite,
        3 => Membership::Knock,
        4 => Membership::Ban,
        _ => return Err(DecodeError("state row with an unknown membership")),
    })
}

#[cfg(test)]
mod tests {
    use super::{StateEntry, StateRow, key_of};
    use crate::room::state::RoomState;
    use crate::room::testing::{Room, event_id, member, state_event};
    use crate::store::DecodeError;
    use proptest::prelude::{ProptestConfig, any};
    use proptest::{prop_assert_eq, proptest};
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    const ANN: &str = "@ann:a.org";

    /// The row of an event at position -3.
    fn row(builder: crate::room::testing::Builder) -> StateRow {
        Room::empty().state().apply(&builder.build(), event_id(7), -3).unwrap()
    }

    fn rows() -> [StateRow; 3] {
        [
            row(state_event(ANN, "m.room.topic", "x", r#"{"topic":"t"}"#)),
            row(member(ANN, ANN, "ban")),
            row(state_event(ANN, "m.room.join_rules", "", r#"{"join_rule":"public"}"#)),
        ]
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_stored_form_stays_as_it_is() {
        let head = format!("01{}{}{}", "0000000000000007", "00".repeat(24), "7ffffffffffffffd");
        let text = |text: &str| format!("{:08x}{}", text.len(), hex(text.as_bytes()));
        let [topic, ban, rules] = rows();
        assert_eq!(hex(&topic.encode()), format!("{head}00"));
        assert_eq!(hex(&ban.encode()), format!("{head}0104"));
        let typed = format!("{head}02{}{}", text(ANN), text(r#"{"join_rule":"public"}"#));
        assert_eq!(hex(&rules.encode()), typed);
        assert_eq!(hex(&topic.key()), format!("{}{}", text("m.room.topic"), text("x")));
        assert_eq!(topic.key(), key_of("m.room.topic", "x"));
    }

    #[test]
    fn rows_survive_a_round_trip() {
        for row in rows() {
            let again = StateRow::decode(&row.key(), &row.encode()).unwrap();
            assert_eq!(again, row);
            assert_eq!(again.entry(), StateEntry { event_id: event_id(7), position: -3 });
        }
    }

    #[test]
    fn damaged_rows_are_errors() {
        for row in rows() {
            let (key, value) = (row.key(), row.encode());
            for end in 0..value.len() {
                assert!(StateRow::decode(&key, &value[..end]).is_err(), "{end}");
            }
            for end in 0..key.len() {
                assert!(StateRow::decode(&key[..end], &value).is_err(), "{end}");
            }
            let longer = |bytes: &[u8]| [bytes, &[0]].concat();
            assert!(StateRow::decode(&key, &longer(&value)).is_err());
            assert!(StateRow::decode(&longer(&key), &value).is_err());
            let mut newer = value.clone();
            newer[0] = 2;
            assert_eq!(StateRow::decode(&key, &newer), Err(DecodeError("state row of an unknown form")));
        }
        let [_, ban, rules] = rows();
        let mut unknown = ban.encode();
        *unknown.last_mut().unwrap() = 5;
        assert_eq!(StateRow::decode(&ban.key(), &unknown), Err(DecodeError("state row with an unknown membership")));
        let mut broken = rules.encode();
        *broken.last_mut().unwrap() = b'x';
        let row = StateRow::decode(&rules.key(), &broken).unwrap();
        let state = Room::empty().state();
        assert_eq!(
            RoomState::restore(state.room_id().clone(), state.rules(), [row]),
            Err(DecodeError("state row without a content"))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_decoding_panic(key: Vec<u8>, value: Vec<u8>, tail in any::<[u8; 8]>()) {
            let _ = StateRow::decode(&key, &value);
            let [_, _, rules] = rows();
            let value = [&rules.encode()[..42], &tail[..]].concat();
            let _ = StateRow::decode(&rules.key(), &value);
        }

        #[test]
        fn keys_of_different_names_differ(one in any::<(String, String)>(), other in any::<(String, String)>()) {
            prop_assert_eq!(key_of(&one.0, &one.1) == key_of(&other.0, &other.1), one == other);
        }
    }
}

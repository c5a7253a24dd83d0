//! A room as its writer holds it: the current state and the log's head.

use crate::{
    event::{RoomVersionRules, rules},
    id::{EventId, RoomId, RoomVersionId},
    room::{state::RoomState, state_row::StateRow},
    store::{DecodeError, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// The key of the row in [`Table::Meta`] that holds the head.
pub const HEAD_ROW: &[u8] = b"head";

/// The last entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its position.
    pub position: i64,
    /// Its ID.
    pub event_id: EventId,
}

/// A room's current state and head: all of a room that is in memory, however long its log.
#[derive(Clone, Debug)]
pub struct Room {
    /// The state behind the head.
    pub state: RoomState,
    /// The log's last entry; nothing before the create event.
    pub head: Option<Head>,
}

impl Room {
    /// A room without an event.
    pub fn new(room_id: RoomId, rules: &'static RoomVersionRules) -> Self {
        Self { state: RoomState::new(room_id, rules), head: None }
    }

    /// Reads a room from its head row and its state rows.
    ///
    /// # Errors
    /// When a row is of another form, or the room's version is none of ours.
    pub fn open(room_id: RoomId, head: &[u8], state: &[Row]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(head);
        if reader.u8()? != FORM {
            return Err(DecodeError("head of an unknown form"));
        }
        let version = RoomVersionId::parse(&reader.text()?).map_err(|_| DecodeError("head without a room version"))?;
        let rules = rules(&version).ok_or(DecodeError("room of an unknown version"))?;
        let head = Head { position: reader.position()?, event_id: EventId::from_hash(reader.array()?) };
        let rows = state
            .iter()
            .map(|row| StateRow::decode(&row.key, &row.value))
            .collect::<Result<alloc::vec::Vec<_>, _>>()?;
        Ok(Self { state: RoomState::restore(room_id, rules, rows)?, head: Some(head) })
    }

    /// The rules of the room's version.
    pub fn rules(&self) -> &'static RoomVersionRules {
        self.state.rules()
    }

    /// The position of the next entry.
    pub fn next_position(&self) -> i64 {
        self.head.map_or(0, |head| head.position.saturating_add(1))
    }

    /// Writes the head.
    pub fn put_head(&self, batch: &mut WriteBatch) {
        let Some(head) = self.head else { return };
        let mut row = Writer::new();
        row.u8(FORM).text(self.rules().id).position(head.position).raw(head.event_id.as_bytes());
        batch.put(Table::Meta, HEAD_ROW, row.into_bytes());
    }
}

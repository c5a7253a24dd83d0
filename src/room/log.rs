//! The log of a room as rows: entries by position, and where to find them.
//!
//! Invariant: positions grow by one from the create event at the hub, and from our join (position 0) elsewhere; what is read of the time before that stands
//! at negative positions without a gap. An entry never changes its place, but for state that came with a join and has none until the log is read back to
//! it. An event may become its redacted copy, or a copy that was redacted for our sake alone the whole event; ID, link and signatures stay valid.

use alloc::vec::Vec;

use crate::{
    event::{Integrity, Sender},
    id::EventId,
    room::state_row::key_of,
    store::{DecodeError, Query, Reader, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;
const EVENT: u8 = 0;
const LINK: u8 = 1;
const HOLE: u8 = 2;
const KEY_MISSING: u8 = 1;
const REDACTED: u8 = 2;
const SOFT_FAILED: u8 = 4;

/// Positions below this one hold events that came as state with a join, and have no place in the order.
pub const FIRST_PLACE: i64 = i64::MIN / 2;

/// Stands for the place of an event that our first join follows: it is before our log, and no entry holds it.
pub const BEFORE_LOG: i64 = i64::MIN;

/// What stands at a position of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEntry {
    /// An event.
    Event(LogEvent),
    /// An event of our hub that the rules refuse: its ID and its links, no content.
    Link {
        /// Its ID.
        event_id: EventId,
        /// What it follows.
        prev_events: Vec<EventId>,
    },
    /// Something that the hub names and does not serve.
    Hole {
        /// Its ID, if one is known.
        event_id: Option<EventId>,
    },
}

/// An event in the log, with what was found when it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Its ID.
    pub event_id: EventId,
    /// Whether the sender's server's signature was checked.
    pub sender: Sender,
    /// Whether these bytes are the whole event or its redacted copy.
    pub integrity: Integrity,
    /// Appended and linked, but not shown.
    pub soft_failed: bool,
    /// The event, canonical.
    pub bytes: Vec<u8>,
}

impl LogEntry {
    /// The entry's row.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Event(event) => return event.encode(),
            Self::Link { event_id, prev_events } => {
                out.u8(FORM).u8(LINK).u8(0).raw(event_id.as_bytes());
                prev_events.iter().for_each(|id| {
                    out.raw(id.as_bytes());
                });
            }
            Self::Hole { event_id } => {
                out.u8(FORM).u8(HOLE).u8(0);
                if let Some(id) = event_id {
                    out.raw(id.as_bytes());
                }
            }
        }
        out.into_bytes()
    }

    /// The entry of a row.
    ///
    /// # Errors
    /// When the row is of another form.
    pub fn decode(row: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(row);
        if reader.u8()? != FORM {
            return Err(DecodeError("log entry of an unknown form"));
        }
        let (kind, flags) = (reader.u8()?, reader.u8()?);
        match kind {
            EVENT => Ok(Self::Event(LogEvent {
                event_id: EventId::from_hash(reader.array()?),
                sender: if flags & KEY_MISSING == 0 { Sender::Verified } else { Sender::KeyMissing },
                integrity: if flags & REDACTED == 0 { Integrity::Intact } else { Integrity::Redacted },
                soft_failed: flags & SOFT_FAILED != 0,
                bytes: reader.rest().to_vec(),
            })),
            LINK => {
                let event_id = EventId::from_hash(reader.array()?);
                let mut prev_events = Vec::new();
                while !reader.rest().is_empty() {
                    prev_events.push(EventId::from_hash(reader.array()?));
                }
                Ok(Self::Link { event_id, prev_events })
            }
            HOLE if reader.rest().is_empty() => Ok(Self::Hole { event_id: None }),
            HOLE => Ok(Self::Hole { event_id: Some(EventId::from_hash(reader.array()?)) }),
            _ => Err(DecodeError("log entry of an unknown kind")),
        }
    }

    /// The ID at this place.
    pub const fn event_id(&self) -> Option<EventId> {
        match self {
            Self::Event(event) => Some(event.event_id),
            Self::Link { event_id, .. } => Some(*event_id),
            Self::Hole { event_id } => *event_id,
        }
    }

    /// Writes the entry at its position, and its ID's way back.
    pub fn put(&self, position: i64, batch: &mut WriteBatch) {
        batch.put(Table::Log, position_key(position), self.encode());
        if let Some(id) = self.event_id() {
            batch.put(Table::Ids, *id.as_bytes(), position_key(position));
        }
    }
}

impl LogEvent {
    /// As [`LogEntry::put`], for an event that the writer keeps.
    pub fn put(&self, position: i64, batch: &mut WriteBatch) {
        batch.put(Table::Log, position_key(position), self.encode());
        batch.put(Table::Ids, *self.event_id.as_bytes(), position_key(position));
    }

    fn encode(&self) -> Vec<u8> {
        let mut flags = 0;
        flags |= if self.sender == Sender::KeyMissing { KEY_MISSING } else { 0 };
        flags |= if self.integrity == Integrity::Redacted { REDACTED } else { 0 };
        flags |= if self.soft_failed { SOFT_FAILED } else { 0 };
        let mut out = Writer::new();
        out.reserve(self.bytes.len() + 35);
        out.u8(FORM).u8(EVENT).u8(flags).raw(self.event_id.as_bytes()).raw(&self.bytes);
        out.into_bytes()
    }
}

/// The key of a position: sorts as positions do.
pub fn position_key(position: i64) -> Vec<u8> {
    let mut key = Writer::new();
    key.reserve(size_of::<i64>()).position(position);
    key.into_bytes()
}

/// The position of a key or of a row of [`Table::Ids`].
///
/// # Errors
/// When it is of another form.
pub fn position_of(bytes: &[u8]) -> Result<i64, DecodeError> {
    Reader::new(bytes).position()
}

/// The entries at `from` and after, at most `limit`.
pub fn entries(from: i64, limit: u32) -> Query {
    Query { table: Table::Log, from: position_key(from), to: None, limit, reverse: false }
}

/// The entry at a position.
pub fn entry(position: i64) -> Query {
    Query::one(Table::Log, position_key(position))
}

/// Where an event stands.
pub fn place(event_id: EventId) -> Query {
    Query::one(Table::Ids, *event_id.as_bytes())
}

/// The key of a state event in the index of its (type, state key). The separator is no byte of UTF-8.
pub fn state_index_key(kind: &str, state_key: &str, position: i64) -> Vec<u8> {
    let mut key = key_of(kind, state_key);
    key.push(0xff);
    key.extend_from_slice(&position_key(position));
    key
}

/// The latest state event of one (type, state key) before a position.
pub fn state_before(kind: &str, state_key: &str, position: i64) -> Query {
    let from = state_index_key(kind, state_key, i64::MIN);
    Query::range(Table::StateIndex, from, state_index_key(kind, state_key, position), 1).reversed()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::{LogEntry, LogEvent, position_key, position_of, state_before, state_index_key};
    use crate::{
        event::{Integrity, Sender},
        id::EventId,
        store::{Table, WriteBatch, memory::MemoryStore},
    };

    fn event(sender: Sender, integrity: Integrity, soft_failed: bool) -> LogEntry {
        let event_id = EventId::from_hash([7; 32]);
        LogEntry::Event(LogEvent { event_id, sender, integrity, soft_failed, bytes: b"{}".to_vec() })
    }

    #[test]
    fn entries_round_trip() {
        let id = EventId::from_hash([9; 32]);
        for entry in [
            event(Sender::Verified, Integrity::Intact, false),
            event(Sender::KeyMissing, Integrity::Intact, true),
            event(Sender::Verified, Integrity::Redacted, false),
            LogEntry::Link { event_id: id, prev_events: vec![] },
            LogEntry::Link { event_id: id, prev_events: vec![id, EventId::from_hash([1; 32])] },
            LogEntry::Hole { event_id: Some(id) },
            LogEntry::Hole { event_id: None },
        ] {
            assert_eq!(LogEntry::decode(&entry.encode()), Ok(entry));
        }
        for bad in [&b""[..], &[1, 0, 0, 1], &[2, 0, 0], &[1, 9, 0], &[1, 1, 0, 5]] {
            assert!(LogEntry::decode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn state_before_finds_the_latest_of_its_kind() {
        let mut batch = WriteBatch::new();
        for (kind, key, position) in [("a", "", 1), ("a", "", 5), ("a", "x", 2), ("ab", "", 4), ("a", "", -7)] {
            batch.put(Table::StateIndex, state_index_key(kind, key, position), position_key(position));
        }
        let mut store = MemoryStore::new();
        store.apply(batch);
        let find = |kind: &str, key: &str, at| {
            store.read(&state_before(kind, key, at)).first().map(|row| position_of(&row.value).unwrap())
        };
        assert_eq!(find("a", "", 6), Some(5));
        assert_eq!(find("a", "", 5), Some(1));
        assert_eq!(find("a", "", 1), Some(-7));
        assert_eq!(find("a", "", -7), None);
        assert_eq!(find("a", "x", 100), Some(2));
        assert_eq!(find("ab", "", 100), Some(4));
        assert_eq!(find("b", "", 100), None);
    }
}

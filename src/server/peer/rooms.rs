//! The rooms that we share with a peer: which to search for an event, and which owe it something.

use alloc::vec::Vec;

use crate::{
    id::RoomId,
    ordered::Map,
    store::{Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// What the keys of these rows start with.
pub(super) const PREFIX: &[u8] = b"room:";

/// Rooms by ID; kept over restarts.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Map<RoomId, Debt>,
}

/// Whether a room may owe the peer something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Debt {
    /// Nothing that it told us of.
    None,
    /// It told us, and has not been pulled empty since.
    Open,
}

impl Rooms {
    /// Reads the rows under [`PREFIX`].
    pub(super) fn open(rows: &[Row]) -> Self {
        let read = |row: &Row| {
            let id = row.key.strip_prefix(PREFIX).and_then(|id| core::str::from_utf8(id).ok())?;
            let debt = match row.value.as_slice() {
                [FORM, 0] => Debt::None,
                [FORM, 1] => Debt::Open,
                _ => return None,
            };
            // Rooms of a version whose IDs have no server are read as well.
            RoomId::parse(id).or_else(|_| RoomId::parse_v12(id)).ok().map(|id| (id, debt))
        };
        Self { rooms: rows.iter().filter_map(read).collect() }
    }

    /// Remembers a room that the peer has to do with.
    pub(super) fn remember(&mut self, room: &RoomId, batch: &mut WriteBatch) {
        if !self.rooms.contains_key(room) {
            self.set(room, Debt::None, batch);
        }
    }

    /// Sets whether a room owes the peer something. Whether that had to be written.
    pub(super) fn set(&mut self, room: &RoomId, debt: Debt, batch: &mut WriteBatch) -> bool {
        if self.rooms.insert(room.clone(), debt) == Some(debt) {
            return false;
        }
        let mut value = Writer::new();
        value.u8(FORM).u8(u8::from(debt == Debt::Open));
        batch.put(Table::Meta, [PREFIX, room.as_str().as_bytes()].concat(), value.into_bytes());
        true
    }

    /// Every room.
    pub(super) fn all(&self) -> Vec<RoomId> {
        self.rooms.keys().cloned().collect()
    }

    /// The rooms that owe the peer something.
    pub(super) fn owing(&self) -> Vec<RoomId> {
        self.rooms.iter().filter(|(_, debt)| **debt == Debt::Open).map(|(room, _)| room.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Debt, PREFIX, Rooms};
    use crate::{
        id::RoomId,
        store::{Query, Table, WriteBatch, memory::MemoryStore},
    };

    #[test]
    fn rooms_and_their_debts_outlive_a_restart() {
        let (a, b) = (RoomId::parse("!a:h.example").unwrap(), RoomId::parse("!b:h.example").unwrap());
        let (mut rooms, mut batch) = (Rooms::default(), WriteBatch::new());
        rooms.remember(&a, &mut batch);
        assert!(rooms.set(&b, Debt::Open, &mut batch));
        assert!(!rooms.set(&b, Debt::Open, &mut batch));
        rooms.remember(&b, &mut batch);
        let mut store = MemoryStore::new();
        store.apply(batch);
        let mut rooms = Rooms::open(&store.read(&Query::prefix(Table::Meta, PREFIX, 9)));
        assert_eq!((rooms.all(), rooms.owing()), (alloc::vec![a, b.clone()], alloc::vec![b.clone()]));
        assert!(rooms.set(&b, Debt::None, &mut WriteBatch::new()));
        assert!(rooms.owing().is_empty());
    }
}

//! What a machine reads and writes.

use alloc::vec::Vec;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// A table. Its number and name never change: stores keep them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Table { $($(#[$doc])* $name),* }

        impl Table {
            /// Every table, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The table's number in stored and sent forms.
            pub const fn number(self) -> u8 {
                match self { $(Self::$name => $number),* }
            }

            /// The table's name, fit for an SQL table or an object store.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The table of that number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

tables! {
    /// One row a fact of which there is one: the room's head, the server's profile.
    Meta = 0, "meta";
    /// Position to log entry.
    Log = 1, "log";
    /// Event ID to position.
    Ids = 2, "ids";
    /// LPDU event ID to event ID, kept as long as the room lives.
    Lpdus = 3, "lpdus";
    /// (type, state key) to the room's current state.
    State = 4, "state";
    /// (type, state key, position) to the state event set there.
    StateIndex = 5, "state_index";
    /// What each peer is owed of a room's log.
    Owed = 6, "owed";
    /// What a participant has sent and not yet seen again.
    Pending = 7, "pending";
    /// The last answer to each endpoint's transactions of a peer.
    Inbox = 8, "inbox";
    /// What must reach a peer and is no room event.
    Queue = 9, "queue";
    /// A server's signing keys.
    Keys = 10, "keys";
    /// What a local user has: invites, rooms, devices.
    Account = 11, "account";
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a row, whether it was there or not.
    Put {
        /// Where.
        table: Table,
        /// The row's key.
        key: Vec<u8>,
        /// The row's value.
        value: Vec<u8>,
    },
    /// Removes a row if it is there.
    Delete {
        /// Where.
        table: Table,
        /// The row's key.
        key: Vec<u8>,
    },
}

/// Writes that are applied together, in order, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    writes: Vec<Write>,
}

impl WriteBatch {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { writes: Vec::new() }
    }

    /// Sets a row.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push(Write::Put { table, key: key.into(), value: value.into() });
    }

    /// Removes a row.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push(Write::Delete { table, key: key.into() });
    }

    /// The writes in order.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes in order, taken out.
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Adds the writes of `later` behind these.
    pub fn append(&mut self, mut later: Self) {
        self.writes.append(&mut later.writes);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// What is read: rows of one table, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Where.
    pub table: Table,
    /// The first key that may be in the answer.
    pub from: Vec<u8>,
    /// The first key above that may not, or none: up to the table's end.
    pub to: Option<Vec<u8>>,
    /// At most so many rows.
    pub limit: u32,
    /// Highest key first; the limit then keeps the highest.
    pub reverse: bool,
}

/// A row that was found: its key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row's key.
    pub key: Vec<u8>,
    /// The row's value.
    pub value: Vec<u8>,
}

impl Query {
    /// The row of exactly that key, if there is one.
    pub fn one(table: Table, key: impl Into<Vec<u8>>) -> Self {
        let from = key.into();
        let mut to = Vec::with_capacity(from.len() + 1);
        to.extend_from_slice(&from);
        to.push(0);
        Self { table, from, to: Some(to), limit: 1, reverse: false }
    }

    /// The rows with `from <= key < to`, lowest first.
    pub fn range(table: Table, from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>, limit: u32) -> Self {
        Self { table, from: from.into(), to: Some(to.into()), limit, reverse: false }
    }

    /// The rows whose key starts with `prefix`, lowest first.
    pub fn prefix(table: Table, prefix: impl Into<Vec<u8>>, limit: u32) -> Self {
        let from = prefix.into();
        let to = after_prefix(&from);
        Self { table, from, to, limit, reverse: false }
    }

    /// Every row of a table, lowest key first.
    pub const fn all(table: Table) -> Self {
        Self { table, from: Vec::new(), to: None, limit: u32::MAX, reverse: false }
    }

    /// The same rows, highest key first.
    #[must_use]
    pub const fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }
}

/// The least key above every key with that prefix.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Query, Table};

    #[test]
    fn numbers_and_names_of_tables_are_distinct_and_round_trip() {
        for (index, table) in Table::ALL.iter().enumerate() {
            assert_eq!(usize::from(table.number()), index);
            assert_eq!(Table::from_number(table.number()), Some(*table));
            assert_eq!(Table::ALL.iter().filter(|other| other.name() == table.name()).count(), 1);
        }
        assert_eq!(Table::from_number(200), None);
    }

    #[test]
    fn a_prefix_of_highest_bytes_has_no_end() {
        assert_eq!(Query::prefix(Table::Log, [255, 255], 9).to, None);
        assert_eq!(Query::prefix(Table::Log, [1, 255], 9).to, Some(alloc::vec![2]));
    }
}

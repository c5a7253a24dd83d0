//! A store in memory: for tests, and for rooms that may vanish.

use alloc::{borrow::Cow, collections::BTreeMap, vec::Vec};
use core::ops::Bound;

use super::{Query, Row, Table, Write, WriteBatch};
use crate::ordered::Map;

/// The rows of one machine, in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    tables: Map<Table, BTreeMap<Key<'static>, Vec<u8>>>,
}

/// A row's key, in the order of its bytes. The first eight stand apart, as a number with zeros for what is missing: most
/// comparisons end there, without a look at the rest, which lies elsewhere in memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    head: u64,
    bytes: Cow<'a, [u8]>,
}

impl MemoryStore {
    /// A store without rows.
    pub const fn new() -> Self {
        Self { tables: Map::new() }
    }

    /// Applies a batch as a whole.
    pub fn apply(&mut self, batch: WriteBatch) {
        for write in batch.into_writes() {
            match write {
                Write::Put { table, key, value } => {
                    self.tables.entry(table).or_default().insert(Key::from(key), value);
                }
                Write::Delete { table, key } => {
                    if let Some(rows) = self.tables.get_mut(&table) {
                        rows.remove(&Key::from(key));
                    }
                }
            }
        }
    }

    /// The rows that a query asks for.
    pub fn read(&self, query: &Query) -> Vec<Row> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let Some(rows) = self.tables.get(&query.table) else { return Vec::new() };
        let from = Key::from(query.from.as_slice());
        let to = query.to.as_deref().map(Key::from);
        let end = match &to {
            Some(to) if *to <= from => return Vec::new(),
            Some(to) => Bound::Excluded(to),
            None => Bound::Unbounded,
        };
        let rows: &BTreeMap<Key<'_>, Vec<u8>> = rows;
        let range = rows.range((Bound::Included(&from), end));
        let row = |(key, value): (&Key<'_>, &Vec<u8>)| Row { key: key.bytes.to_vec(), value: value.clone() };
        if query.reverse { range.rev().take(limit).map(row).collect() } else { range.take(limit).map(row).collect() }
    }

    /// How many rows a table has.
    pub fn len(&self, table: Table) -> usize {
        self.tables.get(&table).map_or(0, BTreeMap::len)
    }

    /// Whether there is no row in any table.
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(BTreeMap::is_empty)
    }
}

impl From<Vec<u8>> for Key<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self { head: head(&bytes), bytes: Cow::Owned(bytes) }
    }
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { head: head(bytes), bytes: Cow::Borrowed(bytes) }
    }
}

fn head(bytes: &[u8]) -> u64 {
    let mut head = [0; 8];
    for (place, byte) in head.iter_mut().zip(bytes) {
        *place = *byte;
    }
    u64::from_be_bytes(head)
}

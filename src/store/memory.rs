//! A store in memory: for tests, and for rooms that may vanish.

use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::Bound;

use super::{Query, Row, Table, Write, WriteBatch};

/// The rows of one machine, in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryStore {
    /// A store without rows.
    pub const fn new() -> Self {
        Self { tables: BTreeMap::new() }
    }

    /// Applies a batch as a whole.
    pub fn apply(&mut self, batch: WriteBatch) {
        for write in batch.into_writes() {
            match write {
                Write::Put { table, key, value } => {
                    self.tables.entry(table).or_default().insert(key, value);
                }
                Write::Delete { table, key } => {
                    if let Some(rows) = self.tables.get_mut(&table) {
                        rows.remove(&key);
                    }
                }
            }
        }
    }

    /// The rows that a query asks for.
    pub fn read(&self, query: &Query) -> Vec<Row> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let Some(rows) = self.tables.get(&query.table) else { return Vec::new() };
        let end = match &query.to {
            Some(to) if *to <= query.from => return Vec::new(),
            Some(to) => Bound::Excluded(to.as_slice()),
            None => Bound::Unbounded,
        };
        let range = rows.range::<[u8], _>((Bound::Included(query.from.as_slice()), end));
        let row = |(key, value): (&Vec<u8>, &Vec<u8>)| Row { key: key.clone(), value: value.clone() };
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

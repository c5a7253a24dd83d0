//! Rows in memory, spoken to in the same bytes as any other store.

use wasm_bindgen::prelude::wasm_bindgen;

use super::{HubletError, form::Argument};
use crate::store::{DecodeError, Query, Reader, WriteBatch, Writer, memory, wire::encode_rows};

/// The rows of one machine, in memory: for tests and for rooms that may vanish. Unstable.
#[wasm_bindgen]
#[derive(Default)]
pub struct MemoryStore {
    store: memory::MemoryStore,
}

#[wasm_bindgen]
impl MemoryStore {
    /// A store without rows.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the batch of an output `commit`, as a whole.
    ///
    /// # Errors
    /// `argument`, when the bytes are no batch; nothing is then applied.
    pub fn apply(&mut self, batch: &[u8]) -> Result<(), HubletError> {
        self.store.apply(WriteBatch::decode(batch).map_err(|error| Argument::of("batch", error))?);
        Ok(())
    }

    /// The rows that the queries of an output `read` ask for.
    ///
    /// # Errors
    /// `argument`, when the bytes are no queries.
    pub fn read(&self, queries: &[u8]) -> Result<alloc::vec::Vec<u8>, HubletError> {
        let rows = answer(&self.store, queries).map_err(|error| Argument::of("queries", error))?;
        Ok(rows.into_bytes())
    }
}

fn answer(store: &memory::MemoryStore, queries: &[u8]) -> Result<Writer, DecodeError> {
    let mut reader = Reader::new(queries);
    let mut out = Writer::new();
    while !reader.rest().is_empty() {
        encode_rows(&store.read(&Query::decode(&mut reader)?), &mut out);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{answer, memory};
    use crate::store::{Query, Reader, Table, WriteBatch, Writer, wire::decode_rows};

    #[test]
    fn queries_are_answered_one_behind_the_other() {
        let mut store = memory::MemoryStore::new();
        let mut batch = WriteBatch::new();
        batch.put(Table::Log, *b"a", *b"1");
        store.apply(batch);
        let mut queries = Writer::new();
        Query::all(Table::Ids).encode(&mut queries);
        Query::all(Table::Log).encode(&mut queries);
        let queries = queries.into_bytes();
        let rows = answer(&store, &queries).unwrap().into_bytes();
        let mut reader = Reader::new(&rows);
        assert!(decode_rows(&mut reader).unwrap().is_empty());
        assert_eq!(decode_rows(&mut reader).unwrap()[0].value, b"1");
        assert_eq!(reader.end(), Ok(()));
        assert!(answer(&store, &queries[1..]).is_err());
    }
}

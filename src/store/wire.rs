//! Batches, queries and rows as bytes, for hosts on the other side of a boundary.

use alloc::vec::Vec;

use super::{DecodeError, Query, Reader, Row, Table, Write, WriteBatch, Writer};

impl WriteBatch {
    /// The batch as bytes: for each write 1 (put) or 0 (delete), the table's number, the key, and for a put the value. Keys and values stand behind
    /// their length, four bytes, highest first.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        for write in self.writes() {
            match write {
                Write::Put { table, key, value } => out.u8(1).u8(table.number()).bytes(key).bytes(value),
                Write::Delete { table, key } => out.u8(0).u8(table.number()).bytes(key),
            };
        }
        out.into_bytes()
    }

    /// The batch that [`WriteBatch::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut batch = Self::new();
        while !reader.rest().is_empty() {
            let is_put = reader.u8()? == 1;
            let table = table(&mut reader)?;
            let key = reader.bytes()?;
            if is_put {
                batch.put(table, key, reader.bytes()?);
            } else {
                batch.delete(table, key);
            }
        }
        Ok(batch)
    }
}

impl Query {
    /// The query as bytes: the table's number, 1 if reversed, 1 if it has an end, the limit in four bytes, the first key, the end.
    pub fn encode(&self, out: &mut Writer) {
        out.u8(self.table.number()).u8(u8::from(self.reverse)).u8(u8::from(self.to.is_some())).u32(self.limit);
        out.bytes(&self.from).bytes(self.to.as_deref().unwrap_or_default());
    }

    /// The query that [`Query::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another form.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let table = table(reader)?;
        let (reverse, has_end, limit) = (reader.u8()? == 1, reader.u8()? == 1, reader.u32()?);
        let (from, to) = (reader.bytes()?.to_vec(), reader.bytes()?.to_vec());
        Ok(Self { table, from, to: has_end.then_some(to), limit, reverse })
    }
}

/// Rows as bytes: how many, then each one's key and value.
pub fn encode_rows(rows: &[Row], out: &mut Writer) {
    out.u32(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    for row in rows {
        out.bytes(&row.key).bytes(&row.value);
    }
}

/// The rows that [`encode_rows`] wrote.
///
/// # Errors
/// When the bytes are of another form.
pub fn decode_rows(reader: &mut Reader<'_>) -> Result<Vec<Row>, DecodeError> {
    let count = reader.u32()?;
    (0..count).map(|_| Ok(Row { key: reader.bytes()?.to_vec(), value: reader.bytes()?.to_vec() })).collect()
}

fn table(reader: &mut Reader<'_>) -> Result<Table, DecodeError> {
    Table::from_number(reader.u8()?).ok_or(DecodeError("no such table"))
}

#[cfg(test)]
mod tests {
    use super::{Query, Reader, Row, Table, WriteBatch, Writer, decode_rows, encode_rows};

    #[test]
    fn batches_queries_and_rows_round_trip() {
        let mut batch = WriteBatch::new();
        batch.put(Table::Log, *b"key", *b"value");
        batch.delete(Table::Ids, *b"gone");
        assert_eq!(WriteBatch::decode(&batch.encode()), Ok(batch.clone()));
        assert!(WriteBatch::decode(&batch.encode()[1..]).is_err());

        let rows = [Row { key: alloc::vec![1], value: alloc::vec![] }];
        let mut out = Writer::new();
        Query::prefix(Table::State, *b"p", 5).reversed().encode(&mut out);
        Query::all(Table::Log).encode(&mut out);
        encode_rows(&rows, &mut out);
        let bytes = out.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(Query::decode(&mut reader), Ok(Query::prefix(Table::State, *b"p", 5).reversed()));
        assert_eq!(Query::decode(&mut reader), Ok(Query::all(Table::Log)));
        assert_eq!(decode_rows(&mut reader), Ok(rows.to_vec()));
        assert_eq!(reader.end(), Ok(()));
    }
}

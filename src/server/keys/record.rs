//! Known keys as rows of [`Table::Keys`]: the key's ID, a zero byte and the key; then when it holds.

use alloc::vec::Vec;

use crate::{
    id::{KeyId, Timestamp},
    server::message::{KnownKey, Validity},
    store::{DecodeError, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// Writes a key's row.
pub fn put(key: &KnownKey, batch: &mut WriteBatch) {
    let mut row = Writer::new();
    row.u8(FORM);
    match key.validity {
        Validity::CurrentUntil(until) => row.u8(0).u64(until.millis()),
        Validity::ExpiredAt(end) => row.u8(1).u64(end.millis()),
        Validity::Vouched(end) => row.u8(2).u64(end.millis()),
    };
    batch.put(Table::Keys, row_key(key), row.into_bytes());
}

fn row_key(key: &KnownKey) -> Vec<u8> {
    [key.id.as_str().as_bytes(), &[0], &key.key].concat()
}

/// Removes a key's row.
pub fn delete(key: &KnownKey, batch: &mut WriteBatch) {
    batch.delete(Table::Keys, row_key(key));
}

/// Reads a key's row.
///
/// # Errors
/// When the row is of another form.
pub fn read(row: &Row) -> Result<KnownKey, DecodeError> {
    let (id, key) = row.key.split_last_chunk::<32>().ok_or(DecodeError("key row without a key"))?;
    let id = id.strip_suffix(&[0]).and_then(|id| core::str::from_utf8(id).ok()).and_then(|id| KeyId::parse(id).ok());
    let id = id.ok_or(DecodeError("key row without a key ID"))?;
    let mut value = Reader::new(&row.value);
    if value.u8()? != FORM {
        return Err(DecodeError("key row of an unknown form"));
    }
    let (kind, time) = (value.u8()?, Timestamp::new(value.u64()?));
    value.end()?;
    let validity = match kind {
        0 => Validity::CurrentUntil(time),
        1 => Validity::ExpiredAt(time),
        2 => Validity::Vouched(time),
        _ => return Err(DecodeError("key row of an unknown validity")),
    };
    Ok(KnownKey { id, key: *key, validity })
}

#[cfg(test)]
mod tests {
    use super::{KnownKey, Validity, put, read};
    use crate::{
        id::{KeyId, Timestamp},
        store::{Query, Row, Table, WriteBatch, memory::MemoryStore},
    };

    #[test]
    fn keys_are_read_back() {
        let id = KeyId::parse("ed25519:a_1").unwrap();
        let keys = [
            KnownKey { id: id.clone(), key: [0; 32], validity: Validity::CurrentUntil(Timestamp::new(9)) },
            KnownKey { id: id.clone(), key: [7; 32], validity: Validity::ExpiredAt(Timestamp::new(u64::MAX)) },
            KnownKey { id, key: [8; 32], validity: Validity::Vouched(Timestamp::new(5)) },
        ];
        let (mut store, mut batch) = (MemoryStore::new(), WriteBatch::new());
        keys.iter().for_each(|key| put(key, &mut batch));
        store.apply(batch);
        let rows = store.read(&Query::all(Table::Keys));
        assert_eq!(rows.iter().map(read).collect::<Result<alloc::vec::Vec<_>, _>>().unwrap(), keys);
        assert!(read(&Row { key: alloc::vec![1; 40], value: alloc::vec![1; 10] }).is_err());
        assert!(read(&Row { value: alloc::vec![2; 10], ..rows[0].clone() }).is_err());
    }
}

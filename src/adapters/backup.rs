//! A whole server as one file: its key and every row. Whoever has it is that server, so it is to be kept as a password is.

use alloc::vec::Vec;

use super::{
    idb::IndexedStore,
    secret,
    store::{Store, StoreError},
};
use crate::store::{DecodeError, Reader, Writer};

/// What such a file begins with; the digit is its form.
const MAGIC: &[u8] = b"hublet server 1\n";

/// The file of a server.
///
/// # Errors
/// A [`StoreError`]; one in memory has none.
pub(super) async fn write(store: &Store) -> Result<Vec<u8>, StoreError> {
    let store = indexed(store)?;
    let seed = secret::seed(store).await?;
    let rows = store.dump().await?;
    let mut file = Writer::new();
    file.raw(MAGIC).raw(&seed);
    for (key, value) in rows {
        file.bytes(&key).bytes(&value);
    }
    Ok(file.into_bytes())
}

/// Makes a server what a file says, whatever it was before. `stop` is called before anything changes.
///
/// # Errors
/// A [`StoreError`]; when the file is no export, nothing has changed and nothing was stopped.
pub(super) async fn read(store: &Store, file: &[u8], stop: impl FnOnce()) -> Result<(), StoreError> {
    let store = indexed(store)?;
    let none = |error| StoreError::Failed(alloc::format!("the file is no export of a server: {error}"));
    let (seed, rows) = parse(file).map_err(none)?;
    stop();
    store.replace(&rows).await?;
    secret::put(store, &seed).await
}

type Rows<'a> = Vec<(&'a [u8], &'a [u8])>;

fn parse(file: &[u8]) -> Result<([u8; 32], Rows<'_>), DecodeError> {
    let mut reader = Reader::new(file);
    if reader.raw(MAGIC.len())? != MAGIC {
        return Err(DecodeError("it begins with something else"));
    }
    let seed = reader.array()?;
    let mut rows = Vec::new();
    while !reader.rest().is_empty() {
        rows.push((reader.bytes()?, reader.bytes()?));
    }
    Ok((seed, rows))
}

fn indexed(store: &Store) -> Result<&IndexedStore, StoreError> {
    match store {
        Store::Indexed(store) => Ok(store),
        Store::Memory(_) => Err(StoreError::Failed("a server in memory is not exported".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAGIC, parse};

    #[test]
    fn what_is_no_export_is_told() {
        let whole = [MAGIC, &[7; 32], &[0, 0, 0, 1, b'k', 0, 0, 0, 0]].concat();
        assert_eq!(parse(&whole), Ok(([7; 32], alloc::vec![(&b"k"[..], &b""[..])])));
        for cut in [0, 5, MAGIC.len() + 31, whole.len() - 1] {
            assert!(parse(&whole[..cut]).is_err(), "{cut}");
        }
        assert!(parse(b"something else, and long enough for a seed as well").is_err());
    }
}

//! Rows in IndexedDB: one database a server, one transaction a commit, all rows in one object store in the order of their keys.
//!
//! Transactions over the same rows run in the order in which they were made. A batch's is made at once, so a read that is begun later sees it.

mod key;
mod schema;
#[cfg(all(test, target_arch = "wasm32"))]
mod tests;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use idb::{CursorDirection, KeyRange, ObjectStore, TransactionMode};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DomException, IdbDatabase, IdbTransaction};

use self::schema::{ROWS, SECRETS};
use super::store::StoreError;
use crate::store::{Query, Row, Write, WriteBatch};

/// More rows than this are not read at once, lest one answer fill the memory.
const MOST: u32 = 1 << 20;

#[wasm_bindgen]
extern "C" {
    /// What `web-sys` has only behind a compiler flag: a transaction with a wish for durability.
    #[wasm_bindgen(extends = IdbDatabase)]
    type Database;

    #[wasm_bindgen(method, catch)]
    fn transaction(this: &Database, store: &str, mode: &str, options: &JsValue) -> Result<IdbTransaction, JsValue>;
}

/// The rows of a server, and its key.
#[derive(Debug)]
pub struct IndexedStore {
    connection: IdbDatabase,
    options: JsValue,
}

/// A batch on its way to the disk.
#[derive(Debug)]
pub(super) struct Begun {
    transaction: IdbTransaction,
    /// Kept or broken by the browser itself: a future with closures of ours could be gone before the last event of the transaction comes.
    ended: Promise,
}

impl IndexedStore {
    /// Opens the database of that name; makes it where there is none.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        let options = js_sys::Object::new();
        // A browser that does not know the word does what it does for all.
        let _ = js_sys::Reflect::set(&options, &"durability".into(), &"strict".into());
        Ok(Self { connection: schema::open(name).await?, options: options.into() })
    }

    /// Lets go of the database, once what was begun is done.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Begins to apply a batch.
    pub(super) fn begin(&self, machine: &str, batch: &WriteBatch) -> Result<Begun, StoreError> {
        let begun = Begun::of(self.writing(ROWS)?);
        match begun.write(machine, batch) {
            Ok(()) => Ok(begun),
            Err(error) => {
                // What was not written whole must not be written at all; that it cannot be undone twice is no failure.
                let _ = begun.transaction.abort();
                Err(error)
            }
        }
    }

    /// The rows of each query. What is asked is asked at once; the answer comes later.
    pub(super) fn read(
        &self,
        machine: &str,
        queries: &[Query],
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, StoreError>> + use<> {
        let asked = self.ask(machine, queries);
        let machine = String::from(machine);
        async move {
            let mut answers = Vec::new();
            for asked in asked? {
                answers.push(asked.rows(&machine).await.map_err(|error| failure(&error))?);
            }
            Ok(answers)
        }
    }

    fn ask(&self, machine: &str, queries: &[Query]) -> Result<Vec<Asked>, StoreError> {
        let rows = self.store(ROWS, TransactionMode::ReadOnly)?;
        let ask = |query: &Query| Asked::of(&rows, machine, query).map_err(|error| failure(&error));
        queries.iter().map(ask).collect()
    }

    /// Every machine that has rows: the first row of each, one after the other.
    pub(super) async fn machines(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.store(ROWS, TransactionMode::ReadOnly)?;
        let (mut machines, mut from) = (Vec::new(), Vec::new());
        loop {
            let range = KeyRange::lower_bound(&bytes(&from), None).map_err(|error| failure(&error))?;
            let request = rows.get_key(range).map_err(|error| failure(&error))?;
            let Some(key) = request.await.map_err(|error| failure(&error))? else { return Ok(machines) };
            let Some((machine, next)) = key::machine(&Uint8Array::new(&key).to_vec()) else {
                return Err(StoreError::Failed("a row's key names no machine".into()));
            };
            machines.push(machine);
            from = next;
        }
    }

    /// What was kept under that name beside the rows.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn secret(&self, name: &str) -> Result<Option<JsValue>, StoreError> {
        let secrets = self.store(SECRETS, TransactionMode::ReadOnly)?;
        let request = secrets.get(JsValue::from(name)).map_err(|error| failure(&error))?;
        request.await.map_err(|error| failure(&error))
    }

    /// Keeps something beside the rows: any value that can be cloned, keys of WebCrypto too.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn put_secret(&self, name: &str, value: &JsValue) -> Result<(), StoreError> {
        let (transaction, secrets) = self.written(SECRETS)?;
        secrets.put(value, Some(&name.into())).map_err(|error| failure(&error))?;
        Begun::of(transaction).durable().await
    }

    /// Every row with its whole key, as of one moment.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub(super) async fn dump(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let rows = self.store(ROWS, TransactionMode::ReadOnly)?;
        let keys = rows.get_all_keys(None, None).map_err(|error| failure(&error))?;
        let values = rows.get_all(None, None).map_err(|error| failure(&error))?;
        let keys = keys.await.map_err(|error| failure(&error))?;
        let values = values.await.map_err(|error| failure(&error))?;
        let to_vec = |value: &JsValue| Uint8Array::new(value).to_vec();
        Ok(keys.iter().zip(&values).map(|(key, value)| (to_vec(key), to_vec(value))).collect())
    }

    /// Puts these rows in place of all that are there, as a whole.
    ///
    /// # Errors
    /// A [`StoreError`]; then nothing has changed.
    pub(super) async fn replace(&self, new: &[(&[u8], &[u8])]) -> Result<(), StoreError> {
        let (transaction, rows) = self.written(ROWS)?;
        rows.clear().map_err(|error| failure(&error))?;
        for (key, value) in new {
            rows.put(&bytes(value), Some(&bytes(key))).map_err(|error| failure(&error))?;
        }
        Begun::of(transaction).durable().await
    }

    /// A transaction that writes, as durably as the database was asked to.
    fn writing(&self, name: &str) -> Result<IdbTransaction, StoreError> {
        let database = self.connection.unchecked_ref::<Database>();
        database.transaction(name, "readwrite", &self.options).map_err(|error| of_value(&error))
    }

    /// The same, and the store that it writes to.
    fn written(&self, name: &str) -> Result<(IdbTransaction, ObjectStore), StoreError> {
        let transaction = self.writing(name)?;
        let store = transaction.object_store(name).map(ObjectStore::from).map_err(|error| of_value(&error))?;
        Ok((transaction, store))
    }

    fn store(&self, name: &str, mode: TransactionMode) -> Result<ObjectStore, StoreError> {
        let database = idb::Database::from(self.connection.clone());
        let transaction = database.transaction(&[name], mode).map_err(|error| failure(&error))?;
        transaction.object_store(name).map_err(|error| failure(&error))
    }
}

impl Begun {
    fn of(transaction: IdbTransaction) -> Self {
        let ended = Promise::new(&mut |done, aborted| {
            transaction.set_oncomplete(Some(&done));
            transaction.set_onabort(Some(&aborted));
        });
        Self { transaction, ended }
    }

    fn write(&self, machine: &str, batch: &WriteBatch) -> Result<(), StoreError> {
        let rows = self.transaction.object_store(ROWS).map(ObjectStore::from).map_err(|error| of_value(&error))?;
        for write in batch.writes() {
            match write {
                Write::Put { table, key, value } => {
                    let key = bytes(&key::of(machine, *table, key));
                    rows.put(&bytes(value), Some(&key)).map(|_| ())
                }
                Write::Delete { table, key } => rows.delete(bytes(&key::of(machine, *table, key))).map(|_| ()),
            }
            .map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    /// Waits until the batch is on the disk.
    pub(super) async fn durable(self) -> Result<(), StoreError> {
        match JsFuture::from(self.ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(match self.transaction.error() {
                Some(error) => of_exception(&error),
                None => StoreError::Failed("the transaction was aborted".into()),
            }),
        }
    }
}

/// A query that was put to the database.
enum Asked {
    Nothing,
    Up(idb::request::GetAllKeysStoreRequest, idb::request::GetAllStoreRequest),
    Down(idb::request::OpenCursorStoreRequest, u32),
}

impl Asked {
    fn of(rows: &ObjectStore, machine: &str, query: &Query) -> Result<Self, idb::Error> {
        let Some((from, to)) = key::range(machine, query) else { return Ok(Self::Nothing) };
        let range = KeyRange::bound(&bytes(&from), &bytes(&to), Some(false), Some(true))?;
        let limit = query.limit.min(MOST);
        Ok(match query.reverse {
            true => Self::Down(rows.open_cursor(Some(range.into()), Some(CursorDirection::Prev))?, limit),
            false => Self::Up(
                rows.get_all_keys(Some(range.clone().into()), Some(limit))?,
                rows.get_all(Some(range.into()), Some(limit))?,
            ),
        })
    }

    async fn rows(self, machine: &str) -> Result<Vec<Row>, idb::Error> {
        let row = |key: &JsValue, value: &JsValue| {
            key::row(machine, &Uint8Array::new(key).to_vec(), Uint8Array::new(value).to_vec())
        };
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Up(keys, values) => {
                let (keys, values) = (keys.await?, values.await?);
                Ok(keys.iter().zip(&values).map(|(key, value)| row(key, value)).collect())
            }
            Self::Down(cursor, limit) => {
                let mut rows = Vec::new();
                let mut cursor = cursor.await?.map(idb::Cursor::into_managed);
                while let Some(at) = &mut cursor
                    && let (Some(key), Some(value)) = (at.key()?, at.value()?)
                {
                    rows.push(row(&key, &value));
                    if u32::try_from(rows.len()).is_ok_and(|found| found >= limit) {
                        break;
                    }
                    at.next(None).await?;
                }
                Ok(rows)
            }
        }
    }
}

fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// What an error of the database means to a user.
fn failure(error: &idb::Error) -> StoreError {
    use idb::Error::{DomException, IndexedDbNotFound, IndexedDbOpenFailed, TransactionOpenFailed, UpdateFailed};
    match error {
        DomException(exception) => of_exception(exception),
        IndexedDbNotFound(_) => StoreError::Denied,
        IndexedDbOpenFailed(value) | TransactionOpenFailed(value) | UpdateFailed(value) => of_value(value),
        other => StoreError::Failed(other.to_string()),
    }
}

fn of_value(value: &JsValue) -> StoreError {
    match value.dyn_ref::<DomException>() {
        Some(exception) => of_exception(exception),
        None => StoreError::Failed(format!("{value:?}")),
    }
}

fn of_exception(exception: &DomException) -> StoreError {
    of_name(&exception.name(), &exception.message())
}

fn of_name(name: &str, message: &str) -> StoreError {
    match name {
        "QuotaExceededError" => StoreError::Quota,
        "VersionError" => StoreError::Newer,
        "SecurityError" | "NotAllowedError" => StoreError::Denied,
        // Private windows of some browsers have a database that cannot be written.
        "InvalidStateError" if message.contains("mutation") => StoreError::Denied,
        _ => StoreError::Failed(format!("{name}: {message}")),
    }
}

//! Where a server's rows are: in IndexedDB, or in memory and gone with the worker.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::RefCell;

use super::idb::IndexedStore;
use crate::store::{Query, Row, WriteBatch, memory::MemoryStore};

/// Why a store cannot be used, by what a user can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room is left; what was to be written was not.
    #[error("the browser gives this site no more room; delete something or allow it to keep more")]
    Quota,
    /// An older version of hublet has the database open.
    #[error("another tab has an older version of the database open; close or reload it")]
    Blocked,
    /// A newer version of hublet made the database.
    #[error("the database was made by a newer version of hublet; reload the page to get that version")]
    Newer,
    /// The site may not have one.
    #[error(
        "the browser allows this site no database, as in some private windows; allow it or open the server in memory"
    )]
    Denied,
    /// The platform has the server's key and gives it to nobody.
    #[error(
        "the browser keeps this server's key and gives it to nobody: open a server that is to be moved with `key: \"sealed\"` when it is made; rooms can be exported in any case, by `exportRoom`"
    )]
    KeyStays,
    /// The platform did not sign.
    #[error("the browser made no signature with the server's key; try again")]
    Unsigned,
    /// Anything else, in the browser's words.
    #[error("the database failed: {0}")]
    Failed(String),
}

/// The rows of all machines of a server.
#[derive(Debug)]
pub enum Store {
    /// In IndexedDB.
    Indexed(IndexedStore),
    /// In memory.
    Memory(RefCell<BTreeMap<String, MemoryStore>>),
}

impl Store {
    /// A store without rows that lasts as long as the worker.
    pub const fn in_memory() -> Self {
        Self::Memory(RefCell::new(BTreeMap::new()))
    }

    /// Applies a batch as a whole. What was begun first is applied first, and seen by every read begun later.
    ///
    /// # Errors
    /// A [`StoreError`]; nothing of the batch is then applied.
    pub fn apply(&self, machine: &str, batch: WriteBatch) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let begun = match self {
            Self::Indexed(store) => Some(store.begin(machine, &batch)),
            Self::Memory(machines) => {
                machines.borrow_mut().entry(machine.to_string()).or_default().apply(batch);
                None
            }
        };
        async move {
            match begun {
                Some(begun) => begun?.durable().await,
                None => Ok(()),
            }
        }
    }

    /// The rows of each query, in the order of the queries, as they are now.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub fn read(
        &self,
        machine: &str,
        queries: &[Query],
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, StoreError>> + use<> {
        let begun = match self {
            Self::Indexed(store) => Err(store.read(machine, queries)),
            Self::Memory(machines) => {
                let machines = machines.borrow();
                let rows = |query| machines.get(machine).map_or_else(Vec::new, |store| store.read(query));
                Ok(queries.iter().map(rows).collect())
            }
        };
        async move {
            match begun {
                Ok(rows) => Ok(rows),
                Err(asked) => asked.await,
            }
        }
    }

    /// Every machine that has rows.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub async fn machines(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Indexed(store) => store.machines().await,
            Self::Memory(machines) => Ok(machines.borrow().keys().cloned().collect()),
        }
    }
}

//! The database's stores, version by version. A step is never changed once it was released: databases in browsers out there are at every one of them.

use alloc::rc::Rc;
use core::{
    cell::Cell,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use gloo_timers::future::TimeoutFuture;
use idb::{Database, DatabaseEvent, Factory, ObjectStoreParams};
use wasm_bindgen::JsCast;
use web_sys::{Event, IdbDatabase};

use super::failure;
use crate::adapters::store::StoreError;

/// The rows of all machines.
pub(super) const ROWS: &str = "rows";

/// What is beside the rows: the server's key.
pub(super) const SECRETS: &str = "secrets";

/// What a version adds to the one before it, or the first to nothing.
type Step = fn(&Database) -> Result<(), idb::Error>;

const STEPS: [Step; 2] = [
    |database| database.create_object_store(ROWS, ObjectStoreParams::new()).map(|_| ()),
    |database| database.create_object_store(SECRETS, ObjectStoreParams::new()).map(|_| ()),
];

/// How long another tab may take to let go of an older version, in milliseconds.
const PATIENCE: u32 = 3_000;

/// Opens a database, and brings it to the present version.
///
/// # Errors
/// A [`StoreError`].
pub(super) async fn open(name: &str) -> Result<IdbDatabase, StoreError> {
    at(name, STEPS.len()).await
}

/// Opens a database at a version: the present one, or for a test an earlier one.
pub(super) async fn at(name: &str, version: usize) -> Result<IdbDatabase, StoreError> {
    let number = u32::try_from(version).unwrap_or(u32::MAX);
    let mut request = Factory::new().and_then(|factory| factory.open(name, Some(number))).map_err(|e| failure(&e))?;
    request.on_upgrade_needed(move |event| {
        let before = event.old_version().ok().and_then(|before| usize::try_from(before).ok()).unwrap_or(usize::MAX);
        let Ok(database) = event.database() else { return };
        // A step that fails aborts the upgrade, and opening fails with it.
        let _ = STEPS.iter().take(version).skip(before).try_for_each(|step| step(&database));
    });
    let is_blocked = Rc::new(Cell::new(false));
    let told = is_blocked.clone();
    request.on_blocked(move |_| told.set(true));
    let mut opening = pin!(request.into_future());
    let mut patience = Some(TimeoutFuture::new(PATIENCE));
    let opened = poll_fn(|context| {
        if let Poll::Ready(opened) = opening.as_mut().poll(context) {
            return Poll::Ready(opened.map_err(|error| failure(&error)));
        }
        if patience.as_mut().is_some_and(|timer| Pin::new(timer).poll(context).is_ready()) {
            patience = None;
        }
        if patience.is_none() && is_blocked.get() { Poll::Ready(Err(StoreError::Blocked)) } else { Poll::Pending }
    });
    let connection = IdbDatabase::from(opened.await?);
    // Another tab is to bring the database to a newer version: it must not wait for us.
    let mut watched = Database::from(connection.clone());
    watched.on_version_change(move |event| close(&event));
    watched.forget_callbacks();
    Ok(connection)
}

fn close(event: &Event) {
    if let Some(connection) = event.target().and_then(|target| target.dyn_into::<IdbDatabase>().ok()) {
        connection.close();
    }
}

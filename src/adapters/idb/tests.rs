use alloc::{format, string::String, vec::Vec};

use idb::{Factory, ObjectStore};
use js_sys::Uint8Array;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{IndexedStore, bytes, of_name, schema};
use crate::{
    adapters::{clock, store::StoreError},
    store::{
        Query, Row, Table, WriteBatch,
        conformance::{Step, cases},
    },
};

/// A database that no other test has.
fn fresh(what: &str) -> String {
    format!("test {what} {:?}", clock::random::<8>())
}

fn batch(key: &[u8], value: &[u8]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(Table::Log, key, value);
    batch
}

async fn commit(store: &IndexedStore, machine: &str, batch: &WriteBatch) {
    store.begin(machine, batch).unwrap().durable().await.unwrap();
}

fn row(key: &[u8], value: &[u8]) -> Row {
    Row { key: key.to_vec(), value: value.to_vec() }
}

#[wasm_bindgen_test]
async fn it_does_what_every_store_must() {
    let name = fresh("conformance");
    let store = IndexedStore::open(&name).await.unwrap();
    for (number, case) in cases().into_iter().enumerate() {
        // Rows of other machines must not be in the way.
        let machine = format!("room:!{number}:a.example");
        commit(&store, &format!("{machine}0"), &batch(b"other", b"above")).await;
        commit(&store, &format!("room:!{number}:a.exampl"), &batch(b"other", b"below")).await;
        for step in case.steps {
            match step {
                Step::Apply(batch) => commit(&store, &machine, &batch).await,
                Step::Expect(query, rows) => {
                    let found = store.read(&machine, core::slice::from_ref(&query)).await.unwrap();
                    assert_eq!(found, [rows], "{}: {query:?}", case.name);
                }
            }
        }
    }
}

#[wasm_bindgen_test]
async fn rows_outlive_the_connection() {
    let name = fresh("reopened");
    let store = IndexedStore::open(&name).await.unwrap();
    commit(&store, "front", &batch(b"k", b"v")).await;
    store.close();
    let store = IndexedStore::open(&name).await.unwrap();
    assert_eq!(store.read("front", &[Query::all(Table::Log)]).await.unwrap(), [[row(b"k", b"v")]]);
}

#[wasm_bindgen_test]
async fn a_read_sees_what_was_begun_before_it() {
    let store = IndexedStore::open(&fresh("order")).await.unwrap();
    let first = store.begin("front", &batch(b"k", b"1")).unwrap();
    let second = store.begin("front", &batch(b"k", b"2")).unwrap();
    let found = store.read("front", &[Query::all(Table::Log), Query::all(Table::Log).reversed()]).await.unwrap();
    assert_eq!(found, [[row(b"k", b"2")], [row(b"k", b"2")]]);
    second.durable().await.unwrap();
    first.durable().await.unwrap();
}

#[wasm_bindgen_test]
async fn an_aborted_batch_leaves_nothing() {
    let store = IndexedStore::open(&fresh("aborted")).await.unwrap();
    let begun = store.begin("front", &batch(b"k", b"1")).unwrap();
    begun.transaction.abort().unwrap();
    assert!(matches!(begun.durable().await, Err(StoreError::Failed(_))));
    assert_eq!(store.read("front", &[Query::all(Table::Log)]).await.unwrap(), [[]]);
}

#[wasm_bindgen_test]
async fn machines_are_listed_once_each() {
    let store = IndexedStore::open(&fresh("machines")).await.unwrap();
    for machine in ["room:!b:a.example", "account:@a:a.example", "room:!b:a.example0"] {
        commit(&store, machine, &batch(b"1", b"")).await;
        commit(&store, machine, &batch(&[255, 255], b"")).await;
    }
    let machines = store.machines().await.unwrap();
    assert_eq!(machines, ["account:@a:a.example", "room:!b:a.example", "room:!b:a.example0"]);
}

#[wasm_bindgen_test]
async fn a_database_of_the_first_version_is_brought_up_with_its_rows() {
    let name = fresh("migration");
    let old = schema::at(&name, 1).await.unwrap();
    assert_eq!(idb::Database::from(old.clone()).store_names(), ["rows"]);
    let transaction = old.transaction_with_str_and_mode("rows", web_sys::IdbTransactionMode::Readwrite).unwrap();
    let rows = ObjectStore::from(transaction.object_store("rows").unwrap());
    rows.put(&bytes(b"v"), Some(&bytes(b"front\0\x01k"))).unwrap().await.unwrap();
    // The older connection is open still: it must let go by itself.
    let store = IndexedStore::open(&name).await.unwrap();
    assert_eq!(store.read("front", &[Query::all(Table::Log)]).await.unwrap(), [[row(b"k", b"v")]]);
    assert_eq!(store.secret("key").await.unwrap(), None);
    store.put_secret("key", &bytes(b"sealed")).await.unwrap();
    let kept = store.secret("key").await.unwrap().unwrap();
    assert_eq!(Uint8Array::new(&kept).to_vec(), b"sealed");
}

#[wasm_bindgen_test]
async fn all_rows_go_from_one_database_into_another() {
    let (from, to) =
        (IndexedStore::open(&fresh("dump")).await.unwrap(), IndexedStore::open(&fresh("load")).await.unwrap());
    commit(&from, "front", &batch(b"k", b"v")).await;
    commit(&to, "peer:gone.example", &batch(b"old", b"row")).await;
    let rows = from.dump().await.unwrap();
    let rows: Vec<_> = rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
    to.replace(&rows).await.unwrap();
    assert_eq!(to.machines().await.unwrap(), ["front"]);
    assert_eq!(to.read("front", &[Query::all(Table::Log)]).await.unwrap(), [[row(b"k", b"v")]]);
}

#[wasm_bindgen_test]
async fn a_database_of_a_newer_version_is_told() {
    let name = fresh("newer");
    let request = Factory::new().unwrap().open(&name, Some(99)).unwrap();
    request.await.unwrap().close();
    assert_eq!(IndexedStore::open(&name).await.err(), Some(StoreError::Newer));
}

#[wasm_bindgen_test]
async fn a_tab_that_does_not_let_go_is_told() {
    let name = fresh("blocked");
    let request = Factory::new().unwrap().open(&name, Some(1)).unwrap();
    let stubborn = request.await.unwrap();
    assert_eq!(IndexedStore::open(&name).await.err(), Some(StoreError::Blocked));
    stubborn.close();
}

#[wasm_bindgen_test]
fn the_browser_s_words_have_their_meaning() {
    for (name, message, expected) in [
        ("QuotaExceededError", "", StoreError::Quota),
        ("VersionError", "", StoreError::Newer),
        ("SecurityError", "", StoreError::Denied),
        ("InvalidStateError", "A mutation operation was attempted on a database", StoreError::Denied),
        ("InvalidStateError", "closing", StoreError::Failed("InvalidStateError: closing".into())),
    ] {
        assert_eq!(of_name(name, message), expected);
    }
}

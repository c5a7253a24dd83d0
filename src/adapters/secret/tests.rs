use alloc::{format, vec, vec::Vec};

use wasm_bindgen_test::wasm_bindgen_test;

use super::{Keeper, NAME, ServerKey, object, of_platform, put, seed, subtle, wait};
use crate::{
    adapters::{clock, idb::IndexedStore, store::StoreError},
    crypto::{PreparedKey, SigningKey, verify},
};

/// A database that no other test has.
async fn database(what: &str) -> IndexedStore {
    IndexedStore::open(&format!("test {what} {:?}", clock::random::<8>())).await.unwrap()
}

#[wasm_bindgen_test]
async fn the_browser_keeps_a_new_key_and_gives_it_to_nobody() {
    let store = database("platform").await;
    let key = ServerKey::open(&store, Keeper::Platform).await.unwrap();
    assert_eq!(key.keeper(), Keeper::Platform);
    let kept = of_platform(&store.secret(NAME).await.unwrap().unwrap()).unwrap();
    for format in ["pkcs8", "jwk", "raw"] {
        assert!(wait(subtle().unwrap().export_key(format, &kept).unwrap()).await.is_err(), "{format}");
    }
    assert_eq!(seed(&store).await, Err(StoreError::KeyStays));
}

#[wasm_bindgen_test]
async fn the_same_key_signs_after_every_start_many_at_once_in_order() {
    let store = database("again").await;
    let first = ServerKey::open(&store, Keeper::Platform).await.unwrap();
    // A wish is for a server that is made.
    let key = ServerKey::open(&store, Keeper::Sealed).await.unwrap();
    assert_eq!((key.name(), key.keeper()), (first.name(), Keeper::Platform));
    let public = PreparedKey::prepare(&key.name().key_in_name().unwrap()).unwrap();
    let messages: Vec<_> = (0..30).map(|number| vec![number; 1_000]).collect();
    let asked: Vec<_> = messages.iter().map(|message| key.sign(message)).collect();
    for (message, signature) in messages.iter().zip(asked) {
        assert_eq!(verify(&public, message, &signature.await.unwrap()), Ok(()));
    }
}

#[wasm_bindgen_test]
async fn a_seed_that_the_database_keeps_stays_the_key() {
    let store = database("sealed").await;
    put(&store, &[7; 32]).await.unwrap();
    let key = ServerKey::open(&store, Keeper::Platform).await.unwrap();
    assert_eq!(key.keeper(), Keeper::Sealed);
    assert_eq!(key.identity().public_key(), SigningKey::from_seed(&[7; 32]).public());
    assert_eq!(seed(&store).await, Ok([7; 32]));
}

#[wasm_bindgen_test]
async fn a_key_is_sealed_on_wish_and_takes_the_place_of_any_other() {
    let store = database("wish").await;
    let key = ServerKey::open(&store, Keeper::Sealed).await.unwrap();
    assert_eq!(key.keeper(), Keeper::Sealed);
    let sealed = seed(&store).await.unwrap();
    assert_eq!(key.identity().public_key(), SigningKey::from_seed(&sealed).public());
    let other = database("other").await;
    ServerKey::open(&other, Keeper::Platform).await.unwrap();
    put(&other, &sealed).await.unwrap();
    assert_eq!(ServerKey::open(&other, Keeper::Platform).await.unwrap().name(), key.name());
    assert_eq!(seed(&other).await, Ok(sealed));
}

#[wasm_bindgen_test]
async fn what_is_no_key_is_told_and_left_alone() {
    let store = database("other form").await;
    let kept = object(&[("private", "none".into())]);
    store.put_secret(NAME, &kept).await.unwrap();
    assert!(matches!(ServerKey::open(&store, Keeper::Platform).await, Err(StoreError::Failed(_))));
    assert!(store.secret(NAME).await.unwrap().is_some_and(|kept| kept.is_object()));
    assert!(matches!(seed(&store).await, Err(StoreError::Failed(_))));
}

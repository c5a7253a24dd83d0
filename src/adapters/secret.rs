//! The server's key at rest: its seed, sealed with an AES key that the browser keeps and does not give out.
//!
//! Whoever copies the database file without the browser's own key storage gets nothing; scripts of this origin could ask the browser to unseal, as they could
//! ask it to sign. The core signs by itself, so the seed is in the worker's memory while it runs.

use alloc::{string::String, vec::Vec};

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::{clock, idb::IndexedStore, store::StoreError};

/// Under which name the sealed key is kept.
const NAME: &str = "key";

const ALGORITHM: &str = "AES-GCM";

/// The seed that the database keeps; a fresh one, kept from now on, where it has none.
///
/// # Errors
/// A [`StoreError`]; also when what is kept cannot be unsealed.
pub async fn seed(store: &IndexedStore) -> Result<[u8; 32], StoreError> {
    match store.secret(NAME).await? {
        Some(kept) => unseal(&kept).await.map_err(|error| failed(&error)),
        None => {
            let seed = fresh()?;
            put(store, &seed).await?;
            Ok(seed)
        }
    }
}

/// A seed that nobody has.
///
/// # Errors
/// When the browser has no randomness.
pub fn fresh() -> Result<[u8; 32], StoreError> {
    clock::random().ok_or_else(|| StoreError::Failed("the browser has no randomness for a key".into()))
}

/// Keeps a seed in place of any other.
///
/// # Errors
/// A [`StoreError`].
pub async fn put(store: &IndexedStore, seed: &[u8; 32]) -> Result<(), StoreError> {
    let sealed = seal(seed).await.map_err(|error| failed(&error))?;
    store.put_secret(NAME, &sealed).await
}

async fn seal(seed: &[u8; 32]) -> Result<JsValue, JsValue> {
    let subtle = subtle()?;
    let algorithm = object(&[("name", ALGORITHM.into()), ("length", 256.into())]);
    let usages = Array::of2(&"encrypt".into(), &"decrypt".into());
    let key: CryptoKey = wait(subtle.generate_key_with_object(&algorithm, false, &usages)?).await?.unchecked_into();
    let iv = Uint8Array::from(clock::random::<12>().unwrap_or_default().as_slice());
    let sealed = wait(subtle.encrypt_with_object_and_u8_array(&with_iv(&iv), &key, seed)?).await?;
    Ok(object(&[("key", key.into()), ("iv", iv.into()), ("sealed", Uint8Array::new(&sealed).into())]).into())
}

async fn unseal(kept: &JsValue) -> Result<[u8; 32], JsValue> {
    let field = |name: &str| Reflect::get(kept, &name.into());
    let key: CryptoKey = field("key")?.dyn_into()?;
    let (iv, sealed) = (Uint8Array::new(&field("iv")?), Uint8Array::new(&field("sealed")?).to_vec());
    let seed = wait(subtle()?.decrypt_with_object_and_u8_array(&with_iv(&iv), &key, &sealed)?).await?;
    let seed: Vec<u8> = Uint8Array::new(&seed).to_vec();
    seed.try_into().map_err(|_| "the key that was kept has another length".into())
}

fn with_iv(iv: &Uint8Array) -> Object {
    object(&[("name", ALGORITHM.into()), ("iv", iv.into())])
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // A plain object takes any field.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

fn subtle() -> Result<SubtleCrypto, JsValue> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let subtle = Reflect::get(&scope.crypto()?.into(), &"subtle".into())?;
    subtle.dyn_into().map_err(|_| "no WebCrypto: the page must be served over https or from localhost".into())
}

async fn wait(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

fn failed(error: &JsValue) -> StoreError {
    let words = Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
    let words: String = words.or_else(|| error.as_string()).unwrap_or_default();
    StoreError::Failed(alloc::format!("the server's key cannot be unsealed: {words}"))
}

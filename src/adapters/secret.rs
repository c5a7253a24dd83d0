//! The server's key: it signs as the server, whoever keeps its private half.
//!
//! Where WebCrypto has Ed25519 the browser makes the key, keeps it, and gives it to nobody: a script of this origin can have things signed while it runs here,
//! and cannot take the key away. Elsewhere, or when that is wished for, the key is a seed of ours, sealed with an AES key that the browser keeps: whoever
//! copies the database file without the browser's own key storage gets nothing, but a script of this origin could ask the browser to unseal it. With a seed
//! the core signs by itself, so the seed is in the worker's memory while it runs.

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::{clock, idb::IndexedStore, store::StoreError};
use crate::{
    bindings::form::field,
    crypto::{PreparedKey, Signature, SigningKey, verify},
    id::{KeyId, ServerName},
    server::{Identity, Signer},
};

/// Under which name the key is kept.
const NAME: &str = "key";

/// What the platform signs with, and what a seed is sealed with.
const SIGNING: &str = "Ed25519";
const SEALING: &str = "AES-GCM";

/// What a new key of the platform signs first. Nothing that a server signs reads so.
const TRIAL: &[u8] = b"hublet";

/// Who keeps the private half of a server's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// The browser, which signs when it is asked.
    Platform,
    /// The database: sealed.
    Sealed,
    /// Nobody: it ends with the worker.
    #[serde(skip_deserializing)]
    Memory,
}

/// A server's key. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerKey {
    identity: Identity,
    keeper: Keeper,
    /// The platform's key, where that signs.
    private: Option<CryptoKey>,
}

impl ServerKey {
    /// The key that the database keeps. Where it has none a new one is made, which is kept from now on: by whom it was wished, if that can be.
    ///
    /// # Errors
    /// A [`StoreError`]; also when what is kept cannot be used.
    pub async fn open(store: &IndexedStore, wished: Keeper) -> Result<Self, StoreError> {
        if let Some(kept) = store.secret(NAME).await? {
            return Self::read(&kept).await.map_err(|error| failed(&error));
        }
        if wished == Keeper::Platform
            && let Some(key) = Self::make(store).await
        {
            return Ok(key);
        }
        let seed = fresh()?;
        put(store, &seed).await?;
        Self::of_seed(&seed, Keeper::Sealed).map_err(|error| failed(&error))
    }

    /// A new key for a server in memory.
    ///
    /// # Errors
    /// When the browser has no randomness.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::of_seed(&fresh()?, Keeper::Memory).map_err(|error| failed(&error))
    }

    /// Who the server is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The server's name.
    pub fn name(&self) -> &ServerName {
        self.identity.name()
    }

    /// Who keeps the private half.
    pub const fn keeper(&self) -> Keeper {
        self.keeper
    }

    /// Signs; nothing where the platform does not. It is asked at once, so that it makes several signatures at the same time.
    pub fn sign(&self, message: &[u8]) -> impl Future<Output = Option<Signature>> + use<> {
        let signed = match self.identity.signer() {
            Signer::Held(key) => Ok(key.sign(message)),
            Signer::Platform(_) => Err(self.ask(message)),
        };
        async move {
            match signed {
                Ok(signature) => Some(signature),
                Err(asked) => {
                    let signature = asked.ok()?.await.ok()?;
                    Uint8Array::new(&signature).to_vec().try_into().ok().map(Signature::from_bytes)
                }
            }
        }
    }

    fn ask(&self, message: &[u8]) -> Result<JsFuture, JsValue> {
        let private = self.private.as_ref().ok_or(JsValue::UNDEFINED)?;
        subtle()?.sign_with_str_and_u8_array(SIGNING, private, message).map(JsFuture::from)
    }

    /// Has the platform make a key and keep it; nothing where it cannot, or not as we need it.
    async fn make(store: &IndexedStore) -> Option<Self> {
        let subtle = subtle().ok()?;
        let usages = Array::of2(&"sign".into(), &"verify".into());
        let pair = wait(subtle.generate_key_with_str(SIGNING, false, &usages).ok()?).await.ok()?;
        let public: CryptoKey = field(&pair, "publicKey")?.unchecked_into();
        let public = wait(subtle.export_key("raw", &public).ok()?).await.ok()?;
        let kept = object(&[("private", field(&pair, "privateKey")?), ("public", Uint8Array::new(&public).into())]);
        store.put_secret(NAME, &kept).await.ok()?;
        // There are browsers that have such keys and cannot keep them: what counts is what comes out again.
        let key = Self::read(&store.secret(NAME).await.ok()??).await.ok()?;
        key.is_good().await.then_some(key)
    }

    /// Whether others will take what the platform signs.
    async fn is_good(&self) -> bool {
        let key = PreparedKey::prepare(&self.identity.public_key());
        let signature = self.sign(TRIAL).await;
        key.ok().zip(signature).is_some_and(|(key, signature)| verify(&key, TRIAL, &signature).is_ok())
    }

    async fn read(kept: &JsValue) -> Result<Self, JsValue> {
        let Some(private) = of_platform(kept) else { return Self::of_seed(&unseal(kept).await?, Keeper::Sealed) };
        let public = array(&Reflect::get(kept, &"public".into())?)?;
        Ok(Self {
            identity: identity(&public, Signer::Platform(public))?,
            keeper: Keeper::Platform,
            private: Some(private),
        })
    }

    fn of_seed(seed: &[u8; 32], keeper: Keeper) -> Result<Self, JsValue> {
        let key = SigningKey::from_seed(seed);
        Ok(Self { identity: identity(&key.public(), Signer::Held(key))?, keeper, private: None })
    }
}

/// The seed that the database keeps, to be taken elsewhere.
///
/// # Errors
/// A [`StoreError`]: [`StoreError::KeyStays`] where the platform keeps the key.
pub async fn seed(store: &IndexedStore) -> Result<[u8; 32], StoreError> {
    let kept = store.secret(NAME).await?.unwrap_or_default();
    if of_platform(&kept).is_some() {
        return Err(StoreError::KeyStays);
    }
    unseal(&kept).await.map_err(|error| failed(&error))
}

/// Keeps a seed in place of any other key.
///
/// # Errors
/// A [`StoreError`].
pub async fn put(store: &IndexedStore, seed: &[u8; 32]) -> Result<(), StoreError> {
    let sealed = seal(seed).await.map_err(|error| failed(&error))?;
    store.put_secret(NAME, &sealed).await
}

/// A seed that nobody has.
fn fresh() -> Result<[u8; 32], StoreError> {
    clock::random().ok_or_else(|| StoreError::Failed("the browser has no randomness for a key".into()))
}

fn identity(public: &[u8; 32], signer: Signer) -> Result<Identity, JsValue> {
    let name = ServerName::key_name_of(public).map_err(|error| error.to_string())?;
    let key_id = KeyId::parse("ed25519:key").map_err(|error| error.to_string())?;
    Ok(Identity::new(name, key_id, signer, Vec::new()))
}

/// The platform's key, if what is kept is one.
fn of_platform(kept: &JsValue) -> Option<CryptoKey> {
    field(kept, "private")?.dyn_into().ok()
}

async fn seal(seed: &[u8; 32]) -> Result<JsValue, JsValue> {
    let subtle = subtle()?;
    let algorithm = object(&[("name", SEALING.into()), ("length", 256.into())]);
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
    array(&seed)
}

fn array(bytes: &JsValue) -> Result<[u8; 32], JsValue> {
    let bytes: Vec<u8> = Uint8Array::new(bytes).to_vec();
    bytes.try_into().map_err(|_| "what was kept has another length".into())
}

fn with_iv(iv: &Uint8Array) -> Object {
    object(&[("name", SEALING.into()), ("iv", iv.into())])
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
    let words = field(error, "message").and_then(|message| message.as_string());
    let words: String = words.or_else(|| error.as_string()).unwrap_or_default();
    StoreError::Failed(alloc::format!("the server's key cannot be used: {words}"))
}

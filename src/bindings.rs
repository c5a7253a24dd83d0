//! The JavaScript side of the WebAssembly module: one file a class, functions here.
//!
//! Strings, bytes and plain objects cross the boundary; nothing here calls what a user passed in. What fails throws a
//! `HubletError`, whose code is one of a closed list.

extern crate std;

pub(crate) mod answer;
#[cfg(all(test, target_arch = "wasm32"))]
mod boundary;
pub(crate) mod call;
mod error;
pub(crate) mod form;
mod identity;
pub(crate) mod input;
mod machine;
mod memory_store;
pub(crate) mod notification;
mod output;
pub(crate) mod request;
mod router;
mod server;
pub(crate) mod types;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use js_sys::JsString;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    id::{RoomId, ServerName, Timestamp, base64},
    json::{JsonError, KeyOrder, Limits, parse},
    server::{Answer, Moment, link},
    store::Table,
};
use answer::AnswerForm;
use call::CallForm;
use error::HubletError;
#[cfg(all(test, feature = "browser"))]
pub(crate) use error::UNION as ERROR_CODES;
use form::{Argument, array, from_js, to_js};
use types::{AnswerObject, CallObject};

pub use machine::Machine;
pub use memory_store::MemoryStore;
pub use router::Router;
pub use server::Server;

/// The version of this package, as in its manifest: `major.minor.patch`.
#[wasm_bindgen]
pub fn version() -> String {
    String::from(env!("CARGO_PKG_VERSION"))
}

/// The memory that the module has taken, in bytes. It never gives any back.
#[wasm_bindgen(js_name = memoryTaken)]
pub fn memory_taken() -> f64 {
    #[cfg(target_arch = "wasm32")]
    let pages = u32::try_from(core::arch::wasm32::memory_size::<0>()).unwrap_or(u32::MAX);
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    f64::from(pages) * 65_536.0
}

/// The canonical form of a JSON text, keys in the order of UTF-16 code units (RFC 8785): the bytes that signatures cover.
///
/// # Errors
/// `json_syntax`, when the text is not I-JSON (RFC 7493); `json_limit`, when it nests deeper than 520 levels.
#[wasm_bindgen(js_name = canonicalJson)]
pub fn canonical_json(#[wasm_bindgen(unchecked_param_type = "string")] text: JsString) -> Result<String, HubletError> {
    // What is no text comes as a text with a mark in its place.
    let text = form::text(&text).ok_or_else(|| {
        let at = String::from(&text).find(char::REPLACEMENT_CHARACTER);
        JsonError::LoneSurrogate(at.and_then(|at| u32::try_from(at).ok()).unwrap_or_default())
    })?;
    let limits = Limits { bytes: text.len(), depth: 520 };
    let document = parse(text.as_bytes(), KeyOrder::Utf16, limits)?;
    Ok(String::from(document.text()))
}

/// The ID of a new room of a server, from 16 random bytes. Unstable.
///
/// # Errors
/// `argument`.
#[wasm_bindgen(js_name = roomId)]
pub fn room_id(server: &str, random: &[u8]) -> Result<String, HubletError> {
    Ok(new_room_id(server, random)?.to_string())
}

/// The public half of a private key's 32-byte seed, as unpadded base64. Unstable.
///
/// # Errors
/// `argument`.
#[wasm_bindgen(js_name = publicKey)]
pub fn public_key(seed: &[u8]) -> Result<String, HubletError> {
    Ok(base64::encode(&identity::signing_key(seed)?.public()))
}

/// Whether an X-Matrix header proves to the server `us` that `server`, whose name is a key, is at the other end of a link; `nonce` is what it was asked to
/// sign. Unstable.
#[wasm_bindgen(js_name = isProven)]
pub fn is_proven(us: &str, server: &str, nonce: &str, header: &str) -> bool {
    ServerName::parse(us).is_ok_and(|us| link::is_proven(&us, server, link::Opened::There, nonce, header))
}

/// The names of a store's tables, each at its number. Unstable.
#[wasm_bindgen]
pub fn tables() -> Vec<String> {
    Table::ALL.iter().map(|table| table.name().into()).collect()
}

/// A call as the bytes that a machine takes. Unstable.
///
/// # Errors
/// `argument`.
#[wasm_bindgen(js_name = encodeCall)]
pub fn encode_call(call: CallObject) -> Result<Vec<u8>, HubletError> {
    Ok(from_js::<CallForm>(call.into())?.read()?.encode())
}

/// What a machine answered, from its bytes. Unstable.
///
/// # Errors
/// `argument`, when the bytes are no answer of this version's machines.
#[wasm_bindgen(js_name = decodeAnswer)]
pub fn decode_answer(answer: &[u8]) -> Result<AnswerObject, HubletError> {
    let answer = Answer::decode(answer).map_err(|error| Argument::of("answer", error))?;
    Ok(to_js(&AnswerForm::from(answer))?.into())
}

/// The answer to a call whose machine cannot be had: to be asked again. Unstable.
#[wasm_bindgen(js_name = encodeUnavailable)]
pub fn encode_unavailable() -> Vec<u8> {
    Answer::Unavailable.encode()
}

fn new_room_id(server: &str, random: &[u8]) -> Result<RoomId, Argument> {
    let server = ServerName::parse(server).map_err(|error| Argument::of("server", error))?;
    let random: [u8; 16] = array(random, "random")?;
    RoomId::parse(&format!("!{}:{server}", base64::encode_url(&random))).map_err(|error| Argument::of("server", error))
}

/// When an input arrives, and its random bytes.
fn moment(now: f64, random: &[u8]) -> Result<Moment, Argument> {
    Ok(Moment { now: Timestamp::new(safe(now, "now")?), random: array(random, "random")? })
}

/// A number that JavaScript and Rust both hold exactly.
fn safe(number: f64, name: &str) -> Result<u64, Argument> {
    const MOST: f64 = 9_007_199_254_740_991.0;
    if !(0.0..=MOST).contains(&number) {
        return Err(Argument::of(name, "must be an integer from 0 to 2^53 - 1"));
    }
    Ok(whole(number))
}

/// The whole part of a number from 0 on, read from its bits: the conversion that the lints allow.
pub(crate) fn whole(number: f64) -> u64 {
    let bits = number.to_bits();
    let exponent = bits >> 52;
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    match exponent {
        0..1023 => 0,
        _ => mantissa.checked_shr(u32::try_from(1075_u64.saturating_sub(exponent)).unwrap_or(u32::MAX)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{new_room_id, safe};

    #[test]
    fn a_room_has_an_id_of_its_random_bytes() {
        let id = new_room_id("localhost:8787", &[255; 16]).unwrap();
        assert_eq!(id.as_str(), "!_____________________w:localhost:8787");
        assert!(new_room_id("no name", &[0; 16]).is_err());
        assert!(new_room_id("hub.example", &[0; 15]).is_err());
    }

    #[test]
    fn numbers_of_javascript_are_taken_exactly() {
        assert_eq!(safe(0.0, "now"), Ok(0));
        assert_eq!(safe(1_700_000_000_000.0, "now"), Ok(1_700_000_000_000));
        assert_eq!(safe(9_007_199_254_740_991.0, "now"), Ok((1 << 53) - 1));
        for wrong in [-1.0, 9_007_199_254_740_992.0, f64::NAN, f64::INFINITY] {
            assert_eq!(safe(wrong, "now").unwrap_err().0, "`now`: must be an integer from 0 to 2^53 - 1");
        }
    }
}

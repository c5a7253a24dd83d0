//! The JavaScript side of the WebAssembly module: one file a class, functions here.
//!
//! Strings, bytes and plain objects cross the boundary; nothing here calls what a user passed in. What fails throws a
//! `HubletError`, whose code is one of a closed list.

extern crate std;

mod error;

use alloc::string::String;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::json::{KeyOrder, Limits, parse};
use error::HubletError;

/// The version of this package, as in its manifest: `major.minor.patch`.
#[wasm_bindgen]
pub fn version() -> String {
    String::from(env!("CARGO_PKG_VERSION"))
}

/// The canonical form of a JSON text, keys in the order of UTF-16 code units (RFC 8785): the bytes that signatures cover.
///
/// # Errors
/// `json_syntax`, when the text is not I-JSON (RFC 7493); `json_limit`, when it nests deeper than 520 levels.
#[wasm_bindgen(js_name = canonicalJson)]
pub fn canonical_json(text: &str) -> Result<String, HubletError> {
    let limits = Limits { bytes: text.len(), depth: 520 };
    let document = parse(text.as_bytes(), KeyOrder::Utf16, limits)?;
    Ok(String::from(document.text()))
}

//! Between JavaScript's plain objects and the core's types: what every form shares.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;

use crate::json::{Document, KeyOrder, Limits, parse};

/// The most that a JSON text from JavaScript may cost: what a request may.
const LIMITS: Limits = Limits { bytes: 1 << 24, depth: 520 };

/// An argument that is not of the form its function takes: which, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument(pub(crate) String);

impl Argument {
    /// What is wrong with the value of a field.
    pub(crate) fn of(field: &str, wrong: impl ToString) -> Self {
        Self(format!("`{field}`: {}", wrong.to_string()))
    }
}

/// Reads a plain object; what it must hold beside what the compiler can say is for the caller to check.
pub(crate) fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, Argument> {
    serde_wasm_bindgen::from_value(value).map_err(|error| Argument(error.to_string()))
}

/// A field of a plain object, if it is set.
pub(crate) fn field(object: &JsValue, name: &str) -> Option<JsValue> {
    js_sys::Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined())
}

/// Writes a plain object.
pub(crate) fn to_js(value: &impl Serialize) -> Result<JsValue, Argument> {
    value.serialize(&serde_wasm_bindgen::Serializer::new()).map_err(|error| Argument(error.to_string()))
}

/// A field that this kind of object must have.
pub(crate) fn needed<T>(field: Option<T>, name: &str) -> Result<T, Argument> {
    field.ok_or_else(|| Argument::of(name, "is missing"))
}

/// A field that is text of some grammar.
pub(crate) fn parsed<T, E: ToString>(
    field: Option<String>,
    name: &str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<T, Argument> {
    parse(&needed(field, name)?).map_err(|error| Argument::of(name, error))
}

/// A list of texts of some grammar.
pub(crate) fn parsed_list<T, E: ToString>(
    field: &[String],
    name: &str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Argument> {
    field.iter().map(|text| parse(text).map_err(|error| Argument::of(name, error))).collect()
}

/// A field that is a JSON text.
pub(crate) fn document(field: &str, name: &str) -> Result<Document, Argument> {
    parse(field.as_bytes(), KeyOrder::Utf16, LIMITS).map_err(|error| Argument::of(name, error))
}

/// Bytes of a length that is known.
pub(crate) fn array<const N: usize>(bytes: &[u8], name: &str) -> Result<[u8; N], Argument> {
    bytes.try_into().map_err(|_| Argument::of(name, format!("must be {N} bytes long, not {}", bytes.len())))
}

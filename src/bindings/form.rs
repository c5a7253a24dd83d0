//! Between JavaScript's plain objects and the core's types: what every form shares.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use js_sys::{Array, ArrayBuffer, JsString, Reflect};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};

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

/// The most entries of a list, and how deep objects may nest, in what is read.
const ENTRIES: u32 = 1 << 16;
const DEPTH: u32 = 8;

#[wasm_bindgen]
extern "C" {
    /// What `js-sys` does not have.
    #[wasm_bindgen(extends = JsString)]
    type Text;

    /// Whether it is UTF-16: no half of a surrogate pair stands alone.
    #[wasm_bindgen(method, catch, js_name = isWellFormed)]
    fn is_well_formed(this: &Text) -> Result<bool, JsValue>;
}

/// Reads a plain object; what it must hold beside what the compiler can say is for the caller to check.
pub(crate) fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, Argument> {
    check(&value, "value", DEPTH)?;
    serde_wasm_bindgen::from_value(value).map_err(|error| Argument(error.to_string()))
}

/// What is no text, has no end or cannot be read must not come to a reader that expects none of that.
fn check(value: &JsValue, name: &str, depth: u32) -> Result<(), Argument> {
    if let Some(text) = value.dyn_ref::<JsString>() {
        return is_text(text).then_some(()).ok_or_else(|| Argument::of(name, "holds half of a surrogate pair"));
    }
    if !value.is_object() || ArrayBuffer::is_view(value) {
        return Ok(());
    }
    if depth == 0 {
        return Err(Argument::of(name, "nests too deep"));
    }
    let unreadable = |_| Argument::of(name, "cannot be read");
    let depth = depth.saturating_sub(1);
    if let Some(list) = value.dyn_ref::<Array>() {
        if list.length() > ENTRIES {
            return Err(Argument::of(name, "has too many entries"));
        }
        return (0..list.length()).try_for_each(|at| {
            let entry = Reflect::get_u32(value, at).map_err(unreadable)?;
            check(&entry, name, depth)
        });
    }
    for key in Reflect::own_keys(value).map_err(unreadable)? {
        let name = key.as_string().unwrap_or_default();
        check(&Reflect::get(value, &key).map_err(unreadable)?, &name, depth)?;
    }
    Ok(())
}

/// A text as JavaScript has it; nothing where it is none in Unicode's sense.
pub(crate) fn text(text: &JsString) -> Option<String> {
    is_text(text).then(|| String::from(text))
}

/// A browser that cannot tell puts something else in place of what is no text.
fn is_text(text: &JsString) -> bool {
    text.unchecked_ref::<Text>().is_well_formed().unwrap_or(true)
}

/// A field of a plain object, if it is set.
pub(crate) fn field(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined())
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

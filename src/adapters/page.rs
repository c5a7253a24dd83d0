//! The types of what the worker tells a page, for its TypeScript: written beside the forms that make it.

use wasm_bindgen::prelude::wasm_bindgen;

#[allow(dead_code, reason = "only the bindings generator reads it, and a native build has none")]
const DECLARATIONS: &str = include_str!("page.d.ts");

#[wasm_bindgen(typescript_custom_section)]
const PAGE: &str = DECLARATIONS;

/// Whether a form is as its type says.
///
/// # Panics
/// When it is not.
#[cfg(test)]
pub(super) fn assert_fits(form: &impl serde::Serialize, name: &str) {
    use crate::bindings::{ERROR_CODES, types};
    let all = [ERROR_CODES, types::DECLARATIONS, DECLARATIONS].concat();
    let value = serde_json::to_value(form).unwrap();
    types::declared::Declarations::read(&all).fits(&value, name).unwrap();
}

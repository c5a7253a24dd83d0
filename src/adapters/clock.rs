//! The browser's clock and its randomness.

use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use crate::{id::Timestamp, server::Moment};

/// The time, in milliseconds.
pub fn now() -> Timestamp {
    Timestamp::new(crate::bindings::whole(js_sys::Date::now()))
}

/// Random bytes; nothing where the platform has none to give.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    scope.crypto().and_then(|crypto| crypto.get_random_values_with_u8_array(&mut bytes)).ok()?;
    Some(bytes)
}

/// The moment of an input. Without randomness room IDs and back-off repeat, which does less harm than a server that stands still.
pub fn moment() -> Moment {
    Moment { now: now(), random: random().unwrap_or_default() }
}

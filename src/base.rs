//! What a server stands on: bytes, keys, events, rows, one room. `hublet` hands all of it on; use it from there.
//!
//! It is a package of its own because it is optimised for speed, and what stands on it for size: of the time that an append takes, nearly all passes here.
#![no_std]
#![cfg_attr(test, allow(clippy::as_conversions, clippy::indexing_slicing, clippy::string_slice))]

extern crate alloc;
#[cfg(test)]
extern crate std;
// There `#[test]` means a test in Node or in a browser.
#[cfg(test)]
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate hublet_wasm_test;

// Bytes: what every event and request is made of.
pub mod id;
pub mod json;
#[doc(hidden)]
pub mod ordered;

// Keys: one small door to Ed25519.
pub mod crypto;

// Events: the ladder from received bytes to a verified event.
pub mod event;

// Rows: what a machine reads and commits, as bytes under ordered keys.
pub mod store;

// Rooms: one room's state, rules, and log.
pub mod room;

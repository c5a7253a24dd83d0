//! Linearized Matrix: a room is one hash-linked array of events, ordered by a hub.
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
mod ordered;

// Keys: one small door to Ed25519.
pub mod crypto;

// Events: the ladder from received bytes to a verified event.
pub mod event;

// Rows: what a machine reads and commits, as bytes under ordered keys.
pub mod store;

// Rooms: one room's state, rules, and log.
pub mod room;

// Servers: rooms, peers and accounts that answer requests.
pub mod server;

// Tests: servers with known keys, and what carries out a machine's wishes.
#[cfg(any(test, feature = "testing"))]
pub mod testing;

// JavaScript: what the WebAssembly module offers.
#[cfg(feature = "bindings")]
pub mod bindings;

// The outside, in browsers.
#[cfg(feature = "browser")]
pub mod adapters;

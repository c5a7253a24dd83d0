//! The benchmarks that also run as WebAssembly, in Node and in headless Chromium.
//!
//! Each is the native file itself, run as a test: `report` has a clock for either place.
#![allow(
    clippy::duplicate_mod,
    reason = "natively each benchmark is a program of its own, with the report and the rig in it"
)]
#![cfg(all(test, target_family = "wasm"))]

#[path = "append.rs"]
mod append;
// The null door has nothing to measure.
#[cfg(not(feature = "null-crypto"))]
#[path = "crypto.rs"]
mod crypto;
#[path = "receive.rs"]
mod receive;

//! The benchmarks under `benches/` that also run as WebAssembly, in Node and in headless Chromium.
//!
//! Each is the native file itself, run as a test: it hands its work to `report::measure`, which has a clock for either place.
#![cfg(all(test, target_arch = "wasm32"))]

#[path = "../crypto.rs"]
mod crypto;

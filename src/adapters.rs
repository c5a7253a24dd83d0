//! What a server in a browser has of the outside: the only Rust that touches it, and only there. At the edge and in Node the outside is their own JavaScript.
//!
//! All of it runs in a dedicated Worker, so that nothing here can block a page. What fails is told in words that a user can act on, by a closed list of codes.

extern crate std;

// What a server needs: time and chance, rows, a key, a lock.
pub mod clock;
pub mod idb;
pub mod locks;
pub mod secret;
pub mod store;

// Other servers.
pub mod links;

// What a page may look at.
mod backup;
mod page;
mod proof;

// The server at work, and a tab's part of it.
pub mod engine;
pub mod tab;

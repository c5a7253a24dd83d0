//! For tests, the simulator and benchmarks: servers with known keys, and a driver that carries out what one machine wants. Never for a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails must stop")]

mod driver;
pub mod duo;
mod forge;
mod host;
mod net;
mod rooms;
mod servers;

pub use driver::Driver;
pub use forge::Forgery;
pub use host::Server;
pub use net::{Fate, Net, Packet, Way};
pub use servers::{content, identity, keys_of, lpdu, server, signed_request, signing_key, user};

//! For tests, the simulator and benchmarks: servers with known keys, and a driver that carries out what one machine wants. Never for a server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails must stop"
)]

mod dice;
mod driver;
pub mod duo;
mod forge;
mod host;
mod net;
pub mod request;
mod rooms;
mod servers;
pub mod sim;

pub use dice::Dice;
pub use driver::Driver;
pub use forge::Forgery;
pub use host::{Disk, Durable, Server};
pub use net::{Fate, Net, Packet, Way};
pub use servers::{content, identity, keys_of, lpdu, server, signed_request, signing_key, user};

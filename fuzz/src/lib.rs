//! What the fuzz targets share. A target holds promises of the core against any input: it panics when one is broken, or when the core does.

mod change;
mod pick;
mod servers;

pub use change::{change, value};
pub use pick::Pick;
pub use servers::{ANN, HAL, HUB, OTHER, PART, ROOM, Servers, log_is_whole, lpdu};

use hublet::json::Limits;

/// The limits of a request's body.
pub const LIMITS: Limits = Limits { bytes: 4 << 20, depth: 520 };

//! Identifiers: grammar, checked once at the edge (spec, section 2).
//!
//! Each identifier is a newtype over shared text; `parse` is its only constructor, so whoever holds one holds a valid
//! one. They compare and sort as bytes, case-sensitively, and cloning one copies no text.
//!
//! ```
//! use hublet::id::{ServerName, UserId};
//!
//! let ann = UserId::parse("@ann:localhost:8791")?;
//! assert_eq!(ann.localpart(), "ann");
//! assert_eq!(ann.server_name(), ServerName::parse("localhost:8791")?);
//! # Ok::<(), hublet::id::IdError>(())
//! ```

pub mod base64;
mod error;
mod event_id;
mod key_name;
mod server_name;
mod text;
mod timestamp;

pub use error::IdError;
pub use event_id::EventId;
pub use server_name::ServerName;
pub use text::{DeviceId, KeyId, RoomId, RoomVersionId, UserId};
pub use timestamp::Timestamp;

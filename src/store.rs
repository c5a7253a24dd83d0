//! Rows: all that a machine keeps is bytes under a table and an ordered key.
//!
//! The core knows no store. A machine asks for rows with [`Query`] and writes them with one [`WriteBatch`], which its host applies as a whole or
//! not at all. Keys of a table sort as bytes; a machine sees only its own rows, so two rooms may use equal keys. What a row means is decided by the
//! code that writes it: each value starts with the number of its form, so that later versions can read earlier rows.

mod batch;
mod codec;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod memory;
pub mod wire;

pub use batch::{Query, Row, Table, Write, WriteBatch};
pub use codec::{DecodeError, Reader, Writer};

//! What users say in a room that is not worth keeping (spec, section 11).

use alloc::string::String;

use crate::{id::EventId, json::Document};

/// The largest EDU of ephemeral application data, in bytes.
pub(in crate::server) const MAX_EPHEMERAL: usize = 4_096;

/// What a user says in a room that is not worth keeping.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ephemeral {
    /// The user types, or has stopped.
    Typing(bool),
    /// The user has read the room up to this event.
    Read(EventId),
    /// Data of an application: a cursor, a position in a shared scene. At most 4,096 bytes with what is around it.
    Data {
        /// What it is, in the application's words.
        kind: String,
        /// Any JSON value.
        data: Document,
    },
}

//! Events of our own users, made from what they wish to send.

use alloc::vec::Vec;

use super::context::{Context, not_found};
use crate::{
    event::{EventParts, RoomVersionRules},
    id::{Timestamp, UserId},
    json::{Document, KeyOrder, Limits, ObjectWriter, parse, write_object},
    server::message::{ErrorCode, Failure},
};

/// What a local user wishes to send.
pub(super) struct Wish {
    pub(super) sender: UserId,
    pub(super) kind: alloc::string::String,
    pub(super) state_key: Option<alloc::string::String>,
    pub(super) content: Document,
}

impl Wish {
    /// The event's parts, stamped.
    pub(super) fn parts<'a>(&'a self, context: &'a Context, stamp: Timestamp) -> EventParts<'a> {
        EventParts {
            room_id: &context.room_id,
            sender: &self.sender,
            kind: &self.kind,
            state_key: self.state_key.as_deref(),
            content: &self.content,
            origin_server_ts: stamp,
        }
    }
}

impl Context {
    /// The time for an event of ours: never the same twice, so that equal events differ.
    pub(super) fn stamp(&mut self, now: Timestamp) -> Timestamp {
        let next = Timestamp::new(self.last_stamp.millis().saturating_add(1));
        self.last_stamp = now.max(next);
        self.last_stamp
    }

    /// The rules of the room, and that `sender` is ours.
    pub(super) fn rules_for(&self, sender: &UserId) -> Result<&'static RoomVersionRules, Failure> {
        if sender.server() != self.identity.name().as_str() {
            return Err(Failure::new(403, ErrorCode::Forbidden, "the sender is no user of this server"));
        }
        self.room.as_ref().map(|room| room.rules()).ok_or_else(not_found)
    }
}

/// An object, written and read back: what its writer writes in order.
pub(super) fn object(fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Result<Document, Failure> {
    let mut bytes = Vec::new();
    write_object(&mut bytes, fill);
    let limits = Limits { bytes: crate::event::MAX_PDU_BYTES, depth: crate::event::MAX_DEPTH };
    parse(&bytes, KeyOrder::Utf16, limits).map_err(|error| {
        Failure::new(400, ErrorCode::BadJson, alloc::format!("the content is not acceptable: {error}"))
    })
}

/// A schema error in what a local user wishes to send.
pub(super) fn malformed(error: &crate::event::SchemaError) -> Failure {
    Failure::of_schema(*error)
}

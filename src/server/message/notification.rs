//! What a host is told.

use alloc::{string::String, vec::Vec};

use super::{Cause, ErrorCode, Failure};
use crate::{
    id::{DeviceId, EventId, RoomId, ServerName, UserId},
    json::Document,
};

/// What local users and operators are told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// An event was appended.
    Appended {
        /// Where.
        room_id: RoomId,
        /// Its position in our log.
        position: i64,
        /// Its ID.
        event_id: EventId,
        /// The LPDU's ID, if it was one.
        lpdu_id: Option<EventId>,
        /// The event.
        event: Vec<u8>,
        /// Whether the sender's signature could be checked.
        sender_verified: bool,
        /// Whether the content hash fits; else the event is the redacted copy.
        intact: bool,
    },
    /// The hub sent an event that the rules refuse: kept as a link only.
    Rejected {
        /// Where.
        room_id: RoomId,
        /// Its ID.
        event_id: EventId,
        /// Why.
        error: String,
    },
    /// An event was refused: it leaves no trace in the log.
    Refused {
        /// Where.
        room_id: RoomId,
        /// The server that brought it; nothing for one of a local user.
        origin: Option<ServerName>,
        /// The ID of what was received, where one could be computed.
        event_id: Option<EventId>,
        /// What it did not pass.
        cause: Cause,
        /// The code that the refusal is answered with.
        code: ErrorCode,
    },
    /// The hub gave two events the same place.
    Fork {
        /// Where.
        room_id: RoomId,
        /// The event that we had at that place, signed by the hub; empty if only its link was kept.
        first: Vec<u8>,
        /// The other one, signed by the hub.
        second: Vec<u8>,
    },
    /// An event of a local user that the hub had not appended was made anew, for the room's new hub or, if it is `m.room.hub`, for the log's new head: it
    /// goes on under another ID.
    Resent {
        /// Where.
        room_id: RoomId,
        /// The LPDU's ID so far.
        old: EventId,
        /// The LPDU's ID from now on; the event's where we are the hub.
        new: EventId,
    },
    /// An event whose sender's key was missing when it was appended has been checked since.
    Rechecked {
        /// Where.
        room_id: RoomId,
        /// Its position in our log.
        position: i64,
        /// Its ID.
        event_id: EventId,
        /// Whether the sender signed it; else the hub made it up, and it is no longer shown.
        sender_verified: bool,
    },
    /// An event has outlived the room's policy: what is left of it is its redacted form, as if it had been redacted.
    Purged {
        /// Where.
        room_id: RoomId,
        /// Its position in our log.
        position: i64,
        /// Its ID.
        event_id: EventId,
        /// The event, redacted.
        event: Vec<u8>,
    },
    /// The hub serves nothing for this ID.
    Hole {
        /// Where.
        room_id: RoomId,
        /// The position in our log that stands for it; of the time before our log, the one that it would have.
        position: i64,
        /// The ID.
        event_id: EventId,
    },
    /// What belongs into a hole has come, and stands in its place.
    Filled {
        /// Where.
        room_id: RoomId,
        /// Its position in our log, which was the hole's.
        position: i64,
        /// Its ID.
        event_id: EventId,
        /// The event.
        event: Vec<u8>,
        /// Whether the sender's signature could be checked.
        sender_verified: bool,
        /// Whether the content hash fits; else the event is the redacted copy.
        intact: bool,
    },
    /// A local user is invited to a room that we are not in.
    Invited {
        /// The user.
        user: UserId,
        /// Where to.
        room_id: RoomId,
        /// By whom.
        sender: UserId,
    },
    /// An invite or a knock of a local user has ended without the user's doing.
    InviteEnded {
        /// The user.
        user: UserId,
        /// Where to.
        room_id: RoomId,
        /// By whom.
        sender: UserId,
    },
    /// A local user's devices have messages.
    ToDevice {
        /// The user.
        user: UserId,
    },
    /// A remote user's devices changed, as that user's server says; what signs a device object is for encryption to check.
    DevicesChanged {
        /// The user.
        user: UserId,
        /// Device objects, new and changed.
        changed: Vec<Document>,
        /// Devices that are gone.
        removed: Vec<DeviceId>,
    },
    /// A local user's device is running out of one-time keys.
    KeysClaimed {
        /// The user.
        user: UserId,
        /// The device.
        device: DeviceId,
        /// The algorithm.
        algorithm: String,
        /// How many are left, but for one of last resort.
        left: u32,
    },
    /// A user says something in a room that is not worth keeping: an EDU `{edu_type, content}` of type `m.typing`, `m.receipt` or `hublet.ephemeral`, of whose
    /// content only this room is told.
    Ephemeral {
        /// Where.
        room_id: RoomId,
        /// The EDU.
        edu: Document,
    },
    /// An event of a local user was refused by the hub.
    NotSent {
        /// Where.
        room_id: RoomId,
        /// The LPDU's ID.
        lpdu_id: EventId,
        /// Why.
        failure: Failure,
    },
}

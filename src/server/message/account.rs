//! What a local user's machine is asked.

use alloc::{string::String, vec::Vec};

use super::ServerKeys;
use crate::{
    id::{DeviceId, RoomId, RoomVersionId, ServerName, UserId},
    json::Document,
    room::membership::Membership,
    server::endpoint::ProfileField,
};

/// What a local user's machine is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AccountCall {
    /// Another server invites the user to a room that we are not in. Answered by [`Answer::Response`](super::Answer::Response).
    Invite {
        /// The server that asks, authenticated.
        origin: ServerName,
        /// That server's keys.
        keys: ServerKeys,
        /// The room's version.
        version: RoomVersionId,
        /// The member event, signed by its sender's server.
        event: Document,
        /// The room's stripped state, each an object.
        stripped: Vec<Document>,
    },
    /// A member event of the user for a room that we are not in: it may end an invite or a knock. Answered by [`Answer::Outcomes`](super::Answer::Outcomes), one.
    EndInvite {
        /// The server that sends it, authenticated.
        origin: ServerName,
        /// That server's keys.
        keys: ServerKeys,
        /// The member event.
        event: Document,
    },
    /// The user's membership of a room that we are in, or have asked to get into, changed. Answered by [`Answer::Done`](super::Answer::Done).
    Membership {
        /// The room.
        room_id: RoomId,
        /// What it is now; a knock is remembered with the server that it went to.
        membership: Membership,
        /// The room's hub, as far as it is known.
        hub: Option<ServerName>,
    },
    /// Messages to the user's devices. Answered by [`Answer::Done`](super::Answer::Done).
    ToDevice {
        /// Each message's device and the message: an object of `content`, `sender` and `type`. No device means all.
        messages: Vec<(Option<DeviceId>, Document)>,
    },
    /// The profile, or one field of it. Answered by [`Answer::Response`](super::Answer::Response).
    Profile(Option<ProfileField>),
    /// All devices, as Matrix lists them. Answered by [`Answer::Response`](super::Answer::Response).
    Devices,
    /// One device object. Answered by [`Answer::Response`](super::Answer::Response).
    Device(DeviceId),
    /// Device objects, of all devices if none is named. Answered by [`Answer::Object`](super::Answer::Object), by device ID.
    QueryKeys(Vec<DeviceId>),
    /// One key of each of these devices and algorithms, never to be given out again but for one of last resort. Answered by [`Answer::Object`](super::Answer::Object): by device ID an
    /// object of keys by name.
    ClaimKeys(Vec<(DeviceId, String)>),
    /// Which room an alias stands for; asked of the directory's account. Answered by [`Answer::Response`](super::Answer::Response).
    ResolveAlias(String),
    /// The local user, or the host for it, changes or reads something of its own.
    Own(OwnCall),
}

/// What a local user asks of its own machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OwnCall {
    /// Sets or removes a field of the profile. Answered by [`Answer::Done`](super::Answer::Done).
    SetProfile(ProfileField, Option<String>),
    /// Adds or replaces a device, by its signed object. Answered by [`Answer::Done`](super::Answer::Done).
    PutDevice(Document),
    /// Removes a device with all its keys and messages. Answered by [`Answer::Done`](super::Answer::Done).
    RemoveDevice(DeviceId),
    /// Adds one-time keys of a device. Answered by [`Answer::Done`](super::Answer::Done).
    AddKeys {
        /// The device.
        device: DeviceId,
        /// Each key's name, `algorithm` or `algorithm:id`, and the key.
        keys: Vec<(String, Document)>,
        /// Whether these are keys of last resort: given out when no other is left, again and again; one an algorithm.
        last_resort: bool,
    },
    /// Pending invites to rooms that we are not in. Answered by [`Answer::Invites`](super::Answer::Invites).
    Invites,
    /// The rooms that the user is joined to or knocks at, and those of the server's rooms that it is invited to. Answered by [`Answer::Rooms`](super::Answer::Rooms).
    Rooms,
    /// Messages to a device behind a number, at most so many. Those up to it are forgotten. Answered by [`Answer::Messages`](super::Answer::Messages).
    Messages {
        /// The device.
        device: DeviceId,
        /// The number of the last one that the device has.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// Sets or removes what an alias stands for; asked of the directory's account. Answered by [`Answer::Done`](super::Answer::Done).
    SetAlias {
        /// The alias, of our own server.
        alias: String,
        /// The room, and servers that know it.
        room: Option<(RoomId, Vec<ServerName>)>,
    },
}

/// An invite that the user has not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingInvite {
    /// The room.
    pub room_id: RoomId,
    /// The server to join, knock and reject at.
    pub hub: ServerName,
    /// Who invites.
    pub sender: UserId,
    /// The room's version.
    pub version: RoomVersionId,
    /// The member event, with our signature.
    pub event: Document,
    /// The room's stripped state.
    pub stripped: Vec<Document>,
}

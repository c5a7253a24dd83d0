//! Typed requests: every row of the endpoint table (spec, section 6).
//!
//! A request is read in two steps. [`Routes`](super::Routes) makes an [`Endpoint`] of method and target before the body is looked at; the types in
//! [`body`] read what the body must hold once the request is authenticated. Both refuse with the status and code that the spec names.

pub mod body;
mod field;

use alloc::{string::String, vec::Vec};

use super::message::RoomRead;
use crate::{
    id::{DeviceId, EventId, RoomId, ServerName, Timestamp, UserId},
    room::membership::Membership,
};

/// The longest transaction ID that is accepted, in bytes.
pub const MAX_TRANSACTION_ID: usize = 255;

/// What a request asks, as far as its method and target say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// GET `/.well-known/matrix/server`.
    WellKnown,
    /// GET `/_matrix/key/v2/server`: our own keys.
    OwnKeys,
    /// GET `/_matrix/key/v2/query/:server`: another server's keys, from us as notary.
    NotaryKeys {
        /// Whose.
        server: ServerName,
        /// How long they should still hold.
        minimum_valid_until: Option<Timestamp>,
    },
    /// POST `/_matrix/key/v2/query`: the same of several servers, named in the body.
    NotaryKeysOfMany,
    /// PUT `PFX/send/:txnId`.
    Send {
        /// The transaction.
        transaction: String,
    },
    /// GET `PFX/event/:eventId`; which room it is in, we have to find.
    Event(EventId),
    /// GET `state`, `state_ids`, `event_auth`, `backfill` of a room.
    Read {
        /// The room.
        room: RoomId,
        /// What of it.
        read: RoomRead,
    },
    /// POST `PFX/invite/:txnId`.
    Invite {
        /// The transaction.
        transaction: String,
    },
    /// GET `make_join`, `make_leave`, `make_knock`.
    Template {
        /// The room.
        room: RoomId,
        /// For whom.
        user: UserId,
        /// `join`, `leave` or `knock`.
        membership: Membership,
        /// The room versions that the caller supports, as it spelled them.
        versions: Vec<String>,
    },
    /// POST `send_join`, `send_leave`, `send_knock`.
    SendMember {
        /// The transaction.
        transaction: String,
        /// `join`, `leave` or `knock`.
        membership: Membership,
    },
    /// GET `PFX/user/:userId/device/:deviceId`.
    Device {
        /// Whose.
        user: UserId,
        /// Which.
        device: DeviceId,
    },
    /// GET `user/devices/:userId`.
    Devices(UserId),
    /// POST `user/keys/claim`.
    ClaimKeys,
    /// POST `user/keys/query`.
    QueryDeviceKeys,
    /// GET `query/profile`.
    Profile {
        /// Whose.
        user: UserId,
        /// One field only.
        field: Option<ProfileField>,
    },
    /// GET `query/directory`.
    Directory {
        /// The alias, of any server.
        alias: String,
    },
    /// GET `media/download/:mediaId`, `media/thumbnail/:mediaId`.
    Media {
        /// The medium.
        id: String,
    },
}

/// A field of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProfileField {
    /// `displayname`.
    DisplayName,
    /// `avatar_url`.
    AvatarUrl,
}

impl ProfileField {
    /// The field's name on the wire.
    pub const fn text(self) -> &'static str {
        match self {
            Self::DisplayName => "displayname",
            Self::AvatarUrl => "avatar_url",
        }
    }

    /// The field of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::DisplayName, Self::AvatarUrl].into_iter().find(|field| field.text() == text)
    }
}

impl Endpoint {
    /// Whether the caller must prove who it is: all but key endpoints and `.well-known`.
    pub const fn needs_authentication(&self) -> bool {
        !matches!(self, Self::WellKnown | Self::OwnKeys | Self::NotaryKeys { .. } | Self::NotaryKeysOfMany)
    }

    /// Its name in counts and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WellKnown => "well_known",
            Self::OwnKeys => "own_keys",
            Self::NotaryKeys { .. } | Self::NotaryKeysOfMany => "notary_keys",
            Self::Send { .. } => "send",
            Self::Event(_) => "event",
            Self::Read { read, .. } => match read {
                RoomRead::Event(_) => "event",
                RoomRead::State(_) => "state",
                RoomRead::StateIds(_) => "state_ids",
                RoomRead::EventAuth(_) => "event_auth",
                RoomRead::Backfill { .. } => "backfill",
            },
            Self::Invite { .. } => "invite",
            Self::Template { membership: Membership::Join, .. } => "make_join",
            Self::Template { membership: Membership::Knock, .. } => "make_knock",
            Self::Template { .. } => "make_leave",
            Self::SendMember { membership: Membership::Join, .. } => "send_join",
            Self::SendMember { membership: Membership::Knock, .. } => "send_knock",
            Self::SendMember { .. } => "send_leave",
            Self::Device { .. } => "device",
            Self::Devices(_) => "devices",
            Self::ClaimKeys => "keys_claim",
            Self::QueryDeviceKeys => "keys_query",
            Self::Profile { .. } => "profile",
            Self::Directory { .. } => "directory",
            Self::Media { .. } => "media",
        }
    }

    /// Whether a JSON body must come with it.
    pub const fn has_body(&self) -> bool {
        matches!(
            self,
            Self::NotaryKeysOfMany
                | Self::Send { .. }
                | Self::Invite { .. }
                | Self::SendMember { .. }
                | Self::ClaimKeys
                | Self::QueryDeviceKeys
        )
    }
}

//! What local users and operators are told, as plain objects.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::server::Notification;

/// A notification.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum NotificationForm {
    Appended {
        room_id: String,
        position: i64,
        event_id: String,
        lpdu_id: Option<String>,
        event: ByteBuf,
        sender_verified: bool,
        intact: bool,
    },
    Rejected {
        room_id: String,
        event_id: String,
        error: String,
    },
    Refused {
        room_id: String,
        origin: Option<String>,
        event_id: Option<String>,
        rung: &'static str,
        rule: String,
        errcode: &'static str,
    },
    Fork {
        room_id: String,
        first: ByteBuf,
        second: ByteBuf,
    },
    Resent {
        room_id: String,
        old: String,
        new: String,
    },
    Rechecked {
        room_id: String,
        position: i64,
        event_id: String,
        sender_verified: bool,
    },
    Purged {
        room_id: String,
        position: i64,
        event_id: String,
        event: ByteBuf,
    },
    Hole {
        room_id: String,
        position: i64,
        event_id: String,
    },
    Filled {
        room_id: String,
        position: i64,
        event_id: String,
        event: ByteBuf,
        sender_verified: bool,
        intact: bool,
    },
    Invited {
        user: String,
        room_id: String,
        sender: String,
    },
    InviteEnded {
        user: String,
        room_id: String,
        sender: String,
    },
    ToDevice {
        user: String,
    },
    DevicesChanged {
        user: String,
        changed: Vec<String>,
        removed: Vec<String>,
    },
    KeysClaimed {
        user: String,
        device: String,
        algorithm: String,
        left: u32,
    },
    Ephemeral {
        room_id: String,
        edu: String,
    },
    NotSent {
        room_id: String,
        lpdu_id: String,
        status: u16,
        errcode: &'static str,
        error: String,
    },
}

impl From<Notification> for NotificationForm {
    fn from(notification: Notification) -> Self {
        match notification {
            Notification::Appended { room_id, position, event_id, lpdu_id, event, sender_verified, intact } => {
                Self::Appended {
                    room_id: room_id.to_string(),
                    position,
                    event_id: event_id.to_string(),
                    lpdu_id: lpdu_id.map(|id| id.to_string()),
                    event: ByteBuf::from(event),
                    sender_verified,
                    intact,
                }
            }
            Notification::Rejected { room_id, event_id, error } => {
                Self::Rejected { room_id: room_id.to_string(), event_id: event_id.to_string(), error }
            }
            Notification::Refused { room_id, origin, event_id, cause, code } => Self::Refused {
                room_id: room_id.to_string(),
                origin: origin.map(|server| server.to_string()),
                event_id: event_id.map(|id| id.to_string()),
                rung: cause.rung.text(),
                rule: cause.rule,
                errcode: code.text(),
            },
            Notification::Fork { room_id, first, second } => {
                Self::Fork { room_id: room_id.to_string(), first: ByteBuf::from(first), second: ByteBuf::from(second) }
            }
            Notification::Resent { room_id, old, new } => {
                Self::Resent { room_id: room_id.to_string(), old: old.to_string(), new: new.to_string() }
            }
            Notification::Rechecked { room_id, position, event_id, sender_verified } => Self::Rechecked {
                room_id: room_id.to_string(),
                position,
                event_id: event_id.to_string(),
                sender_verified,
            },
            Notification::Purged { room_id, position, event_id, event } => Self::Purged {
                room_id: room_id.to_string(),
                position,
                event_id: event_id.to_string(),
                event: ByteBuf::from(event),
            },
            Notification::Hole { room_id, position, event_id } => {
                Self::Hole { room_id: room_id.to_string(), position, event_id: event_id.to_string() }
            }
            Notification::Filled { room_id, position, event_id, event, sender_verified, intact } => Self::Filled {
                room_id: room_id.to_string(),
                position,
                event_id: event_id.to_string(),
                event: ByteBuf::from(event),
                sender_verified,
                intact,
            },
            Notification::Invited { user, room_id, sender } => {
                Self::Invited { user: user.to_string(), room_id: room_id.to_string(), sender: sender.to_string() }
            }
            Notification::InviteEnded { user, room_id, sender } => {
                Self::InviteEnded { user: user.to_string(), room_id: room_id.to_string(), sender: sender.to_string() }
            }
            Notification::ToDevice { user } => Self::ToDevice { user: user.to_string() },
            Notification::DevicesChanged { user, changed, removed } => Self::DevicesChanged {
                user: user.to_string(),
                changed: changed.iter().map(|object| object.text().into()).collect(),
                removed: removed.iter().map(ToString::to_string).collect(),
            },
            Notification::KeysClaimed { user, device, algorithm, left } => {
                Self::KeysClaimed { user: user.to_string(), device: device.to_string(), algorithm, left }
            }
            Notification::Ephemeral { room_id, edu } => {
                Self::Ephemeral { room_id: room_id.to_string(), edu: edu.text().into() }
            }
            Notification::NotSent { room_id, lpdu_id, failure } => Self::NotSent {
                room_id: room_id.to_string(),
                lpdu_id: lpdu_id.to_string(),
                status: failure.status,
                errcode: failure.code.text(),
                error: failure.error,
            },
        }
    }
}

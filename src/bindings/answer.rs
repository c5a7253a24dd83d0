//! Answers to calls, as plain objects.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use serde_bytes::ByteBuf;

use super::request::{ResponseForm, send_error_word};
use crate::{
    id::base64,
    room::log::FIRST_PLACE,
    server::{Answer, Failure},
};

/// An answer.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum AnswerForm {
    Done,
    Response {
        response: ResponseForm,
    },
    Unreachable {
        error: &'static str,
    },
    Created {
        room_id: String,
    },
    Accepted {
        event_id: String,
    },
    Entries {
        entries: Vec<Entry>,
    },
    History {
        entries: Vec<CheckedEntry>,
    },
    Keys {
        keys: Vec<Key>,
    },
    Invites {
        invites: Vec<Invite>,
    },
    Rooms {
        rooms: Vec<Room>,
    },
    Messages {
        messages: Vec<Message>,
    },
    Refused(Refusal),
    Unavailable,
    /// What machines say to each other: nothing for JavaScript to read.
    Other,
}

/// An entry of a log; a link or a hole has no event. State that came with our join has no place in the log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    position: Option<i64>,
    event_id: String,
    event: Option<ByteBuf>,
}

/// An entry of a log, and what was found when it was checked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckedEntry {
    position: i64,
    event_id: String,
    event: Option<ByteBuf>,
    sender_verified: bool,
    intact: bool,
    authorized: bool,
}

/// A public key, in unpadded base64.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Key {
    id: String,
    key: String,
}

/// An invite that the user has not answered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invite {
    room_id: String,
    hub: String,
    sender: String,
    version: String,
}

/// A room, and the user's membership of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Room {
    room_id: String,
    membership: &'static str,
}

/// A message to a device.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message {
    number: u64,
    message: String,
}

/// A refusal: what was wrong, where, what to do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    status: u16,
    errcode: &'static str,
    error: String,
    hub_server: Option<String>,
    head: Option<String>,
    retry_after_ms: Option<u64>,
    rung: Option<&'static str>,
    rule: Option<String>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            status: failure.status,
            errcode: failure.code.text(),
            error: failure.error,
            hub_server: failure.hub_server.map(|server| server.to_string()),
            head: failure.head.map(|head| head.to_string()),
            retry_after_ms: failure.retry_after_ms,
            rung: failure.cause.as_ref().map(|cause| cause.rung.text()),
            rule: failure.cause.map(|cause| cause.rule),
        }
    }
}

impl From<Answer> for AnswerForm {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done => Self::Done,
            Answer::Response(response) => Self::Response { response: response.into() },
            Answer::Unreachable(error) => Self::Unreachable { error: send_error_word(error) },
            Answer::Created(room) => Self::Created { room_id: room.to_string() },
            Answer::Accepted(event) => Self::Accepted { event_id: event.to_string() },
            Answer::Entries(entries) => {
                let entry = |(position, id, event): (i64, crate::id::EventId, Option<Vec<u8>>)| Entry {
                    position: (position >= FIRST_PLACE).then_some(position),
                    event_id: id.to_string(),
                    event: event.map(ByteBuf::from),
                };
                Self::Entries { entries: entries.into_iter().map(entry).collect() }
            }
            Answer::History(entries) => {
                let entry = |entry: crate::server::HistoryEntry| CheckedEntry {
                    position: entry.position,
                    event_id: entry.event_id.to_string(),
                    event: entry.event.map(ByteBuf::from),
                    sender_verified: entry.sender_verified,
                    intact: entry.intact,
                    authorized: entry.authorized,
                };
                Self::History { entries: entries.into_iter().map(entry).collect() }
            }
            Answer::Keys(found) => {
                let key =
                    |known: crate::server::KnownKey| Key { id: known.id.to_string(), key: base64::encode(&known.key) };
                Self::Keys { keys: found.keys.into_iter().map(key).collect() }
            }
            Answer::Invites(invites) => {
                let invite = |invite: crate::server::PendingInvite| Invite {
                    room_id: invite.room_id.to_string(),
                    hub: invite.hub.to_string(),
                    sender: invite.sender.to_string(),
                    version: invite.version.to_string(),
                };
                Self::Invites { invites: invites.into_iter().map(invite).collect() }
            }
            Answer::Rooms(rooms) => Self::Rooms {
                rooms: rooms
                    .into_iter()
                    .map(|(room, membership)| Room { room_id: room.to_string(), membership: membership.as_str() })
                    .collect(),
            },
            Answer::Messages(messages) => Self::Messages {
                messages: messages
                    .into_iter()
                    .map(|(number, message)| Message { number, message: message.text().into() })
                    .collect(),
            },
            Answer::Refused(failure) => Self::Refused(failure.into()),
            Answer::Unavailable => Self::Unavailable,
            Answer::Outcomes(_) | Answer::Owed(_) | Answer::Object(_) => Self::Other,
        }
    }
}

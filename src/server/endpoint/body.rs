//! What the bodies of requests must hold. Unknown members are passed over.

use alloc::{format, string::String, vec::Vec};

use super::field::{bad, object, objects, of_kind, parsed, parsed_key, root};
use crate::{
    id::{DeviceId, EventId, KeyId, RoomId, RoomVersionId, ServerName, Timestamp, UserId},
    json::{Kind, Value},
    server::message::Failure,
};

/// The most PDUs of a transaction.
pub const MAX_PDUS: usize = 50;

/// The most EDUs of a transaction.
pub const MAX_EDUS: usize = 100;

/// The most entries of a request that names several servers or users, and the most devices of one user.
pub const MAX_NAMES: usize = 1_000;

/// PUT `send`: objects, whatever is in them. A PDU that is no event spoils only itself, so it is judged later.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// The PDUs, in order.
    pub pdus: Vec<Value<'a>>,
    /// The EDUs, in order.
    pub edus: Vec<Value<'a>>,
}

/// What a request must know of a member event before a room or a user judges it.
#[derive(Clone, Debug)]
pub struct MemberEvent<'a> {
    /// The event.
    pub event: Value<'a>,
    /// Its room.
    pub room_id: RoomId,
    /// Its sender.
    pub sender: UserId,
    /// Whose membership it sets.
    pub target: UserId,
    /// The hub that it is for.
    pub hub_server: Option<ServerName>,
}

/// POST `invite`.
#[derive(Clone, Debug)]
pub struct Invite<'a> {
    /// The event.
    pub event: MemberEvent<'a>,
    /// The room's stripped state.
    pub stripped: Vec<Value<'a>>,
    /// The room's version.
    pub version: RoomVersionId,
}

/// POST `key/v2/query`: servers, and how long their keys should still hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotaryQuery {
    /// Each server once.
    pub servers: Vec<(ServerName, Option<Timestamp>)>,
}

/// POST `user/keys/claim`: for each user, devices and the algorithm wanted of each. Users and devices that no grammar allows are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// Each user once.
    pub users: Vec<(UserId, Vec<(DeviceId, String)>)>,
}

/// POST `user/keys/query`: for each user, devices; none means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceQuery {
    /// Each user once.
    pub users: Vec<(UserId, Vec<DeviceId>)>,
}

impl<'a> Transaction<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` that names the field.
    pub fn read(body: Value<'a>) -> Result<Self, Failure> {
        let body = root(body)?;
        if body.member("pdus").is_none() {
            return Err(bad("pdus", "an array"));
        }
        Ok(Self { pdus: objects(body, "pdus", MAX_PDUS)?, edus: objects(body, "edus", MAX_EDUS)? })
    }
}

impl<'a> MemberEvent<'a> {
    /// Reads a body that is the event.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` that names the field.
    pub fn read(body: Value<'a>) -> Result<Self, Failure> {
        Self::under(root(body)?, "")
    }

    fn under(event: Value<'a>, path: &str) -> Result<Self, Failure> {
        let room_id = parsed(event, path, "room_id", "a room ID", RoomId::parse)?;
        let sender = parsed(event, path, "sender", "a user ID", UserId::parse)?;
        let target = parsed(event, path, "state_key", "a user ID", UserId::parse)?;
        let hub_server = match event.member("hub_server") {
            None => None,
            Some(_) => Some(parsed(event, path, "hub_server", "a server name", ServerName::parse)?),
        };
        Ok(Self { event, room_id, sender, target, hub_server })
    }
}

impl<'a> Invite<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` that names the field.
    pub fn read(body: Value<'a>) -> Result<Self, Failure> {
        let body = root(body)?;
        Ok(Self {
            event: MemberEvent::under(object(body, "event")?, "event")?,
            stripped: objects(body, "invite_room_state", MAX_NAMES)?,
            version: parsed(body, "", "room_version", "a room version", RoomVersionId::parse)?,
        })
    }
}

impl NotaryQuery {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` that names the field.
    pub fn read(body: Value<'_>) -> Result<Self, Failure> {
        let servers = entries(root(body)?, "server_keys")?;
        let read = |(name, keys): (String, Value<'_>)| {
            let path = format!("server_keys.{name}");
            let server = parsed_key(&name, "server_keys", "named by a server name", ServerName::parse)?;
            let mut latest = None;
            for key in object_at(keys, &path)?.members() {
                parsed_key(&key.key(), &path, "named by a key ID", KeyId::parse)?;
                let time = key.value().member("minimum_valid_until_ts");
                latest = latest.max(match time {
                    None => None,
                    Some(time) => {
                        Some(timestamp(time).ok_or_else(|| bad(&format!("{path}.{}", key.key()), "milliseconds"))?)
                    }
                });
            }
            Ok((server, latest))
        };
        Ok(Self { servers: servers.into_iter().map(read).collect::<Result<_, Failure>>()? })
    }
}

impl KeyClaim {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` that names the field.
    pub fn read(body: Value<'_>) -> Result<Self, Failure> {
        let mut users = Vec::new();
        for (name, wanted) in entries(root(body)?, "one_time_keys")? {
            let path = format!("one_time_keys.{name}");
            let mut devices = Vec::new();
            for device in few(object_at(wanted, &path)?, &path)?.members() {
                let algorithm = device.value().as_str();
                let algorithm = algorithm
                    .ok_or_else(|| bad(&format!("{path}.{}", device.key()), "the name of an algorithm"))?
                    .into_owned();
                devices.extend(DeviceId::parse(&device.key()).ok().map(|device| (device, algorithm)));
            }
            users.extend(UserId::parse(&name).ok().map(|user| (user, devices)));
        }
        Ok(Self { users })
    }
}

impl DeviceQuery {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` that names the field.
    pub fn read(body: Value<'_>) -> Result<Self, Failure> {
        let mut users = Vec::new();
        for (name, wanted) in entries(root(body)?, "device_keys")? {
            let path = format!("device_keys.{name}");
            let list = few(of_kind(Some(wanted), Kind::Array).ok_or_else(|| bad(&path, "an array"))?, &path)?;
            let texts: Option<Vec<_>> = list.elements().map(Value::as_str).collect();
            let texts = texts.ok_or_else(|| bad(&path, "an array of device IDs"))?;
            let devices: Vec<_> = texts.iter().filter_map(|text| DeviceId::parse(text).ok()).collect();
            // Naming only devices that cannot exist is not the same as naming none.
            if texts.is_empty() || !devices.is_empty() {
                users.extend(UserId::parse(&name).ok().map(|user| (user, devices)));
            }
        }
        Ok(Self { users })
    }
}

/// The IDs that `failed_pdus` names in the answer to a transaction of ours, each with its entry; what is no event ID is passed over.
pub fn failed_pdus(answer: Value<'_>) -> Vec<(EventId, Value<'_>)> {
    let failed = answer.member("failed_pdus").into_iter().flat_map(Value::members);
    failed.filter_map(|entry| Some((EventId::parse(&entry.key()).ok()?, entry.value()))).collect()
}

/// The entries of an object member, at most [`MAX_NAMES`].
fn entries<'a>(body: Value<'a>, key: &str) -> Result<Vec<(String, Value<'a>)>, Failure> {
    let object = few(object(body, key)?, key)?;
    Ok(object.members().map(|member| (member.key().into_owned(), member.value())).collect())
}

/// A list or an object of no more entries than a request may name.
fn few<'a>(value: Value<'a>, path: &str) -> Result<Value<'a>, Failure> {
    if value.len() > MAX_NAMES { Err(bad(path, &format!("at most {MAX_NAMES} long"))) } else { Ok(value) }
}

fn object_at<'a>(value: Value<'a>, path: &str) -> Result<Value<'a>, Failure> {
    of_kind(Some(value), Kind::Object).ok_or_else(|| bad(path, "an object"))
}

fn timestamp(value: Value<'_>) -> Option<Timestamp> {
    value.as_i64().and_then(|millis| u64::try_from(millis).ok()).map(Timestamp::new)
}

//! Parameters of path and query, and what each row makes of them.

use alloc::{format, string::String, vec::Vec};

use matchit::Params;

use super::percent;
use crate::{
    id::{DeviceId, EventId, RoomId, ServerName, Timestamp, UserId},
    room::membership::Membership,
    server::{
        endpoint::{Endpoint, MAX_TRANSACTION_ID, ProfileField},
        message::{ErrorCode, Failure, RoomRead},
    },
};

/// The most events of a backfill answer (spec, section 6).
const MAX_BACKFILL: u32 = 100;

/// A row of the endpoint table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    WellKnown,
    OwnKeys,
    NotaryKeys,
    NotaryKeysOfMany,
    Send,
    Event,
    State,
    StateIds,
    EventAuth,
    Backfill,
    Invite,
    MakeJoin,
    MakeLeave,
    MakeKnock,
    SendJoin,
    SendLeave,
    SendKnock,
    Device,
    Devices,
    ClaimKeys,
    QueryDeviceKeys,
    Profile,
    Directory,
    Media,
}

impl Row {
    pub(super) fn endpoint(self, parameters: &Parameters<'_, '_>) -> Result<Endpoint, Failure> {
        let transaction = || parameters.in_path("txn", "a transaction ID", transaction);
        let room = || parameters.in_path("room", "a room ID", RoomId::parse);
        let event = || parameters.in_path("event", "an event ID", EventId::parse);
        let user = || parameters.in_path("user", "a user ID", UserId::parse);
        let before = || parameters.in_query("event_id", "an event ID", EventId::parse);
        let template = |membership| {
            Ok::<_, Failure>(Endpoint::Template {
                room: room()?,
                user: user()?,
                membership,
                versions: parameters.all("ver")?,
            })
        };
        let send_member =
            |membership| Ok::<_, Failure>(Endpoint::SendMember { transaction: transaction()?, membership });
        Ok(match self {
            Self::WellKnown => Endpoint::WellKnown,
            Self::OwnKeys => Endpoint::OwnKeys,
            Self::NotaryKeys => Endpoint::NotaryKeys {
                server: parameters.in_path("server", "a server name", ServerName::parse)?,
                minimum_valid_until: parameters.optional("minimum_valid_until_ts", "milliseconds", millis)?,
            },
            Self::NotaryKeysOfMany => Endpoint::NotaryKeysOfMany,
            Self::Send => Endpoint::Send { transaction: transaction()? },
            Self::Event => Endpoint::Event(event()?),
            Self::State => Endpoint::Read { room: room()?, read: RoomRead::State(before()?) },
            Self::StateIds => Endpoint::Read { room: room()?, read: RoomRead::StateIds(before()?) },
            Self::EventAuth => Endpoint::Read { room: room()?, read: RoomRead::EventAuth(event()?) },
            Self::Backfill => {
                let until = parameters.in_query("v", "an event ID", EventId::parse)?;
                let limit = parameters.optional("limit", "a number", limit)?.unwrap_or(MAX_BACKFILL);
                Endpoint::Read { room: room()?, read: RoomRead::Backfill { until, limit } }
            }
            Self::Invite => Endpoint::Invite { transaction: transaction()? },
            Self::MakeJoin => template(Membership::Join)?,
            Self::MakeLeave => template(Membership::Leave)?,
            Self::MakeKnock => template(Membership::Knock)?,
            Self::SendJoin => send_member(Membership::Join)?,
            Self::SendLeave => send_member(Membership::Leave)?,
            Self::SendKnock => send_member(Membership::Knock)?,
            Self::Device => Endpoint::Device {
                user: user()?,
                device: parameters.in_path("device", "a device ID", DeviceId::parse)?,
            },
            Self::Devices => Endpoint::Devices(user()?),
            Self::ClaimKeys => Endpoint::ClaimKeys,
            Self::QueryDeviceKeys => Endpoint::QueryDeviceKeys,
            Self::Profile => Endpoint::Profile {
                user: parameters.in_query("user_id", "a user ID", UserId::parse)?,
                field: parameters.optional("field", "`displayname` or `avatar_url`", profile_field)?,
            },
            Self::Directory => Endpoint::Directory { alias: parameters.in_query("room_alias", "a room alias", alias)? },
            Self::Media => Endpoint::Media { id: parameters.in_path("media", "a media ID", text)? },
        })
    }
}

/// The parameters of one request.
pub(super) struct Parameters<'r, 'p> {
    path: &'r Params<'r, 'p>,
    query: &'p str,
}

impl<'r, 'p> Parameters<'r, 'p> {
    pub(super) const fn new(path: &'r Params<'r, 'p>, query: &'p str) -> Self {
        Self { path, query }
    }

    fn in_path<T, E>(&self, name: &str, what: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Result<T, Failure> {
        let text = self.path.get(name).and_then(percent::decode);
        text.and_then(|text| read(&text).ok()).ok_or_else(|| bad(name, what))
    }

    fn in_query<T, E>(&self, name: &str, what: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Result<T, Failure> {
        self.optional(name, what, read)?.ok_or_else(|| bad(name, what))
    }

    /// The first value of that name.
    fn optional<T, E>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.values(name).next() else { return Ok(None) };
        text.and_then(|text| read(&text).ok()).map(Some).ok_or_else(|| bad(name, what))
    }

    fn all(&self, name: &str) -> Result<Vec<String>, Failure> {
        self.values(name).map(|text| text.ok_or_else(|| bad(name, "text"))).collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Option<String>> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .filter(move |(key, _)| percent::decode_query(key).as_deref() == Some(name))
            .map(|(_, value)| percent::decode_query(value))
    }
}

fn bad(name: &str, what: &str) -> Failure {
    Failure::of(ErrorCode::InvalidParam, format!("parameter `{name}` must be {what}"))
}

/// Why a parameter is refused is told by its name; the reading itself only says no.
struct Refused;

fn transaction(text: &str) -> Result<String, Refused> {
    if text.len() > MAX_TRANSACTION_ID { Err(Refused) } else { Ok(text.into()) }
}

fn millis(text: &str) -> Result<Timestamp, core::num::ParseIntError> {
    text.parse().map(Timestamp::new)
}

/// A number, cut at the most that we serve.
fn limit(text: &str) -> Result<u32, Refused> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused);
    }
    Ok(text.parse().unwrap_or(MAX_BACKFILL).min(MAX_BACKFILL))
}

fn profile_field(text: &str) -> Result<ProfileField, Refused> {
    ProfileField::from_text(text).ok_or(Refused)
}

fn alias(text: &str) -> Result<String, Refused> {
    let named = text.strip_prefix('#').and_then(|rest| rest.split_once(':'));
    match named {
        Some((localpart, server))
            if !localpart.is_empty() && text.len() <= 255 && ServerName::parse(server).is_ok() =>
        {
            Ok(text.into())
        }
        _ => Err(Refused),
    }
}

fn text(text: &str) -> Result<String, Refused> {
    Ok(text.into())
}

//! The rows of [`Table::Account`]: what a key starts with says what the row is. Messages sort behind everything else.

use alloc::{string::String, vec::Vec};

use super::{
    devices::{Devices, KeyName},
    renames::Renames,
    rooms::{Open, Rooms},
};
use crate::{
    id::{DeviceId, RoomId, RoomVersionId, ServerName, UserId},
    json::{Document, KeyOrder, Limits, parse},
    ordered::Map,
    room::membership::Membership,
    server::{endpoint::ProfileField, message::PendingInvite},
    store::{DecodeError, Query, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

const ALIAS: u8 = b'a';
const DEVICE: u8 = b'd';
const INVITE: u8 = b'i';
const KEY: u8 = b'k';
const LAST_RESORT: u8 = b'l';
const MESSAGE: u8 = b'm';
const NUMBER_OF_NEXT: u8 = b'b';
const PROFILE: u8 = b'f';
const RENAME: u8 = b'g';
const ROOM: u8 = b'h';

/// The row of the next number.
pub(super) const NUMBER: [u8; 1] = [NUMBER_OF_NEXT];

/// What is stored of a user, but for messages.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) profile: Map<ProfileField, String>,
    pub(super) devices: Devices,
    pub(super) rooms: Rooms,
    pub(super) renames: Renames,
    pub(super) aliases: Map<String, (RoomId, Vec<ServerName>)>,
    pub(super) next_number: u64,
}

/// All rows but messages.
pub(super) fn all_but_messages() -> Query {
    Query::range(Table::Account, [], [MESSAGE], u32::MAX)
}

impl Records {
    /// Takes in a row; one that cannot be read is left out.
    pub(super) fn read(&mut self, row: &Row) {
        // Every row was written whole by this module; of another form are those of a later version.
        let _ = self.try_read(row);
    }

    fn try_read(&mut self, row: &Row) -> Result<(), DecodeError> {
        const BAD: DecodeError = DecodeError("row of a local user");
        let (kind, key) = row.key.split_first().ok_or(BAD)?;
        let text = || core::str::from_utf8(key).map_err(|_| BAD);
        let mut value = Reader::new(&row.value);
        match *kind {
            NUMBER_OF_NEXT => self.next_number = value.u64()?,
            PROFILE => {
                let field = ProfileField::from_text(text()?).ok_or(BAD)?;
                self.profile.insert(field, formed(&mut value)?.text()?);
            }
            RENAME => self.renames.restore(room(text()?)?),
            ALIAS => {
                let value = formed(&mut value)?;
                let room = room(&value.text()?)?;
                let servers = (0..value.u32()?).map(|_| server(&value.text()?)).collect::<Result<_, _>>()?;
                self.aliases.insert(text()?.into(), (room, servers));
            }
            DEVICE => {
                let device = DeviceId::parse(text()?).map_err(|_| BAD)?;
                let value = formed(&mut value)?;
                self.devices.restore(device, value.u64()?, object(value.rest())?);
            }
            KEY | LAST_RESORT => {
                let mut name = Reader::new(key);
                let device = DeviceId::parse(&name.text()?).map_err(|_| BAD)?;
                let algorithm = name.text()?;
                let number = if *kind == KEY { Some(name.u64()?) } else { None };
                let value = formed(&mut value)?;
                let stored = (value.text()?, object(value.rest())?);
                self.devices.restore_key(KeyName { device, algorithm }, number, stored);
            }
            ROOM => {
                let value = formed(&mut value)?;
                let membership = Membership::parse(&value.text()?).ok_or(BAD)?;
                let hub = value.text()?;
                let open = Open { membership, hub: ServerName::parse(&hub).ok() };
                self.rooms.restore(room(text()?)?, open);
            }
            INVITE => {
                let value = formed(&mut value)?;
                self.rooms.restore_invite(PendingInvite {
                    room_id: room(text()?)?,
                    hub: server(&value.text()?)?,
                    sender: UserId::parse(&value.text()?).map_err(|_| BAD)?,
                    version: RoomVersionId::parse(&value.text()?).map_err(|_| BAD)?,
                    event: object(value.bytes()?)?,
                    stripped: (0..value.u32()?).map(|_| object(value.bytes()?)).collect::<Result<_, _>>()?,
                });
            }
            _ => return Err(BAD),
        }
        Ok(())
    }
}

pub(super) fn put_profile(field: ProfileField, value: Option<&str>, batch: &mut WriteBatch) {
    let key = key(PROFILE, field.text());
    match value {
        Some(value) => batch.put(Table::Account, key, row(|out| out.text(value))),
        None => batch.delete(Table::Account, key),
    }
}

pub(super) fn put_rename(room: &RoomId, batch: &mut WriteBatch) {
    batch.put(Table::Account, key(RENAME, room.as_str()), row(|out| out));
}

pub(super) fn delete_rename(room: &RoomId, batch: &mut WriteBatch) {
    batch.delete(Table::Account, key(RENAME, room.as_str()));
}

pub(super) fn put_alias(alias: &str, room: Option<&(RoomId, Vec<ServerName>)>, batch: &mut WriteBatch) {
    let key = key(ALIAS, alias);
    match room {
        Some((room, servers)) => {
            let value = row(|out| {
                out.text(room.as_str()).u32(u32::try_from(servers.len()).unwrap_or(u32::MAX));
                servers.iter().fold(out, |out, server| out.text(server.as_str()))
            });
            batch.put(Table::Account, key, value);
        }
        None => batch.delete(Table::Account, key),
    }
}

/// Writes a device; `version` counts the changes of the user's list of devices.
pub(super) fn put_device(device: &DeviceId, version: u64, object: &Document, batch: &mut WriteBatch) {
    let value = row(|out| out.u64(version).raw(object.bytes()));
    batch.put(Table::Account, key(DEVICE, device.as_str()), value);
}

pub(super) fn delete_device(device: &DeviceId, batch: &mut WriteBatch) {
    batch.delete(Table::Account, key(DEVICE, device.as_str()));
}

pub(super) fn put_key(at: &KeyName, number: Option<u64>, name: &str, stored: &Document, batch: &mut WriteBatch) {
    let value = row(|out| out.text(name).raw(stored.bytes()));
    batch.put(Table::Account, key_of_key(at, number), value);
}

pub(super) fn delete_key(at: &KeyName, number: Option<u64>, batch: &mut WriteBatch) {
    batch.delete(Table::Account, key_of_key(at, number));
}

pub(super) fn put_room(room: &RoomId, open: Option<&Open>, batch: &mut WriteBatch) {
    let key = key(ROOM, room.as_str());
    match open {
        Some(open) => {
            let hub = open.hub.as_ref().map_or("", ServerName::as_str);
            batch.put(Table::Account, key, row(|out| out.text(open.membership.as_str()).text(hub)));
        }
        None => batch.delete(Table::Account, key),
    }
}

pub(super) fn put_invite(invite: &PendingInvite, batch: &mut WriteBatch) {
    let value = row(|out| {
        out.text(invite.hub.as_str()).text(invite.sender.as_str()).text(invite.version.as_str());
        out.bytes(invite.event.bytes()).u32(u32::try_from(invite.stripped.len()).unwrap_or(u32::MAX));
        invite.stripped.iter().fold(out, |out, state| out.bytes(state.bytes()))
    });
    batch.put(Table::Account, key(INVITE, invite.room_id.as_str()), value);
}

pub(super) fn delete_invite(room: &RoomId, batch: &mut WriteBatch) {
    batch.delete(Table::Account, key(INVITE, room.as_str()));
}

/// The key of a message to a device; of all its messages without a number.
pub(super) fn message_key(device: &DeviceId, number: Option<u64>) -> Vec<u8> {
    let mut out = Writer::new();
    out.u8(MESSAGE).text(device.as_str());
    if let Some(number) = number {
        out.u64(number);
    }
    out.into_bytes()
}

/// The number and the text of a message's row.
pub(super) fn read_message(row: &Row) -> Option<(u64, Document)> {
    let (_, number) = row.key.split_last_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), object(&row.value).ok()?))
}

fn key(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], text.as_bytes()].concat()
}

fn key_of_key(at: &KeyName, number: Option<u64>) -> Vec<u8> {
    let mut out = Writer::new();
    out.u8(if number.is_some() { KEY } else { LAST_RESORT }).text(at.device.as_str()).text(&at.algorithm);
    if let Some(number) = number {
        out.u64(number);
    }
    out.into_bytes()
}

fn row(fill: impl for<'w> FnOnce(&'w mut Writer) -> &'w mut Writer) -> Vec<u8> {
    let mut out = Writer::new();
    out.u8(FORM);
    fill(&mut out);
    out.into_bytes()
}

fn formed<'r, 'a>(value: &'r mut Reader<'a>) -> Result<&'r mut Reader<'a>, DecodeError> {
    match value.u8()? {
        FORM => Ok(value),
        _ => Err(DecodeError("row of a local user, of an unknown form")),
    }
}

fn object(bytes: &[u8]) -> Result<Document, DecodeError> {
    let limits = Limits { bytes: usize::MAX, depth: u16::MAX };
    parse(bytes, KeyOrder::Utf16, limits).map_err(|_| DecodeError("stored JSON"))
}

fn room(text: &str) -> Result<RoomId, DecodeError> {
    RoomId::parse(text).map_err(|_| DecodeError("stored room ID"))
}

fn server(text: &str) -> Result<ServerName, DecodeError> {
    ServerName::parse(text).map_err(|_| DecodeError("stored server name"))
}

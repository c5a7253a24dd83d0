//! The account machine: one local user (spec, sections 6 to 8 and 11).
//!
//! It keeps what is the user's own and no room's: invites and knocks that are open, the rooms it is joined to, profile, devices, their one-time keys and
//! messages. One-time keys are given out once: the answer that holds one leaves when its removal is durable. The directory of aliases is kept by an account
//! that no user has, [`directory`].
//!
//! All rows but messages are in memory while the machine is open.

mod devices;
mod invite;
mod messages;
mod record;
mod renames;
mod rooms;

#[cfg(test)]
mod tests;

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use self::{devices::Devices, invite::Inviting, record::Records, renames::Renames, rooms::Rooms};
use super::{
    contract::{Input, Machine, Moment, Output, Query, Ticket},
    desk::Desk,
    endpoint::ProfileField,
    identity::Identity,
    message::{AccountCall, Answer, Call, ErrorCode, Failure, OwnCall, Response},
};
use crate::{
    id::{RoomId, ServerName, UserId},
    json::write_object,
    ordered::Map,
    store::{Row, Table, WriteBatch, Writer},
};

/// The account that keeps the aliases of a server; `None` only for a name so long that it has no users.
pub fn directory(server: &ServerName) -> Option<UserId> {
    UserId::parse(&format!("@_directory:{server}")).ok()
}

/// One local user.
pub struct AccountMachine {
    identity: Identity,
    user: UserId,
    desk: Desk,
    stage: Stage,
    pending: Map<Ticket, Pending>,
    profile: Map<ProfileField, String>,
    devices: Devices,
    rooms: Rooms,
    renames: Renames,
    aliases: Map<String, (RoomId, Vec<ServerName>)>,
    /// The number of the next key or message. They begin at 1, so that a device that has none can say 0.
    next_number: u64,
}

enum Stage {
    New,
    Opening(Ticket, Vec<Input>),
    Open,
}

/// What keys, signatures or rows are for.
enum Pending {
    Invite(Box<Inviting>),
    Messages(Ticket, u64),
    /// A room is told of a change of the profile, the one of this number.
    Rename(RoomId, u64),
}

impl AccountMachine {
    /// The machine of a local user, to be read from its store when it is first spoken to.
    pub fn new(identity: Identity, user: UserId, first: Ticket) -> Self {
        Self {
            identity,
            user,
            desk: Desk::new(first),
            stage: Stage::New,
            pending: Map::new(),
            profile: Map::new(),
            devices: Devices::default(),
            rooms: Rooms::default(),
            renames: Renames::default(),
            aliases: Map::new(),
            next_number: 1,
        }
    }

    /// Takes in the stored rows. Rows that cannot be read are left out.
    fn open(&mut self, rows: &[Row]) {
        let mut records = Records::default();
        rows.iter().for_each(|row| records.read(row));
        self.profile = records.profile;
        self.devices = records.devices;
        self.rooms = records.rooms;
        self.renames = records.renames;
        self.aliases = records.aliases;
        self.next_number = records.next_number.max(1);
    }

    fn take(&mut self, moment: Moment, input: Input) {
        match input {
            Input::Ask(ticket, Call::Account(call)) => {
                self.renames.go_on();
                self.call(moment, ticket, call);
            }
            Input::Ask(ticket, _) => {
                let failure = Failure::of(ErrorCode::Unknown, "an account machine takes calls to accounts only");
                self.desk.respond(ticket, Answer::Refused(failure));
            }
            Input::Rows(ticket, rows) => {
                if let Some(Pending::Messages(caller, after)) = self.pending.remove(&ticket) {
                    self.messages_read(caller, after, &rows.concat());
                }
            }
            Input::Committed(ticket) => self.desk.committed(ticket),
            Input::Keys(ticket, keys) => {
                if let Some(Pending::Invite(inviting)) = self.pending.remove(&ticket) {
                    self.verify_invite(moment, *inviting, &keys);
                }
            }
            Input::Signed(ticket, signatures) => {
                if let Some(Pending::Invite(inviting)) = self.pending.remove(&ticket) {
                    self.invite_signed(*inviting, signatures.first());
                }
            }
            Input::Woken => self.desk.woken(),
            Input::Answer(ticket, answer) => {
                if let Some(Pending::Rename(room, change)) = self.pending.remove(&ticket) {
                    self.told_room(&room, change, &answer);
                }
            }
            // We ask no server.
            Input::Sent(..) => {}
        }
    }

    fn call(&mut self, moment: Moment, ticket: Ticket, call: AccountCall) {
        match call {
            AccountCall::Invite { origin, keys, version, event, stripped } => {
                self.invited(moment, ticket, &origin, &keys, (version, event, stripped));
            }
            AccountCall::EndInvite { origin, keys, event } => self.ended(moment, ticket, &origin, &keys, event),
            AccountCall::Membership { room_id, membership, hub } => {
                let mut batch = WriteBatch::new();
                self.rooms.set(&room_id, membership, hub, &mut batch);
                self.desk.write(batch);
                self.desk.respond(ticket, Answer::Done);
            }
            AccountCall::ToDevice { messages } => self.deliver(ticket, messages),
            AccountCall::Profile(field) => {
                let response = self.read_profile(field);
                self.desk.answer(ticket, response);
            }
            AccountCall::Devices => {
                let response = self.devices.list(&self.user);
                self.desk.answer(ticket, response);
            }
            AccountCall::Device(device) => {
                let response = self.devices.one(&device);
                self.desk.answer(ticket, response);
            }
            AccountCall::QueryKeys(wanted) => {
                let found = self.devices.objects(&wanted);
                self.desk.respond(ticket, found);
            }
            AccountCall::ClaimKeys(wanted) => self.claim(ticket, &wanted),
            AccountCall::ResolveAlias(alias) => {
                let response = self.resolve(&alias);
                self.desk.answer(ticket, response);
            }
            AccountCall::Own(call) => self.own(ticket, call),
        }
    }

    fn own(&mut self, ticket: Ticket, call: OwnCall) {
        let mut batch = WriteBatch::new();
        let answer = match call {
            OwnCall::SetProfile(field, value) => {
                if self.profile.get(&field) != value.as_ref() {
                    record::put_profile(field, value.as_deref(), &mut batch);
                    match value {
                        Some(value) => self.profile.insert(field, value),
                        None => self.profile.remove(&field),
                    };
                    self.renamed(&mut batch);
                }
                Answer::Done
            }
            OwnCall::PutDevice(object) => self.put_device(object, &mut batch),
            OwnCall::RemoveDevice(device) => return self.remove_device(ticket, &device),
            OwnCall::AddKeys { device, keys, last_resort } => {
                self.add_keys(&device, keys, last_resort, &mut batch).map_or_else(Answer::Refused, |()| Answer::Done)
            }
            OwnCall::Invites => Answer::Invites(self.rooms.invites()),
            OwnCall::Rooms => Answer::Rooms(self.rooms.rooms()),
            OwnCall::Messages { device, after, limit } => return self.read_messages(ticket, &device, after, limit),
            OwnCall::SetAlias { alias, room } => {
                record::put_alias(&alias, room.as_ref(), &mut batch);
                match room {
                    Some(room) => self.aliases.insert(alias, room),
                    None => self.aliases.remove(&alias),
                };
                Answer::Done
            }
        };
        self.desk.write(batch);
        self.desk.respond(ticket, answer);
    }

    fn read_profile(&self, field: Option<ProfileField>) -> Response {
        if self.profile.is_empty() && self.devices.is_empty() && self.rooms.is_empty() {
            return Failure::of(ErrorCode::NotFound, format!("there is no user {}", self.user)).into();
        }
        let mut out = Vec::new();
        write_object(&mut out, |profile| {
            // Sorted by name, as canonical form wants.
            for known in [ProfileField::AvatarUrl, ProfileField::DisplayName] {
                if let Some(value) = self.profile.get(&known)
                    && field.is_none_or(|field| field == known)
                {
                    profile.string(known.text(), value);
                }
            }
        });
        Response::ok(out)
    }

    fn resolve(&self, alias: &str) -> Response {
        let Some((room, servers)) = self.aliases.get(alias) else {
            return Failure::of(ErrorCode::NotFound, "no room has this alias").into();
        };
        let mut out = Vec::new();
        write_object(&mut out, |answer| {
            answer.string("room_id", room.as_str());
            answer.array("servers", |list| servers.iter().for_each(|server| list.string(server.as_str())));
        });
        Response::ok(out)
    }

    /// A number that no key or message of this user ever had; the next one is `weight` further on. Messages that have fallen too far behind are forgotten.
    fn number(&mut self, weight: u64, batch: &mut WriteBatch) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(weight);
        for old in (number..self.next_number).filter_map(|number| number.checked_sub(messages::MOST)) {
            self.devices.ids().for_each(|device| batch.delete(Table::Account, record::message_key(device, Some(old))));
        }
        let mut row = Writer::new();
        row.u64(self.next_number);
        batch.put(Table::Account, record::NUMBER, row.into_bytes());
        number
    }
}

impl Machine for AccountMachine {
    fn handle(&mut self, moment: Moment, input: Input) {
        match &mut self.stage {
            Stage::New => {
                let queries: Vec<Query> = vec![record::all_but_messages()];
                self.stage = Stage::Opening(self.desk.read(queries), vec![input]);
            }
            Stage::Opening(ticket, waiting) => match input {
                Input::Rows(rows_of, tables) if rows_of == *ticket => {
                    let waiting = core::mem::take(waiting);
                    self.stage = Stage::Open;
                    self.open(&tables.concat());
                    for input in waiting {
                        self.take(moment, input);
                    }
                }
                input => waiting.push(input),
            },
            Stage::Open => self.take(moment, input),
        }
        if matches!(self.stage, Stage::Open) {
            self.tell_room();
        }
        self.desk.flush();
    }

    fn poll(&mut self) -> Option<Output> {
        self.desk.poll()
    }

    fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::New | Stage::Open) && self.pending.is_empty() && self.desk.is_settled()
    }
}

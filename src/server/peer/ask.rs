//! What an authenticated request asks, and of whom: a room, a local user, or several.

use alloc::{format, string::String};

use super::{
    PeerMachine, Pending, Relay,
    inbox::{Entry, Lane},
};
use crate::{
    id::{RoomId, UserId},
    json::{Document, Value},
    room::membership::Membership,
    server::{
        account::directory,
        contract::{Address, Moment, Output, Ticket},
        endpoint::{
            Endpoint,
            body::{DeviceQuery, Invite, KeyClaim, MemberEvent},
        },
        message::{AccountCall, Answer, Call, ErrorCode, Failure, Response, RoomCall},
    },
    store::WriteBatch,
};

impl PeerMachine {
    /// Answers an authenticated request, or sets out to.
    pub(super) fn serve(&mut self, moment: Moment, ticket: Ticket, endpoint: Endpoint, body: Option<Document>) {
        let result = match endpoint {
            Endpoint::Send { transaction } => match body {
                Some(body) => self.take_transaction(moment, ticket, transaction, body),
                None => Err(no_body()),
            },
            Endpoint::Event(event) => {
                self.find(moment, ticket, event);
                Ok(())
            }
            Endpoint::Read { room, read } => {
                let call = RoomCall::Read { origin: self.name.clone(), read };
                self.relay_to_room(ticket, room, call);
                Ok(())
            }
            Endpoint::Template { room, user, membership, versions } => self.own_user(&user).map(|()| {
                let call = RoomCall::Template { origin: self.name.clone(), user, membership, versions };
                self.relay_to_room(ticket, room, call);
            }),
            Endpoint::SendMember { transaction, membership } => {
                self.take_member(ticket, transaction, membership, body.as_ref())
            }
            Endpoint::Invite { transaction } => self.take_invite(ticket, transaction, body.as_ref()),
            Endpoint::Device { user, device } => self.relay_to_user(ticket, user, AccountCall::Device(device)),
            Endpoint::Devices(user) => self.relay_to_user(ticket, user, AccountCall::Devices),
            Endpoint::Profile { user, field } => self.relay_to_user(ticket, user, AccountCall::Profile(field)),
            Endpoint::ClaimKeys => root(body.as_ref()).and_then(KeyClaim::read).map(|claim| self.claim(ticket, claim)),
            Endpoint::QueryDeviceKeys => {
                root(body.as_ref()).and_then(DeviceQuery::read).map(|query| self.query(ticket, query))
            }
            Endpoint::Directory { alias } => self.resolve(ticket, alias),
            Endpoint::Media { .. } => Err(Failure::of(ErrorCode::NotFound, "this server stores no media")),
            Endpoint::WellKnown | Endpoint::OwnKeys | Endpoint::NotaryKeys { .. } | Endpoint::NotaryKeysOfMany => {
                Err(Failure::of(ErrorCode::Unrecognized, "this endpoint is served without a peer"))
            }
        };
        if let Err(failure) = result {
            self.finish(ticket, failure);
        }
    }

    /// send_join, send_leave, send_knock.
    fn take_member(
        &mut self,
        ticket: Ticket,
        transaction: String,
        membership: Membership,
        body: Option<&Document>,
    ) -> Result<(), Failure> {
        let member = MemberEvent::read(root(body)?)?;
        self.own_user(&member.sender)?;
        let lane = match membership {
            Membership::Leave => Lane::Leave,
            Membership::Knock => Lane::Knock,
            _ => Lane::Join,
        };
        let room = member.room_id.clone();
        let event = member.event.to_document();
        if self.enters(lane, &transaction, ticket) {
            if lane == Lane::Join {
                self.join_asked(&room);
            }
            let call = RoomCall::SendMember { origin: self.name.clone(), keys: self.lookup.keys(), membership, event };
            let relay = Relay { ticket, transaction: Some((lane, transaction)), room: Some(room.clone()) };
            self.ask(Address::Room(room), Call::Room(call), Pending::Relay(relay));
        }
        Ok(())
    }

    /// An invite: of a participant to us as the hub, or of a hub to one of our users (spec, section 7).
    fn take_invite(&mut self, ticket: Ticket, transaction: String, body: Option<&Document>) -> Result<(), Failure> {
        let invite = Invite::read(root(body)?)?;
        let member = &invite.event;
        let (address, call) = if member.hub_server.as_ref() == Some(self.identity.name()) {
            self.own_user(&member.sender)?;
            let event = member.event.to_document();
            let call = RoomCall::Invite { origin: self.name.clone(), keys: self.lookup.keys(), event };
            (Address::Room(member.room_id.clone()), Call::Room(call))
        } else if self.is_ours(&member.target) {
            let call = AccountCall::Invite {
                origin: self.name.clone(),
                keys: self.lookup.keys(),
                version: invite.version,
                event: member.event.to_document(),
                stripped: invite.stripped.iter().map(|state| state.to_document()).collect(),
            };
            (Address::Account(member.target.clone()), Call::Account(call))
        } else {
            let mut failure =
                Failure::of(ErrorCode::WrongServer, "neither the room's hub nor the invited user's server");
            failure.hub_server.clone_from(&member.hub_server);
            return Err(failure);
        };
        let room = Some(member.room_id.clone());
        if self.enters(Lane::Invite, &transaction, ticket) {
            let relay = Relay { ticket, transaction: Some((Lane::Invite, transaction)), room };
            self.ask(address, call, Pending::Relay(relay));
        }
        Ok(())
    }

    fn resolve(&mut self, ticket: Ticket, alias: String) -> Result<(), Failure> {
        let server = alias.split_once(':').map_or("", |(_, server)| server);
        if server != self.identity.name().as_str() {
            return Err(Failure::of(ErrorCode::NotFound, "the alias is another server's"));
        }
        match directory(self.identity.name()) {
            Some(directory) => self.relay_to_user(ticket, directory, AccountCall::ResolveAlias(alias)),
            None => Err(Failure::of(ErrorCode::NotFound, "this server has no aliases")),
        }
    }

    /// Whether a transaction is to be processed; if not, its caller is or will be answered.
    fn enters(&mut self, lane: Lane, transaction: &str, ticket: Ticket) -> bool {
        match self.inbox.enter(lane, transaction, ticket) {
            Entry::New => true,
            Entry::Joined => false,
            Entry::Answered(answer) => {
                self.finish(ticket, answer);
                false
            }
        }
    }

    pub(super) fn ask(&mut self, to: Address, call: Call, pending: Pending) -> Ticket {
        let ticket = self.desk.ticket();
        self.pending.insert(ticket, pending);
        self.desk.put(Output::Ask(ticket, to, call));
        ticket
    }

    fn relay_to_room(&mut self, ticket: Ticket, room: RoomId, call: RoomCall) {
        let relay = Relay { ticket, transaction: None, room: Some(room.clone()) };
        self.ask(Address::Room(room), Call::Room(call), Pending::Relay(relay));
    }

    fn relay_to_user(&mut self, ticket: Ticket, user: UserId, call: AccountCall) -> Result<(), Failure> {
        if !self.is_ours(&user) {
            return Err(Failure::of(ErrorCode::NotFound, format!("{user} is not of this server")));
        }
        let relay = Relay { ticket, transaction: None, room: None };
        self.ask(Address::Account(user), Call::Account(call), Pending::Relay(relay));
        Ok(())
    }

    /// The answer to what was passed on has come.
    pub(super) fn relayed(&mut self, relay: Relay, answer: Answer) {
        let response = response_of(answer);
        let mut batch = WriteBatch::new();
        if let Some(room) = relay.room.as_ref().filter(|_| response.status == 200) {
            self.rooms.remember(room, &mut batch);
        }
        let joined = match (&relay.transaction, &relay.room) {
            (Some((Lane::Join, _)), Some(room)) => Some(room.clone()),
            _ => None,
        };
        match relay.transaction {
            None => {
                self.desk.write(batch);
                self.finish(relay.ticket, response);
            }
            Some((lane, id)) => self.leave(lane, &id, &response, batch),
        }
        if let Some(room) = joined {
            self.join_answered(&room);
        }
    }

    /// A transaction is processed: everybody who asked for it gets the answer, once that is durable.
    pub(super) fn leave(&mut self, lane: Lane, id: &str, response: &Response, mut batch: WriteBatch) {
        let callers = self.inbox.leave(lane, id, response, &mut batch);
        self.desk.write(batch);
        for caller in callers {
            self.finish(caller, response.clone());
        }
    }

    pub(super) fn is_ours(&self, user: &UserId) -> bool {
        user.server() == self.identity.name().as_str()
    }

    /// Nobody speaks for another server's users.
    fn own_user(&self, user: &UserId) -> Result<(), Failure> {
        if user.server() == self.name.as_str() {
            return Ok(());
        }
        Err(Failure::of(ErrorCode::Forbidden, format!("{user} is not of the calling server {}", self.name)))
    }
}

/// What a machine answered, as an answer to a request.
pub(super) fn response_of(answer: Answer) -> Response {
    match answer {
        Answer::Response(response) => response,
        Answer::Refused(failure) => failure.to_response(),
        Answer::Unavailable => Failure::new(503, ErrorCode::Unknown, "not available at the moment; try again").into(),
        _ => Failure::of(ErrorCode::Unknown, "no answer to what was asked").into(),
    }
}

fn root(body: Option<&Document>) -> Result<Value<'_>, Failure> {
    body.map(Document::root).ok_or_else(no_body)
}

fn no_body() -> Failure {
    Failure::of(ErrorCode::NotJson, "the body is missing")
}

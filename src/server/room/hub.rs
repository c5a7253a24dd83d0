//! The hub's part: take LPDUs, put them in order, complete them (spec, section 4).
//!
//! Whatever brings an event to the hub (a transaction, send_join, an invite, a local user) makes it a [`Candidate`]; all candidates go through the same
//! [`Append`]. A whole transaction is chained first, signed after, and is one commit.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    append::Append,
    candidate::{Candidate, Made, ReplyTo},
    context::{Context, not_found, refuse, settled},
    work::Work,
};
use crate::{
    event::{KnownIds, LINEARIZED_02, RoomVersionRules, UnverifiedLpdu, VerifyError, received_id},
    id::{EventId, ServerName},
    json::Document,
    room::{kind, membership::Membership},
    server::{
        contract::Ticket,
        message::{Cause, ErrorCode, Failure, Outcome, ServerKeys},
    },
};

/// Takes the LPDUs of a transaction.
pub(super) fn receive(
    context: &mut Context,
    ticket: Ticket,
    origin: ServerName,
    keys: &ServerKeys,
    events: Vec<Document>,
) -> Box<dyn Work> {
    let seats = context.replies.open(ticket, events.len());
    let mut then = Vec::new();
    let mut seated = Vec::with_capacity(seats.len());
    let mut lpdus = Vec::with_capacity(seats.len());
    for (seat, admitted) in seats.into_iter().zip(context.admit_all(&origin, events)) {
        match admitted {
            Ok(lpdu) => {
                seated.push((seat, lpdu.event_id()));
                lpdus.push(lpdu);
            }
            Err(refused) => then.extend(context.replies.settle(seat, *refused)),
        }
    }
    context.keys.learn(keys);
    let mut candidates = Vec::with_capacity(lpdus.len());
    for ((seat, id), verdict) in
        seated.into_iter().zip(UnverifiedLpdu::verify_all(lpdus, &context.keys.at(context.now)))
    {
        match verdict {
            Ok(lpdu) => candidates.push(Candidate::new(Made::Lpdu(lpdu), ReplyTo::Seat(seat))),
            Err(error) => {
                then.extend(context.replies.settle(seat, Outcome { id: Some(id), failure: Some(unverified(error)) }));
            }
        }
    }
    if candidates.is_empty() { settled(then) } else { Append::of(candidates, then) }
}

/// Takes the member LPDU of send_join, send_leave or send_knock.
pub(super) fn send_member(
    context: &mut Context,
    ticket: Ticket,
    origin: ServerName,
    keys: &ServerKeys,
    membership: Membership,
    event: Document,
) -> Box<dyn Work> {
    let is_right = |lpdu: &UnverifiedLpdu| {
        let event = lpdu.event();
        event.kind() == kind::MEMBER
            && event.state_key() == Some(event.sender().as_str())
            && Membership::from_content(event.content()) == Some(membership)
    };
    let wrong = "the event must be the sender's own m.room.member with the membership of this endpoint";
    single(context, ticket, &origin, keys, event, (is_right, wrong), ReplyTo::Member(ticket, membership))
}

/// Takes a participant's invite.
pub(super) fn invite(
    context: &mut Context,
    ticket: Ticket,
    origin: ServerName,
    keys: &ServerKeys,
    event: Document,
) -> Box<dyn Work> {
    let is_right = |lpdu: &UnverifiedLpdu| {
        lpdu.event().kind() == kind::MEMBER
            && Membership::from_content(lpdu.event().content()) == Some(Membership::Invite)
    };
    let wrong = "the event must be an m.room.member with membership invite";
    single(context, ticket, &origin, keys, event, (is_right, wrong), ReplyTo::Invite(ticket))
}

fn single(
    context: &mut Context,
    ticket: Ticket,
    origin: &ServerName,
    keys: &ServerKeys,
    event: Document,
    (is_right, wrong): (impl Fn(&UnverifiedLpdu) -> bool, &str),
    reply: ReplyTo,
) -> Box<dyn Work> {
    if !context.is_hub() {
        return refuse(ticket, context.room.as_ref().map_or_else(not_found, |_| wrong_server(context)));
    }
    let lpdu = match context.admit(origin, event) {
        Ok(lpdu) if is_right(&lpdu) => lpdu,
        Ok(_) => return refuse(ticket, Failure::new(400, ErrorCode::BadJson, wrong)),
        Err(refused) => return refuse(ticket, refused.failure.unwrap_or_else(not_found)),
    };
    context.keys.learn(keys);
    match lpdu.verify(&context.keys.at(context.now)) {
        Ok(lpdu) => Append::of(vec![Candidate::new(Made::Lpdu(lpdu), reply)], Vec::new()),
        Err(error) => refuse(ticket, unverified(error)),
    }
}

impl Context {
    /// Reads an LPDU that a server brings: its schema, whether it may bring it, and whether it is for us.
    fn admit(&self, origin: &ServerName, event: Document) -> Admitted {
        self.admit_all(origin, vec![event]).pop().unwrap_or_else(|| refused(None, no_such_room()))
    }

    /// [`Context::admit`] for many.
    fn admit_all(&self, origin: &ServerName, events: Vec<Document>) -> Vec<Admitted> {
        let rules: &'static RoomVersionRules = self.room.as_ref().map_or(&LINEARIZED_02, |room| room.rules());
        let unread = match &self.room {
            None => Some(no_such_room()),
            Some(_) if !self.admits(origin) => Some(denied_by_acl()),
            Some(_) => None,
        };
        if let Some(failure) = unread {
            return events.iter().map(|event| refused(received_id(event, rules), failure.clone())).collect();
        }
        let known = KnownIds { room_id: Some(&self.room_id), servers: &[self.identity.name(), origin] };
        let read = UnverifiedLpdu::parse_all(events, rules, known).into_iter();
        read.map(|read| match read {
            Ok(lpdu) => self.is_ours_to_append(origin, lpdu),
            Err((error, event)) => refused(received_id(&event, rules), Failure::of_schema(error)),
        })
        .collect()
    }

    /// Whether the LPDU comes from its sender's server, and is for us.
    fn is_ours_to_append(&self, origin: &ServerName, lpdu: UnverifiedLpdu) -> Admitted {
        if lpdu.event().sender_server() != origin {
            let error = "an LPDU is taken from its sender's own server only";
            let failure = Failure::new(403, ErrorCode::Forbidden, error).because(Cause::admission("ForeignSender"));
            return refused(Some(lpdu.event_id()), failure);
        }
        if lpdu.event().hub_server() != Some(self.identity.name()) {
            return refused(Some(lpdu.event_id()), wrong_server(self));
        }
        Ok(lpdu)
    }
}

/// An LPDU that may be appended, as far as the one who brings it goes, or what is answered.
type Admitted = Result<UnverifiedLpdu, Box<Outcome>>;

fn refused(id: Option<EventId>, failure: Failure) -> Admitted {
    Err(Box::new(Outcome { id, failure: Some(failure) }))
}

/// The event is of a room that is not here.
pub(super) fn no_such_room() -> Failure {
    not_found().because(Cause::admission("NoSuchRoom"))
}

/// The event is for another hub, or we are not the hub.
pub(super) fn wrong_server(context: &Context) -> Failure {
    let error =
        "this server is not the room's hub, or the event names another one in hub_server; send it to hub_server";
    let mut failure = Failure::new(400, ErrorCode::WrongServer, error).because(Cause::admission("WrongHub"));
    failure.hub_server = context.hub().cloned();
    failure
}

/// The room's ACL denies the server.
pub(super) fn denied_by_acl() -> Failure {
    Failure::new(403, ErrorCode::Forbidden, "the room's m.room.server_acl denies your server")
        .because(Cause::admission("ServerAcl"))
}

fn unverified(error: VerifyError) -> Failure {
    Failure::new(403, ErrorCode::Forbidden, alloc::format!("{error}")).because(Cause::signatures(&error))
}

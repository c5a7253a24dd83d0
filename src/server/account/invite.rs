//! Invites to rooms that we are not in, and what ends them (spec, section 7).
//!
//! An invite is taken only from the room's hub, or from the sender's own server where that is the hub. The event climbs the same rungs as any other; then we
//! sign it, keep it with the room's stripped state, and give it back.

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use super::{AccountMachine, Pending};
use crate::{
    crypto::Signature,
    event::{
        Event, Integrity, KeyNeed, RoomVersionRules, UnverifiedLpdu, UnverifiedPdu, insert_signature, rules,
        signing_input,
    },
    id::{EventId, RoomVersionId, ServerName},
    json::{Document, write_object},
    room::membership::Membership,
    server::{
        contract::{Moment, Output, Ticket},
        identity::Signer,
        keys::{KeyRing, KeysAt},
        message::{Answer, ErrorCode, Failure, KeyNeeds, Notification, Outcome, PendingInvite, Response, ServerKeys},
    },
    store::WriteBatch,
};

/// An invite, or the event that ends one, on its way.
pub(super) struct Inviting {
    ticket: Ticket,
    purpose: Purpose,
    hub: ServerName,
    ring: KeyRing,
    event: Climbing,
}

/// What the event is to do.
enum Purpose {
    /// To be signed and kept.
    Invite { version: RoomVersionId, stripped: Vec<Document> },
    /// To end what is open.
    End,
}

/// How far a member event has got. It comes finished by a hub, or still as an LPDU.
enum Climbing {
    Pdu(UnverifiedPdu),
    Lpdu(UnverifiedLpdu),
    /// Signed as it must be, and intact.
    Checked(Event),
}

/// A refusal, and the ID of the event where it has one.
struct Refused {
    id: Option<EventId>,
    failure: Failure,
}

type Refusal = Box<Refused>;

impl AccountMachine {
    pub(super) fn invited(
        &mut self,
        moment: Moment,
        ticket: Ticket,
        origin: &ServerName,
        keys: &ServerKeys,
        (version, document, stripped): (RoomVersionId, Document, Vec<Document>),
    ) {
        let Some(rules) = rules(&version).filter(|rules| is_linear(rules)) else {
            let failure =
                Failure::of(ErrorCode::IncompatibleRoomVersion, format!("room version {version} is not supported"));
            return self.desk.answer(ticket, failure);
        };
        let purpose = Purpose::Invite { version, stripped };
        match self.begin(ticket, purpose, origin, keys, document, rules) {
            Ok(inviting) => self.need_keys(moment, inviting),
            Err(refusal) => self.desk.answer(ticket, refusal.failure),
        }
    }

    pub(super) fn ended(
        &mut self,
        moment: Moment,
        ticket: Ticket,
        origin: &ServerName,
        keys: &ServerKeys,
        document: Document,
    ) {
        // The versions that an invite may have agree in everything that is asked here.
        match self.begin(ticket, Purpose::End, origin, keys, document, &crate::event::LINEARIZED_02) {
            Ok(inviting) => self.need_keys(moment, inviting),
            Err(refusal) => self.desk.respond(ticket, outcome(refusal.id, Some(refusal.failure))),
        }
    }

    /// Reads the event: its schema, whether it is for this user, and whether it comes from whom it must.
    fn begin(
        &self,
        ticket: Ticket,
        purpose: Purpose,
        origin: &ServerName,
        keys: &ServerKeys,
        document: Document,
        rules: &'static RoomVersionRules,
    ) -> Result<Inviting, Refusal> {
        let climbing = if document.root().member("prev_events").is_some() {
            UnverifiedPdu::parse(document, rules).map(Climbing::Pdu)
        } else {
            UnverifiedLpdu::parse(document, rules).map(Climbing::Lpdu)
        };
        let climbing = climbing.map_err(|error| {
            let failure = Failure::of_schema(error);
            Box::new(Refused { id: None, failure: Failure { error: format!("event: {}", failure.error), ..failure } })
        })?;
        let (event, id) = (climbing.event(), climbing.event_id());
        let refused = |code, error: &str| Box::new(Refused { id, failure: Failure::of(code, error) });
        if event.kind() != "m.room.member" || event.state_key() != Some(self.user.as_str()) {
            return Err(refused(ErrorCode::BadJson, "the event must be this user's m.room.member"));
        }
        let hub = event.hub_server().cloned().unwrap_or_else(|| event.sender().server_name());
        if hub != *origin {
            return Err(refused(
                ErrorCode::Forbidden,
                "an invite comes from the room's hub, or from its sender's server if that is the hub",
            ));
        }
        let membership = Membership::from_content(event.content());
        match purpose {
            Purpose::Invite { .. } => {
                if membership != Some(Membership::Invite) {
                    return Err(refused(ErrorCode::BadJson, "the event's membership must be invite"));
                }
                if !self.rooms.has_place_for(event.room_id()) {
                    return Err(refused(ErrorCode::LimitExceeded, "the user has too many open invites"));
                }
            }
            Purpose::End => {
                let ends = matches!(membership, Some(Membership::Leave | Membership::Ban));
                if !ends || !self.rooms.is_open_at(event.room_id(), origin) {
                    return Err(refused(ErrorCode::NotFound, "no invite or knock of this user is open there"));
                }
            }
        }
        let mut ring = KeyRing::new(&self.identity);
        ring.learn(keys);
        Ok(Inviting { ticket, purpose, hub, ring, event: climbing })
    }

    /// Sees to the keys that are missing, then goes on.
    fn need_keys(&mut self, moment: Moment, inviting: Inviting) {
        let missing = |need: &KeyNeed| !need.key_ids.iter().any(|id| inviting.ring.knows(&need.server, id));
        let needs: Vec<_> = inviting.event.required_keys().into_iter().filter(missing).collect();
        if needs.is_empty() {
            return self.verify_invite(moment, inviting, &[]);
        }
        let notary = Some(inviting.hub.clone());
        let needs = needs.into_iter();
        let needs = needs.map(|need| KeyNeeds { server: need.server, key_ids: need.key_ids, notary: notary.clone() });
        let ticket = self.desk.ticket();
        self.desk.put(Output::NeedKeys(ticket, needs.collect()));
        self.pending.insert(ticket, Pending::Invite(Box::new(inviting)));
    }

    /// Checks signatures and hashes with the keys that could be had.
    pub(super) fn verify_invite(&mut self, moment: Moment, inviting: Inviting, keys: &[ServerKeys]) {
        let Inviting { ticket, purpose, hub, mut ring, event } = inviting;
        keys.iter().for_each(|keys| ring.learn(keys));
        let id = event.event_id();
        let event = match event.verify(&ring.at(moment.now)) {
            Ok(event) => event,
            Err(error) => return self.refuse(ticket, &purpose, id, Failure::of(ErrorCode::Forbidden, error)),
        };
        match purpose {
            Purpose::Invite { .. } => {
                let input = signing_input(&event);
                let inviting = Inviting { ticket, purpose, hub, ring, event: Climbing::Checked(event) };
                let held = match self.identity.signer() {
                    Signer::Held(key) => Some(key.sign(&input)),
                    Signer::Platform(_) => None,
                };
                match held {
                    Some(signature) => self.invite_signed(inviting, Some(&signature)),
                    None => {
                        let ticket = self.desk.ticket();
                        self.desk.put(Output::Sign(ticket, vec![input]));
                        self.pending.insert(ticket, Pending::Invite(Box::new(inviting)));
                    }
                }
            }
            Purpose::End => {
                let mut batch = WriteBatch::new();
                self.rooms.set(event.room_id(), Membership::Leave, None, &mut batch);
                self.desk.write(batch);
                self.desk.respond(ticket, outcome(id, None));
                let (user, room_id, sender) = (self.user.clone(), event.room_id().clone(), event.sender().clone());
                self.desk.after(Output::Notify(Notification::InviteEnded { user, room_id, sender }));
            }
        }
    }

    /// Our signature has come: the invite is kept, then given back.
    pub(super) fn invite_signed(&mut self, inviting: Inviting, signature: Option<&Signature>) {
        let Inviting { ticket, purpose, hub, event, .. } = inviting;
        let event = event.event();
        let (name, key) = (self.identity.name().as_str(), self.identity.key_id().as_str());
        let signed = signature.and_then(|signature| insert_signature(event.document(), name, key, signature).ok());
        match (signed, purpose) {
            (Some(signed), Purpose::Invite { version, stripped }) => {
                let mut body = Vec::new();
                write_object(&mut body, |answer| {
                    answer.raw("event", signed.bytes());
                    answer.raw("pdu", signed.bytes());
                });
                let (room_id, sender) = (event.room_id().clone(), event.sender().clone());
                let (user, mut batch) = (self.user.clone(), WriteBatch::new());
                let notification = Notification::Invited { user, room_id: room_id.clone(), sender: sender.clone() };
                self.rooms.invite(PendingInvite { room_id, hub, sender, version, event: signed, stripped }, &mut batch);
                self.desk.write(batch);
                self.desk.answer(ticket, Response::ok(body));
                self.desk.after(Output::Notify(notification));
            }
            (_, purpose) => {
                let failure = Failure::of(ErrorCode::Unknown, "the invite could not be signed");
                self.refuse(ticket, &purpose, None, failure);
            }
        }
    }

    fn refuse(&mut self, ticket: Ticket, purpose: &Purpose, id: Option<EventId>, failure: Failure) {
        match purpose {
            Purpose::Invite { .. } => self.desk.answer(ticket, failure),
            Purpose::End => self.desk.respond(ticket, outcome(id, Some(failure))),
        }
    }
}

impl Climbing {
    fn event(&self) -> &Event {
        match self {
            Self::Pdu(pdu) => pdu.event(),
            Self::Lpdu(lpdu) => lpdu.event(),
            Self::Checked(event) => event,
        }
    }

    /// The ID of what was received.
    fn event_id(&self) -> Option<EventId> {
        match self {
            Self::Pdu(pdu) => Some(pdu.event_id()),
            Self::Lpdu(lpdu) => Some(lpdu.event_id()),
            Self::Checked(_) => None,
        }
    }

    fn required_keys(&self) -> Vec<KeyNeed> {
        match self {
            Self::Pdu(pdu) => pdu.required_keys(),
            Self::Lpdu(lpdu) => lpdu.required_keys(),
            Self::Checked(_) => Vec::new(),
        }
    }

    /// The event, signed as it must be and intact.
    fn verify(self, keys: &KeysAt<'_>) -> Result<Event, String> {
        match self {
            Self::Pdu(pdu) => {
                let pdu = pdu.verify(keys).map_err(|error| format!("{error}"))?;
                match pdu.integrity() {
                    Integrity::Intact => Ok(pdu.into_event()),
                    Integrity::Redacted => Err("the event's content hash is wrong".into()),
                }
            }
            Self::Lpdu(lpdu) => lpdu.verify(keys).map(|lpdu| lpdu.event().clone()).map_err(|error| format!("{error}")),
            Self::Checked(event) => Ok(event),
        }
    }
}

fn is_linear(rules: &RoomVersionRules) -> bool {
    rules.format.linking == crate::event::Linking::Linear
}

fn outcome(id: Option<EventId>, failure: Option<Failure>) -> Answer {
    Answer::Outcomes(vec![Outcome { id, failure }])
}

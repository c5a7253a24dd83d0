//! What the work of one room shares.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{
    consent, create, current, ephemeral,
    ephemeral::Paces,
    find, history,
    hold::Hold,
    hub, join, local,
    offers::Offers,
    owed::Owed,
    participant::{
        self, fill,
        later::Later,
        missed::Missed,
        restore::{self, Restoring},
        unproven,
    },
    pending::Pending,
    pull,
    purge::Purged,
    read,
    reply::Replies,
    template,
    transfer::Transfer,
    work::{Progress, Resume, Work},
};
use crate::{
    id::{RoomId, ServerName, Timestamp},
    json::Document,
    ordered::Set,
    room::{acl, head::Room, kind},
    server::{
        contract::{Moment, Output, Ticket},
        identity::Identity,
        keys::KeyRing,
        message::{Answer, ErrorCode, Failure, RoomCall},
    },
    store::DecodeError,
};

/// The hub's peer machine is told no sooner of more that our users say, while it has not pulled what it was told of.
const NUDGE_AGAIN: Duration = Duration::from_secs(1);

/// The room, what is owed to others and by us, and who we are.
pub(super) struct Context {
    pub(super) identity: Identity,
    pub(super) room_id: RoomId,
    /// The room as of the last thing chained; nothing unless we are or were in it.
    pub(super) room: Option<Room>,
    /// What each server is owed of the log, while we are the hub.
    pub(super) owed: Owed,
    /// What we sent and have not seen again, while another server is the hub.
    pub(super) pending: Pending,
    /// Servers that may take the room over.
    pub(super) consents: Set<ServerName>,
    /// Invites of which servers outside the room are asked.
    pub(super) offers: Offers,
    /// The room waits for a server that may take it over.
    pub(super) hold: Hold,
    pub(super) keys: KeyRing,
    /// When the input came that is being dealt with: which keys are current hangs on it.
    pub(super) now: Timestamp,
    /// Events whose sender's key is still to be found.
    pub(super) unproven: Later,
    /// Holes that may still be filled.
    pub(super) holes: Later,
    /// How far what has outlived the room's policy is purged.
    pub(super) purged: Purged,
    /// The room is on its way to us.
    pub(super) transfer: Option<Transfer>,
    /// The room is being restored from its exported log.
    pub(super) restoring: Restoring,
    /// What is to be asked for again.
    pub(super) missed: Missed,
    /// Since when the hub has not answered about a gap.
    pub(super) hub_silent_since: Option<Timestamp>,
    pub(super) last_stamp: Timestamp,
    /// EDUs on their way to peer machines.
    pub(super) fleeting: Vec<(ServerName, Document)>,
    /// How much each user has said lately that is not kept.
    pub(super) paces: Paces,
    pub(super) replies: Replies,
    /// Why the room could not be read from its store.
    pub(super) broken: Option<DecodeError>,
    open: bool,
    /// When the hub's peer machine was last told of what our users say, and of how much; nothing once it has pulled all.
    hub_nudged: Option<(Timestamp, i64)>,
    /// Hubs for which something was meant that is taken back: their peer machines may have it at hand.
    recalled: Set<ServerName>,
}

impl Context {
    pub(super) fn new(identity: Identity, room_id: RoomId) -> Self {
        Self {
            keys: KeyRing::new(&identity),
            now: Timestamp::default(),
            identity,
            room_id,
            room: None,
            owed: Owed::default(),
            pending: Pending::default(),
            consents: Set::new(),
            offers: Offers::default(),
            hold: Hold::default(),
            unproven: Later::new(unproven::PREFIX),
            holes: Later::new(fill::PREFIX),
            purged: Purged::default(),
            transfer: None,
            restoring: Restoring::No,
            missed: Missed::default(),
            hub_silent_since: None,
            last_stamp: Timestamp::default(),
            fleeting: Vec::new(),
            paces: Paces::default(),
            replies: Replies::default(),
            broken: None,
            open: false,
            hub_nudged: None,
            recalled: Set::new(),
        }
    }

    /// Whether the room has been read from its store.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    pub(super) const fn set_open(&mut self) {
        self.open = true;
    }

    /// The hub of the room we know.
    pub(super) fn hub(&self) -> Option<&ServerName> {
        self.room.as_ref().and_then(|room| room.state.hub())
    }

    /// Whether we order this room.
    pub(super) fn is_hub(&self) -> bool {
        self.hub() == Some(self.identity.name())
    }

    /// The position of the event that made us the hub; before everything where none has.
    pub(super) fn made_hub_at(&self) -> i64 {
        let moved = self.room.as_ref().filter(|_| self.is_hub()).and_then(|room| room.state.entry(kind::HUB, ""));
        moved.map_or(i64::MIN, |entry| entry.position)
    }

    /// Whether a server has a joined user.
    pub(super) fn is_in_room(&self, server: &ServerName) -> bool {
        self.room.as_ref().is_some_and(|room| room.state.joined_users_of(server.as_str()) > 0)
    }

    /// Whether we have a joined user.
    pub(super) fn are_in_room(&self) -> bool {
        self.is_in_room(self.identity.name())
    }

    /// Forgets what it knew of the room.
    pub(super) fn forget_room(&mut self) {
        self.room = None;
        self.owed = Owed::default();
        self.unproven = Later::new(unproven::PREFIX);
        self.holes = Later::new(fill::PREFIX);
        self.purged = Purged::default();
    }

    /// Whether the room's ACL lets a server take part. The hub itself is never denied.
    pub(super) fn admits(&self, server: &ServerName) -> bool {
        self.hub() == Some(server)
            || self.room.as_ref().is_none_or(|room| acl::allows(room.state.acl(), server.as_str()))
    }

    /// The peers to tell that they have something to pull.
    pub(super) fn take_nudges(&mut self) -> Vec<ServerName> {
        let Some(head) = self.room.as_ref().and_then(|room| room.head) else { return Vec::new() };
        let mut peers = self.owed.take_nudges(head.position);
        peers.extend(core::mem::take(&mut self.recalled));
        let said = self.pending.said();
        let is_told = |(at, told): (Timestamp, i64)| told == said || self.now < at.saturating_add(NUDGE_AGAIN);
        if !self.is_hub() && !self.hub_nudged.is_some_and(is_told) && self.pending.has_unsent() {
            self.hub_nudged = Some((self.now, said));
            peers.extend(self.hub().cloned());
        }
        peers
    }

    /// What was meant for a hub is taken back, also where its peer machine has it at hand.
    pub(super) fn recall(&mut self, hub: &ServerName) {
        self.recalled.insert(hub.clone());
    }

    /// The hub's peer machine has pulled all: it wants to be told of the next one.
    pub(super) const fn hub_is_idle(&mut self) {
        self.hub_nudged = None;
    }

    /// When something of ours will have waited too long, or is to be written.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let dues = [
            self.pending.next_due(),
            self.unproven.next_due(),
            self.holes.next_due(),
            self.missed.next_due(),
            self.owed.next_due(),
            self.held_until(),
            self.purge_due(),
            restore::due(self),
        ];
        dues.into_iter().flatten().min()
    }

    /// Whether nothing that is due is known here alone. Events whose sender is still to be checked, holes, and what is to be purged are found again in the
    /// rows, and may wait for days.
    pub(super) fn is_settled(&self) -> bool {
        let dues = [
            self.pending.next_due(),
            self.missed.next_due(),
            self.owed.next_due(),
            self.held_until(),
            restore::due(self),
        ];
        dues.iter().all(Option::is_none)
    }

    /// Gives a call back, unless it is kept until an invite in flight has ended.
    pub(super) fn awaits_invite(&mut self, ticket: Ticket, call: RoomCall) -> Option<RoomCall> {
        match &self.room {
            Some(room) => self.offers.keep(&room.state, ticket, call),
            None => Some(call),
        }
    }

    /// What a call has us do; `behind` are events that local users want to send directly behind the one of this call.
    pub(super) fn work_for(
        &mut self,
        ticket: Ticket,
        call: RoomCall,
        behind: Vec<(Ticket, RoomCall)>,
    ) -> Box<dyn Work> {
        if let Some(failure) = self.unable(&call) {
            let tickets = core::iter::once(ticket).chain(behind.into_iter().map(|(ticket, _)| ticket));
            return settled(tickets.map(|ticket| Output::Respond(ticket, Answer::Refused(failure.clone()))).collect());
        }
        match call {
            RoomCall::Receive { origin, keys, events } if self.is_hub() => {
                hub::receive(self, ticket, origin, &keys, events)
            }
            RoomCall::Receive { origin, keys, events } => participant::receive(self, ticket, origin, &keys, events),
            RoomCall::Read { origin, read } => read::work(ticket, origin, read),
            RoomCall::Template { origin, user, membership, versions } => {
                template::work(ticket, origin, user, membership, versions)
            }
            RoomCall::SendMember { origin, keys, membership, event } => {
                hub::send_member(self, ticket, origin, &keys, membership, event)
            }
            RoomCall::Invite { origin, keys, event } => hub::invite(self, ticket, origin, &keys, event),
            RoomCall::Pull { peer, delivered } => pull::work(ticket, peer, delivered),
            RoomCall::Create { creator, public, name, version, create_content } => {
                create::work(self, ticket, create::Wish { creator, public, name, version, create_content })
            }
            call @ (RoomCall::SendEvent { .. } | RoomCall::SendOnce { .. }) => {
                let calls = core::iter::once((ticket, call)).chain(behind);
                local::send(calls.filter_map(|(ticket, call)| local::Sending::of(ticket, call)).collect())
            }
            RoomCall::State { kind, state_key } => current::state(self, ticket, kind.as_deref(), state_key.as_deref()),
            RoomCall::Pending => current::pending(self, ticket),
            RoomCall::Find { event_id } => find::work(ticket, event_id),
            RoomCall::Member { user, membership, via } => join::work(self, ticket, user, membership, via),
            RoomCall::Ephemeral { origin, edus } => ephemeral::receive(self, ticket, &origin, &edus),
            RoomCall::SendEphemeral { sender, what } => ephemeral::send(self, ticket, sender, what),
            RoomCall::Consent { to } => consent::work(ticket, to),
            RoomCall::History { before, limit } => history::work(ticket, before, limit),
            RoomCall::Timeline { from, limit } => read::timeline(ticket, from, limit),
            RoomCall::Restore { from, lines, end } => restore::work(self, ticket, restore::Page { from, lines, end }),
        }
    }

    /// Why nothing can be done for now.
    fn unable(&self, call: &RoomCall) -> Option<Failure> {
        if let Some(error) = &self.broken {
            let error = alloc::format!("the stored room cannot be read: {error}; restore it from an export");
            return Some(Failure::new(500, ErrorCode::Unknown, error));
        }
        if self.restoring != Restoring::No && !matches!(call, RoomCall::Restore { .. }) {
            let error = "the room is being restored from an export; try again when it is there";
            return Some(Failure::of(ErrorCode::BadState, error));
        }
        None
    }
}

/// Work that refuses.
pub(super) fn refuse(ticket: Ticket, failure: Failure) -> Box<dyn Work> {
    settled(alloc::vec![Output::Respond(ticket, Answer::Refused(failure))])
}

/// Work that says what is already settled.
pub(super) fn settled(outputs: Vec<Output>) -> Box<dyn Work> {
    Box::new(Settled(outputs))
}

struct Settled(Vec<Output>);

impl Work for Settled {
    fn step(&mut self, _: &mut Context, _: Moment, _: Resume) -> Progress {
        Progress::Done(core::mem::take(&mut self.0))
    }
}

/// The room is not here, or not for the caller.
pub(super) fn not_found() -> Failure {
    Failure::new(404, ErrorCode::NotFound, "no such room here, or no user of your server is joined to it")
}

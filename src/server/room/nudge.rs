//! Telling peer machines that they have something to pull, until each has heard it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    id::{RoomId, ServerName, Timestamp},
    ordered::Map,
    server::{
        contract::{Address, Output, Ticket},
        message::{Answer, Call, PeerCall},
    },
};

/// How long to wait before a peer machine is told again that was gone before it answered.
const AGAIN: Duration = Duration::from_secs(1);

/// Nudges on their way.
#[derive(Debug, Default)]
pub(super) struct Nudges {
    out: Map<Ticket, ServerName>,
    lost: Vec<ServerName>,
    due: Option<Timestamp>,
}

impl Nudges {
    /// Tells a peer machine. What it is owed may be what our users have just said, for the hub.
    pub(super) fn send(&mut self, ticket: Ticket, room_id: &RoomId, peer: ServerName, is_hub: bool) -> Output {
        self.out.insert(ticket, peer.clone());
        let nudge = if is_hub { PeerCall::Said } else { PeerCall::Nudge };
        Output::Ask(ticket, Address::Peer(peer), Call::Peer(nudge(room_id.clone())))
    }

    /// Takes the answer, if it is one to a nudge. A machine that was dropped meanwhile may not have kept what it was told.
    pub(super) fn answered(&mut self, ticket: Ticket, answer: &Answer, now: Timestamp) {
        let Some(peer) = self.out.remove(&ticket) else { return };
        if *answer != Answer::Done {
            self.lost.push(peer);
            self.due.get_or_insert(now.saturating_add(AGAIN));
        }
    }

    /// When some are to be sent again.
    pub(super) const fn next_due(&self) -> Option<Timestamp> {
        self.due
    }

    /// The peers to be told again now.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<ServerName> {
        match self.due.take_if(|due| *due <= now) {
            Some(_) => core::mem::take(&mut self.lost),
            None => Vec::new(),
        }
    }
}

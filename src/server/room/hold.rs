//! A room held still for a moment, as its present hub: so that a server which may take it over can name a head that stays (spec, section 9).

use core::time::Duration;

use super::context::Context;
use crate::{
    id::{ServerName, Timestamp},
    server::message::RoomCall,
};

/// How long others wait at the most (spec, section 9).
const LONGEST: Duration = Duration::from_secs(5);

/// A room is not held again sooner than this after it was, so that a server that only asks does not stop it.
const PAUSE: Duration = Duration::from_secs(10);

/// For whom the room is held, if it is.
#[derive(Debug, Default)]
pub(super) struct Hold {
    server: Option<ServerName>,
    until: Timestamp,
}

impl Context {
    /// A server named a head that was no longer the last. If it may take the room over, the head stays for a while.
    pub(super) fn hold_for(&mut self, server: &ServerName, now: Timestamp) {
        let again = self.hold.until.saturating_add(PAUSE);
        if self.consents.contains(server) && (self.hold.until == Timestamp::default() || again <= now) {
            self.hold = Hold { server: Some(server.clone()), until: now.saturating_add(LONGEST) };
        }
    }

    /// When the room goes on, if it is held.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        (self.hold.server.is_some() && self.is_hub() && self.now < self.hold.until).then_some(self.hold.until)
    }

    /// Whether a call has to wait because it could move the head.
    pub(super) fn holds(&self, call: &RoomCall) -> bool {
        let origin = match call {
            RoomCall::Receive { origin, .. }
            | RoomCall::SendMember { origin, .. }
            | RoomCall::Invite { origin, .. } => Some(origin),
            RoomCall::SendEvent { .. } | RoomCall::SendOnce { .. } | RoomCall::Member { .. } => None,
            _ => return false,
        };
        self.held_until().is_some() && origin != self.hold.server.as_ref()
    }
}

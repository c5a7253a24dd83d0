//! Invites that a server outside the room is asked about (spec, section 7). Its user may answer one before the hub has heard that the server agrees, and
//! long before the invite is appended; what that user asks on the strength of the invite is judged when the invite has ended, one way or the other.
//!
//! An offer ends within its time, so nothing waits longer than that; and only what would be refused now waits at all.

use alloc::{collections::VecDeque, string::String, vec::Vec};

use crate::{
    event::Event,
    id::UserId,
    json::Value,
    ordered::Map,
    room::{
        membership::{JoinRule, Membership},
        state::RoomState,
    },
    server::{contract::Ticket, message::RoomCall},
};

/// Invites in flight, and who waits for their end.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// How many invites are in flight for each user.
    targets: Map<String, u32>,
    waiting: VecDeque<(UserId, Ticket, RoomCall)>,
}

impl Offers {
    /// An invite's target is about to be asked.
    pub(super) fn begin(&mut self, invite: &Event) {
        if let Some(target) = invite.state_key() {
            let count = self.targets.entry(target.into()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// An invite stands in the log now, or is refused.
    pub(super) fn end(&mut self, invite: &Event) {
        let Some(target) = invite.state_key() else { return };
        if let Some(count) = self.targets.get_mut(target) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.targets.remove(target);
            }
        }
    }

    /// Keeps a call that only an invite in flight can make right; any other is given back.
    pub(super) fn keep(&mut self, state: &RoomState, ticket: Ticket, call: RoomCall) -> Option<RoomCall> {
        let asked = if self.targets.is_empty() { None } else { asks(&call) };
        match asked.filter(|(user, membership)| {
            self.targets.contains_key(user.as_str()) && needs_invite(state, user, *membership)
        }) {
            Some((user, _)) => {
                self.waiting.push_back((user, ticket, call));
                None
            }
            None => Some(call),
        }
    }

    /// The calls that have waited long enough, in the order in which they came.
    pub(super) fn take_ready(&mut self) -> Vec<(Ticket, RoomCall)> {
        let is_ready = |(user, ..): &(UserId, Ticket, RoomCall)| !self.targets.contains_key(user.as_str());
        if !self.waiting.iter().any(is_ready) {
            return Vec::new();
        }
        let (ready, waiting): (VecDeque<_>, _) = core::mem::take(&mut self.waiting).into_iter().partition(is_ready);
        self.waiting = waiting;
        ready.into_iter().map(|(_, ticket, call)| (ticket, call)).collect()
    }

    /// Whether nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Whose membership a call of that user's own server asks for, and which.
fn asks(call: &RoomCall) -> Option<(UserId, Membership)> {
    let (origin, user, membership) = match call {
        RoomCall::Template { origin, user, membership, .. } => (origin, user.clone(), *membership),
        RoomCall::SendMember { origin, membership, event, .. } => {
            let user = event.root().member("sender").and_then(Value::as_str)?;
            (origin, UserId::parse(&user).ok()?, *membership)
        }
        _ => return None,
    };
    // Nobody waits for another server's user: such a call is refused whatever comes of the invite.
    (user.server() == origin.as_str()).then_some((user, membership))
}

/// Whether the rules refuse this now and would allow it after an invite (spec, section 5, rules 5.1 and 5.3).
fn needs_invite(state: &RoomState, user: &UserId, membership: Membership) -> bool {
    match (membership, state.membership(user)) {
        (Membership::Join, Membership::Invite | Membership::Join) => false,
        (Membership::Join, _) => state.join_rule() != JoinRule::Public,
        (Membership::Leave, now) => !matches!(now, Membership::Invite | Membership::Join | Membership::Knock),
        _ => false,
    }
}

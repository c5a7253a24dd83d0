//! The rooms that a user is joined to, and the invites and knocks that are open.

use alloc::vec::Vec;

use super::record;
use crate::{
    id::{RoomId, ServerName},
    ordered::Map,
    room::membership::Membership,
    server::message::PendingInvite,
    store::WriteBatch,
};

/// More open invites than this are refused.
pub(super) const MAX_INVITES: usize = 500;

/// Rooms by ID.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Map<RoomId, Open>,
    invites: Map<RoomId, PendingInvite>,
}

/// A join or a knock, or an invite to a room that we are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) membership: Membership,
    /// Whom it went through.
    pub(super) hub: Option<ServerName>,
}

impl Rooms {
    pub(super) fn restore(&mut self, room: RoomId, open: Open) {
        self.rooms.insert(room, open);
    }

    pub(super) fn restore_invite(&mut self, invite: PendingInvite) {
        self.invites.insert(invite.room_id.clone(), invite);
    }

    /// The user's membership of a room changed: an invite or a knock that was open is not any more.
    pub(super) fn set(
        &mut self,
        room: &RoomId,
        membership: Membership,
        hub: Option<ServerName>,
        batch: &mut WriteBatch,
    ) {
        let open = match membership {
            Membership::Join | Membership::Knock | Membership::Invite => Some(Open { membership, hub }),
            Membership::Leave | Membership::Ban => None,
        };
        if self.rooms.get(room) != open.as_ref() {
            record::put_room(room, open.as_ref(), batch);
        }
        match open {
            Some(open) => self.rooms.insert(room.clone(), open),
            None => self.rooms.remove(room),
        };
        if self.invites.remove(room).is_some() {
            record::delete_invite(room, batch);
        }
    }

    /// An invite is open from now on, in place of an older one.
    pub(super) fn invite(&mut self, invite: PendingInvite, batch: &mut WriteBatch) {
        record::put_invite(&invite, batch);
        self.invites.insert(invite.room_id.clone(), invite);
    }

    /// Whether one more invite may be taken.
    pub(super) fn has_place_for(&self, room: &RoomId) -> bool {
        self.invites.len() < MAX_INVITES || self.invites.contains_key(room)
    }

    /// Whether an event from this server may end an invite or a knock.
    pub(super) fn is_open_at(&self, room: &RoomId, hub: &ServerName) -> bool {
        let asked = self.rooms.get(room).filter(|open| open.membership != Membership::Join);
        self.invites.get(room).is_some_and(|invite| invite.hub == *hub)
            || asked.is_some_and(|open| open.hub.as_ref() == Some(hub))
    }

    pub(super) fn invites(&self) -> Vec<PendingInvite> {
        self.invites.values().cloned().collect()
    }

    pub(super) fn rooms(&self) -> Vec<(RoomId, Membership)> {
        self.rooms.iter().map(|(room, open)| (room.clone(), open.membership)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.invites.is_empty()
    }
}

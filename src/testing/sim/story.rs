//! What the users of a server were told of a room, in order.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    id::{EventId, RoomId},
    server::{Failure, Notification},
};

/// An event that was shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) position: i64,
    pub(super) event_id: EventId,
    pub(super) lpdu_id: Option<EventId>,
    pub(super) bytes: Vec<u8>,
    pub(super) sender_verified: bool,
    pub(super) intact: bool,
}

/// What was told of one room.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) shown: Vec<Shown>,
    /// Events that will not appear, by their LPDU.
    pub(super) not_sent: BTreeMap<EventId, Failure>,
    /// Events that were made anew for another hub: old and new ID.
    pub(super) resent: BTreeMap<EventId, EventId>,
    pub(super) forks: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) rejected: Vec<(EventId, alloc::string::String)>,
    pub(super) holes: Vec<EventId>,
    /// Events that took the place of a hole.
    pub(super) filled: BTreeSet<EventId>,
    /// Events that their sender turned out not to have signed.
    pub(super) refuted: BTreeSet<EventId>,
}

/// The room that a notification is about, where this matters here.
pub(super) fn room_of(told: &Notification) -> Option<&RoomId> {
    match told {
        Notification::Appended { room_id, .. }
        | Notification::Rejected { room_id, .. }
        | Notification::Fork { room_id, .. }
        | Notification::Resent { room_id, .. }
        | Notification::Rechecked { room_id, .. }
        | Notification::Purged { room_id, .. }
        | Notification::Filled { room_id, .. }
        | Notification::Hole { room_id, .. }
        | Notification::NotSent { room_id, .. } => Some(room_id),
        _ => None,
    }
}

impl Story {
    /// Goes on.
    pub(super) fn tell(&mut self, told: Notification) {
        match told {
            Notification::Appended { position, event_id, lpdu_id, event, sender_verified, intact, .. } => {
                self.shown.push(Shown { position, event_id, lpdu_id, bytes: event, sender_verified, intact });
            }
            Notification::NotSent { lpdu_id, failure, .. } => drop(self.not_sent.insert(lpdu_id, failure)),
            Notification::Resent { old, new, .. } => {
                // A room that moves back gives the event an ID that it had before: that one is the last now.
                self.resent.remove(&new);
                self.resent.insert(old, new);
            }
            Notification::Fork { first, second, .. } => self.forks.push((first, second)),
            Notification::Rejected { event_id, error, .. } => self.rejected.push((event_id, error)),
            Notification::Hole { event_id, .. } => self.holes.push(event_id),
            Notification::Filled { event_id, .. } => drop(self.filled.insert(event_id)),
            Notification::Rechecked { event_id, sender_verified: false, .. } => drop(self.refuted.insert(event_id)),
            _ => {}
        }
    }

    /// The ID under which an event of ours went to the last hub that it was meant for.
    pub(super) fn last_form(&self, id: EventId) -> EventId {
        let mut last = id;
        while let Some(next) = self.resent.get(&last) {
            last = *next;
        }
        last
    }
}

//! Moving the room past an event that has its place.

use super::{context::Context, known::KnownLog};
use crate::{
    event::Event,
    id::{EventId, ServerName, UserId},
    room::{
        head::{Head, Room},
        kind,
        log::{LogEntry, state_index_key},
    },
    store::{Table, WriteBatch},
};

impl Context {
    /// Moves the room past an event that we append as the hub, and settles who is owed it. `answered` says that the sender's server gets the event
    /// with the answer that it waits for. The event's position.
    pub(super) fn advance_as_hub(
        &mut self,
        event: &Event,
        event_id: EventId,
        answered: bool,
        batch: &mut WriteBatch,
    ) -> Option<i64> {
        let target = event.state_key().filter(|_| event.kind() == kind::MEMBER).and_then(|key| UserId::parse(key).ok());
        let target = target.map(|user| user.server_name());
        let was_joined = target.as_ref().is_some_and(|server| self.is_in_room(server));
        let position = advance(self.room.as_mut()?, event, event_id, batch);
        if let Some(server) = target.filter(|server| server != self.identity.name()) {
            let is_joined = self.is_in_room(&server);
            let is_told = was_joined || event.sender().server() == server.as_str() || puts_out(event);
            match (was_joined, is_joined) {
                // A server that joins from outside has nothing of the room, whatever it had before.
                (_, true) if answered => self.owed.begin(&server, position, batch),
                (false, true) => self.owed.resume(&server, position, batch),
                (_, false) if is_told => self.owed.end(&server, position, batch),
                _ => {}
            }
        }
        if event.kind() == kind::HUB {
            self.hub_moved(position, batch);
        }
        Some(position)
    }

    /// Settles the shares when `m.room.hub` has its place: each owes it, the old hub at the end and the new hub at the
    /// beginning, as the proof that it is the hub.
    pub(super) fn hub_moved(&mut self, position: i64, batch: &mut WriteBatch) {
        if !self.is_hub() {
            self.owed.end_all(position, batch);
            if let Some(hub) = self.hub().cloned() {
                self.missed.hub_moved(&hub, self.now);
            }
            return;
        }
        let ours = self.identity.name();
        let Some(room) = &self.room else { return };
        let others = room.state.joined_servers().map(|(server, _)| server).filter(|server| *server != ours);
        for server in others.cloned().collect::<alloc::vec::Vec<ServerName>>() {
            self.owed.begin(&server, position.saturating_sub(1), batch);
        }
    }

    /// Puts an event's redacted form in its place.
    pub(super) fn redact(&mut self, known: &mut KnownLog, target: EventId, batch: &mut WriteBatch) {
        let (Some((position, event, entry)), Some(room)) = (known.redact(target), self.room.as_mut()) else { return };
        LogEntry::Event(entry).put(position, batch);
        let is_current = event
            .state_key()
            .and_then(|state_key| room.state.entry(event.kind(), state_key))
            .is_some_and(|entry| entry.event_id == target);
        if is_current {
            put_state(room, &event, target, position, batch);
        }
    }

    /// Ends a batch: the head, and what is owed.
    pub(super) fn seal(&mut self, batch: &mut WriteBatch) {
        if let Some(room) = &self.room {
            room.put_head(batch);
        }
        self.owed.flush(batch);
    }
}

/// Moves a room past an event at its next position.
pub(super) fn advance(room: &mut Room, event: &Event, event_id: EventId, batch: &mut WriteBatch) -> i64 {
    let position = room.next_position();
    put_state(room, event, event_id, position, batch);
    room.head = Some(Head { position, event_id });
    position
}

/// Moves a room's state past an event, and writes it.
pub(super) fn put_state(room: &mut Room, event: &Event, event_id: EventId, position: i64, batch: &mut WriteBatch) {
    if let Some(row) = room.state.apply(event, event_id, position) {
        let value = row.encode();
        batch.put(Table::StateIndex, state_index_key(row.kind(), row.state_key(), position), value.clone());
        batch.put(Table::State, row.key(), value);
    }
}

/// Whether a member event puts its target out of the room.
fn puts_out(event: &Event) -> bool {
    use crate::room::membership::Membership;
    matches!(Membership::from_content(event.content()), Some(Membership::Leave | Membership::Ban))
}

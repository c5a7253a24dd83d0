//! An event that the hub sent and that could not be taken: asked for again after a while, in case the hub sends nothing more. Either the hub did not give
//! what stands before it, or it came before we knew that its sender is the hub.

use core::time::Duration;

use crate::id::{EventId, ServerName, Timestamp};

const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The last such event. It is not kept over a restart: the hub's next event brings the gap up again.
#[derive(Debug, Default)]
pub(in crate::server::room) struct Missed {
    last: Option<Wait>,
    /// The last event that was not taken from a server since it was not the hub, as far as we knew. It need not be kept over a restart either.
    early: Option<(ServerName, EventId)>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    event_id: EventId,
    due: Timestamp,
    next: Duration,
    why: Why,
}

/// Why an event could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The hub did not give what stands before it.
    Gap,
    /// Its sender was not the hub, as far as we knew.
    Early,
}

impl Missed {
    /// Notes an event.
    pub(in crate::server::room) fn note(&mut self, event_id: EventId, now: Timestamp) {
        let next = self.last.map_or(FIRST_WAIT, |wait| wait.next);
        self.last = Some(Wait { event_id, due: now.saturating_add(next), next, why: Why::Gap });
    }

    /// Notes an event of a server that may be the hub before we hear of it.
    pub(super) fn note_early(&mut self, origin: &ServerName, event_id: EventId) {
        self.early = Some((origin.clone(), event_id));
    }

    /// The room has another hub: what came from it too early is wanted at once.
    pub(in crate::server::room) fn hub_moved(&mut self, hub: &ServerName, now: Timestamp) {
        if let Some((_, event_id)) = self.early.take_if(|(origin, _)| origin == hub) {
            self.last = Some(Wait { event_id, due: now, next: FIRST_WAIT, why: Why::Early });
        }
    }

    /// Forgets the event if it is no longer missing.
    pub(super) fn forget(&mut self, is_there: impl FnOnce(&EventId) -> bool) {
        self.last = self.last.filter(|wait| !is_there(&wait.event_id));
    }

    /// When it is to be asked for.
    pub(in crate::server::room) fn next_due(&self) -> Option<Timestamp> {
        self.last.map(|wait| wait.due)
    }

    /// The event, for another attempt, and why it could not be taken.
    pub(super) fn round(&mut self, now: Timestamp) -> Option<(EventId, Why)> {
        let wait = self.last.as_mut()?;
        wait.next = wait.next.saturating_mul(2).min(LONGEST_WAIT);
        wait.due = now.saturating_add(wait.next);
        Some((wait.event_id, wait.why))
    }
}

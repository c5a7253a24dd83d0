//! An event that the hub sent and that could not be taken, because the hub did not give what stands before it: asked for again after a while, in case the
//! hub sends nothing more.

use core::time::Duration;

use crate::id::{EventId, Timestamp};

const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The last such event. It is not kept over a restart: the hub's next event brings the gap up again.
#[derive(Debug, Default)]
pub(in crate::server::room) struct Missed {
    last: Option<Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    event_id: EventId,
    due: Timestamp,
    next: Duration,
}

impl Missed {
    /// Notes an event.
    pub(in crate::server::room) fn note(&mut self, event_id: EventId, now: Timestamp) {
        let next = self.last.map_or(FIRST_WAIT, |wait| wait.next);
        self.last = Some(Wait { event_id, due: now.saturating_add(next), next });
    }

    /// Forgets the event if it is no longer missing.
    pub(super) fn forget(&mut self, is_there: impl FnOnce(&EventId) -> bool) {
        self.last = self.last.filter(|wait| !is_there(&wait.event_id));
    }

    /// When it is to be asked for.
    pub(in crate::server::room) fn next_due(&self) -> Option<Timestamp> {
        self.last.map(|wait| wait.due)
    }

    /// The event, for another attempt.
    pub(super) fn round(&mut self, now: Timestamp) -> Option<EventId> {
        let wait = self.last.as_mut()?;
        wait.next = wait.next.saturating_mul(2).min(LONGEST_WAIT);
        wait.due = now.saturating_add(wait.next);
        Some(wait.event_id)
    }
}

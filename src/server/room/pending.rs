//! What our users sent to the hub and we have not seen again: durable until its echo comes, or a refusal, or nothing for too long.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{
    context::Context,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    id::{EventId, RoomId, Timestamp},
    ordered::Map,
    room::log::{position_key, position_of},
    server::{
        contract::{Moment, Output},
        message::{ErrorCode, Failure, Notification},
    },
    store::{DecodeError, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// How long an LPDU that the hub took may stay without an echo (spec, section 6).
const ECHO_TIME: Duration = Duration::from_secs(60);

/// LPDUs in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Pending {
    lpdus: Map<i64, Lpdu>,
    next: i64,
}

#[derive(Debug)]
struct Lpdu {
    id: EventId,
    bytes: Vec<u8>,
    /// When the hub took it; before that it is still to be sent.
    taken: Option<Timestamp>,
}

impl Pending {
    /// Reads the rows of [`Table::Pending`]. What the hub may have taken is sent again: our own hub knows it by its LPDU ID.
    pub(super) fn open(rows: &[Row]) -> Result<Self, DecodeError> {
        let mut pending = Self::default();
        for row in rows {
            let sequence = position_of(&row.key)?;
            let mut reader = Reader::new(&row.value);
            if reader.u8()? != FORM {
                return Err(DecodeError("pending LPDU of an unknown form"));
            }
            let id = EventId::from_hash(reader.array()?);
            pending.lpdus.insert(sequence, Lpdu { id, bytes: reader.rest().to_vec(), taken: None });
            pending.next = sequence.saturating_add(1);
        }
        Ok(pending)
    }

    /// Adds an LPDU behind the others.
    pub(super) fn add(&mut self, id: EventId, bytes: Vec<u8>, batch: &mut WriteBatch) {
        let mut row = Writer::new();
        row.u8(FORM).raw(id.as_bytes()).raw(&bytes);
        batch.put(Table::Pending, position_key(self.next), row.into_bytes());
        self.lpdus.insert(self.next, Lpdu { id, bytes, taken: None });
        self.next = self.next.saturating_add(1);
    }

    /// How much was ever said, as far as it is known.
    pub(super) const fn said(&self) -> i64 {
        self.next
    }

    /// Whether something is still to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.lpdus.values().any(|lpdu| lpdu.taken.is_none())
    }

    /// What is to be sent next: IDs and bytes, the sequence of the last, and whether there is more.
    pub(super) fn unsent(&self, limit: usize) -> (Vec<(EventId, Vec<u8>)>, i64, bool) {
        let mut unsent = self.lpdus.iter().filter(|(_, lpdu)| lpdu.taken.is_none());
        let mut last = self.next.saturating_sub(1);
        let mut events = Vec::new();
        for (sequence, lpdu) in unsent.by_ref().take(limit) {
            last = *sequence;
            events.push((lpdu.id, lpdu.bytes.clone()));
        }
        (events, last, unsent.next().is_some())
    }

    /// The hub has dealt with everything up to `sequence`.
    pub(super) fn delivered(&mut self, sequence: i64, now: Timestamp) {
        for (_, lpdu) in self.lpdus.iter_mut().take_while(|(number, _)| **number <= sequence) {
            lpdu.taken.get_or_insert(now);
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.lpdus.is_empty()
    }

    /// Whether an LPDU is among them.
    pub(super) fn has(&self, id: EventId) -> bool {
        self.lpdus.values().any(|lpdu| lpdu.id == id)
    }

    /// Every one, in order: its ID and its bytes.
    pub(super) fn all(&self) -> impl Iterator<Item = (EventId, &[u8])> {
        self.lpdus.values().map(|lpdu| (lpdu.id, lpdu.bytes.as_slice()))
    }

    /// Removes an LPDU: its echo came, or its refusal. Whether it was there.
    pub(super) fn remove(&mut self, id: EventId, batch: &mut WriteBatch) -> bool {
        let Some(sequence) = self.lpdus.iter().find(|(_, lpdu)| lpdu.id == id).map(|(sequence, _)| *sequence) else {
            return false;
        };
        self.lpdus.remove(&sequence);
        batch.delete(Table::Pending, position_key(sequence));
        true
    }

    /// When the next one will have waited too long.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.lpdus.values().filter_map(|lpdu| lpdu.taken).map(|taken| taken.saturating_add(ECHO_TIME)).min()
    }

    fn overdue(&self, now: Timestamp) -> Vec<EventId> {
        let is_due = |lpdu: &&Lpdu| lpdu.taken.is_some_and(|taken| taken.saturating_add(ECHO_TIME) <= now);
        self.lpdus.values().filter(is_due).map(|lpdu| lpdu.id).collect()
    }
}

/// Gives up on what waited too long, and says so.
pub(super) fn sweep() -> Box<dyn Work> {
    Box::new(Sweep)
}

struct Sweep;

impl Work for Sweep {
    fn step(&mut self, room: &mut Context, moment: Moment, _: Resume) -> Progress {
        let mut change = Change::default();
        for lpdu_id in room.pending.overdue(moment.now) {
            room.pending.remove(lpdu_id, &mut change.batch);
            room.lost(lpdu_id);
            let error =
                "the hub took the event and neither sent it back nor refused it; send it again if it is still wanted";
            let failure = Failure::new(504, ErrorCode::Unknown, error);
            change.then.push(not_sent(&room.room_id, lpdu_id, failure));
        }
        Progress::Commit(change)
    }
}

/// Tells a local user that an event will not appear.
pub(super) fn not_sent(room_id: &RoomId, lpdu_id: EventId, failure: Failure) -> Output {
    Output::Notify(Notification::NotSent { room_id: room_id.clone(), lpdu_id, failure })
}

#[cfg(test)]
mod tests {
    use super::Pending;
    use crate::{
        id::{EventId, Timestamp},
        store::{Query, Table, WriteBatch, memory::MemoryStore},
    };

    #[test]
    fn an_lpdu_is_kept_until_its_echo() {
        let id = |byte| EventId::from_hash([byte; 32]);
        let (mut pending, mut batch) = (Pending::default(), WriteBatch::new());
        for byte in 1..=3 {
            pending.add(id(byte), alloc::vec![byte], &mut batch);
        }
        assert_eq!(pending.unsent(2), (alloc::vec![(id(1), alloc::vec![1]), (id(2), alloc::vec![2])], 1, true));
        pending.delivered(1, Timestamp::new(1_000));
        assert_eq!(pending.unsent(9).0, [(id(3), alloc::vec![3])]);
        assert_eq!(pending.next_due(), Some(Timestamp::new(61_000)));
        assert!(pending.remove(id(1), &mut batch), "its echo");
        assert!(!pending.remove(id(1), &mut batch));
        assert_eq!(pending.overdue(Timestamp::new(61_000)), [id(2)]);

        let mut store = MemoryStore::new();
        store.apply(batch);
        let reopened = Pending::open(&store.read(&Query::all(Table::Pending))).unwrap();
        assert_eq!(reopened.unsent(9).0.len(), 2, "after a restart what has no echo is sent again");
        assert_eq!(reopened.next, 3);
    }
}

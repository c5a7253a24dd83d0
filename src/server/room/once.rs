//! A local user's event that is sent once, however often its client asks: a client that lost the answer cannot know whether the event was taken.
//!
//! The client's transaction ID is kept with the event's ID, in the same commit as the event, for a day. An invite of which another server is asked first is
//! not remembered: asked again it is offered again, which the rules allow.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    id::{EventId, Timestamp, UserId},
    store::{Query, Row, Table, WriteBatch, Writer},
};

/// How long a transaction ID is remembered.
const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many old ones are forgotten for each new one: more than one, so that they get fewer.
const MOST_FORGOTTEN: u32 = 4;

/// Rows of [`Table::Meta`] by transaction ID: the event's ID.
const BY_ID: &[u8] = b"txn/";

/// Rows of [`Table::Meta`] by age: the key of the other row.
const BY_AGE: &[u8] = b"txn at/";

/// Under which a transaction ID is remembered.
pub(super) fn key(sender: &UserId, txn: &str) -> Vec<u8> {
    let mut key = Writer::new();
    key.raw(BY_ID).text(sender.as_str()).raw(txn.as_bytes());
    key.into_bytes()
}

/// Asks for each of these, and last for what is old.
pub(super) fn queries(keys: &[&[u8]], now: Timestamp) -> Vec<Query> {
    let most = u32::try_from(keys.len()).unwrap_or(u32::MAX).saturating_mul(MOST_FORGOTTEN);
    let old = Query::range(Table::Meta, BY_AGE, aged(forgotten_at(now), &[]), most);
    keys.iter().map(|key| Query::one(Table::Meta, key.to_vec())).chain([old]).collect()
}

/// The event that was sent under a transaction ID, from its rows.
pub(super) fn sent(rows: &[Row]) -> Option<EventId> {
    let id = <[u8; 32]>::try_from(rows.first()?.value.as_slice()).ok()?;
    Some(EventId::from_hash(id))
}

/// Remembers an event.
pub(super) fn remember(key: &[u8], id: EventId, now: Timestamp, batch: &mut WriteBatch) {
    batch.put(Table::Meta, key, *id.as_bytes());
    batch.put(Table::Meta, aged(now, key), key);
}

/// Forgets what is old.
pub(super) fn forget(old: &[Row], batch: &mut WriteBatch) {
    for row in old {
        batch.delete(Table::Meta, row.value.clone());
        batch.delete(Table::Meta, row.key.clone());
    }
}

fn aged(at: Timestamp, key: &[u8]) -> Vec<u8> {
    let mut aged = Writer::new();
    aged.raw(BY_AGE).u64(at.millis()).raw(key);
    aged.into_bytes()
}

fn forgotten_at(now: Timestamp) -> Timestamp {
    let memory = u64::try_from(MEMORY.as_millis()).unwrap_or(u64::MAX);
    Timestamp::new(now.millis().saturating_sub(memory))
}

#[cfg(test)]
mod tests {
    use super::MEMORY;
    use crate::{
        id::EventId,
        server::{Answer, Call, RoomCall},
        store::{Query, Table},
        testing::{content, duo::Duo, user},
    };

    fn once(txn: &str, sender: &str) -> Call {
        Call::Room(RoomCall::SendOnce {
            txn: txn.into(),
            sender: user(sender),
            kind: "m.room.message".into(),
            state_key: None,
            content: content(r#"{"body":"once"}"#),
        })
    }

    fn remembered(duo: &Duo) -> usize {
        duo.hub.store.read(&Query::prefix(Table::Meta, *b"txn", 99)).len()
    }

    fn accepted(answer: Answer) -> EventId {
        match answer {
            Answer::Accepted(id) => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_hub_appends_what_is_sent_again_once_also_after_a_restart() {
        let mut duo = Duo::joined();
        let first = accepted(duo.hub.ask(once("t1", "@hal:hub.example")));
        let length = duo.hub_log().len();
        assert_eq!(accepted(duo.hub.ask(once("t1", "@hal:hub.example"))), first);
        let mut again = duo.copy();
        assert_eq!(accepted(again.hub.ask(once("t1", "@hal:hub.example"))), first);
        assert_eq!((duo.hub_log().len(), again.hub_log().len()), (length, length));
        assert_ne!(accepted(duo.hub.ask(once("t2", "@hal:hub.example"))), first);
        assert_eq!(duo.hub_log().len(), length + 1);
    }

    #[test]
    fn a_participant_makes_one_lpdu() {
        let mut duo = Duo::joined();
        let first = accepted(duo.part.ask(once("t1", "@ann:part.example")));
        assert_eq!(accepted(duo.part.ask(once("t1", "@ann:part.example"))), first);
        assert_eq!(duo.part.store.len(Table::Pending), 1);
    }

    #[test]
    fn what_is_refused_may_be_tried_again() {
        let mut duo = Duo::joined();
        assert!(matches!(duo.hub.ask(once("t1", "@nobody:hub.example")), Answer::Refused(_)));
        assert_eq!(remembered(&duo), 0);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let mut duo = Duo::joined();
        for txn in ["a", "b", "c"] {
            duo.hub.ask(once(txn, "@hal:hub.example"));
        }
        assert_eq!(remembered(&duo), 6);
        duo.hub.now += u64::try_from(MEMORY.as_millis()).unwrap() + 1;
        duo.hub.ask(once("d", "@hal:hub.example"));
        assert_eq!(remembered(&duo), 2);
    }
}

//! A local user's event that is sent once, however often its client asks: a client that lost the answer cannot know whether the event was taken.
//!
//! The client's transaction ID is kept with the event's ID, in the same commit as the event, for a day. An invite of which another server is asked first is
//! not remembered: asked again it is offered again, which the rules allow.

use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;

use super::{
    context::Context,
    draft::Wish,
    local,
    work::{Progress, Resume, Work},
};
use crate::{
    id::{EventId, Timestamp, UserId},
    server::{
        contract::{Moment, Output, Ticket},
        message::Answer,
    },
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

/// Sends an event unless it was sent before.
pub(super) fn send(ticket: Ticket, txn: &str, wish: Wish) -> Box<dyn Work> {
    let key = key(&wish.sender, txn);
    Box::new(Once { ticket, key, stage: Stage::Fresh(wish) })
}

struct Once {
    ticket: Ticket,
    key: Vec<u8>,
    stage: Stage,
}

enum Stage {
    Fresh(Wish),
    /// Asked whether it was sent, and which transaction IDs are old.
    Looking(Wish),
    Sending(Box<dyn Work>, Vec<Row>),
    Over,
}

impl Work for Once {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match (core::mem::replace(&mut self.stage, Stage::Over), resume) {
            (Stage::Fresh(wish), _) => {
                self.stage = Stage::Looking(wish);
                let behind = aged(forgotten_at(moment.now), &[]);
                let old = Query::range(Table::Meta, BY_AGE, behind, MOST_FORGOTTEN);
                Progress::Read(vec![Query::one(Table::Meta, self.key.clone()), old])
            }
            (Stage::Looking(wish), Resume::Rows(rows)) => {
                let [found, old] = <[Vec<Row>; 2]>::try_from(rows).unwrap_or_default();
                match found.first().and_then(|row| <[u8; 32]>::try_from(row.value.as_slice()).ok()) {
                    Some(id) => {
                        let answer = Answer::Accepted(EventId::from_hash(id));
                        Progress::Done(vec![Output::Respond(self.ticket, answer)])
                    }
                    None => {
                        let send = local::send(context, self.ticket, wish);
                        self.send(context, moment, Resume::Start, send, old)
                    }
                }
            }
            (Stage::Sending(send, old), resume) => self.send(context, moment, resume, send, old),
            _ => Progress::Done(Vec::new()),
        }
    }
}

impl Once {
    /// Takes a step of the sending. Its commit is the one in which it is remembered.
    fn send(
        &mut self,
        context: &mut Context,
        moment: Moment,
        resume: Resume,
        mut send: Box<dyn Work>,
        old: Vec<Row>,
    ) -> Progress {
        match send.step(context, moment, resume) {
            Progress::Commit(mut change) => {
                if let Some(place) = change.then.iter().position(|output| self.accepts(output).is_some()) {
                    // The client learns the event's ID before it is told of the event, so that it knows its own.
                    change.then.get_mut(..=place).into_iter().for_each(|outputs| outputs.rotate_right(1));
                }
                if let Some(id) = change.then.first().and_then(|output| self.accepts(output)) {
                    self.remember(id, moment.now, &old, &mut change.batch);
                }
                Progress::Commit(change)
            }
            progress => {
                self.stage = Stage::Sending(send, old);
                progress
            }
        }
    }

    fn accepts(&self, output: &Output) -> Option<EventId> {
        match output {
            Output::Respond(ticket, Answer::Accepted(id)) if *ticket == self.ticket => Some(*id),
            _ => None,
        }
    }

    fn remember(&self, id: EventId, now: Timestamp, old: &[Row], batch: &mut WriteBatch) {
        batch.put(Table::Meta, self.key.clone(), *id.as_bytes());
        batch.put(Table::Meta, aged(now, &self.key), self.key.clone());
        for row in old {
            batch.delete(Table::Meta, row.value.clone());
            batch.delete(Table::Meta, row.key.clone());
        }
    }
}

fn key(sender: &UserId, txn: &str) -> Vec<u8> {
    let mut key = Writer::new();
    key.raw(BY_ID).text(sender.as_str()).raw(txn.as_bytes());
    key.into_bytes()
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

//! What peer and account machines share: tickets, outputs that wait to be polled, and the one commit in flight.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    contract::{Output, Query, Ticket},
    message::{Answer, Response},
};
use crate::{id::Timestamp, store::WriteBatch};

/// Outputs on their way out. Whatever depends on a write leaves after it is durable.
#[derive(Debug)]
pub(super) struct Desk {
    tickets: Ticket,
    outputs: VecDeque<Output>,
    /// The commit in flight, and what follows it.
    committing: Option<(Ticket, Vec<Output>)>,
    /// What the next commit writes, and what follows that.
    batch: WriteBatch,
    then: Vec<Output>,
    wake: Option<Timestamp>,
    /// Commits started, and commits that are durable.
    started: u64,
    durable: u64,
}

/// A point between two writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(u64);

impl Desk {
    pub(super) const fn new(first: Ticket) -> Self {
        Self {
            tickets: first,
            outputs: VecDeque::new(),
            committing: None,
            batch: WriteBatch::new(),
            then: Vec::new(),
            wake: None,
            started: 0,
            durable: 0,
        }
    }

    /// A ticket of our own.
    pub(super) const fn ticket(&mut self) -> Ticket {
        self.tickets.take()
    }

    /// Puts out what depends on no write.
    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Asks for rows.
    pub(super) fn read(&mut self, queries: Vec<Query>) -> Ticket {
        let ticket = self.ticket();
        self.put(Output::Read(ticket, queries));
        ticket
    }

    /// Answers a call, when all that was written so far is durable.
    pub(super) fn respond(&mut self, ticket: Ticket, answer: Answer) {
        self.after(Output::Respond(ticket, answer));
    }

    /// Answers a request, when all that was written so far is durable.
    pub(super) fn answer(&mut self, ticket: Ticket, response: impl Into<Response>) {
        self.respond(ticket, Answer::Response(response.into()));
    }

    /// Puts out what depends on what was written so far.
    pub(super) fn after(&mut self, output: Output) {
        match &mut self.committing {
            None if self.batch.is_empty() => self.outputs.push_back(output),
            Some((_, then)) if self.batch.is_empty() => then.push(output),
            _ => self.then.push(output),
        }
    }

    /// Writes with the next commit.
    pub(super) fn write(&mut self, batch: WriteBatch) {
        self.batch.append(batch);
    }

    /// Starts the next commit if there is something to write and none is in flight. To be called when an input has been dealt with.
    pub(super) fn flush(&mut self) {
        if self.committing.is_none() && !self.batch.is_empty() {
            let ticket = self.ticket();
            self.outputs.push_back(Output::Commit(ticket, core::mem::take(&mut self.batch)));
            self.committing = Some((ticket, core::mem::take(&mut self.then)));
            self.started = self.started.saturating_add(1);
        }
    }

    /// The commit is durable: what follows it leaves.
    pub(super) fn committed(&mut self, ticket: Ticket) {
        if let Some((_, then)) = self.committing.take_if(|(committing, _)| *committing == ticket) {
            self.outputs.extend(then);
            self.durable = self.started;
        }
    }

    /// The point behind everything written so far.
    pub(super) fn mark(&self) -> Mark {
        Mark(if self.batch.is_empty() { self.started } else { self.started.saturating_add(1) })
    }

    /// Whether everything written before a point is durable, and what depends on it has left.
    pub(super) fn is_past(&self, mark: Mark) -> bool {
        mark <= Mark(self.durable)
    }

    /// Asks to be woken at that time, unless that is what was asked for last.
    pub(super) fn wake_at(&mut self, at: Option<Timestamp>) {
        if self.wake != at {
            self.wake = at;
            if let Some(at) = at {
                self.put(Output::Wake(at));
            }
        }
    }

    /// A wake that was asked for has come, or another: what is still wanted has to be asked for again.
    pub(super) const fn woken(&mut self) {
        self.wake = None;
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether every write is durable.
    pub(super) fn is_durable(&self) -> bool {
        self.committing.is_none() && self.batch.is_empty()
    }

    /// Whether every write is durable and every output taken.
    pub(super) fn is_settled(&self) -> bool {
        self.is_durable() && self.outputs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Desk;
    use crate::{
        server::{Answer, Output, Ticket},
        store::{Table, WriteBatch},
    };

    fn write(desk: &mut Desk, value: u8) {
        let mut batch = WriteBatch::new();
        batch.put(Table::Meta, *b"k", [value]);
        desk.write(batch);
    }

    fn drain(desk: &mut Desk) -> alloc::vec::Vec<alloc::string::String> {
        desk.flush();
        let show = |output| match output {
            Output::Commit(ticket, batch) => alloc::format!("commit {} of {}", ticket.0, batch.writes().len()),
            Output::Respond(ticket, _) => alloc::format!("respond {}", ticket.0),
            other => alloc::format!("{other:?}"),
        };
        core::iter::from_fn(|| desk.poll()).map(show).collect()
    }

    #[test]
    fn nothing_leaves_before_what_it_depends_on_is_durable() {
        let mut desk = Desk::new(Ticket(10));
        desk.respond(Ticket(1), Answer::Done);
        assert_eq!(drain(&mut desk), ["respond 1"]);
        assert!(desk.is_past(desk.mark()));
        write(&mut desk, 1);
        desk.respond(Ticket(2), Answer::Done);
        let first = desk.mark();
        assert_eq!(drain(&mut desk), ["commit 10 of 1"]);
        assert_eq!((desk.mark(), desk.is_past(first)), (first, false));
        desk.respond(Ticket(3), Answer::Done);
        write(&mut desk, 2);
        write(&mut desk, 3);
        desk.respond(Ticket(4), Answer::Done);
        assert!(drain(&mut desk).is_empty());
        desk.committed(Ticket(99));
        assert!(drain(&mut desk).is_empty());
        let second = desk.mark();
        desk.committed(Ticket(10));
        assert_eq!((desk.is_past(first), desk.is_past(second)), (true, false));
        assert_eq!(drain(&mut desk), ["respond 2", "respond 3", "commit 11 of 2"]);
        assert!(!desk.is_settled());
        desk.committed(Ticket(11));
        assert_eq!(drain(&mut desk), ["respond 4"]);
        assert!(desk.is_settled());
    }
}

//! The whole log, as the hub to be: from our join, or from where we have read to, down to the create event.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{Propose, give_up};
use crate::{
    room::{
        kind,
        log::{FIRST_PLACE, LogEntry, entries, position_of},
    },
    server::{
        contract::{Moment, Ticket},
        message::{ErrorCode, Failure},
        room::{
            context::{Context, not_found},
            history::{
                REDACTED_ROW,
                stretch::{self, Bottom, Cut, Reader},
            },
            known::read_event,
            participant::apply::GAPS,
            work::{Progress, Resume, Work},
        },
    },
    store::{Query, Row, Table},
};

/// Fetches what is missing, then proposes the transfer; `ticket` waits for that.
pub(super) fn fetch(ticket: Ticket) -> Box<dyn Work> {
    Box::new(Fetch { ticket, next: Next::Look })
}

/// Does not write: the room goes on.
struct Fetch {
    ticket: Ticket,
    next: Next,
}

enum Next {
    /// To look where our log begins.
    Look,
    /// Looking.
    Looking,
    /// To fetch what is below.
    Below(Bottom),
    /// All is here.
    Whole,
    /// It cannot be had.
    Failed(Failure),
}

impl Work for Fetch {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let progress = match (core::mem::replace(&mut self.next, Next::Look), resume) {
            (Next::Looking, Resume::Rows(rows)) => self.begin(context, &rows),
            (Next::Look | Next::Looking, _) => {
                self.next = Next::Looking;
                return Progress::Read(vec![
                    entries(FIRST_PLACE, 1),
                    Query::prefix(Table::Meta, GAPS, 1),
                    Query::one(Table::Meta, REDACTED_ROW),
                ]);
            }
            (Next::Below(bottom), _) => Ok(self.below(bottom)),
            (Next::Whole, _) => Ok(self.propose()),
            (Next::Failed(failure), _) => Err(failure),
        };
        progress.unwrap_or_else(|failure| give_up(context, Some(self.ticket), failure))
    }
}

impl Fetch {
    fn begin(&self, context: &Context, rows: &[Vec<Row>]) -> Result<Progress, Failure> {
        let [lowest, gap, redacted] = rows else { return Err(not_found()) };
        if !gap.is_empty() {
            let error = "our copy of the log has a hole, and a hub holds all of it";
            return Err(Failure::new(403, ErrorCode::Forbidden, error));
        }
        // What we were not to see before the hub's consent is read again, wherever it stands.
        if !redacted.is_empty() {
            let head = context.room.as_ref().and_then(|room| room.head).ok_or_else(not_found)?;
            return Ok(self.below(Bottom { position: head.position.saturating_add(1), follows: head.event_id }));
        }
        match bottom(context, lowest.first().ok_or_else(not_found)?)? {
            Some(bottom) => Ok(self.below(bottom)),
            None => Ok(self.propose()),
        }
    }

    fn below(&self, bottom: Bottom) -> Progress {
        stretch::begin(bottom, usize::MAX, Cut::Refused, Box::new(Self { ticket: self.ticket, next: Next::Look }))
    }

    fn propose(&self) -> Progress {
        Progress::Write(Box::new(Propose { ticket: Some(self.ticket), draft: None }))
    }
}

impl Reader for Fetch {
    fn go_on(mut self: Box<Self>, bottom: Option<Bottom>) -> Box<dyn Work> {
        self.next = bottom.map_or(Next::Whole, Next::Below);
        self
    }

    fn end(mut self: Box<Self>, failure: Failure) -> Box<dyn Work> {
        let is_unserved = failure.code == ErrorCode::NotFound;
        self.next = Next::Failed(if is_unserved { unserved() } else { failure });
        self
    }
}

/// What the event of a row follows; nothing if it is the room's first.
fn bottom(context: &Context, row: &Row) -> Result<Option<Bottom>, Failure> {
    let rules = context.room.as_ref().ok_or_else(not_found)?.rules();
    let position = position_of(&row.key).map_err(|_| not_found())?;
    let Ok(LogEntry::Event(first)) = LogEntry::decode(&row.value) else { return Err(unserved()) };
    let event = read_event(&first.bytes, rules).ok_or_else(not_found)?;
    match event.prev_events() {
        [] if event.kind() == kind::CREATE => Ok(None),
        [follows] => Ok(Some(Bottom { position, follows: *follows })),
        _ => Err(unserved()),
    }
}

fn unserved() -> Failure {
    let error = "the hub does not give its whole log; its operator must consent to the transfer first";
    Failure::new(403, ErrorCode::Forbidden, error)
}

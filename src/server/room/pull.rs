//! A peer machine takes what its server is owed: at the hub entries of the log, elsewhere our users' LPDUs for the hub.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    context::Context,
    owed::{AT_ONCE, Stretch},
    pending,
    transfer::Refusal,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    id::ServerName,
    room::log::{LogEntry, entries, position_key, position_of},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, Delivered, OwedEvents, Shelf},
    },
    store::Row,
};

/// Answers a pull.
pub(super) fn work(ticket: Ticket, peer: ServerName, delivered: Option<Delivered>) -> Box<dyn Work> {
    Box::new(Pull { ticket, peer, delivered, stretch: None })
}

struct Pull {
    ticket: Ticket,
    peer: ServerName,
    delivered: Option<Delivered>,
    stretch: Option<Stretch>,
}

impl Work for Pull {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if let Some(delivered) = self.delivered.take() {
            return self.settle(context, moment, &delivered);
        }
        let Some(head) = context.room.as_ref().and_then(|room| room.head) else {
            return self.answer(OwedEvents::default());
        };
        if let (Resume::Rows(rows), Some(stretch)) = (resume, self.stretch) {
            return self.answer(owed(rows.first().map_or(&[], Vec::as_slice), stretch));
        }
        let proof = context.made_hub_at();
        match context.owed.next(&self.peer, head.position, proof) {
            None if context.hub() == Some(&self.peer) => self.pending(context),
            None => self.answer(OwedEvents { position: head.position, ..OwedEvents::default() }),
            Some(stretch) => {
                self.stretch = Some(stretch);
                let mut query = entries(stretch.first, AT_ONCE);
                query.to = Some(position_key(stretch.last.saturating_add(1)));
                Progress::Read(vec![query])
            }
        }
    }
}

impl Pull {
    /// Keeps what came of the last pull, then goes on with the next.
    fn settle(&self, context: &mut Context, moment: Moment, delivered: &Delivered) -> Progress {
        let mut change = Change::default();
        match delivered.shelf {
            Shelf::Log => context.owed.delivered(&self.peer, delivered.position, moment.now),
            Shelf::Pending => {
                context.pending.delivered(delivered.position, moment.now);
                for (id, failure) in &delivered.refused {
                    let is_final = context.may_go_on(*id, failure) == Refusal::Final;
                    // What has come back as an event of the log was not refused, whatever the hub says later.
                    if is_final && context.pending.remove(*id, &mut change.batch) {
                        change.then.push(pending::not_sent(&context.room_id, *id, failure.clone()));
                    }
                }
                change.follow.extend(context.transfer_work());
            }
        }
        change.follow.push(work(self.ticket, self.peer.clone(), None));
        Progress::Commit(change)
    }

    fn pending(&self, context: &mut Context) -> Progress {
        let (events, position, more) = context.pending.unsent(usize::try_from(AT_ONCE).unwrap_or(usize::MAX));
        if events.is_empty() {
            context.hub_is_idle();
        }
        self.answer(OwedEvents { shelf: Shelf::Pending, events, position, more })
    }

    fn answer(&self, owed: OwedEvents) -> Progress {
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Owed(owed))])
    }
}

/// The events among the entries read; what is no event needs no sending.
fn owed(rows: &[Row], stretch: Stretch) -> OwedEvents {
    let mut owed = OwedEvents { position: stretch.first.saturating_sub(1), ..OwedEvents::default() };
    for row in rows {
        // A row that cannot be read is not sent: the peer finds the gap and asks for it.
        if let Ok(LogEntry::Event(event)) = LogEntry::decode(&row.value) {
            owed.events.push((event.event_id, event.bytes));
        }
        owed.position = position_of(&row.key).unwrap_or(owed.position);
    }
    owed.more = stretch.more;
    owed
}

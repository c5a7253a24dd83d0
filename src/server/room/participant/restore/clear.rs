//! Removing what a log left that was not taken: some rows at a time, the mark last.

use alloc::{boxed::Box, vec};

use super::{MARK, Restoring};
use crate::{
    server::{
        contract::Moment,
        room::{
            context::Context,
            work::{Change, Progress, Resume, Work},
        },
    },
    store::{Query, Table},
};

/// Rows of each table that are removed at a time.
const AT_ONCE: u32 = 500;

/// Removes it all; until then nobody is served.
pub(in crate::server::room) fn clear(context: &mut Context) -> Box<dyn Work> {
    context.forget_room();
    context.restoring = Restoring::Clearing;
    Box::new(InTurn)
}

/// Waits for its turn to write.
struct InTurn;

impl Work for InTurn {
    fn step(&mut self, _: &mut Context, _: Moment, _: Resume) -> Progress {
        Progress::Write(Box::new(Clear))
    }
}

struct Clear;

impl Work for Clear {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let Resume::Rows(tables) = resume else {
            let some = |table: &Table| Query { limit: AT_ONCE, ..Query::all(*table) };
            return Progress::Read(Table::ALL.iter().map(some).collect());
        };
        let mut change = Change::default();
        for (table, rows) in Table::ALL.iter().zip(tables) {
            let rows = rows.into_iter().filter(|row| row.key != MARK);
            rows.for_each(|row| change.batch.delete(*table, row.key));
        }
        if change.batch.is_empty() {
            change.batch.delete(Table::Meta, MARK);
            context.restoring = Restoring::No;
        } else {
            change.follow = vec![Box::new(InTurn)];
        }
        Progress::Commit(change)
    }
}

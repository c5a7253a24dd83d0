//! Reading the room from its store, before anything else.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    consent,
    context::Context,
    owed::Owed,
    participant::{fill, later::Later, restore, unproven},
    pending::Pending,
    purge::{self, Purged},
    transfer,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    id::Timestamp,
    room::head::{HEAD_ROW, Room},
    server::contract::Moment,
    store::{DecodeError, Query, Row, Table},
};

/// Reads the room.
pub(super) fn work() -> Box<dyn Work> {
    Box::new(Open)
}

struct Open;

impl Work for Open {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match resume {
            // What a log left that was not taken to its end.
            Resume::Rows(tables) if tables.last().is_some_and(|mark| !mark.is_empty()) => {
                context.set_open();
                Progress::Commit(Change { follow: vec![restore::clear(context)], ..Change::default() })
            }
            Resume::Rows(tables) => {
                context.broken = read(context, &tables, moment.now).err();
                context.set_open();
                // What was to be made anew when the machine was dropped is made anew now.
                let follow = if context.pending.has_unsent() { vec![transfer::resign()] } else { Vec::new() };
                Progress::Commit(Change { follow, ..Change::default() })
            }
            _ => Progress::Read(vec![
                Query::one(Table::Meta, HEAD_ROW),
                Query::all(Table::State),
                Query::all(Table::Owed),
                Query::all(Table::Pending),
                consent::query(),
                Later::query(unproven::PREFIX),
                Later::query(fill::PREFIX),
                purge::query(),
                restore::query(),
            ]),
        }
    }
}

fn read(context: &mut Context, tables: &[Vec<Row>], now: Timestamp) -> Result<(), DecodeError> {
    let [head, state, owed, pending, consents, unproven, holes, purged, _] = tables else {
        return Err(DecodeError("the store did not answer every query"));
    };
    if let [head] = head.as_slice() {
        context.room = Some(Room::open(context.room_id.clone(), &head.value, state)?);
    }
    context.owed = Owed::open(owed)?;
    context.pending = Pending::open(pending)?;
    context.consents = consent::open(consents)?;
    context.unproven = Later::open(unproven::PREFIX, unproven, now)?;
    context.holes = Later::open(fill::PREFIX, holes, now)?;
    context.purged = Purged::open(purged);
    Ok(())
}

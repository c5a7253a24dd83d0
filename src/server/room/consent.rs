//! The operator's consent that another server may become the hub (spec, section 9).

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    context::Context,
    ephemeral,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    id::ServerName,
    ordered::Set,
    room::HubTransfer,
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure},
    },
    store::{DecodeError, Query, Row, Table, WriteBatch},
};

const PREFIX: &[u8] = b"consent/";

/// Finds the consents given.
pub(super) fn query() -> Query {
    Query::prefix(Table::Meta, PREFIX, u32::MAX)
}

/// The consents of the rows found.
pub(super) fn open(rows: &[Row]) -> Result<Set<ServerName>, DecodeError> {
    let name = |row: &Row| {
        let name = row.key.strip_prefix(PREFIX).and_then(|name| core::str::from_utf8(name).ok());
        name.and_then(|name| ServerName::parse(name).ok()).ok_or(DecodeError("consent to what is no server name"))
    };
    rows.iter().map(name).collect()
}

/// Takes a consent back: it was used.
pub(super) fn used(context: &mut Context, server: &ServerName, batch: &mut WriteBatch) {
    if context.consents.remove(server) {
        batch.delete(Table::Meta, key(server));
    }
}

/// Gives consent.
pub(super) fn work(ticket: Ticket, to: ServerName) -> Box<dyn Work> {
    Box::new(Consent { ticket, to })
}

struct Consent {
    ticket: Ticket,
    to: ServerName,
}

impl Work for Consent {
    fn step(&mut self, context: &mut Context, _: Moment, _: Resume) -> Progress {
        if let Err(failure) = check(context, &self.to) {
            return Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]);
        }
        let mut change = Change::default();
        context.consents.insert(self.to.clone());
        change.batch.put(Table::Meta, key(&self.to), []);
        change.then.push(Output::Respond(self.ticket, Answer::Done));
        ephemeral::offer_hub(context, &self.to);
        Progress::Commit(change)
    }
}

fn check(context: &Context, to: &ServerName) -> Result<(), Failure> {
    if context.room.is_none() {
        return Err(Failure::new(404, ErrorCode::NotFound, "no such room here"));
    }
    if !context.is_hub() {
        let mut failure =
            Failure::new(400, ErrorCode::WrongServer, "only the hub can give the room away; ask the hub's operator");
        failure.hub_server = context.hub().cloned();
        return Err(failure);
    }
    let moves = context
        .room
        .as_ref()
        .and_then(|room| room.state.create())
        .is_some_and(|create| create.hub_transfer() == HubTransfer::On);
    if !moves {
        let error = "the room was made without `hublet.hub_transfer`, so its hub is fixed; make a new room with it";
        return Err(Failure::new(403, ErrorCode::Forbidden, error));
    }
    if !context.is_in_room(to) {
        return Err(Failure::new(403, ErrorCode::Forbidden, "no user of that server is joined; invite one first"));
    }
    Ok(())
}

fn key(server: &ServerName) -> Vec<u8> {
    [PREFIX, server.as_str().as_bytes()].concat()
}

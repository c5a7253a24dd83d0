//! Work: what a room does for one call, as steps between which it waits.

use alloc::{boxed::Box, vec::Vec};

use super::context::Context;
use crate::{
    crypto::Signature,
    id::Timestamp,
    server::{
        contract::{Address, Moment, Output},
        message::{Answer, Call, KeyNeeds, ServerKeys},
    },
    store::{Query, Row, WriteBatch},
};

/// What a step waited for.
pub(super) enum Resume {
    /// Nothing: the first step.
    Start,
    /// Rows, in the order of the queries.
    Rows(Vec<Vec<Row>>),
    /// Keys, as far as they could be had.
    Keys(Vec<ServerKeys>),
    /// Signatures by our key.
    Signed(Vec<Signature>),
    /// Another machine's answer.
    Answer(Answer),
    /// Nothing came in time.
    TimedOut,
}

/// What a step wants next.
pub(super) enum Progress {
    /// Rows.
    Read(Vec<Query>),
    /// Servers' keys, by then.
    NeedKeys(Vec<KeyNeeds>, Timestamp),
    /// Signatures by the platform's key.
    Sign(Vec<Vec<u8>>),
    /// Another machine's answer, by then.
    Ask(Address, Call, Timestamp),
    /// A durable change; the work is done. Only for work that writes.
    Commit(Change),
    /// The work is done and nothing changed.
    Done(Vec<Output>),
    /// The room in memory is no longer what its store holds: the host must drop the machine.
    Stuck,
    /// The work goes on as work that writes, in its turn.
    Write(Box<dyn Work>),
}

/// A change to the room's rows, and what follows once it is durable.
#[derive(Default)]
pub(super) struct Change {
    /// The rows.
    pub(super) batch: WriteBatch,
    /// Goes out when they are durable.
    pub(super) then: Vec<Output>,
    /// Begins when they are durable, and does not write.
    pub(super) follow: Vec<Box<dyn Work>>,
}

/// One call's way through the room.
pub(super) trait Work {
    /// Takes the next step.
    fn step(&mut self, room: &mut Context, moment: Moment, resume: Resume) -> Progress;
}

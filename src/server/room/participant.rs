//! temp
use super::{
    context::{Context, not_found, refuse},
    work::Work,
};
use crate::{
    id::ServerName,
    json::Document,
    server::{contract::Ticket, message::ServerKeys},
};
use alloc::{boxed::Box, vec::Vec};
pub(super) fn receive(_: &Context, ticket: Ticket, _: ServerName, _: &ServerKeys, _: Vec<Document>) -> Box<dyn Work> {
    refuse(ticket, not_found())
}

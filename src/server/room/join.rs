//! temp
use super::{
    context::{Context, not_found, refuse},
    work::Work,
};
use crate::{
    id::{ServerName, UserId},
    room::membership::Membership,
    server::contract::Ticket,
};
use alloc::{boxed::Box, vec::Vec};
pub(super) fn work(_: &Context, ticket: Ticket, _: UserId, _: Membership, _: Vec<ServerName>) -> Box<dyn Work> {
    refuse(ticket, not_found())
}

//! Requests about several local users: each is asked, and the answer is put together.

use alloc::vec::Vec;

use super::{PeerMachine, Pending};
use crate::{
    id::UserId,
    json::{Document, write_object},
    ordered::{Map, Set},
    server::{
        contract::{Address, Ticket},
        endpoint::body::{DeviceQuery, KeyClaim},
        message::{AccountCall, Answer, Call, Response},
    },
};

/// Answers that are being put together, by who asked.
#[derive(Debug, Default)]
pub(super) struct Gathers {
    open: Map<Ticket, Gather>,
}

#[derive(Debug)]
struct Gather {
    /// The member of the answer that holds the users.
    member: &'static str,
    waiting: Set<UserId>,
    found: Map<UserId, Document>,
}

impl PeerMachine {
    pub(super) fn claim(&mut self, ticket: Ticket, claim: KeyClaim) {
        let users = claim.users.into_iter().map(|(user, wanted)| (user, AccountCall::ClaimKeys(wanted)));
        self.gather(ticket, "one_time_keys", users.collect());
    }

    pub(super) fn query(&mut self, ticket: Ticket, query: DeviceQuery) {
        let users = query.users.into_iter().map(|(user, devices)| (user, AccountCall::QueryKeys(devices)));
        self.gather(ticket, "device_keys", users.collect());
    }

    /// Asks our own users; others are left out.
    fn gather(&mut self, ticket: Ticket, member: &'static str, calls: Vec<(UserId, AccountCall)>) {
        let mut gather = Gather { member, waiting: Set::new(), found: Map::new() };
        for (user, call) in calls {
            if self.is_ours(&user) {
                gather.waiting.insert(user.clone());
                let pending = Pending::Gather(ticket, user.clone());
                self.ask(Address::Account(user), Call::Account(call), pending);
            }
        }
        self.gathers.open.insert(ticket, gather);
        self.answer_if_whole(ticket);
    }

    pub(super) fn gathered(&mut self, ticket: Ticket, user: &UserId, answer: Answer) {
        if let Some(gather) = self.gathers.open.get_mut(&ticket) {
            gather.waiting.remove(user);
            if let Answer::Object(object) = answer
                && !object.root().is_empty()
            {
                gather.found.insert(user.clone(), object);
            }
        }
        self.answer_if_whole(ticket);
    }

    fn answer_if_whole(&mut self, ticket: Ticket) {
        if self.gathers.open.get(&ticket).is_some_and(|gather| gather.waiting.is_empty())
            && let Some(gather) = self.gathers.open.remove(&ticket)
        {
            self.finish(ticket, Response::ok(gather.write()));
        }
    }
}

impl Gather {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_object(&mut out, |answer| {
            answer.object(self.member, |users| {
                // User IDs are ASCII, so they sort by byte as canonical form wants.
                for (user, object) in &self.found {
                    users.raw(user.as_str(), object.bytes());
                }
            });
        });
        out
    }
}

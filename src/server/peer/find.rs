//! GET `event` names no room: the rooms that the peer has to do with are searched, some at a time.

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use super::{PeerMachine, Pending};
use crate::{
    id::{EventId, RoomId, Timestamp},
    ordered::{Map, Set},
    server::{
        contract::{Address, Moment, Ticket},
        message::{Answer, Call, ErrorCode, Failure, RoomCall, RoomRead},
    },
};

/// Rooms asked at once.
const AT_ONCE: usize = 8;

/// How long a search may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Searches under way, by who asked.
#[derive(Debug, Default)]
pub(super) struct Finds {
    open: Map<Ticket, Find>,
}

#[derive(Debug)]
struct Find {
    event: EventId,
    rooms: VecDeque<RoomId>,
    asked: Set<RoomId>,
    deadline: Timestamp,
}

impl Finds {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|find| find.deadline).min()
    }
}

impl PeerMachine {
    pub(super) fn find(&mut self, moment: Moment, ticket: Ticket, event: EventId) {
        let deadline = moment.now.saturating_add(PATIENCE);
        let find = Find { event, rooms: self.rooms.all().into(), asked: Set::new(), deadline };
        self.finds.open.insert(ticket, find);
        self.search_on(ticket);
    }

    fn search_on(&mut self, ticket: Ticket) {
        let Some(find) = self.finds.open.get_mut(&ticket) else { return };
        let (event, mut next) = (find.event, Vec::new());
        while find.asked.len() < AT_ONCE
            && let Some(room) = find.rooms.pop_front()
        {
            find.asked.insert(room.clone());
            next.push(room);
        }
        if find.asked.is_empty() {
            return self.not_found(ticket);
        }
        for room in next {
            let call = RoomCall::Read { origin: self.name.clone(), read: RoomRead::Event(event) };
            self.ask(Address::Room(room.clone()), Call::Room(call), Pending::Find(ticket, room));
        }
    }

    pub(super) fn searched(&mut self, ticket: Ticket, room: &RoomId, answer: Answer) {
        let Some(find) = self.finds.open.get_mut(&ticket) else { return };
        find.asked.remove(room);
        match answer {
            Answer::Response(response) if response.status == 200 => {
                self.finds.open.remove(&ticket);
                self.finish(ticket, response);
            }
            _ => self.search_on(ticket),
        }
    }

    pub(super) fn expire_finds(&mut self, moment: Moment) {
        let late = self.finds.open.iter().filter(|(_, find)| find.deadline <= moment.now);
        let late: Vec<_> = late.map(|(ticket, _)| *ticket).collect();
        late.into_iter().for_each(|ticket| self.not_found(ticket));
    }

    fn not_found(&mut self, ticket: Ticket) {
        self.finds.open.remove(&ticket);
        self.finish(ticket, Failure::of(ErrorCode::NotFound, "no such event in a room of yours and ours"));
    }
}

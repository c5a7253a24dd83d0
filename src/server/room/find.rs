//! One entry of the log by the ID of its event, for local users and operators; also by the ID of the LPDU that the event was made of, which is all that who sent
//! it elsewhere than at the hub was told.

use alloc::{boxed::Box, vec};

use super::{
    context::Context,
    history,
    work::{Progress, Resume, Work},
};
use crate::{
    id::EventId,
    room::log::{FIRST_PLACE, place, position_of},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure},
    },
    store::{Query, Row, Table},
};

/// Answers with the entry, as the history does.
pub(super) fn work(ticket: Ticket, event_id: EventId) -> Box<dyn Work> {
    Box::new(Find { ticket, event_id, found: None })
}

/// Does not write: the room goes on.
struct Find {
    ticket: Ticket,
    event_id: EventId,
    /// Reads the entry, once its place is known.
    found: Option<Box<dyn Work>>,
}

impl Work for Find {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if let Some(found) = &mut self.found {
            return found.step(context, moment, resume);
        }
        let Resume::Rows(rows) = resume else {
            return Progress::Read(vec![place(self.event_id), Query::one(Table::Lpdus, *self.event_id.as_bytes())]);
        };
        let mut rows = rows.iter().map(|rows| rows.first());
        match (rows.next().flatten(), rows.next().flatten()) {
            (Some(at), _) => self.read(context, moment, at),
            (None, Some(made)) => self.follow(context, moment, made),
            (None, None) => self.refuse(),
        }
    }
}

impl Find {
    fn read(&mut self, context: &mut Context, moment: Moment, at: &Row) -> Progress {
        // State that came with our join has no place in the log.
        let Some(position) = position_of(&at.value).ok().filter(|position| *position >= FIRST_PLACE) else {
            return self.refuse();
        };
        let mut page = history::work(self.ticket, position.saturating_add(1), 1);
        let progress = page.step(context, moment, Resume::Start);
        self.found = Some(page);
        progress
    }

    fn follow(&mut self, context: &mut Context, moment: Moment, made: &Row) -> Progress {
        match made.value.as_slice().try_into().map(EventId::from_hash) {
            // An event of that very ID would have been found by its place.
            Ok(event_id) if event_id != self.event_id => {
                self.event_id = event_id;
                self.step(context, moment, Resume::Start)
            }
            _ => self.refuse(),
        }
    }

    fn refuse(&self) -> Progress {
        let failure = Failure::new(404, ErrorCode::NotFound, "no event of this ID is in the log here");
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))])
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use crate::{
        id::EventId,
        server::{Answer, Call, ErrorCode, RoomCall},
        testing::{
            Driver, content,
            duo::{ANN, Duo},
            user,
        },
    };

    type Room = Driver<crate::server::room::RoomMachine>;

    /// The position and the ID that are found.
    fn find(room: &mut Room, event_id: EventId) -> Result<(i64, EventId), ErrorCode> {
        match room.ask(Call::Room(RoomCall::Find { event_id })) {
            Answer::History(entries) => {
                let found: Vec<_> = entries.iter().map(|entry| (entry.position, entry.event_id)).collect();
                let [found] = found[..] else { panic!("{entries:?}") };
                assert!(entries[0].event.is_some() && entries[0].authorized);
                Ok(found)
            }
            Answer::Refused(failure) => Err(failure.code),
            answer => panic!("{answer:?}"),
        }
    }

    #[test]
    fn every_event_of_a_log_is_found_by_its_id() {
        let mut duo = Duo::joined();
        for number in 0..3 {
            duo.say(&format!("number {number}"));
        }
        duo.catch_up();
        for (position, event_id, _) in duo.hub_log() {
            assert_eq!(find(&mut duo.hub, event_id), Ok((position, event_id)));
        }
        let (.., newest, _) = duo.hub_log().pop().unwrap();
        assert_eq!(find(&mut duo.part, newest).map(|(_, id)| id), Ok(newest));
        assert_eq!(find(&mut duo.hub, EventId::from_hash([7; 32])), Err(ErrorCode::NotFound));
    }

    #[test]
    fn what_a_participant_sent_is_found_by_the_id_that_it_was_told() {
        let mut duo = Duo::joined();
        let content = content(r#"{"body":"from afar"}"#);
        let call = RoomCall::SendEvent { sender: user(ANN), kind: "m.room.message".into(), state_key: None, content };
        let Answer::Accepted(told) = duo.part.ask(Call::Room(call)) else { panic!("refused") };
        assert_eq!(find(&mut duo.part, told), Err(ErrorCode::NotFound));
        let pulled = duo.pulled();
        assert!(duo.send_lpdus(&pulled).iter().all(|outcome| outcome.failure.is_none()));
        duo.catch_up();
        let (position, event_id, _) = duo.hub_log().pop().unwrap();
        assert_ne!(told, event_id);
        assert_eq!(find(&mut duo.hub, told), Ok((position, event_id)));
        assert_eq!(find(&mut duo.part, told).map(|(_, id)| id), Ok(event_id));
    }
}

//! What a local user is shown of the room as it is: its state, and what is still on its way to the hub.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    context::{Context, not_found, refuse, settled},
    work::{Progress, Resume, Work},
};
use crate::{
    id::EventId,
    room::log::{LogEntry, entry, position_of},
    server::{
        contract::{Moment, Output, Ticket},
        message::Answer,
    },
};

/// Answers with the events of the current state, in the order of type and state key; of one type, or one event, where these are named.
pub(super) fn state(context: &Context, ticket: Ticket, kind: Option<&str>, state_key: Option<&str>) -> Box<dyn Work> {
    let Some(room) = &context.room else { return refuse(ticket, not_found()) };
    let is_asked = |name: Option<&str>, asked: Option<&str>| asked.is_none() || name == asked;
    let entries = room.state.entries().filter(|(entry_kind, entry_key, _)| {
        is_asked(Some(*entry_kind), kind) && is_asked(Some(*entry_key), state_key)
    });
    Box::new(State { ticket, asked: entries.map(|(.., entry)| (entry.position, entry.event_id)).collect() })
}

struct State {
    ticket: Ticket,
    asked: Vec<(i64, EventId)>,
}

impl Work for State {
    fn step(&mut self, _: &mut Context, _: Moment, resume: Resume) -> Progress {
        let Resume::Rows(rows) = resume else {
            return Progress::Read(self.asked.iter().map(|(position, _)| entry(*position)).collect());
        };
        let found = rows.iter().flatten().filter_map(|row| {
            match (position_of(&row.key).ok()?, LogEntry::decode(&row.value).ok()?) {
                (position, LogEntry::Event(event)) => Some((position, event.event_id, Some(event.bytes))),
                _ => None,
            }
        });
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Entries(found.collect()))])
    }
}

/// Answers with what our users sent and the hub has not sent back, in the order in which it was sent.
pub(super) fn pending(context: &Context, ticket: Ticket) -> Box<dyn Work> {
    let sent = context.pending.all().zip(0_i64..);
    let entries = sent.map(|((id, bytes), place)| (place, id, Some(bytes.to_vec()))).collect();
    settled(vec![Output::Respond(ticket, Answer::Entries(entries))])
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use crate::{
        server::{Answer, Call, RoomCall},
        testing::{content, duo::Duo, user},
    };

    fn texts(answer: Answer) -> Vec<String> {
        let Answer::Entries(entries) = answer else { panic!("{answer:?}") };
        entries.into_iter().map(|(.., bytes)| String::from_utf8(bytes.unwrap()).unwrap()).collect()
    }

    fn state(kind: Option<&str>, state_key: Option<&str>) -> Call {
        Call::Room(RoomCall::State { kind: kind.map(Into::into), state_key: state_key.map(Into::into) })
    }

    #[test]
    fn both_sides_show_the_same_state() {
        let mut duo = Duo::joined();
        let at_hub = texts(duo.hub.ask(state(None, None)));
        let at_part = texts(duo.part.ask(state(None, None)));
        assert!(at_hub.len() >= 6, "{at_hub:?}");
        assert_eq!(at_hub, at_part);
        let members = texts(duo.part.ask(state(Some("m.room.member"), None)));
        assert_eq!(members.len(), 2);
        let ann = texts(duo.part.ask(state(Some("m.room.member"), Some("@ann:part.example"))));
        assert_eq!(ann.len(), 1);
        assert!(ann[0].contains(r#""membership":"join""#));
        assert_eq!(texts(duo.hub.ask(state(Some("m.room.topic"), Some("")))).len(), 0);
    }

    #[test]
    fn what_is_on_its_way_is_shown_until_its_echo() {
        let mut duo = Duo::joined();
        let say = |body: &str| {
            let content = content(&alloc::format!(r#"{{"body":"{body}"}}"#));
            let (sender, kind) = (user("@ann:part.example"), "m.room.message".into());
            Call::Room(RoomCall::SendEvent { sender, kind, state_key: None, content })
        };
        duo.part.ask(say("one"));
        duo.part.ask(say("two"));
        let sent = texts(duo.part.ask(Call::Room(RoomCall::Pending)));
        assert_eq!(sent.len(), 2);
        assert!(sent[0].contains("one") && sent[1].contains("two"));
        assert!(texts(duo.hub.ask(Call::Room(RoomCall::Pending))).is_empty());
    }
}

//! What users of a net do in rooms.

use alloc::{string::String, vec::Vec};

use super::{Net, content, server, user};
use crate::{
    event::LINEARIZED_02,
    id::{EventId, RoomId, RoomVersionId, ServerName},
    room::membership::Membership,
    server::{Address, Answer, Call, Notification, PeerCall, Response, RoomCall},
};

impl Net {
    /// A user makes a room with this ID; `create` are more members of the create event's content.
    pub fn create(&mut self, creator: &str, room_id: &str, public: bool, create: &str) -> RoomId {
        let (room_id, creator) = (RoomId::parse(room_id).unwrap(), user(creator));
        let version = RoomVersionId::parse(LINEARIZED_02.id).unwrap();
        let server = creator.server_name();
        let create_content = Some(content(create));
        let call = RoomCall::Create { creator, public, name: None, version, create_content };
        let answer = self.ask(&server, Address::Room(room_id.clone()), Call::Room(call));
        assert_eq!(answer, Some(Answer::Created(room_id.clone())));
        room_id
    }

    /// A user joins, knocks or leaves, asking `via`.
    pub fn member(&mut self, name: &str, room_id: &RoomId, membership: Membership, via: &[&str]) -> Option<Answer> {
        let user = user(name);
        let server = user.server_name();
        let via = via.iter().map(|name| ServerName::parse(name).unwrap()).collect();
        let call = RoomCall::Member { user, membership, via };
        self.ask(&server, Address::Room(room_id.clone()), Call::Room(call))
    }

    /// A user joins.
    pub fn join(&mut self, name: &str, room_id: &RoomId, via: &str) -> EventId {
        match self.member(name, room_id, Membership::Join, &[via]) {
            Some(Answer::Accepted(event_id)) => event_id,
            answer => panic!("{name} could not join: {answer:?}"),
        }
    }

    /// The call that sends an event of a user.
    pub fn event(kind: &str, state_key: Option<&str>, sender: &str, body: &str) -> Call {
        let (sender, kind, state_key) = (user(sender), kind.into(), state_key.map(String::from));
        Call::Room(RoomCall::SendEvent { sender, kind, state_key, content: content(body) })
    }

    /// A user sends an event.
    pub fn send(
        &mut self,
        sender: &str,
        room_id: &RoomId,
        kind: &str,
        state_key: Option<&str>,
        body: &str,
    ) -> Option<Answer> {
        let call = Self::event(kind, state_key, sender, body);
        self.ask(&user(sender).server_name(), Address::Room(room_id.clone()), call)
    }

    /// What a server answers to another's GET.
    pub fn get(&mut self, from: &ServerName, to: &ServerName, target: String) -> Response {
        let call = PeerCall::Fetch { method: http::Method::GET, target, body: None };
        match self.ask(from, Address::Peer(to.clone()), Call::Peer(call)) {
            Some(Answer::Response(response)) => response,
            answer => panic!("{from} gets no answer: {answer:?}"),
        }
    }

    /// A user says something.
    pub fn say(&mut self, sender: &str, room_id: &RoomId, text: &str) -> EventId {
        let body = alloc::format!(r#"{{"body":"{text}","msgtype":"m.text"}}"#);
        match self.send(sender, room_id, "m.room.message", None, &body) {
            Some(Answer::Accepted(event_id)) => event_id,
            answer => panic!("{sender} could not speak: {answer:?}"),
        }
    }

    /// The log of a room at a server from a position on: positions, IDs, and bytes where there is an event.
    pub fn log(&mut self, name: &str, room_id: &RoomId, from: i64) -> Vec<(i64, EventId, Option<Vec<u8>>)> {
        let call = Call::Room(RoomCall::Timeline { from, limit: u32::MAX });
        match self.ask(&server(name), Address::Room(room_id.clone()), call) {
            Some(Answer::Entries(entries)) => entries,
            answer => panic!("{name} has no log: {answer:?}"),
        }
    }

    /// The IDs of that log.
    pub fn ids(&mut self, name: &str, room_id: &RoomId, from: i64) -> Vec<EventId> {
        self.log(name, room_id, from).into_iter().map(|(_, id, _)| id).collect()
    }

    /// What the users of a server were told since this was last asked.
    pub fn told(&mut self, name: &str) -> Vec<Notification> {
        core::mem::take(&mut self.server(&server(name)).unwrap().told)
    }
}

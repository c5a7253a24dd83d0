//! Servers, rooms, what was asked of them, and what they told.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    rc::Rc,
    string::String,
    vec::Vec,
};
use core::{cell::RefCell, time::Duration};

use super::{
    attack::HONEST,
    story::{Story, room_of},
    tally::Tally,
    villain::Villain,
    weather::Weather,
};
use crate::{
    id::{EventId, RoomId, ServerName, UserId},
    room::membership::Membership,
    server::{Address, Answer, Call, RoomCall, Ticket},
    testing::{Dice, Durable, Net, Server, user},
};

/// Every server has a user or two.
pub(super) const USERS: [&str; 6] =
    ["@hal:hub.example", "@ann:a.example", "@amy:a.example", "@bob:b.example", "@cat:c.example", "@dan:d.example"];

/// Whether hub and participant of a run are hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Morals {
    /// Every server is honest.
    Honest,
    /// The hub of the first room is hostile, and so is a participant of all of them.
    Hostile,
}

/// A room of the run.
pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) creator: UserId,
}

/// A call of a user that is not answered yet.
struct Begun {
    server: ServerName,
    ticket: Ticket,
    room: usize,
    what: What,
}

/// What a user asked for, as far as it matters in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Event,
    Join,
    Else,
}

/// An event of a user that its server took.
pub(super) struct Accepted {
    pub(super) server: ServerName,
    pub(super) room: usize,
    /// Of the LPDU, or of the event where the server is the hub.
    pub(super) id: EventId,
}

/// Everything there is.
pub(super) struct World {
    pub(super) net: Net,
    pub(super) dice: Dice,
    pub(super) weather: Rc<RefCell<Weather>>,
    pub(super) servers: Vec<ServerName>,
    /// The servers that all must be well with in the end.
    pub(super) honest: Vec<ServerName>,
    pub(super) users: Vec<UserId>,
    pub(super) rooms: Vec<Room>,
    pub(super) accepted: Vec<Accepted>,
    pub(super) stories: BTreeMap<(ServerName, RoomId), Story>,
    /// Servers that asked to join a room and never heard that they had: where, and whether they did nobody can tell them.
    pub(super) unheard_joins: BTreeSet<(ServerName, usize)>,
    /// Joins that a server sent as events like others. Whether one came to nothing it tells, unless it is gone at that moment.
    pub(super) sent_joins: Vec<Accepted>,
    /// Servers that an operator has agreed to give the second room to.
    pub(super) consents: BTreeSet<ServerName>,
    /// Whether machines may be gone before they tell what they have done.
    pub(super) has_lapses: bool,
    pub(super) tally: Tally,
    faults: Rc<RefCell<Faults>>,
    begun: Vec<Begun>,
    pub(super) numbers: u64,
}

/// How often commits fail.
struct Faults {
    dice: Dice,
    percent: u64,
    happened: u64,
}

impl World {
    /// Servers with a room each, in which nobody is but who made it.
    pub(super) fn new(seed: u64, morals: Morals) -> Self {
        let mut dice = Dice::new(seed, 0);
        let users: Vec<UserId> = USERS.iter().map(|name| user(name)).collect();
        let mut servers: Vec<ServerName> = users.iter().map(UserId::server_name).collect();
        servers.dedup();
        let is_hostile = morals == Morals::Hostile;
        let honest = servers.iter().filter(|name| !is_hostile || HONEST.contains(&name.as_str())).cloned().collect();
        let has_lapses = dice.falls(25) && !is_hostile;
        let faults = Rc::new(RefCell::new(Faults { dice: Dice::new(seed, 2), percent: 0, happened: 0 }));
        let opened = servers.iter().map(|name| {
            let mut server = Server::new(name, dice.falls(25));
            let faults = Rc::clone(&faults);
            server.disk = Some(alloc::boxed::Box::new(move |_| faults.borrow_mut().fate()));
            (name.clone(), server)
        });
        let mut net = Net::of(opened.collect());
        let rooms = make_rooms(&mut net, &mut dice);
        faults.borrow_mut().percent = if has_lapses { 2 } else { 0 };
        let weather = Rc::new(RefCell::new(Weather::new(seed, is_hostile.then(|| Villain::new(seed)))));
        let rule = Rc::clone(&weather);
        net.rule(move |packet| rule.borrow_mut().fate(packet));
        Self {
            net,
            dice,
            weather,
            servers,
            honest,
            users,
            rooms,
            accepted: Vec::new(),
            stories: BTreeMap::new(),
            unheard_joins: BTreeSet::new(),
            sent_joins: Vec::new(),
            consents: BTreeSet::new(),
            has_lapses,
            tally: Tally::default(),
            faults,
            begun: Vec::new(),
            numbers: 0,
        }
    }

    /// A user asks its server for something about a room.
    pub(super) fn ask(&mut self, user: &UserId, room: usize, call: Call) {
        let server = user.server_name();
        let what = match &call {
            Call::Room(RoomCall::SendEvent { .. }) => What::Event,
            Call::Room(RoomCall::Member { membership: Membership::Join, .. }) => What::Join,
            _ => What::Else,
        };
        let address = Address::Room(self.rooms[room].id.clone());
        if let Some(ticket) = self.net.begin(&server, address, call) {
            self.begun.push(Begun { server, ticket, room, what });
        }
        self.net.run();
    }

    /// A user sends an event. Its content is `body`, an object's members.
    pub(super) fn send(&mut self, user: &UserId, room: usize, kind: &str, state_key: Option<&str>, body: &str) {
        let call = Net::event(kind, state_key, user.as_str(), &format!("{{{body}}}"));
        self.ask(user, room, call);
    }

    /// A user joins, knocks or leaves.
    pub(super) fn member(&mut self, user: &UserId, room: usize, membership: Membership) {
        let via = Vec::from([self.dice.pick(&self.servers).clone(), self.rooms[room].creator.server_name()]);
        self.ask(user, room, Call::Room(RoomCall::Member { user: user.clone(), membership, via }));
    }

    /// A server stops and starts again; what users have asked it for is forgotten.
    pub(super) fn restart(&mut self, name: &ServerName) {
        self.tally.restarts += 1;
        self.net.restart(name);
        let (forgotten, begun) =
            core::mem::take(&mut self.begun).into_iter().partition::<Vec<_>, _>(|begun| begun.server == *name);
        self.begun = begun;
        let joins = forgotten.into_iter().filter(|begun| begun.what == What::Join);
        self.unheard_joins.extend(joins.map(|begun| (begun.server, begun.room)));
        self.net.run();
    }

    /// Time passes, and users read what they were told.
    pub(super) fn pass(&mut self, time: Duration) {
        self.net.pass(time);
        for Begun { server, ticket, room, what } in core::mem::take(&mut self.begun) {
            match self.net.answer(&server, ticket) {
                None => self.begun.push(Begun { server, ticket, room, what }),
                Some(Answer::Accepted(id)) if what == What::Event => self.accepted.push(Accepted { server, room, id }),
                Some(Answer::Accepted(id)) if what == What::Join => self.sent_joins.push(Accepted { server, room, id }),
                Some(Answer::Accepted(_)) => {}
                Some(_) if what == What::Join => drop(self.unheard_joins.insert((server, room))),
                Some(_) => self.tally.refused += 1,
            }
        }
        for name in self.servers.clone() {
            self.listen(&name);
        }
    }

    fn listen(&mut self, name: &ServerName) {
        for told in self.net.told(name.as_str()) {
            let Some(room_id) = room_of(&told).cloned() else { continue };
            self.stories.entry((name.clone(), room_id)).or_default().tell(told);
        }
    }

    /// From now on nothing goes wrong any more, and time passes.
    pub(super) fn comes_to_rest(&mut self, time: Duration) {
        self.weather.borrow_mut().clear();
        self.faults.borrow_mut().percent = 0;
        self.pass(time);
        assert_eq!(self.net.wire().count(), 0, "something is on its way for ever");
        assert!(self.begun.iter().all(|begun| !self.honest.contains(&begun.server)), "somebody waits for ever");
        let weather = self.weather.borrow();
        self.tally.troubles = weather.troubles;
        self.tally.attacks += weather.villain.as_ref().map_or(0, |villain| villain.attacks);
        drop(weather);
        self.tally.restarts += self.faults.borrow().happened;
        self.tally.not_sent += self.stories.values().map(|story| story.not_sent.len()).map(count).sum::<u64>();
    }

    /// What a server's users were told of a room.
    pub(super) fn story(&mut self, name: &ServerName, room: usize) -> &mut Story {
        self.stories.entry((name.clone(), self.rooms[room].id.clone())).or_default()
    }

    /// A text that no other event has.
    pub(super) fn number(&mut self) -> String {
        self.numbers += 1;
        format!(r#""n":{}"#, self.numbers)
    }
}

impl Faults {
    fn fate(&mut self) -> Durable {
        if !self.dice.falls(self.percent) {
            return Durable::Yes;
        }
        self.happened += 1;
        if self.dice.falls(50) { Durable::No } else { Durable::Unheard }
    }
}

/// One room that anybody may join, one that may move, one by invite.
fn make_rooms(net: &mut Net, dice: &mut Dice) -> Vec<Room> {
    let mut make = |creator: &str, id: &str, public: bool, create: &str, levels: &str| {
        let id = net.create(creator, id, public, create);
        if !levels.is_empty() {
            net.send(creator, &id, "m.room.power_levels", Some(""), levels).unwrap();
        }
        Room { id, creator: user(creator) }
    };
    let levels = r#"{"events":{"m.room.hub":100},"invite":0,"users":{"@ann:a.example":100,"@bob:b.example":100,"@cat:c.example":100}}"#;
    let rooms = Vec::from([
        make("@hal:hub.example", "!open:hub.example", true, "{}", ""),
        make("@ann:a.example", "!moves:a.example", true, r#"{"hublet.hub_transfer":true}"#, levels),
        make("@bob:b.example", "!closed:b.example", false, "{}", ""),
    ]);
    for room in &rooms {
        for name in USERS.iter().filter(|name| **name != room.creator.as_str()) {
            if dice.falls(50) {
                let invite = r#"{"membership":"invite"}"#;
                net.send(room.creator.as_str(), &room.id, "m.room.member", Some(name), invite).unwrap();
                net.join(name, &room.id, room.creator.server());
            }
        }
    }
    rooms
}

/// How many.
pub(super) fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap()
}

//! What must hold at honest servers in a room whose hub is hostile.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    vec::Vec,
};

use super::{
    attack::HONEST,
    audit::{Audit, Entry, TrueKeys, verify},
    story::Shown,
    villain::{HUB, PEER, TWIN},
    world::{World, count},
};
use crate::{
    event::{Event, Integrity, KeyLookup, KeySource, KeyUse, LINEARIZED_02, Sender, UnverifiedPdu, VerifyError},
    id::{EventId, KeyId, ServerName},
    room::authorize::{self, Before},
    server::Address,
    store::Table,
    testing::{duo::document, server},
};

/// The most rows that a peer machine may keep of a hostile server.
const MOST_ROWS: usize = 100;

/// The keys of all but one server.
struct KeysBut<'a>(&'a TrueKeys, ServerName);

impl KeySource for KeysBut<'_> {
    fn key(&self, server: &ServerName, key: &KeyId, purpose: KeyUse) -> KeyLookup {
        if *server == self.1 { KeyLookup::Unknown } else { self.0.key(server, key, purpose) }
    }
}

/// The events behind which a server has told its users that the log forks.
#[derive(Default)]
struct Forks {
    /// With two events that follow.
    proven: BTreeSet<EventId>,
    /// With the one that does not follow the head.
    one_sided: BTreeSet<EventId>,
}

impl World {
    /// Looks at the hostile hub's room at every honest server.
    ///
    /// # Panics
    /// At the first property that does not hold.
    pub(super) fn suspect(&mut self, room: usize) {
        let keys = TrueKeys::default();
        let id = self.rooms[room].id.clone();
        let mut audits = Vec::new();
        for name in [HUB, TWIN].map(server) {
            if self.net.server(&name).is_some() {
                let log = self.log(&name, room);
                audits.push(Audit::of(&id, &log));
                self.tally.appended += count(log.len());
            }
        }
        for name in HONEST.map(server) {
            let log = self.log(&name, room);
            self.check_shown(room, &name, &log, &keys);
            let at = format!("{name} in {id}");
            let believes_in = check_rules(&at, &name, &log, &audits);
            let told = self.check_forks(room, &name, &log, &keys);
            let story = self.story(&name, room).clone();
            self.tally.forks += count(story.forks.len());
            self.tally.rejected += count(story.rejected.len());
            self.tally.holes += count(story.holes.len());
            if believes_in && audits[0].end.joined.contains(&name) {
                check_branches(&at, &log, &audits[0], &told, &story.holes);
            }
        }
        [HUB, PEER].map(server).iter().for_each(|peer| self.check_rows(peer));
    }

    /// Every event that was shown is what it was said to be, whoever sent it.
    fn check_shown(&mut self, room: usize, name: &ServerName, log: &[Entry], keys: &TrueKeys) {
        let places: BTreeMap<i64, EventId> = log.iter().map(|(position, id, _)| (*position, *id)).collect();
        let story = self.story(name, room).clone();
        for Shown { position, event_id, bytes, sender_verified, intact, .. } in &story.shown {
            let at = format!("{name}, {position}: {event_id}");
            assert_eq!(places.get(position), Some(event_id), "{at}: shown and not in the log");
            let pdu =
                UnverifiedPdu::parse(document(bytes), &LINEARIZED_02).unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(pdu.event_id(), *event_id, "{at}");
            let sender = pdu.event().sender().server_name();
            match sender_verified {
                true => {
                    let pdu = pdu.verify(keys).unwrap_or_else(|error| panic!("{at}: {error}"));
                    assert_eq!(pdu.sender_check(), Sender::Verified, "{at}");
                    assert!(!intact || pdu.integrity() == Integrity::Intact, "{at}: it is not whole");
                }
                false => {
                    let blind =
                        pdu.clone().verify(&KeysBut(keys, sender)).unwrap_or_else(|error| panic!("{at}: {error}"));
                    assert!(!intact || blind.integrity() == Integrity::Intact, "{at}: it is not whole");
                    let is_false = matches!(pdu.verify(keys), Err(VerifyError::SignatureWrong(..)));
                    assert!(!is_false || story.refuted.contains(event_id), "{at}: never checked again");
                }
            }
        }
    }

    /// Every event that does not follow the one before it was reported, and every report holds. Where the reports say that the log forks.
    fn check_forks(&mut self, room: usize, name: &ServerName, log: &[Entry], keys: &TrueKeys) -> Forks {
        let story = self.story(name, room).clone();
        let (mut forks, mut reported) = (Forks::default(), BTreeMap::new());
        for (first, second) in &story.forks {
            let events: Vec<Event> = [first, second]
                .into_iter()
                .filter(|bytes| !bytes.is_empty())
                .map(|bytes| {
                    verify(bytes, keys)
                        .unwrap_or_else(|error| panic!("{name}: a fork without proof: {error}"))
                        .into_event()
                })
                .collect();
            let [.., second] = events.as_slice() else { panic!("{name}: a fork of nothing") };
            let is_signed_by_hub = |event: &Event| match event.hub_server() {
                Some(hub) => hub.as_str() == HUB,
                None => event.sender().server() == HUB,
            };
            assert!(events.iter().all(is_signed_by_hub), "{name}: not the hub's");
            if let [first, second] = events.as_slice() {
                let common = first.prev_events().iter().find(|prev| second.prev_events().contains(prev));
                forks.proven.insert(*common.unwrap_or_else(|| panic!("{name}: no fork: {first:?} {second:?}")));
            } else {
                forks.one_sided.extend(second.prev_events());
            }
            let id = UnverifiedPdu::parse(document(second.bytes()), &LINEARIZED_02).unwrap().event_id();
            reported.insert(id, events.len());
        }
        for stretch in log.chunk_by(|one, next| one.0 + 1 == next.0) {
            let events: Vec<Option<(EventId, Event)>> =
                stretch.iter().map(|(_, id, bytes)| Some((*id, verify_form(bytes.as_deref()?)))).collect();
            for (at, entry) in events.iter().enumerate().skip(1) {
                let Some((id, event)) = entry else { continue };
                let prevs = event.prev_events();
                if prevs == [stretch[at - 1].1] {
                    continue;
                }
                let known = reported.get(id).unwrap_or_else(|| panic!("{name}: {id} forks the log and nobody says so"));
                // What filled a hole came after the fork was told.
                let follows = |place: usize| {
                    events.get(place + 1).and_then(Option::as_ref).is_some_and(|(id, next)| {
                        place + 1 < at && !story.filled.contains(id) && next.prev_events().contains(&stretch[place].1)
                    })
                };
                let has_rival = (0..at).any(|place| prevs.contains(&stretch[place].1) && follows(place));
                assert!(!has_rival || *known == 2, "{name}: the fork at {id} has only one event");
            }
        }
        forks
    }

    /// What a hostile server sends does not pile up.
    fn check_rows(&mut self, peer: &ServerName) {
        for name in HONEST.map(server) {
            let address = Address::Peer(peer.clone());
            let Some(store) = self.net.server(&name).and_then(|server| server.store(&address)) else { continue };
            let rows: usize = Table::ALL.iter().map(|table| store.len(*table)).sum();
            assert!(rows <= MOST_ROWS, "{name} keeps {rows} rows of {peer}");
        }
    }
}

fn verify_form(bytes: &[u8]) -> Event {
    UnverifiedPdu::parse(document(bytes), &LINEARIZED_02).unwrap().event().clone()
}

/// Every event in a log is allowed by the state that those before it left; what came with a join is as the hub, or its twin, has it. Whether the server
/// is in the room at the end of its log.
fn check_rules(at: &str, name: &ServerName, log: &[Entry], audits: &[Audit]) -> bool {
    let mut is_in = false;
    for stretch in log.chunk_by(|one, next| one.0 + 1 == next.0) {
        let join = stretch[0].1;
        let found =
            audits.iter().find_map(|audit| Some((audit, audit.links.iter().position(|link| link.event_id == join)?)));
        let (audit, place) = found.unwrap_or_else(|| panic!("{at}: {join} is no join of the hub's"));
        let id = audit.state.room_id().clone();
        let mut state = crate::room::state::RoomState::new(id, audit.state.rules());
        let mut known: BTreeMap<EventId, Event> = BTreeMap::new();
        for (position, link) in (0..).zip(&audit.links[..place]) {
            state.apply(&link.event, link.event_id, position);
            known.insert(link.event_id, link.event.clone());
        }
        let keys = TrueKeys::default();
        for (position, event_id, bytes) in stretch {
            let Some(bytes) = bytes else { continue };
            let pdu = UnverifiedPdu::parse(document(bytes), audit.state.rules()).unwrap();
            let sender = pdu.event().sender().server_name();
            let pdu = pdu.clone().verify(&keys).or_else(|_| pdu.verify(&KeysBut(&keys, sender)));
            let pdu = pdu.unwrap_or_else(|error| panic!("{at}, {position}: {error}"));
            let authorized = authorize::pdu(pdu, Before { state: &state, known: &known });
            let authorized = authorized.unwrap_or_else(|denied| panic!("{at}, {position}: {}", denied.reason));
            let event = authorized.into_verified().into_event();
            state.apply(&event, *event_id, *position);
            known.insert(*event_id, event);
        }
        is_in = state.joined_users_of(name.as_str()) > 0;
    }
    is_in
}

/// Who is in the room gets the hub's log in the end; where that goes on otherwise than the server's own, the server has said so.
///
/// No server can say so of what it was never shown. A hub may put one out of the room by an event that it shows to nobody else: what the others have in
/// that event's place is not taken from it then, since the server takes itself to be outside, and joining again brings the state and none of the events
/// in between. So of a time that ended with an absence only as much is asked as the server has of the hub's log. Nor does a hub resend what it withheld
/// until the server's users were told of a hole there, or what stands before such a hole. And of what a server rejected it has the link, and nothing to prove a
/// fork with: one event is enough there.
fn check_branches(at: &str, log: &[Entry], hub: &Audit, told: &Forks, holes: &[EventId]) {
    let places: BTreeMap<EventId, usize> = (0..).zip(&hub.links).map(|(place, link)| (link.event_id, place)).collect();
    let mut stretches: Vec<&[Entry]> = log.chunk_by(|one, next| one.0 + 1 == next.0).collect();
    let last = stretches.pop().map(|stretch| (stretch, hub.links.len()));
    let seen = |stretch: &[Entry]| stretch.iter().filter_map(|(_, id, _)| places.get(id)).max().copied();
    let has: BTreeMap<EventId, bool> = log.iter().map(|(_, id, bytes)| (*id, bytes.is_some())).collect();
    let is_withheld = |place: usize| {
        let known =
            hub.links[place..].iter().map(|link| link.event_id).find(|id| has.contains_key(id) || holes.contains(id));
        known.is_some_and(|id| holes.contains(&id))
    };
    let earlier = stretches.into_iter().map(|stretch| (stretch, seen(stretch).unwrap_or(0)));
    for (stretch, seen) in earlier.chain(last) {
        for (_, id, bytes) in stretch {
            let event = bytes.as_deref().map(verify_form);
            for prev in event.iter().flat_map(Event::prev_events) {
                let next = places.get(prev).map(|place| place + 1).filter(|next| *next <= seen);
                let rival = next.filter(|next| hub.links.get(*next).is_some_and(|rival| rival.event_id != *id));
                let is_link = rival.is_some_and(|rival| has.get(&hub.links[rival].event_id) == Some(&false));
                let is_told = told.proven.contains(prev) || is_link && told.one_sided.contains(prev);
                assert!(
                    rival.is_none_or(is_withheld) || is_told,
                    "{at}: {id} is not what the hub has after {prev}, and nobody says so"
                );
            }
        }
    }
}

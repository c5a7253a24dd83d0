//! What must hold under honest hubs once the network has healed.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use super::{
    audit::{Audit, Entry, Link},
    world::{Accepted, World, count},
};
use crate::{
    event::redact,
    id::{EventId, ServerName},
    room::{kind, log::FIRST_PLACE, membership::Membership, visibility::HistoryVisibility},
    server::{Address, Answer, Call, ErrorCode, RoomCall},
    store::{Query, Table},
};

impl World {
    /// Looks at a room whose hub is honest.
    ///
    /// # Panics
    /// At the first property that does not hold.
    pub(super) fn judge(&mut self, room: usize) -> Audit {
        let id = self.rooms[room].id.clone();
        let hub = self.hub_of(room);
        let log = self.log(&hub, room);
        let audit = Audit::of(&id, &log);
        assert_eq!(audit.state.hub(), Some(&hub));
        for name in self.honest.clone() {
            let story = self.story(&name, room);
            assert!(story.forks.is_empty(), "{name} in {id} reports a fork");
            assert!(story.rejected.is_empty(), "{name} in {id} rejects {:?}", story.rejected);
            assert!(story.holes.is_empty(), "{name} in {id} has holes {:?}", story.holes);
            assert!(story.refuted.is_empty(), "{name} in {id} refutes {:?}", story.refuted);
            if name != hub {
                self.judge_log(room, &name, &hub, &audit);
            }
        }
        self.judge_accepted(room, &audit);
        let of_kind = |wanted: &str| count(audit.links.iter().filter(|link| link.event.kind() == wanted).count());
        self.tally.appended += count(audit.links.len());
        self.tally.transfers += of_kind(kind::HUB);
        self.tally.redacted += count(audit.links.iter().filter(|link| !link.is_intact).count());
        audit
    }

    /// Users whose server never heard that it had joined try again.
    ///
    /// # Panics
    /// If one cannot.
    pub(super) fn joins_again(&mut self, room: usize) {
        let mut in_doubt = self.honest.clone();
        in_doubt.retain(|name| {
            // A join that went out while the server was put out of the room counts as not sent.
            let is_lost = self.story(name, room).not_sent.values().any(|failure| failure.status == 504);
            is_lost || self.unheard_joins.contains(&(name.clone(), room)) || self.has_lost_its_join(name, room)
        });
        if in_doubt.is_empty() {
            return;
        }
        let hub = self.hub_of(room);
        let log = self.log(&hub, room);
        let audit = Audit::of(&self.rooms[room].id, &log);
        for name in in_doubt.into_iter().filter(|name| *name != hub) {
            let last = self.log(&name, room).last().map(|(_, id, _)| *id);
            let place = audit.links.iter().position(|link| Some(link.event_id) == last);
            let knows = place.is_some_and(|at| {
                audit.links.get(at + 1).map_or(&audit.end, |link| &link.before).joined.contains(&name)
            });
            let members = audit.state.members().filter(|(_, membership)| *membership == Membership::Join);
            let user = members.map(|(user, _)| crate::testing::user(user)).find(|user| user.server_name() == name);
            if let (false, Some(user)) = (knows, user) {
                self.tally.joins_again += 1;
                self.net.join(user.as_str(), &self.rooms[room].id, hub.as_str());
            }
        }
        self.pass(Duration::from_secs(60));
    }

    /// Whether a server that was gone for a moment may have forgotten to tell that a join of its users came to nothing: it is neither in its log nor told as
    /// not sent.
    fn has_lost_its_join(&mut self, name: &ServerName, room: usize) -> bool {
        let is_here = |join: &&Accepted| join.server == *name && join.room == room;
        let ids: Vec<EventId> = self.sent_joins.iter().filter(is_here).map(|join| join.id).collect();
        let story = self.story(name, room);
        let is_told = |id: EventId| {
            let last = story.last_form(id);
            story.not_sent.contains_key(&last)
                || story.shown.iter().any(|shown| shown.event_id == last || shown.lpdu_id == Some(last))
        };
        let has_lost = !ids.into_iter().all(is_told);
        self.has_lapses && has_lost
    }

    /// The one server that takes itself for the hub.
    pub(super) fn hub_of(&mut self, room: usize) -> ServerName {
        let id = self.rooms[room].id.clone();
        let mut hubs = self.honest.clone();
        hubs.retain(|name| {
            let log = self.log(name, room);
            let is_move = |bytes: &[u8]| {
                // Most are told at first sight.
                core::str::from_utf8(bytes).ok().filter(|text| text.contains(kind::HUB))?;
                let event = crate::testing::duo::document(bytes);
                let kind = event.root().member("type")?.as_str()?.into_owned();
                let sender = event.root().member("sender")?.as_str()?.into_owned();
                (kind == kind::HUB).then(|| crate::testing::user(&sender).server_name())
            };
            let last = log.iter().rev().filter_map(|(_, _, bytes)| is_move(bytes.as_deref()?)).next();
            last.map_or_else(|| id.server() == name.as_str(), |last| last == *name)
        });
        let [hub] = hubs.as_slice() else { panic!("{id} has {hubs:?} as hubs") };
        hub.clone()
    }

    /// A server's log, but for what came as state with a join.
    pub(super) fn log(&mut self, name: &ServerName, room: usize) -> Vec<Entry> {
        let call = Call::Room(RoomCall::Timeline { from: FIRST_PLACE, limit: u32::MAX });
        match self.net.ask(name, Address::Room(self.rooms[room].id.clone()), call) {
            Some(Answer::Entries(entries)) => entries,
            Some(Answer::Refused(failure)) if failure.code == ErrorCode::NotFound => Vec::new(),
            answer => panic!("{name} has no log: {answer:?}"),
        }
    }

    /// A participant has a stretch of the hub's log for each time that it was in the room, from its join to its leaving or the head.
    fn judge_log(&mut self, room: usize, name: &ServerName, hub: &ServerName, audit: &Audit) {
        let links = &audit.links;
        let at = alloc::format!("{name} in {}", self.rooms[room].id);
        let log = self.log(name, room);
        let is_joined = |at: usize| links.get(at).is_some_and(|link| link.before.joined.contains(name));
        let places: BTreeMap<EventId, usize> =
            links.iter().enumerate().map(|(place, link)| (link.event_id, place)).collect();
        let is_in = audit.end.joined.contains(name);
        let mut stretches: Vec<&[Entry]> = log.chunk_by(|one, next| one.0 + 1 == next.0).collect();
        self.tally.returns += count(stretches.len().saturating_sub(1));
        let last = stretches.pop();
        assert!(last.is_some() || !is_in, "{at}: joined and without a log");
        for (stretch, is_last) in
            stretches.into_iter().map(|stretch| (stretch, false)).chain(last.map(|all| (all, true)))
        {
            let first = places.get(&stretch[0].1).unwrap_or_else(|| panic!("{at}: {} is not in the log", stretch[0].1));
            assert!(*first == 0 || is_join_of(&links[*first], name), "{at}: its log begins in the middle");
            for (offset, (position, id, bytes)) in stretch.iter().enumerate() {
                let link =
                    links.get(first + offset).unwrap_or_else(|| panic!("{at}, {position}: behind the hub's head"));
                assert_eq!(*id, link.event_id, "{at}, {position}");
                let bytes = bytes.as_deref().unwrap_or_else(|| panic!("{at}, {position}: no event"));
                // Nobody tells a server that is not in the room what was redacted since.
                let knows = is_last && is_in || link.is_intact;
                let is_cut = is_cut_for(link, name) && *bytes == redact(&link.event);
                let is_equal = bytes == link.event.bytes() || is_cut;
                assert!(
                    is_equal || (!knows && is_redaction_of(link, bytes)),
                    "{at}, {position}: other bytes, {} for {}",
                    alloc::string::String::from_utf8_lossy(bytes),
                    alloc::string::String::from_utf8_lossy(link.event.bytes())
                );
            }
            let end = first + stretch.len();
            let is_head = end == links.len();
            assert!(is_head || !is_joined(end), "{at}: its log ends at {end} of {} though it was joined", links.len());
            assert!(is_head || !(is_last && is_in), "{at}: its log ends before the head");
        }
        if is_in {
            assert_eq!(self.state(name, room), self.state(hub, room), "{at}: the state");
        }
    }

    /// The current state in a server's store: which event stands for each type and state key.
    fn state(&mut self, name: &ServerName, room: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let address = Address::Room(self.rooms[room].id.clone());
        let store = self.net.server(name).unwrap().store(&address).unwrap();
        // A row holds its form, the event's ID, and more.
        store.read(&Query::all(Table::State)).into_iter().map(|row| (row.key, row.value[1..33].to_vec())).collect()
    }

    /// What a user's server took is in the log once, or was said to be lost.
    fn judge_accepted(&mut self, room: usize, audit: &Audit) {
        let id = self.rooms[room].id.clone();
        let mut numbers = BTreeMap::new();
        let mut ids = BTreeMap::new();
        for link in &audit.links {
            if let Some(number) = link.event.content().member("n").and_then(|number| number.as_i64()) {
                assert!(numbers.insert(number, link.event_id).is_none(), "{id} has number {number} twice");
            }
            for known in [Some(link.event_id), link.lpdu_id].into_iter().flatten() {
                assert!(ids.insert(known, link.event_id).is_none(), "{id} has {known} twice");
            }
        }
        let is_ours = |accepted: &&Accepted| accepted.room == room && self.honest.contains(&accepted.server);
        for accepted in self.accepted.iter().filter(is_ours) {
            let Some(story) = self.stories.get(&(accepted.server.clone(), id.clone())) else {
                panic!("{id}: no story")
            };
            let last = story.last_form(accepted.id);
            let at = alloc::format!("{} of {} in {id}", accepted.id, accepted.server);
            match (ids.contains_key(&last), story.not_sent.get(&last)) {
                // The hub took it and its echo did not come in time, so nobody could know.
                (true, Some(failure)) => assert_eq!(failure.status, 504, "{at} is in the log: {failure:?}"),
                (false, None) => assert!(self.has_lapses, "{at} is nowhere"),
                _ => {}
            }
            assert!(last == accepted.id || !ids.contains_key(&accepted.id), "{at} is in the log in both forms");
        }
    }
}

fn is_join_of(link: &Link, name: &ServerName) -> bool {
    Membership::from_content(link.event.content()) == Some(Membership::Join)
        && link.event.kind() == kind::MEMBER
        && link.event.sender().server_name() == *name
}

/// Whether history visibility keeps the event from a server, which may get it redacted to fill a gap: it was out of the room, and came back by an event that
/// it had sent before.
fn is_cut_for(link: &Link, name: &ServerName) -> bool {
    let scene = &link.before;
    let was_here = scene.joined.contains(name);
    match scene.visibility {
        HistoryVisibility::Joined => !was_here,
        HistoryVisibility::Invited => !was_here && !scene.invited.contains(name),
        _ => false,
    }
}

fn is_redaction_of(link: &Link, bytes: &[u8]) -> bool {
    let whole = crate::event::UnverifiedPdu::parse(crate::testing::duo::document(bytes), link.event.rules()).unwrap();
    redact(whole.event()) == link.event.bytes()
}

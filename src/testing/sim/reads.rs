//! Nobody reads what is not theirs: what hubs answer to servers that ask for history (spec, section 10).

use alloc::{collections::BTreeMap, format};

use super::{
    audit::{Audit, Link},
    world::World,
};
use crate::{
    event::UnverifiedPdu,
    id::{EventId, ServerName},
    room::{kind, visibility::HistoryVisibility},
    server::{paths::PFX, route::percent},
    testing::{duo::document, user},
};

impl World {
    /// Every server asks for the history of a room.
    ///
    /// # Panics
    /// If one reads what it may not.
    pub(super) fn spot_reads(&mut self, room: usize, audit: &Audit) {
        let Some(hub) = audit.state.hub().cloned() else { return };
        for name in self.servers.clone() {
            if name != hub {
                self.spot_read(room, &name, &hub, audit);
            }
        }
    }

    fn spot_read(&mut self, room: usize, name: &ServerName, hub: &ServerName, audit: &Audit) {
        let Some(head) = audit.links.last() else { return };
        let room_id = percent::encode(self.rooms[room].id.as_str());
        let until = percent::encode(&format!("{}", head.event_id));
        let target = format!("{PFX}/backfill/{room_id}?v={until}&limit=100");
        let response = self.net.get(name, hub, target);
        let is_in = audit.end.joined.contains(name);
        if response.status != 200 {
            assert!(response.status == 404 && !is_in, "{name} in {room_id}: {}", response.status);
            self.tally.denied += 1;
            return;
        }
        let links: BTreeMap<EventId, (usize, &Link)> =
            audit.links.iter().enumerate().map(|(at, link)| (link.event_id, (at, link))).collect();
        let body = document(&response.body);
        for event in body.root().member("pdus").unwrap().elements() {
            let pdu = UnverifiedPdu::parse(event.to_document(), audit.state.rules()).unwrap();
            let (at, link) = links[&pdu.event_id()];
            let after = audit.links.get(at + 1).map_or(&audit.end, |next| &next.before);
            let may_read = [&link.before, after].into_iter().enumerate().any(|(at, scene)| {
                let counts = at == 0 || has_two_sides(link, name);
                let is_theirs = match scene.visibility {
                    HistoryVisibility::WorldReadable => true,
                    HistoryVisibility::Joined => scene.joined.contains(name),
                    HistoryVisibility::Invited => scene.joined.contains(name) || scene.invited.contains(name),
                    _ => is_in,
                };
                counts && is_theirs
            });
            let is_given = pdu.event().bytes() == link.event.bytes() && link.is_intact;
            // Who the hub is everybody in the room must know: the event that moves it is never served redacted (spec, section 9).
            let tells_hub = is_in && link.event.kind() == kind::HUB;
            assert!(is_given || !tells_hub, "{name} in {room_id} gets {} redacted", link.event_id);
            assert!(may_read || is_in, "{name} in {room_id} gets {} from outside", link.event_id);
            let is_void = crate::event::redact(&link.event) == link.event.bytes();
            // A hub to be must have all.
            let is_hub_to_be = room == 1 && self.consents.contains(name);
            let is_theirs = may_read || is_void || is_hub_to_be || tells_hub;
            assert!(is_theirs || !is_given, "{name} in {room_id} reads {}", link.event_id);
            self.tally.denied += u64::from(!may_read);
        }
    }
}

/// Whether either side of the event decides: of a change of visibility, and of a user's own membership.
fn has_two_sides(link: &Link, name: &ServerName) -> bool {
    let is_own = || link.event.state_key().is_some_and(|key| key.starts_with('@') && user(key).server_name() == *name);
    match link.event.kind() {
        kind::HISTORY_VISIBILITY => true,
        kind::MEMBER => is_own(),
        _ => false,
    }
}

//! A hub's log of really signed events, for the tests of the rung: `hub.example`, with `part.example` beside it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::event::fixtures::{HUB, Keys, RULES, key_id, lpdu, lpdu_bytes, own_draft, pdu, server, signing_key};
use crate::event::{ChainedPdu, Event, HubIdentity, PduDraft, VerifiedLpdu, VerifiedPdu};
use crate::id::{EventId, RoomId};
use crate::room::authorize::{self, AuthorizedDraft, AuthorizedLpdu, Before, Denied};
use crate::room::state::RoomState;

/// The hub's user, who created the room.
pub(crate) const BOB: &str = "@bob:hub.example";
/// The participant's user.
pub(crate) const ANN: &str = "@ann:part.example";

#[derive(Clone, Debug)]
pub(crate) struct Hub {
    pub(crate) state: RoomState,
    pub(crate) head: Option<EventId>,
    /// The finished events in order.
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) known: BTreeMap<EventId, Event>,
}

impl Hub {
    pub(crate) fn empty() -> Self {
        let state = RoomState::new(RoomId::parse("!room:hub.example").unwrap(), RULES);
        Self { state, head: None, log: Vec::new(), known: BTreeMap::new() }
    }

    /// A public room of Bob's, with Ann in it; both have level 100. `create` stands in create's content.
    pub(crate) fn with_ann(create: &str) -> Self {
        let mut hub = Self::empty();
        hub.own("m.room.create", Some(""), &std::format!(r#"{{{create}"room_version":"I.1"}}"#));
        hub.own("m.room.member", Some(BOB), r#"{"membership":"join"}"#);
        hub.own("m.room.power_levels", Some(""), r#"{"users":{"@ann:part.example":100,"@bob:hub.example":100}}"#);
        hub.own("m.room.join_rules", Some(""), r#"{"join_rule":"public"}"#);
        hub.lpdu("m.room.member", Some(ANN), r#"{"membership":"join"}"#);
        hub
    }

    pub(crate) fn before(&self) -> Before<'_> {
        Before { state: &self.state, known: &self.known }
    }

    pub(crate) fn check_own(
        &self,
        kind: &str,
        state_key: Option<&str>,
        content: &str,
    ) -> Result<AuthorizedDraft, Denied<PduDraft>> {
        authorize::draft(own_draft(kind, state_key, content), self.head, self.before())
    }

    pub(crate) fn check_lpdu(
        &self,
        kind: &str,
        state_key: Option<&str>,
        content: &str,
    ) -> Result<AuthorizedLpdu, Denied<VerifiedLpdu>> {
        let verified = lpdu(&lpdu_bytes(kind, state_key, content)).verify(&Keys::both()).unwrap();
        authorize::lpdu(verified, self.head.unwrap(), self.before())
    }

    pub(crate) fn own(&mut self, kind: &str, state_key: Option<&str>, content: &str) -> EventId {
        let authorized = self.check_own(kind, state_key, content).unwrap();
        identity(|hub| self.append(authorized.chain(hub).unwrap()))
    }

    pub(crate) fn lpdu(&mut self, kind: &str, state_key: Option<&str>, content: &str) -> EventId {
        let authorized = self.check_lpdu(kind, state_key, content).unwrap();
        identity(|hub| self.append(authorized.chain(hub).unwrap()))
    }

    fn append(&mut self, chained: ChainedPdu) -> EventId {
        let event_id = chained.event_id();
        let position = i64::try_from(self.log.len()).unwrap();
        self.state.apply(chained.source(), event_id, position);
        self.known.insert(event_id, chained.source().clone());
        self.head = Some(event_id);
        self.log.push(chained.sign(&signing_key(HUB)).into_bytes());
        event_id
    }

    /// The log as a participant verifies it.
    pub(crate) fn verified(&self) -> Vec<VerifiedPdu> {
        self.log.iter().map(|bytes| pdu(bytes).verify(&Keys::both()).unwrap()).collect()
    }
}

fn identity<T>(then: impl FnOnce(&HubIdentity<'_>) -> T) -> T {
    then(&HubIdentity { server: &server(HUB), key_id: &key_id("ed25519:1") })
}

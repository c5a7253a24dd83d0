//! Authorisation by the chain: what a joining server does with the events of a `send_join` answer (spec, section 7).
//!
//! It has no state before each event, so each is checked against the state that its own `auth_events` make. It assumes
//! verified events of one room and guarantees that an accepted one rests on accepted ones only.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::auth_rule::AuthRule;
use super::authorize::{self, AuthorizedPdu, Before, Denial, Denied};
use super::kind;
use super::known::{KnownEvent, KnownEvents, Standing};
use super::membership::{JoinRule, Membership};
use super::state::RoomState;
use super::state_row::StateEntry;
use super::summary::Summary;
use crate::event::{Event, RoomVersionRules, VerifiedPdu};
use crate::id::{EventId, RoomId, UserId};
use crate::ordered::LargeMap;

/// The events of a room that were checked by the chain.
#[derive(Debug, Clone)]
pub struct AuthChain {
    room_id: RoomId,
    rules: &'static RoomVersionRules,
    events: LargeMap<EventId, Checked>,
    /// A join rules event that lets users knock. Foreign knocks may not name theirs, so it stands in for it, whether or not
    /// it is accepted itself: at worst a knock is taken for one, which gives no right to anything.
    knock_rules: Option<EventId>,
}

#[derive(Debug, Clone)]
struct Checked {
    kind: Arc<str>,
    state_key: Option<Arc<str>>,
    sender: UserId,
    standing: Standing,
    summary: Summary,
}

impl AuthChain {
    /// A chain of no events.
    pub fn new(room_id: RoomId, rules: &'static RoomVersionRules) -> Self {
        Self { room_id, rules, events: LargeMap::new(), knock_rules: None }
    }

    /// Checks events that come in any order, each at most once; the verdicts stand in that order. Every event rests only
    /// on these and on those admitted before.
    pub fn admit(&mut self, pdus: Vec<VerifiedPdu>) -> Vec<Result<AuthorizedPdu, Denied<VerifiedPdu>>> {
        self.find_knock_rules(pdus.iter().map(|pdu| (pdu.event_id(), pdu.event())));
        let order = order_of(&pdus);
        let mut slots: Vec<_> = pdus.into_iter().map(Slot::Waiting).collect();
        for index in order {
            let Some(slot) = slots.get_mut(index) else { continue };
            if let Slot::Waiting(pdu) = core::mem::replace(slot, Slot::Taken) {
                *slot = Slot::Done(self.admit_one(pdu));
            }
        }
        // What hangs on itself has no place in the order; hashes make that impossible but where they are not checked.
        let settle = |slot| match slot {
            Slot::Done(verdict) => Some(verdict),
            Slot::Waiting(pdu) => {
                Some(Err(Denied { event: Box::new(pdu), reason: AuthRule::AuthEventsForeign.into() }))
            }
            Slot::Taken => None,
        };
        slots.into_iter().filter_map(settle).collect()
    }

    /// Checks one event after those that it rests on.
    ///
    /// # Errors
    /// The event with the rule that it breaks.
    pub fn admit_next(&mut self, pdu: VerifiedPdu) -> Result<AuthorizedPdu, Denied<VerifiedPdu>> {
        self.find_knock_rules([(pdu.event_id(), pdu.event())]);
        self.admit_one(pdu)
    }

    /// Adds an event that is part of the room, checked at another time.
    pub fn know(&mut self, event_id: EventId, event: &Event) {
        self.find_knock_rules([(event_id, event)]);
        self.events.insert(event_id, Checked::new(event));
    }

    fn admit_one(&mut self, pdu: VerifiedPdu) -> Result<AuthorizedPdu, Denied<VerifiedPdu>> {
        let event_id = pdu.event_id();
        let mut checked = Checked::new(pdu.event());
        let state = self.state_before(pdu.event());
        let verdict = authorize::pdu(pdu, Before { state: &state, known: self });
        if verdict.is_err() {
            checked.standing = Standing::Rejected;
        }
        // An event of another room says nothing here.
        if !matches!(&verdict, Err(Denied { reason: Denial::OtherRoom, .. })) {
            self.events.insert(event_id, checked);
        }
        verdict
    }

    /// The state that an event's `auth_events` make.
    fn state_before(&self, event: &Event) -> RoomState {
        let mut state = RoomState::new(self.room_id.clone(), self.rules);
        let is_knock =
            event.kind() == kind::MEMBER && Membership::from_content(event.content()) == Some(Membership::Knock);
        if let Some(event_id) = self.knock_rules.filter(|_| is_knock) {
            let entry = StateEntry { event_id, position: 0 };
            state.set(kind::JOIN_RULES.into(), "".into(), entry, Summary::JoinRule(JoinRule::Knock));
        }
        for event_id in event.auth_events() {
            let Some(checked) = self.events.get(event_id) else { continue };
            if let (Standing::Accepted, Some(state_key)) = (checked.standing, &checked.state_key) {
                let entry = StateEntry { event_id: *event_id, position: 0 };
                state.set(checked.kind.clone(), state_key.clone(), entry, checked.summary.clone());
            }
        }
        state
    }

    fn find_knock_rules<'e>(&mut self, events: impl IntoIterator<Item = (EventId, &'e Event)>) {
        let knocks = |event: &Event| {
            event.kind() == kind::JOIN_RULES
                && event.state_key() == Some("")
                && JoinRule::from_content(event.content()) == JoinRule::Knock
        };
        if let Some((event_id, _)) = events.into_iter().find(|(_, event)| knocks(event)) {
            self.knock_rules = Some(event_id);
        }
    }
}

impl KnownEvents for AuthChain {
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>> {
        let checked = self.events.get(event_id)?;
        Some(KnownEvent {
            kind: &checked.kind,
            state_key: checked.state_key.as_deref(),
            sender: &checked.sender,
            standing: checked.standing,
        })
    }
}

enum Slot {
    Waiting(VerifiedPdu),
    Taken,
    Done(Result<AuthorizedPdu, Denied<VerifiedPdu>>),
}

impl Checked {
    fn new(event: &Event) -> Self {
        let summary = match event.state_key() {
            Some(state_key) => Summary::read(event.kind(), state_key, event.sender(), event.content()),
            None => Summary::Plain,
        };
        Self {
            kind: event.kind().into(),
            state_key: event.state_key().map(Arc::from),
            sender: event.sender().clone(),
            standing: Standing::Accepted,
            summary,
        }
    }
}

/// An order in which every event comes after its `auth_events`, as far as they are among these.
fn order_of(pdus: &[VerifiedPdu]) -> Vec<usize> {
    let by_id: LargeMap<EventId, usize> = pdus.iter().enumerate().map(|(index, pdu)| (pdu.event_id(), index)).collect();
    let mut waiting_for: Vec<usize> = Vec::with_capacity(pdus.len());
    let mut awaited_by: LargeMap<usize, Vec<usize>> = LargeMap::new();
    let mut ready = VecDeque::new();
    for (index, pdu) in pdus.iter().enumerate() {
        let mut missing = 0_usize;
        for &needed in pdu.event().auth_events().iter().filter_map(|event_id| by_id.get(event_id)) {
            missing = missing.saturating_add(1);
            awaited_by.or_default(needed).push(index);
        }
        waiting_for.push(missing);
        if missing == 0 {
            ready.push_back(index);
        }
    }
    let mut order = Vec::with_capacity(pdus.len());
    while let Some(index) = ready.pop_front() {
        order.push(index);
        for next in awaited_by.remove(&index).unwrap_or_default() {
            if let Some(missing) = waiting_for.get_mut(next) {
                *missing = missing.saturating_sub(1);
                if *missing == 0 {
                    ready.push_back(next);
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{AuthChain, AuthRule, Denial, Denied};
    use crate::event::VerifiedPdu;
    use crate::event::fixtures::{
        HUB, Keys, RULES, key_id, lpdu as parse_lpdu, lpdu_bytes, pdu as parse_pdu, server, signing_key,
    };
    use crate::event::{HubIdentity, Links};
    use crate::id::{EventId, RoomId};
    use crate::room::authorize::AuthorizedPdu;
    use crate::room::state::RoomState;
    use crate::room::testing::signed::{ANN, BOB, Hub};
    use std::vec::Vec;

    fn chain() -> AuthChain {
        AuthChain::new(RoomId::parse("!room:hub.example").unwrap(), RULES)
    }

    fn reasons(verdicts: Vec<Result<AuthorizedPdu, Denied<VerifiedPdu>>>) -> Vec<Option<Denial>> {
        verdicts.into_iter().map(|verdict| verdict.err().map(|denied| denied.reason)).collect()
    }

    /// An event of Ann's that a hub of foreign making completed with these `auth_events`.
    fn forced(kind: &str, state_key: Option<&str>, content: &str, auth_events: &[EventId]) -> VerifiedPdu {
        let verified = parse_lpdu(&lpdu_bytes(kind, state_key, content)).verify(&Keys::both()).unwrap();
        let links = Links { auth_events, prev_event: Some(EventId::from_hash([9; 32])) };
        let (server, key_id) = (server(HUB), key_id("ed25519:1"));
        let chained = verified
            .chain(&links, &HubIdentity { server: &server, key_id: &key_id }, &mut crate::event::Openings::default())
            .unwrap();
        parse_pdu(&chained.sign(&signing_key(HUB)).into_bytes()).verify(&Keys::both()).unwrap()
    }

    #[test]
    fn a_whole_state_is_admitted_in_any_order() {
        let mut hub = Hub::with_ann("");
        hub.own("m.room.topic", Some(""), r#"{"topic":"t"}"#);
        hub.own("m.room.member", Some("@eve:evil.example"), r#"{"membership":"ban"}"#);
        let whole = hub.verified();
        let mut backwards = whole.clone();
        backwards.reverse();
        for pdus in [whole.clone(), backwards] {
            let ids: Vec<_> = pdus.iter().map(VerifiedPdu::event_id).collect();
            let admitted: Vec<_> = chain().admit(pdus).into_iter().map(Result::unwrap).collect();
            let admitted_ids: Vec<_> = admitted.iter().map(|pdu| pdu.verified().event_id()).collect();
            assert_eq!(admitted_ids, ids);
        }
        // What a joining server makes of it is the hub's state.
        let mut state = RoomState::new(hub.state.room_id().clone(), RULES);
        for (position, pdu) in (0..).zip(chain().admit(whole).into_iter().map(Result::unwrap)) {
            state.apply(pdu.event(), pdu.verified().event_id(), position);
        }
        assert_eq!(state, hub.state);
    }

    #[test]
    fn events_admitted_before_are_rested_on() {
        let hub = Hub::with_ann("");
        let mut chain = chain();
        let mut first = hub.verified();
        let last = first.pop().unwrap();
        assert_eq!(reasons(chain.admit(first)), [None, None, None, None]);
        assert_eq!(reasons(chain.admit(Vec::from([last.clone()]))), [None]);
        let alone = reasons(super::AuthChain::new(hub.state.room_id().clone(), RULES).admit(Vec::from([last])));
        assert_eq!(alone, [Some(Denial::Rule(AuthRule::AuthEventsNoCreate))]);
    }

    #[test]
    fn what_rests_on_a_rejected_event_is_rejected() {
        let mut hub = Hub::with_ann("");
        let ban = hub.own("m.room.member", Some("@zoe:part.example"), r#"{"membership":"ban"}"#);
        let entry = |kind, key| hub.state.entry(kind, key).unwrap().event_id;
        let [create, levels, ann] =
            [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", ANN)].map(|(k, s)| entry(k, s));
        // Inviting the banned is against rule 5.2; a later event claims to stand on it.
        let invite = forced(
            "m.room.member",
            Some("@zoe:part.example"),
            r#"{"membership":"invite"}"#,
            &[create, levels, ann, ban],
        );
        let later = forced(
            "m.room.member",
            Some("@zoe:part.example"),
            r#"{"membership":"ban"}"#,
            &[create, levels, ann, invite.event_id()],
        );
        let mut pdus = hub.verified();
        pdus.insert(0, later);
        pdus.insert(1, invite);
        let verdicts = reasons(chain().admit(pdus));
        assert_eq!(verdicts[0], Some(Denial::Rule(AuthRule::AuthEventsRejected)));
        assert_eq!(verdicts[1], Some(Denial::Rule(AuthRule::InviteTarget)));
        assert!(verdicts[2..].iter().all(Option::is_none));
    }

    #[test]
    fn a_foreign_knock_without_join_rules_is_judged_by_the_rooms() {
        let mut hub = Hub::empty();
        hub.own("m.room.create", Some(""), r#"{"room_version":"I.1"}"#);
        hub.own("m.room.member", Some(BOB), r#"{"membership":"join"}"#);
        let create = hub.state.entry("m.room.create", "").unwrap().event_id;
        let knock = forced("m.room.member", Some(ANN), r#"{"membership":"knock"}"#, &[create]);
        let with = |hub: &Hub| {
            let mut pdus = hub.verified();
            pdus.push(knock.clone());
            reasons(chain().admit(pdus)).pop().unwrap()
        };
        assert_eq!(with(&hub), Some(Denial::Rule(AuthRule::KnockRule)));
        hub.own("m.room.join_rules", Some(""), r#"{"join_rule":"knock"}"#);
        assert_eq!(with(&hub), None);
    }

    #[test]
    fn events_of_other_rooms_say_nothing_here() {
        let hub = Hub::with_ann("");
        let mut other = AuthChain::new(RoomId::parse("!other:hub.example").unwrap(), RULES);
        assert!(reasons(other.admit(hub.verified())).iter().all(|reason| *reason == Some(Denial::OtherRoom)));
    }
}

//! The answer to send_join, checked: every event by its signatures and hashes, and by the events that authorise it (spec, section 7).

use alloc::{string::String, vec::Vec};

use crate::{
    event::{KeySource, RoomVersionRules, UnverifiedPdu, VerifiedPdu},
    id::{EventId, RoomId},
    json::{Document, Kind, Value},
    ordered::Set,
    room::{
        auth_chain::AuthChain,
        authorize::{self, Before},
        kind,
        state::RoomState,
    },
    server::room::remote::elements,
};

/// An answer to send_join, well-formed.
pub(super) struct JoinAnswer {
    room_id: RoomId,
    rules: &'static RoomVersionRules,
    /// The LPDU that we sent.
    lpdu_id: EventId,
    join: UnverifiedPdu,
    /// Every other event once: first what only authorises others, then the state in its order.
    events: Vec<UnverifiedPdu>,
    /// Which of the events are state.
    state: Set<EventId>,
}

/// What a hub says of its room, checked.
pub(super) struct Admitted {
    pub(super) room_id: RoomId,
    pub(super) rules: &'static RoomVersionRules,
    pub(super) join: VerifiedPdu,
    /// What authorises the state and is not among it; then the state, in its order.
    pub(super) events: Vec<VerifiedPdu>,
    /// Which of the events are state.
    pub(super) state: Set<EventId>,
}

impl JoinAnswer {
    /// Reads the answer.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub(super) fn read(
        body: &Document,
        room_id: &RoomId,
        rules: &'static RoomVersionRules,
        lpdu_id: EventId,
    ) -> Result<Self, String> {
        let is_array = |key| body.root().member(key).is_some_and(|value| value.kind() == Kind::Array);
        if !is_array("state") {
            return Err("`state` is missing".into());
        }
        let parse = |event: Value<'_>| {
            let pdu = UnverifiedPdu::parse_answer(event.to_document(), rules)
                .map_err(|error| alloc::format!("an event is malformed: {error}"))?;
            match pdu.event().room_id() == room_id {
                true => Ok(pdu),
                false => Err(alloc::format!("{} is of another room", pdu.event_id())),
            }
        };
        let join = body.root().member("event").or_else(|| body.root().member("pdu"));
        let join = parse(join.ok_or("`event` is missing")?)?;
        let mut state = Set::from([join.event_id()]);
        let mut in_state = Vec::new();
        for event in elements(body, "state") {
            let pdu = parse(event)?;
            // What is no state is no part of it.
            if pdu.event().is_state() && state.insert(pdu.event_id()) {
                in_state.push(pdu);
            }
        }
        let mut known = state.clone();
        state.remove(&join.event_id());
        let mut events = Vec::new();
        for event in elements(body, "auth_chain") {
            let pdu = parse(event)?;
            if known.insert(pdu.event_id()) {
                events.push(pdu);
            }
        }
        events.append(&mut in_state);
        Ok(Self { room_id: room_id.clone(), rules, lpdu_id, join, events, state })
    }

    /// Every event of the answer.
    pub(super) fn pdus(&self) -> impl Iterator<Item = &UnverifiedPdu> {
        self.events.iter().chain([&self.join])
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub(super) fn check(self, keys: &dyn KeySource) -> Result<Admitted, String> {
        let Self { room_id, rules, lpdu_id, join, mut events, state } = self;
        let ids: Vec<EventId> = events.iter().chain([&join]).map(UnverifiedPdu::event_id).collect();
        let join_id = join.event_id();
        events.push(join);
        let mut verified = Vec::with_capacity(ids.len());
        for (id, verdict) in ids.iter().zip(UnverifiedPdu::verify_all(events, keys)) {
            verified.push(verdict.map_err(|error| alloc::format!("{id}: {error}"))?);
        }
        let mut chain = AuthChain::new(room_id.clone(), rules);
        let mut events = Vec::with_capacity(ids.len());
        let mut join = None;
        for (id, verdict) in ids.iter().zip(chain.admit(verified)) {
            let pdu = verdict.map_err(|denied| alloc::format!("{id}: {}", denied.reason))?.into_verified();
            if *id == join_id { join = Some(pdu) } else { events.push(pdu) }
        }
        let join = join.filter(|join| join.lpdu_id() == Some(lpdu_id)).ok_or("`event` is not the join that we sent")?;
        let before = state_before(&room_id, rules, &events, &state, &join);
        let join = authorize::pdu(join, Before { state: &before, known: &chain })
            .map_err(|denied| alloc::format!("the join does not fit the state: {}", denied.reason))?
            .into_verified();
        Ok(Admitted { room_id, rules, join, events, state })
    }
}

/// The state before the join. A hub that gives the state after it leaves out the user's membership before, which then is the one that authorises the join.
fn state_before(
    room_id: &RoomId,
    rules: &'static RoomVersionRules,
    events: &[VerifiedPdu],
    state: &Set<EventId>,
    join: &VerifiedPdu,
) -> RoomState {
    let mut before = RoomState::new(room_id.clone(), rules);
    let user = join.event().sender().as_str();
    let auth_events = join.event().auth_events();
    let is_before = |pdu: &&VerifiedPdu| {
        let event = pdu.event();
        let is_theirs = event.kind() == kind::MEMBER && event.state_key() == Some(user);
        state.contains(&pdu.event_id()) || (is_theirs && auth_events.contains(&pdu.event_id()))
    };
    for pdu in events.iter().filter(is_before) {
        before.apply(pdu.event(), pdu.event_id(), 0);
    }
    before
}

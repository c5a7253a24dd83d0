//! The rung of the rules: steps 4 and 5 of receiving (spec, section 4), and what a hub refuses beside.
//!
//! It assumes a verified event, or a draft of our own, and the state before it. It guarantees that the event comes through
//! the room's hub and breaks no rule. What is denied is given back with its reason, so that a participant can keep its link.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::auth;
use super::auth_events;
use super::auth_rule::AuthRule;
use super::hub_refusal::{self, HubRefusal};
use super::kind;
use super::known::KnownEvents;
use super::state::RoomState;
use super::summary::{Create, HubTransfer};
use crate::event::{
    ChainedPdu, Event, HubIdentity, Integrity, Links, Openings, PduDraft, SchemaError, VerifiedLpdu, VerifiedPdu,
};
use crate::id::{EventId, ServerName};

/// An LPDU that its room's hub may append after one certain event. Made by [`lpdu`].
#[derive(Debug, Clone)]
pub struct AuthorizedLpdu {
    verified: VerifiedLpdu,
    links: OwnedLinks,
}

/// An event of the hub's own user that may be appended after one certain event. Made by [`draft`].
#[derive(Debug, Clone)]
pub struct AuthorizedDraft {
    draft: PduDraft,
    links: OwnedLinks,
}

/// A PDU that is part of its room. Made by [`pdu`].
#[derive(Debug, Clone)]
pub struct AuthorizedPdu {
    verified: VerifiedPdu,
}

/// An event that is denied, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct Denied<E> {
    /// The event, on the rung where it was.
    pub event: Box<E>,
    /// What it breaks.
    pub reason: Denial,
}

/// Why an event is denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The event names another room than the one it is checked for.
    #[error("the event is for another room: send it there")]
    OtherRoom,
    /// Section 4, step 4: the event does not come through the room's hub.
    #[error("the event is not for the room's hub: send it to {hub}")]
    WrongHub {
        /// The hub at this position.
        hub: ServerName,
    },
    /// Section 4, step 5: an auth rule. Every server rejects the event.
    #[error(transparent)]
    Rule(#[from] AuthRule),
    /// A rule that only a hub keeps.
    #[error(transparent)]
    Refused(#[from] HubRefusal),
}

/// The state before an event, and what the log knows beside.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// The state.
    pub state: &'a RoomState,
    /// Earlier events: those of `auth_events` that are not in the state, and the target of a redaction.
    pub known: &'a dyn KnownEvents,
}

/// As the hub: authorises an LPDU to be appended after `head`.
///
/// # Errors
/// The LPDU with the reason to refuse it. Whether [`Denial::WrongHub`] is answered with `M_WRONG_SERVER`, and
/// [`AuthRule::HubHead`] with `M_BAD_STATE` and the head, is the caller's to know (spec, sections 6 and 9).
pub fn lpdu(lpdu: VerifiedLpdu, head: EventId, before: Before<'_>) -> Result<AuthorizedLpdu, Denied<VerifiedLpdu>> {
    match check_own(lpdu.event(), Some(head), before) {
        Ok(links) => Ok(AuthorizedLpdu { verified: lpdu, links }),
        Err(reason) => Err(Denied { event: Box::new(lpdu), reason }),
    }
}

/// As the hub: authorises an event of its own user to be appended after `head`, which only the create event has not.
///
/// # Errors
/// The draft with the reason to refuse it.
pub fn draft(draft: PduDraft, head: Option<EventId>, before: Before<'_>) -> Result<AuthorizedDraft, Denied<PduDraft>> {
    match check_own(draft.event(), head, before) {
        Ok(links) => Ok(AuthorizedDraft { draft, links }),
        Err(reason) => Err(Denied { event: Box::new(draft), reason }),
    }
}

/// Authorises a PDU by the state before it.
///
/// # Errors
/// The PDU with the rule it breaks: it is rejected, and a participant keeps its link.
pub fn pdu(pdu: VerifiedPdu, before: Before<'_>) -> Result<AuthorizedPdu, Denied<VerifiedPdu>> {
    match check_pdu(pdu.event(), pdu.integrity(), before) {
        Ok(()) => Ok(AuthorizedPdu { verified: pdu }),
        Err(reason) => Err(Denied { event: Box::new(pdu), reason }),
    }
}

impl AuthorizedLpdu {
    /// The event as it was received.
    pub fn event(&self) -> &Event {
        self.verified.event()
    }

    /// The LPDU's own ID.
    pub fn lpdu_id(&self) -> EventId {
        self.verified.lpdu_id()
    }

    /// Back to the rung below: to be authorised anew when the head has moved.
    pub fn into_verified(self) -> VerifiedLpdu {
        self.verified
    }

    /// Links it into the log, after the head that it was authorised for.
    ///
    /// # Errors
    /// A [`SchemaError`] if the PDU would exceed 65,536 bytes; nothing may be linked to it then.
    pub fn chain(self, hub: &HubIdentity<'_>) -> Result<ChainedPdu, SchemaError> {
        self.chain_among(hub, &mut Openings::default())
    }

    /// As [`AuthorizedLpdu::chain`], among others of a transaction, which keep their openings together.
    ///
    /// # Errors
    /// As there.
    pub fn chain_among(self, hub: &HubIdentity<'_>, openings: &mut Openings) -> Result<ChainedPdu, SchemaError> {
        self.verified.chain(&self.links.borrowed(), hub, openings)
    }
}

impl AuthorizedDraft {
    /// The event as far as it goes.
    pub fn event(&self) -> &Event {
        self.draft.event()
    }

    /// Back to the rung below: to be authorised anew when the head has moved.
    pub fn into_draft(self) -> PduDraft {
        self.draft
    }

    /// Links it into the log, after the head that it was authorised for.
    ///
    /// # Errors
    /// A [`SchemaError`] if the PDU would exceed 65,536 bytes; nothing may be linked to it then.
    pub fn chain(self, hub: &HubIdentity<'_>) -> Result<ChainedPdu, SchemaError> {
        self.draft.chain(&self.links.borrowed(), hub, &mut Openings::default())
    }
}

impl AuthorizedPdu {
    /// The event; its redacted copy if its hash was wrong.
    pub fn event(&self) -> &Event {
        self.verified.event()
    }

    /// What the rungs before found out.
    pub fn verified(&self) -> &VerifiedPdu {
        &self.verified
    }

    /// What the rungs before found out, taken out.
    pub fn into_verified(self) -> VerifiedPdu {
        self.verified
    }
}

#[derive(Debug, Clone)]
struct OwnedLinks {
    auth_events: Vec<EventId>,
    prev_event: Option<EventId>,
}

impl OwnedLinks {
    fn borrowed(&self) -> Links<'_> {
        Links { auth_events: &self.auth_events, prev_event: self.prev_event }
    }
}

fn check_own(event: &Event, head: Option<EventId>, before: Before<'_>) -> Result<OwnedLinks, Denial> {
    let Before { state, known } = before;
    check_way(event, state)?;
    auth::check(event, head.as_slice(), state)?;
    hub_refusal::check(event, state, known)?;
    Ok(OwnedLinks { auth_events: auth_events::select(event, state), prev_event: head })
}

fn check_pdu(event: &Event, integrity: Integrity, before: Before<'_>) -> Result<(), Denial> {
    let Before { state, known } = before;
    check_way(event, state)?;
    if is_hub_change(event, state) && integrity == Integrity::Redacted {
        return Err(AuthRule::HubRedacted.into());
    }
    if event.kind() != kind::CREATE {
        auth_events::check(event, state, known)?;
    }
    auth::check(event, event.prev_events(), state)?;
    Ok(())
}

/// Step 4: the event is of this room and comes through its hub.
fn check_way(event: &Event, state: &RoomState) -> Result<(), Denial> {
    if event.room_id() != state.room_id() {
        return Err(Denial::OtherRoom);
    }
    let sender = event.sender().server();
    let through = event.hub_server().map_or(sender, ServerName::as_str);
    match state.hub() {
        Some(hub) if through == hub.as_str() => Ok(()),
        Some(hub) => Err(Denial::WrongHub { hub: hub.clone() }),
        // Before the create event the hub is the server of its sender.
        None if event.kind() != kind::CREATE => Err(AuthRule::AuthEventsNoCreate.into()),
        None if through == sender => Ok(()),
        None => Err(Denial::WrongHub { hub: event.sender().server_name() }),
    }
}

fn is_hub_change(event: &Event, state: &RoomState) -> bool {
    event.kind() == kind::HUB
        && event.state_key() == Some("")
        && state.create().map(Create::hub_transfer) == Some(HubTransfer::On)
}

#[cfg(test)]
mod tests {
    use super::{AuthRule, Before, Denial, HubRefusal, lpdu, pdu};
    use crate::event::fixtures::{
        HUB, Keys, PART, RULES, chained, changed, key_id, lpdu as parse_lpdu, lpdu_bytes, own_draft, pdu as parse_pdu,
        server, signing_key,
    };
    use crate::event::{HubIdentity, Integrity, Links, Openings, Sender, Signatory, VerifiedPdu, VerifyError};
    use crate::id::{EventId, RoomId};
    use crate::room::auth_events;
    use crate::room::known::NothingKnown;
    use crate::room::redaction::NoEffect;
    use crate::room::state::RoomState;
    use crate::room::testing::signed::{ANN, Hub};
    use std::format;
    use std::string::ToString;

    const MOVABLE: &str = r#""hublet.hub_transfer":true,"#;
    const TEXT: &str = r#"{"body":"hello"}"#;

    /// What a hub of foreign making sends: an LPDU of Ann's completed without being authorised.
    fn forced(hub: &Hub, kind: &str, state_key: Option<&str>, content: &str) -> VerifiedPdu {
        let verified = parse_lpdu(&lpdu_bytes(kind, state_key, content)).verify(&Keys::both()).unwrap();
        let auth_events = auth_events::select(verified.event(), &hub.state);
        let links = Links { auth_events: &auth_events, prev_event: hub.head };
        let (server, key_id) = (server(HUB), key_id("ed25519:1"));
        let chained = verified
            .chain(&links, &HubIdentity { server: &server, key_id: &key_id }, &mut Openings::default())
            .unwrap();
        parse_pdu(&chained.sign(&signing_key(HUB)).into_bytes()).verify(&Keys::both()).unwrap()
    }

    #[test]
    fn a_participant_that_follows_the_log_ends_in_the_hubs_state() {
        let mut hub = Hub::with_ann("");
        hub.lpdu("m.room.message", None, TEXT);
        hub.own("m.room.topic", Some(""), r#"{"topic":"t"}"#);
        let mut state = RoomState::new(hub.state.room_id().clone(), RULES);
        for (position, verified) in (0..).zip(hub.verified()) {
            let authorized = pdu(verified, Before { state: &state, known: &NothingKnown }).unwrap();
            state.apply(authorized.event(), authorized.verified().event_id(), position);
        }
        assert_eq!(state, hub.state);
    }

    #[test]
    fn rules_1_and_2_are_met_by_what_is_verified() {
        let mut hub = Hub::with_ann("");
        hub.lpdu("m.room.message", None, TEXT);
        let bytes = hub.log.last().unwrap();
        assert!(parse_pdu(bytes).verify(&Keys::both()).is_ok());
        for (name, signatory) in [(PART, Signatory::Sender), (HUB, Signatory::Hub)] {
            let unsigned = changed(bytes, |event| {
                event["signatures"].as_object_mut().unwrap().remove(name);
            });
            let error = parse_pdu(&unsigned).verify(&Keys::both()).unwrap_err();
            assert_eq!(error, VerifyError::SignatureMissing(signatory));
        }
    }

    #[test]
    fn rule_1_a_missing_key_passes_marked() {
        let mut hub = Hub::with_ann("");
        hub.lpdu("m.room.message", None, TEXT);
        let keys = Keys::default().with(HUB, "ed25519:1");
        let verified = parse_pdu(hub.log.last().unwrap()).verify(&keys).unwrap();
        let authorized = pdu(verified, hub.before()).unwrap();
        assert_eq!(authorized.verified().sender_check(), Sender::KeyMissing);
    }

    #[test]
    fn step_4_what_does_not_come_through_the_hub_is_denied() {
        let mut hub = Hub::with_ann(MOVABLE);
        let head = hub.head.unwrap();
        let before_the_move = hub.clone();
        hub.lpdu("m.room.hub", Some(""), &format!(r#"{{"head":"{head}"}}"#));
        assert_eq!(hub.state.hub(), Some(&server(PART)));
        // The old hub no longer appends: neither its own events, nor LPDUs, nor anything that it signed.
        let moved = Denial::WrongHub { hub: server(PART) };
        assert_eq!(hub.check_own("m.room.message", None, TEXT).unwrap_err().reason, moved);
        let denied = hub.check_lpdu("m.room.message", None, TEXT).unwrap_err();
        assert_eq!(denied.reason, moved);
        assert_eq!(denied.to_string(), "the event is not for the room's hub: send it to part.example");
        let late = forced(&before_the_move, "m.room.message", None, TEXT);
        let event_id = late.event_id();
        assert!(pdu(late.clone(), before_the_move.before()).is_ok());
        let denied = pdu(late, hub.before()).unwrap_err();
        assert_eq!((denied.event.event_id(), denied.reason), (event_id, moved));
    }

    #[test]
    fn step_4_the_create_event_comes_from_the_hub_that_it_makes() {
        let empty = Hub::empty();
        assert!(empty.check_own("m.room.create", Some(""), r#"{"room_version":"I.1"}"#).is_ok());
        let denied = empty.check_own("m.room.message", None, TEXT).unwrap_err();
        assert_eq!(denied.reason, Denial::Rule(AuthRule::AuthEventsNoCreate));
        let verified = parse_lpdu(&lpdu_bytes("m.room.create", Some(""), r#"{"room_version":"I.1"}"#));
        let verified = verified.verify(&Keys::both()).unwrap();
        let denied = lpdu(verified, EventId::from_hash([0; 32]), empty.before()).unwrap_err();
        assert_eq!(denied.reason, Denial::WrongHub { hub: server(PART) });
    }

    #[test]
    fn events_of_other_rooms_are_denied() {
        let hub = Hub::with_ann("");
        let other = RoomState::new(RoomId::parse("!other:hub.example").unwrap(), RULES);
        let before = Before { state: &other, known: &NothingKnown };
        for verified in hub.verified() {
            assert_eq!(pdu(verified, before).unwrap_err().reason, Denial::OtherRoom);
        }
    }

    #[test]
    fn step_5_a_broken_rule_denies_at_the_hub_and_elsewhere() {
        let hub = Hub::with_ann("");
        let rule = Denial::Rule(AuthRule::MembershipUnknown);
        let content = r#"{"membership":"away"}"#;
        assert_eq!(hub.check_lpdu("m.room.member", Some(ANN), content).unwrap_err().reason, rule);
        let forced = forced(&hub, "m.room.member", Some(ANN), content);
        assert_eq!(pdu(forced, hub.before()).unwrap_err().reason, rule);
    }

    #[test]
    fn what_only_a_hub_refuses_a_participant_accepts() {
        let mut hub = Hub::with_ann("");
        let nothing = NoEffect::NoTarget;
        let denied = hub.check_lpdu("m.room.redaction", None, "{}").unwrap_err();
        assert_eq!(denied.reason, Denial::Refused(HubRefusal::RedactionWithoutEffect(nothing)));
        assert!(pdu(forced(&hub, "m.room.redaction", None, "{}"), hub.before()).is_ok());
        hub.own("m.room.server_acl", Some(""), r#"{"allow":["*"],"deny":["part.*"]}"#);
        let denied = hub.check_lpdu("m.room.message", None, TEXT).unwrap_err();
        assert_eq!(denied.reason, Denial::Refused(HubRefusal::ServerDenied));
        assert!(pdu(forced(&hub, "m.room.message", None, TEXT), hub.before()).is_ok());
    }

    #[test]
    fn rule_4_is_asked_of_pdus() {
        let hub = Hub::with_ann("");
        let verified = parse_lpdu(&lpdu_bytes("m.room.message", None, TEXT)).verify(&Keys::both()).unwrap();
        let chained = chained(|links, hub| verified.chain(links, hub, &mut Openings::default())).unwrap();
        let foreign = parse_pdu(&chained.sign(&signing_key(HUB)).into_bytes()).verify(&Keys::both()).unwrap();
        let denied = pdu(foreign, hub.before()).unwrap_err();
        assert_eq!(denied.reason, Denial::Rule(AuthRule::AuthEventsForeign));
    }

    #[test]
    fn redacted_copies_pass_but_for_hub_events() {
        let hub = Hub::with_ann(MOVABLE);
        let tampered = |verified: VerifiedPdu| {
            let bytes = changed(verified.event().bytes(), |event| event["content"]["x"] = 1.into());
            parse_pdu(&bytes).verify(&Keys::both()).unwrap()
        };
        let text = tampered(forced(&hub, "m.room.message", None, TEXT));
        assert_eq!(text.integrity(), Integrity::Redacted);
        assert!(pdu(text, hub.before()).is_ok());
        let head = format!(r#"{{"head":"{}"}}"#, hub.head.unwrap());
        let change = forced(&hub, "m.room.hub", Some(""), &head);
        assert!(pdu(change.clone(), hub.before()).is_ok());
        let denied = pdu(tampered(change), hub.before()).unwrap_err();
        assert_eq!(denied.reason, Denial::Rule(AuthRule::HubRedacted));
    }

    #[test]
    fn section_9_a_head_that_moved_is_told_apart() {
        let mut hub = Hub::with_ann(MOVABLE);
        let old_head = format!(r#"{{"head":"{}"}}"#, hub.head.unwrap());
        hub.own("m.room.message", None, TEXT);
        let denied = hub.check_lpdu("m.room.hub", Some(""), &old_head).unwrap_err();
        assert_eq!(denied.reason, Denial::Rule(AuthRule::HubHead));
    }

    #[test]
    fn what_was_authorised_can_be_authorised_anew_on_a_later_head() {
        let mut hub = Hub::with_ann("");
        let authorized = hub.check_lpdu("m.room.message", None, TEXT).unwrap();
        let lpdu_id = authorized.lpdu_id();
        hub.own("m.room.message", None, TEXT);
        let again = lpdu(authorized.into_verified(), hub.head.unwrap(), hub.before()).unwrap();
        assert_eq!(again.lpdu_id(), lpdu_id);
        let identity = (server(HUB), key_id("ed25519:1"));
        let chained = again.chain(&HubIdentity { server: &identity.0, key_id: &identity.1 }).unwrap();
        let completed = chained.sign(&signing_key(HUB)).to_event().unwrap();
        assert_eq!(completed.prev_events(), [hub.head.unwrap()]);
        let draft = hub.check_own("m.room.message", None, TEXT).unwrap();
        assert_eq!(draft.event().kind(), "m.room.message");
        assert_eq!(draft.into_draft().event().bytes(), own_draft("m.room.message", None, TEXT).event().bytes());
    }
}

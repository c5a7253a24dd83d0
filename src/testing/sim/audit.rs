//! A log checked anew from its create event on: the whole ladder with everybody's true keys, and nothing of the server layer.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cell::RefCell;

use crate::{
    crypto::PreparedKey,
    event::{
        Event, Integrity, KeyLookup, KeySource, KeyUse, LINEARIZED_02, Sender, UnverifiedPdu, VerifiedPdu, VerifyError,
    },
    id::{EventId, KeyId, RoomId, ServerName},
    room::{
        authorize::{self, Before},
        membership::Membership,
        state::RoomState,
        visibility::HistoryVisibility,
    },
    testing::{duo::document, keys_of, server},
};

/// An entry of a log: position, ID, and bytes where there is an event.
pub(super) type Entry = (i64, EventId, Option<Vec<u8>>);

/// The keys that follow from the servers' names.
#[derive(Default)]
pub(super) struct TrueKeys(RefCell<BTreeMap<ServerName, PreparedKey>>);

impl KeySource for TrueKeys {
    fn key(&self, server: &ServerName, key: &KeyId, _: KeyUse) -> KeyLookup {
        if key.as_str() != "ed25519:1" {
            return KeyLookup::Unknown;
        }
        let mut known = self.0.borrow_mut();
        let prepare = || PreparedKey::prepare(&keys_of(server.as_str()).keys[0].key).unwrap();
        KeyLookup::Usable(known.entry(server.clone()).or_insert_with(prepare).clone())
    }
}

/// Reads and verifies an event.
pub(super) fn verify(bytes: &[u8], keys: &TrueKeys) -> Result<VerifiedPdu, VerifyError> {
    UnverifiedPdu::parse(document(bytes), &LINEARIZED_02).unwrap().verify(keys)
}

/// Who was there, and who may read.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) visibility: HistoryVisibility,
    pub(super) joined: BTreeSet<ServerName>,
    pub(super) invited: BTreeSet<ServerName>,
}

/// An event of a log.
pub(super) struct Link {
    pub(super) event_id: EventId,
    pub(super) lpdu_id: Option<EventId>,
    pub(super) event: Event,
    pub(super) is_intact: bool,
    pub(super) before: Scene,
}

/// A log that was found right.
pub(super) struct Audit {
    pub(super) links: Vec<Link>,
    pub(super) state: RoomState,
    pub(super) end: Scene,
}

impl Audit {
    /// Checks a log.
    ///
    /// # Panics
    /// At the first thing that is wrong.
    pub(super) fn of(room_id: &RoomId, log: &[Entry]) -> Self {
        let mut state = RoomState::new(room_id.clone(), &LINEARIZED_02);
        let mut known: BTreeMap<EventId, Event> = BTreeMap::new();
        let parse = |(position, _, bytes): &Entry| {
            let bytes = bytes.as_ref().unwrap_or_else(|| panic!("{room_id} has no event at {position}"));
            UnverifiedPdu::parse(document(bytes), &LINEARIZED_02).unwrap()
        };
        let verdicts = UnverifiedPdu::verify_all(log.iter().map(parse).collect(), &TrueKeys::default());
        let (mut links, mut end) = (Vec::new(), scene(&state));
        for ((position, event_id, bytes), verdict) in log.iter().zip(verdicts) {
            let pdu = verdict.unwrap_or_else(|error| panic!("{room_id}, {position}: {error}"));
            assert_eq!(pdu.event_id(), *event_id, "{room_id}, {position}");
            assert_eq!(pdu.sender_check(), Sender::Verified, "{room_id}, {position}");
            assert_eq!(Some(pdu.event().bytes()), bytes.as_deref(), "what is not whole is kept redacted");
            let prev: Vec<EventId> = links.last().map(|link: &Link| link.event_id).into_iter().collect();
            assert_eq!(pdu.event().prev_events(), prev, "{room_id}, {position}: linked to the one before");
            let (lpdu_id, is_intact) = (pdu.lpdu_id(), pdu.integrity() == Integrity::Intact);
            let authorized = authorize::pdu(pdu, Before { state: &state, known: &known });
            let authorized = authorized.unwrap_or_else(|denied| panic!("{room_id}, {position}: {}", denied.reason));
            let event = authorized.into_verified().into_event();
            let before = end;
            if event.is_state() {
                state.apply(&event, *event_id, *position);
                end = scene(&state);
            } else {
                end = before.clone();
            }
            known.insert(*event_id, event.clone());
            links.push(Link { event_id: *event_id, lpdu_id, event, is_intact, before });
        }
        Self { links, state, end }
    }
}

fn scene(state: &RoomState) -> Scene {
    let of = |wanted: Membership| {
        let users = state.members().filter(move |(_, membership)| *membership == wanted);
        users.filter_map(|(user, _)| Some(server(user.split_once(':')?.1))).collect()
    };
    Scene { visibility: state.history_visibility(), joined: of(Membership::Join), invited: of(Membership::Invite) }
}

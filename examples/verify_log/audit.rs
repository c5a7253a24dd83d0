//! What one line after another shows of a room's log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use hublet::{
    crypto::PreparedKey,
    event::{
        Event, Integrity, KeyLookup, KeySource, KeyUse, LINEARIZED_02, RoomVersionRules, Sender, UnverifiedPdu,
        VerifiedPdu, VerifyError, received_id, rules,
    },
    id::{EventId, KeyId, RoomVersionId, ServerName, base64},
    json::{self, Document, KeyOrder, Limits},
    room::{
        authorize::{self, Before, Denial},
        known::{KnownEvent, KnownEvents, Standing},
        state::RoomState,
    },
};

/// The keys that signatures are checked with. The only key of a key name is the one in it, whatever the file says.
pub(crate) struct Keys(BTreeMap<(ServerName, KeyId), PreparedKey>);

/// What was found of a line, or of an ID that no line has.
pub(crate) struct Finding {
    /// The line's number from 0; none for a hole.
    pub(crate) position: Option<usize>,
    /// The event's ID, if one can be computed.
    pub(crate) event_id: Option<EventId>,
    /// What it is.
    pub(crate) verdict: Verdict,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is right.
    Intact,
    /// Only the content is gone, as a redaction leaves it.
    Redacted,
    /// Rightly signed and hashed, but refused by step 4 or 5 of receiving; every server keeps its link only.
    RejectedLink(String),
    /// An ID that is named and that no earlier line has.
    Hole,
    /// Anything else: the rung, and what was wrong there.
    Failed(String),
}

/// A log, line by line.
pub(crate) struct Audit {
    keys: Keys,
    state: Option<RoomState>,
    log: Log,
    head: Option<EventId>,
    lines: usize,
}

/// The lines so far.
#[derive(Default)]
struct Log {
    accepted: BTreeMap<EventId, Event>,
    rejected: BTreeMap<EventId, Event>,
    /// Lines that failed, and holes: they have a place but no content that counts.
    places: BTreeSet<EventId>,
    /// The LPDUs that verified events were made of.
    lpdus: BTreeSet<EventId>,
}

impl Keys {
    /// Reads server → key ID → unpadded base64.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let document = json::parse(text, KeyOrder::Utf16, Limits { bytes: 1 << 24, depth: 8 })
            .map_err(|error| format!("the keys are not JSON: {error}"))?;
        let mut keys = BTreeMap::new();
        for server in document.root().members() {
            let name = ServerName::parse(&server.key()).map_err(|error| format!("{}: {error}", server.key()))?;
            for key in server.value().members() {
                let at = format!("{name} {}", key.key());
                let id = KeyId::parse(&key.key()).map_err(|error| format!("{at}: {error}"))?;
                let text = key.value().as_str().ok_or_else(|| format!("{at}: the key is not a string"))?;
                let bytes = base64::decode_array_lenient::<32>(&text)
                    .map_err(|_| format!("{at}: the key is not 32 bytes of base64"))?;
                keys.insert(
                    (name.clone(), id),
                    PreparedKey::prepare(&bytes).map_err(|error| format!("{at}: {error}"))?,
                );
            }
        }
        Ok(Self(keys))
    }
}

impl KeySource for Keys {
    fn key(&self, server: &ServerName, key: &KeyId, _: KeyUse) -> KeyLookup {
        let found = match server.key_in_name() {
            Some(bytes) if key.as_str() == "ed25519:key" => PreparedKey::prepare(&bytes).ok(),
            Some(_) => None,
            None => self.0.get(&(server.clone(), key.clone())).cloned(),
        };
        found.map_or(KeyLookup::Unknown, KeyLookup::Usable)
    }
}

impl Audit {
    /// An empty log.
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, state: None, log: Log::default(), head: None, lines: 0 }
    }

    /// The last line's ID.
    pub(crate) fn last(&self) -> Option<EventId> {
        self.head
    }

    /// Takes the next line: what was found, holes first.
    pub(crate) fn line(&mut self, line: &[u8]) -> Vec<Finding> {
        let position = Some(self.lines);
        self.lines += 1;
        let (event_id, verdict, holes) = self.read(line);
        let mut findings: Vec<Finding> = holes
            .into_iter()
            .map(|id| Finding { position: None, event_id: Some(id), verdict: Verdict::Hole })
            .collect();
        if let Some(id) = event_id {
            self.head = Some(id);
            self.log.places.insert(id);
        }
        findings.push(Finding { position, event_id, verdict });
        findings
    }

    fn read(&mut self, line: &[u8]) -> (Option<EventId>, Verdict, Vec<EventId>) {
        let failed = |rung: &str, error: &dyn fmt::Display| Verdict::Failed(format!("{rung}: {error}"));
        let document = match json::parse(line, KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 520 }) {
            Ok(document) => document,
            Err(error) => return (None, failed("schema", &error), Vec::new()),
        };
        let rules = self.state.as_ref().map_or_else(|| version_of(&document), |state| Ok(state.rules()));
        let rules = match rules {
            Ok(rules) => rules,
            Err(error) => return (None, failed("schema", &error), Vec::new()),
        };
        let id = received_id(&document, rules);
        let pdu = match UnverifiedPdu::parse(document.clone(), rules) {
            Ok(pdu) => pdu,
            Err(error) => return (id, failed("schema", &error), Vec::new()),
        };
        let id = pdu.event_id();
        let prev = pdu.event().prev_events().to_vec();
        let holes: Vec<EventId> = prev.iter().copied().filter(|prev| !self.log.places.contains(prev)).collect();
        self.log.places.extend(&holes);
        let linked = self.link(id, &prev, &holes);
        let verdict = match pdu.verify(&self.keys) {
            Err(error @ VerifyError::KeyUnknown(_)) => failed("key", &error),
            Err(error) => failed("signature", &error),
            Ok(pdu) if pdu.sender_check() == Sender::KeyMissing => failed("key", &"the sender's key is unknown"),
            Ok(pdu) if pdu.integrity() == Integrity::Redacted && pdu.event().bytes() != document.bytes() => {
                failed("hash", &"the content hash is wrong, and the line is not the redacted event")
            }
            Ok(pdu) => match linked.and_then(|()| self.log.first_of_its_lpdu(&pdu)) {
                Ok(()) => self.authorize(pdu),
                Err(error) => {
                    self.authorize(pdu);
                    failed("chain", &error)
                }
            },
        };
        (Some(id), verdict, holes)
    }

    /// Whether the line follows the one before.
    fn link(&self, id: EventId, prev: &[EventId], holes: &[EventId]) -> Result<(), &'static str> {
        if self.log.places.contains(&id) {
            return Err("the event stands in the log already");
        }
        match (prev, self.head) {
            ([], None) => Ok(()),
            ([], Some(_)) => Err("an event without prev_events stands behind others"),
            ([prev], Some(head)) if *prev == head || holes.contains(prev) => Ok(()),
            ([_], None) => Ok(()),
            ([_], Some(_)) => Err("fork: prev_events names an earlier line than the one before"),
            _ => Err("fork: several prev_events"),
        }
    }

    fn authorize(&mut self, pdu: VerifiedPdu) -> Verdict {
        let (id, integrity) = (pdu.event_id(), pdu.integrity());
        let room_id = pdu.event().room_id().clone();
        let rules = pdu.event().rules();
        let state = self.state.get_or_insert_with(|| RoomState::new(room_id, rules));
        match authorize::pdu(pdu, Before { state, known: &self.log }) {
            Ok(pdu) => {
                let event = pdu.into_verified().into_event();
                state.apply(&event, id, i64::try_from(self.lines).unwrap_or(i64::MAX));
                self.log.accepted.insert(id, event);
                if integrity == Integrity::Intact { Verdict::Intact } else { Verdict::Redacted }
            }
            Err(denied) => {
                let reason: Denial = denied.reason;
                self.log.rejected.insert(id, denied.event.into_event());
                Verdict::RejectedLink(reason.to_string())
            }
        }
    }
}

impl Log {
    /// Whether no earlier event was made of the same LPDU; a hub appends each once (spec, section 4).
    fn first_of_its_lpdu(&mut self, pdu: &VerifiedPdu) -> Result<(), &'static str> {
        match pdu.lpdu_id() {
            Some(lpdu_id) if !self.lpdus.insert(lpdu_id) => Err("the lpdu was appended before, as another event"),
            _ => Ok(()),
        }
    }
}

impl KnownEvents for Log {
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>> {
        let rejected = || {
            self.rejected
                .get(event_id)
                .map(|event| KnownEvent { standing: Standing::Rejected, ..KnownEvent::accepted(event) })
        };
        self.accepted.get(event_id).map(KnownEvent::accepted).or_else(rejected)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{position} ")?,
            None => f.write_str("- ")?,
        }
        match self.event_id {
            Some(id) => write!(f, "{id} ")?,
            None => f.write_str("- ")?,
        }
        match &self.verdict {
            Verdict::Intact => f.write_str("intact"),
            Verdict::Redacted => f.write_str("redacted"),
            Verdict::RejectedLink(rule) => write!(f, "rejected link: {rule}"),
            Verdict::Hole => f.write_str("hole"),
            Verdict::Failed(what) => write!(f, "failed: {what}"),
        }
    }
}

/// The version that the first line, a create event, says. Of a log that begins later it is the default version.
fn version_of(first: &Document) -> Result<&'static RoomVersionRules, String> {
    let said = first
        .root()
        .member("content")
        .and_then(|content| content.member("room_version"))
        .and_then(|version| version.as_str());
    let Some(said) = said else { return Ok(&LINEARIZED_02) };
    RoomVersionId::parse(&said)
        .ok()
        .and_then(|id| rules(&id))
        .ok_or_else(|| format!("room version {said} is none of ours"))
}

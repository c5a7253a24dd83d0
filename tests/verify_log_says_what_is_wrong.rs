//! Each verdict of `examples/verify_log`, on a log made here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../examples/verify_log/audit.rs"]
mod audit;

use audit::{Audit, Keys, Verdict};
use hublet::{
    crypto::{PreparedKey, SigningKey},
    event::{
        EventParts, HubIdentity, KeyLookup, KeySource, KeyUse, LINEARIZED_02, LpduDraft, PduDraft, Role,
        UnverifiedLpdu, UnverifiedPdu, redact,
    },
    id::{EventId, KeyId, RoomId, ServerName, Timestamp, UserId, base64},
    json::{Document, KeyOrder, Limits, parse},
    room::{
        authorize::{self, Before},
        known::NothingKnown,
        state::RoomState,
    },
};

const HUGO: &str = "@hugo:hub.example";
const ANN: &str = "@ann:part.example";

fn json(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 520 }).unwrap()
}

fn key(server: &str) -> SigningKey {
    SigningKey::from_seed(&[u8::try_from(server.len()).unwrap(); 32])
}

fn key_id() -> KeyId {
    KeyId::parse("ed25519:1").unwrap()
}

fn keys(servers: &[&str]) -> Keys {
    let of = |server: &&str| format!(r#""{server}":{{"ed25519:1":"{}"}}"#, base64::encode(&key(server).public()));
    Keys::read(format!("{{{}}}", servers.iter().map(of).collect::<Vec<_>>().join(",")).as_bytes()).unwrap()
}

/// A hub that appends what it is told, by the rules or not.
struct Log {
    state: RoomState,
    head: Option<EventId>,
    lines: Vec<Vec<u8>>,
}

impl Log {
    fn new() -> Self {
        let room_id = RoomId::parse("!room:hub.example").unwrap();
        let mut log = Self { state: RoomState::new(room_id, &LINEARIZED_02), head: None, lines: Vec::new() };
        let version = LINEARIZED_02.id;
        log.own("m.room.create", Some(""), &format!(r#"{{"room_version":"{version}"}}"#));
        log.own("m.room.member", Some(HUGO), r#"{"membership":"join"}"#);
        log.own("m.room.join_rules", Some(""), r#"{"join_rule":"public"}"#);
        log.lpdu("m.room.member", Some(ANN), r#"{"membership":"join"}"#);
        log
    }

    fn own(&mut self, kind: &str, state_key: Option<&str>, content: &str) {
        let (sender, content) = (UserId::parse(HUGO).unwrap(), json(content));
        let room_id = self.state.room_id().clone();
        let origin_server_ts = Timestamp::new(u64::try_from(self.lines.len()).unwrap());
        let parts =
            EventParts { room_id: &room_id, sender: &sender, kind, state_key, content: &content, origin_server_ts };
        let draft = PduDraft::new(&parts, &LINEARIZED_02).unwrap();
        let before = Before { state: &self.state, known: &NothingKnown };
        let hub = ServerName::parse("hub.example").unwrap();
        let chained = authorize::draft(draft, self.head, before)
            .unwrap()
            .chain(&HubIdentity { server: &hub, key_id: &key_id() })
            .unwrap();
        self.state.apply(chained.source(), chained.event_id(), 0);
        self.head = Some(chained.event_id());
        self.lines.push(chained.sign(&key("hub.example")).into_bytes());
    }

    fn lpdu(&mut self, kind: &str, state_key: Option<&str>, content: &str) {
        let (sender, content) = (UserId::parse(ANN).unwrap(), json(content));
        let (room_id, hub) = (self.state.room_id().clone(), ServerName::parse("hub.example").unwrap());
        let origin_server_ts = Timestamp::new(u64::try_from(self.lines.len()).unwrap());
        let parts =
            EventParts { room_id: &room_id, sender: &sender, kind, state_key, content: &content, origin_server_ts };
        let lpdu = LpduDraft::new(&parts, &hub, &LINEARIZED_02).unwrap().sign(&key_id(), &key("part.example")).unwrap();
        let lpdu = UnverifiedLpdu::parse(json(core::str::from_utf8(lpdu.bytes()).unwrap()), &LINEARIZED_02).unwrap();
        let lpdu = lpdu.verify(&keys(&["part.example"])).unwrap();
        let before = Before { state: &self.state, known: &NothingKnown };
        let chained = authorize::lpdu(lpdu, self.head.unwrap(), before)
            .unwrap()
            .chain(&HubIdentity { server: &hub, key_id: &key_id() })
            .unwrap();
        self.state.apply(chained.source(), chained.event_id(), 0);
        self.head = Some(chained.event_id());
        self.lines.push(chained.sign(&key("hub.example")).into_bytes());
    }

    fn message(&mut self, body: &str) {
        self.lpdu("m.room.message", None, &format!(r#"{{"body":"{body}"}}"#));
    }

    fn verdicts(&self) -> Vec<(Option<usize>, Verdict)> {
        self.verdicts_with(&["hub.example", "part.example"])
    }

    fn verdicts_with(&self, servers: &[&str]) -> Vec<(Option<usize>, Verdict)> {
        let mut audit = Audit::new(keys(servers));
        let findings = self.lines.iter().flat_map(|line| audit.line(line)).collect::<Vec<_>>();
        findings.into_iter().map(|finding| (finding.position, finding.verdict)).collect()
    }

    fn last(&self) -> Verdict {
        self.verdicts().pop().unwrap().1
    }
}

fn change(line: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(line.clone()).unwrap();
    assert!(text.contains(from));
    *line = text.replacen(from, to, 1).into_bytes();
}

#[test]
fn an_honest_log_is_intact_and_its_last_event_is_named() {
    let mut log = Log::new();
    log.message("hello");
    let verdicts = log.verdicts();
    assert_eq!(verdicts.len(), 5);
    assert!(verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Intact), "{verdicts:?}");
    let mut audit = Audit::new(keys(&["hub.example", "part.example"]));
    let printed: Vec<String> =
        log.lines.iter().flat_map(|line| audit.line(line)).map(|finding| finding.to_string()).collect();
    assert_eq!(printed[4], format!("4 {} intact", log.head.unwrap()));
    assert_eq!(audit.last(), log.head);
}

#[test]
fn a_redacted_event_is_redacted_and_half_a_redaction_failed() {
    let mut log = Log::new();
    log.message("hello");
    let pdu = UnverifiedPdu::parse(json(core::str::from_utf8(&log.lines[4]).unwrap()), &LINEARIZED_02).unwrap();
    log.lines[4] = redact(pdu.event());
    assert_eq!(log.last(), Verdict::Redacted);
    change(&mut log.lines[4], r#""content":{}"#, r#""content":{"body":"changed"}"#);
    assert_eq!(
        log.last(),
        Verdict::Failed("hash: the content hash is wrong, and the line is not the redacted event".into())
    );
}

#[test]
fn an_event_against_the_rules_is_a_rejected_link_and_the_log_goes_on() {
    let mut log = Log::new();
    // A hub whose state has lost that Ann left appends her message all the same.
    let before = log.state.clone();
    log.lpdu("m.room.member", Some(ANN), r#"{"membership":"leave"}"#);
    log.state = before;
    log.message("still here");
    log.own("m.room.message", None, "{}");
    let verdicts = log.verdicts();
    assert!(matches!(&verdicts[5].1, Verdict::RejectedLink(_)), "{verdicts:?}");
    assert_eq!(verdicts[6].1, Verdict::Intact);
}

#[test]
fn a_missing_line_is_a_hole() {
    let mut log = Log::new();
    log.message("one");
    log.message("two");
    log.lines.remove(4);
    let verdicts = log.verdicts();
    assert_eq!(verdicts[4], (None, Verdict::Hole));
    assert_eq!(verdicts[5], (Some(4), Verdict::Intact));
}

#[test]
fn forks_and_repetitions_fail() {
    let mut log = Log::new();
    let (head, state) = (log.head, log.state.clone());
    log.message("one");
    log.head = head;
    log.state = state;
    log.message("two");
    assert_eq!(
        log.last(),
        Verdict::Failed("chain: fork: prev_events names an earlier line than the one before".into())
    );
    let again = log.lines[4].clone();
    log.lines.push(again);
    assert_eq!(log.last(), Verdict::Failed("chain: the event stands in the log already".into()));
}

#[test]
fn signatures_keys_and_form_fail_with_their_rung() {
    let mut log = Log::new();
    log.message("hello");
    let good = log.lines[4].clone();
    let mut check = |from: &str, to: &str, expected: &str| {
        log.lines[4] = good.clone();
        change(&mut log.lines[4], from, to);
        let Verdict::Failed(what) = log.last() else { panic!("{from} → {to}: {:?}", log.last()) };
        assert!(what.starts_with(expected), "{what}");
    };
    check(r#""part.example":{"ed25519:1""#, r#""part.example":{"ed25519:2""#, "key: the sender's key is unknown");
    check(r#""part.example":{"#, r#""other.example":{"#, "signature: the sender's signature is missing");
    check(r#""hub.example":{"ed25519:1""#, r#""hub.example":{"other:1""#, "signature: the hub's signature is missing");
    check(r#""origin_server_ts":"#, r#""origin_server_ts":1"#, "signature: ");
    check(r#""type":"m.room.message""#, r#""type":7"#, "schema: ");
    check("{", "", "schema: ");
    let without = log.verdicts_with(&["hub.example"]);
    assert!(matches!(&without[3].1, Verdict::Failed(what) if what.starts_with("key: ")), "{without:?}");
}

#[test]
fn an_lpdu_that_was_appended_twice_fails() {
    let mut log = Log::new();
    log.message("once");
    // The time of an LPDU is the number of lines: the same number makes the same LPDU, now on a new head.
    let first = log.lines.pop().unwrap();
    log.message("once");
    let second = log.lines.pop().unwrap();
    assert_ne!(first, second);
    log.lines.extend([first, second]);
    let expected = Verdict::Failed("chain: the lpdu was appended before, as another event".into());
    assert_eq!(log.last(), expected);
}

#[test]
fn the_key_of_a_key_name_is_in_the_name() {
    let ours = key("hub.example");
    let name = ServerName::key_name_of(&ours.public()).unwrap();
    let said = |id: &str| {
        let other = base64::encode(&key("part.example").public());
        let keys = Keys::read(format!(r#"{{"{name}":{{"{id}":"{other}"}}}}"#).as_bytes()).unwrap();
        let purpose = KeyUse { origin_server_ts: Timestamp::new(0), role: Role::Participant };
        keys.key(&name, &KeyId::parse(id).unwrap(), purpose)
    };
    assert_eq!(said("ed25519:key"), KeyLookup::Usable(PreparedKey::prepare(&ours.public()).unwrap()));
    assert_eq!(said("ed25519:1"), KeyLookup::Unknown);
}

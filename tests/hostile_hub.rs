//! Under a hostile hub nothing invalid is shown, and what diverges is reported with two signed events.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::EventId,
    json::Document,
    room::membership::Membership,
    server::{Answer, Call, ErrorCode, Notification, RoomCall},
    testing::{
        Forgery, content,
        duo::{ANN, Duo, HAL, HUB, PART, document, failures, ok},
        keys_of, server,
    },
};

/// The state event of that type and key in the hub's log.
fn state(duo: &mut Duo, kind: &str, state_key: &str) -> EventId {
    let is_it = |bytes: &Vec<u8>| {
        let event = document(bytes);
        let is =
            |key: &str, value: &str| event.root().member(key).and_then(|text| text.as_str()).as_deref() == Some(value);
        is("type", kind) && is("state_key", state_key)
    };
    let found = duo.hub_log().into_iter().rfind(|(_, _, bytes)| bytes.as_ref().is_some_and(is_it));
    found.unwrap().1
}

fn head(duo: &mut Duo) -> EventId {
    duo.hub_log().last().unwrap().1
}

/// A message that the hub signs, by `sender`, after `prev`.
fn message(duo: &mut Duo, sender: &str, body: &str, prev: &[EventId]) -> (EventId, Document) {
    let auth =
        [state(duo, "m.room.create", ""), state(duo, "m.room.power_levels", ""), state(duo, "m.room.member", sender)];
    forge(duo, sender, "m.room.message", None, body, &auth, prev)
}

fn forge(
    duo: &Duo,
    sender: &str,
    kind: &str,
    state_key: Option<&str>,
    body: &str,
    auth: &[EventId],
    prev: &[EventId],
) -> (EventId, Document) {
    forgery(duo, sender, kind, state_key, body, auth, prev).make()
}

fn forgery<'a>(
    duo: &'a Duo,
    sender: &'a str,
    kind: &'a str,
    state_key: Option<&'a str>,
    body: &'a str,
    auth_events: &'a [EventId],
    prev_events: &'a [EventId],
) -> Forgery<'a> {
    let room_id = &duo.room_id;
    Forgery { room_id, hub: HUB, sender, kind, state_key, body, auth_events, prev_events, ts: 1_700_000_000_500 }
}

fn shown(duo: &Duo) -> Vec<EventId> {
    let shown = duo.part.told.iter().filter_map(|told| match told {
        Notification::Appended { event_id, .. } => Some(*event_id),
        _ => None,
    });
    shown.collect()
}

fn forks(duo: &Duo) -> Vec<(&[u8], &[u8])> {
    let forks = duo.part.told.iter().filter_map(|told| match told {
        Notification::Fork { first, second, .. } => Some((first.as_slice(), second.as_slice())),
        _ => None,
    });
    forks.collect()
}

fn rejected(duo: &Duo) -> Vec<(EventId, &str)> {
    let rejected = duo.part.told.iter().filter_map(|told| match told {
        Notification::Rejected { event_id, error, .. } => Some((*event_id, error.as_str())),
        _ => None,
    });
    rejected.collect()
}

#[test]
fn spec_4_two_successors_of_one_event_are_reported_with_both() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let (one, first) = message(&mut duo, HAL, r#"{"body":"one"}"#, &[prev]);
    let (two, second) = message(&mut duo, HAL, r#"{"body":"two"}"#, &[prev]);
    assert!(failures(&duo.receive(vec![first.clone()])).is_empty());
    assert!(forks(&duo).is_empty());
    assert!(failures(&duo.receive(vec![second.clone()])).is_empty());
    assert_eq!(forks(&duo), [(first.bytes(), second.bytes())]);
    assert_eq!(duo.part_ids()[1..], [one, two], "in the order of arrival");
    // The same in one transaction, and the branches go on.
    let (three, third) = message(&mut duo, HAL, r#"{"body":"three"}"#, &[two]);
    let (four, fourth) = message(&mut duo, HAL, r#"{"body":"four"}"#, &[two]);
    duo.part.told.clear();
    assert!(failures(&duo.receive(vec![third.clone(), fourth.clone()])).is_empty());
    assert_eq!(forks(&duo), [(third.bytes(), fourth.bytes())]);
    assert_eq!(duo.part_ids()[3..], [three, four]);
    duo.part.told.clear();
    assert!(failures(&duo.receive(vec![first, second, third, fourth])).is_empty());
    assert!(duo.part.told.is_empty(), "what is known is acknowledged");
}

#[test]
fn a_rival_that_does_not_stand_behind_its_predecessor_is_found() {
    for restarts in [false, true] {
        let mut duo = Duo::joined();
        let prev = head(&mut duo);
        let nowhere = EventId::from_hash([1; 32]);
        let (one, first) = message(&mut duo, HAL, r#"{"body":"one"}"#, &[nowhere]);
        let ticket = duo.begin(vec![first]);
        duo.answer_with(ok(r#"{"pdus":[]}"#));
        assert!(failures(&duo.outcomes(ticket)).is_empty());
        let (two, second) = message(&mut duo, HAL, r#"{"body":"two"}"#, &[prev]);
        assert!(failures(&duo.receive(vec![second.clone()])).is_empty());
        assert_eq!(forks(&duo), [(&b""[..], second.bytes())], "a hole stands behind the predecessor");
        if restarts {
            duo.restart_part();
        }
        duo.part.told.clear();
        let (three, third) = message(&mut duo, HAL, r#"{"body":"three"}"#, &[prev]);
        assert!(failures(&duo.receive(vec![third.clone()])).is_empty());
        assert_eq!(forks(&duo), [(second.bytes(), third.bytes())]);
        assert_eq!(duo.part_ids()[1..], [nowhere, one, two, three]);
    }
}

#[test]
fn a_rival_is_found_though_their_predecessor_comes_again() {
    let mut duo = Duo::joined();
    duo.say("the predecessor");
    let known = duo.unsent();
    assert!(failures(&duo.receive(known.clone())).is_empty());
    let prev = head(&mut duo);
    let (_, first) = message(&mut duo, HAL, r#"{"body":"one"}"#, &[EventId::from_hash([1; 32])]);
    let ticket = duo.begin(vec![first]);
    duo.answer_with(ok(r#"{"pdus":[]}"#));
    assert!(failures(&duo.outcomes(ticket)).is_empty());
    let (_, second) = message(&mut duo, HAL, r#"{"body":"two"}"#, &[prev]);
    assert!(failures(&duo.receive(vec![second.clone()])).is_empty());
    duo.part.told.clear();
    let (_, third) = message(&mut duo, HAL, r#"{"body":"three"}"#, &[prev]);
    assert!(failures(&duo.receive([known, vec![third.clone()]].concat())).is_empty());
    assert_eq!(forks(&duo), [(second.bytes(), third.bytes())]);
}

#[test]
fn spec_3_several_previous_events_count_as_a_fork() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let (one, first) = message(&mut duo, HAL, r#"{"body":"one"}"#, &[prev]);
    let (two, second) = message(&mut duo, HAL, r#"{"body":"two"}"#, &[one]);
    let (three, third) = message(&mut duo, HAL, r#"{"body":"three"}"#, &[one, two]);
    assert!(failures(&duo.receive(vec![first, second.clone(), third.clone()])).is_empty());
    assert_eq!(forks(&duo), [(second.bytes(), third.bytes())]);
    assert_eq!(duo.part_ids()[1..], [one, two, three]);
}

#[test]
fn spec_4_5_what_the_rules_refuse_is_a_link() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let create = state(&mut duo, "m.room.create", "");
    let levels = state(&mut duo, "m.room.power_levels", "");
    let member = state(&mut duo, "m.room.member", ANN);
    let auth = [create, levels, member];
    let (bad, event) = forge(&duo, ANN, "m.room.name", Some(""), r#"{"name":"mine"}"#, &auth, &[prev]);
    let (good, next) = message(&mut duo, HAL, r#"{"body":"after"}"#, &[bad]);
    duo.part.told.clear();
    let outcomes = duo.receive(vec![event.clone(), next]);
    assert_eq!(failures(&outcomes).len(), 1);
    assert_eq!(outcomes[0].id, Some(bad));
    assert_eq!(outcomes[0].failure.as_ref().unwrap().code, ErrorCode::Forbidden);
    assert!(outcomes[0].failure.as_ref().unwrap().error.starts_with("rules: "));
    assert_eq!(duo.part_log()[1], (1, bad, None), "no content is kept");
    assert_eq!(shown(&duo), [good]);
    assert_eq!(rejected(&duo)[0].0, bad);
    assert!(forks(&duo).is_empty());
    // Sent again it is known.
    assert!(failures(&duo.receive(vec![event])).is_empty());
    assert_eq!(duo.part_ids().len(), 3);
    // What rests on it is refused as well.
    let (worse, event) = forge(&duo, ANN, "m.room.message", None, "{}", &[create, levels, member, bad], &[good]);
    assert_eq!(failures(&duo.receive(vec![event])).len(), 1);
    assert_eq!(duo.part_log()[3], (3, worse, None));
}

#[test]
fn wrong_signatures_are_dropped_and_leave_nothing() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let auth = [
        state(&mut duo, "m.room.create", ""),
        state(&mut duo, "m.room.power_levels", ""),
        state(&mut duo, "m.room.member", ANN),
    ];
    let prevs = [prev];
    let forgery = forgery(&duo, ANN, "m.room.message", None, r#"{"body":"forged"}"#, &auth, &prevs);
    let wrong = |server: &str| {
        let (id, event) = forgery.make();
        let mut text: serde_json::Value = serde_json::from_slice(event.bytes()).unwrap();
        let other = text["signatures"][if server == HUB { PART } else { HUB }]["ed25519:1"].clone();
        text["signatures"][server]["ed25519:1"] = other;
        (id, content(&text.to_string()))
    };
    let cases = [
        (wrong(HUB), "signatures: the hub's signature is wrong"),
        (wrong(PART), "signatures: the sender's signature is wrong"),
        (forgery.make_without(&[HUB]), "signatures: the hub's signature is missing"),
        (forgery.make_without(&[PART]), "signatures: the sender's signature is missing"),
    ];
    for ((id, event), error) in cases {
        let outcomes = duo.receive(vec![event]);
        let failure = outcomes[0].failure.as_ref().unwrap();
        assert_eq!((outcomes[0].id, failure.code), (Some(id), ErrorCode::Forbidden));
        assert!(failure.error.starts_with(error), "{}", failure.error);
        assert_eq!(duo.part_ids().len(), 1);
    }
}

#[test]
fn what_follows_a_dropped_event_follows_a_hole() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let auth = [
        state(&mut duo, "m.room.create", ""),
        state(&mut duo, "m.room.power_levels", ""),
        state(&mut duo, "m.room.member", ANN),
    ];
    let (bad, event) = forgery(&duo, ANN, "m.room.message", None, "{}", &auth, &[prev]).make_without(&[PART]);
    let (good, next) = message(&mut duo, HAL, r#"{"body":"after"}"#, &[bad]);
    let ticket = duo.begin(vec![event.clone(), next]);
    // Asked for it the hub insists.
    duo.answer_with(ok(&format!(r#"{{"pdus":[{}]}}"#, core::str::from_utf8(event.bytes()).unwrap())));
    assert_eq!(failures(&duo.outcomes(ticket)).len(), 1);
    assert_eq!(duo.part_ids()[1..], [bad, good]);
    assert_eq!(duo.part_log()[1].2, None);
    assert!(duo.part.told.iter().any(|told| matches!(told, Notification::Hole { event_id, .. } if *event_id == bad)));
}

#[test]
fn a_gap_that_branches_without_end_is_given_up() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let auth = [state(&mut duo, "m.room.create", ""), state(&mut duo, "m.room.power_levels", "")];
    let after = |duo: &Duo, number: u32, prev: &[EventId]| {
        forge(duo, HAL, "m.room.message", None, &format!(r#"{{"body":"{number}"}}"#), &auth, prev)
    };
    // Each event follows 20 others: those of the first row what nobody has.
    let unknown = |row: u32, place: u32| {
        let mut hash = [9; 32];
        hash[..4].copy_from_slice(&(row * 20 + place).to_be_bytes());
        EventId::from_hash(hash)
    };
    let names = |number| (0..20).map(|place| unknown(number, place)).collect::<Vec<_>>();
    let mut row: Vec<_> = (0..60).map(|number| after(&duo, number, &names(number))).collect();
    let mut served = row.clone();
    while row.len() > 1 {
        let ids: Vec<_> = row.iter().map(|(id, _)| *id).collect();
        row = ids.chunks(20).zip(1_000..).map(|(ids, number)| after(&duo, number, ids)).collect();
        served.extend(row.clone());
    }
    let (_, last) = message(&mut duo, HAL, "{}", &[row[0].0, prev]);
    let ticket = duo.begin(vec![last]);
    let mut asked = 0;
    while duo.waiting() > 0 {
        asked += 1;
        assert!(asked < 200, "asked on and on");
        let target = duo.part.asked.iter().find_map(|(_, _, call)| match call {
            Call::Peer(hublet::server::PeerCall::Fetch { target, .. }) => Some(target.clone()),
            _ => None,
        });
        let is_asked = |id: &EventId| target.as_ref().unwrap().contains(id.to_string().trim_start_matches('$'));
        let event = served.iter().find(|(id, _)| is_asked(id)).map_or("", |(_, event)| event.text());
        duo.answer_with(ok(&format!(r#"{{"pdus":[{event}]}}"#)));
    }
    assert_eq!(duo.outcomes(ticket).len(), 1);
}

#[test]
fn spec_4_3_a_wrong_hash_leaves_the_redacted_copy() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let (id, event) = message(&mut duo, HAL, r#"{"body":"said"}"#, &[prev]);
    let forged = core::str::from_utf8(event.bytes()).unwrap().replace("said", "never said");
    assert!(failures(&duo.receive(vec![content(&forged)])).is_empty());
    let Some(Notification::Appended { intact, event, .. }) = duo.part.told.last() else { panic!("not appended") };
    assert!(!intact);
    assert!(!core::str::from_utf8(event).unwrap().contains("said"));
    assert_eq!(duo.part_ids()[1], id);
}

#[test]
fn spec_4_an_lpdu_that_becomes_two_events_is_shown_once() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let (one, first) = message(&mut duo, ANN, r#"{"body":"once"}"#, &[prev]);
    let (two, second) = message(&mut duo, ANN, r#"{"body":"once"}"#, &[one]);
    duo.part.told.clear();
    assert_ne!(one, two);
    assert_eq!(failures(&duo.receive(vec![first])).len(), 0);
    let outcomes = duo.receive(vec![second]);
    assert_eq!(failures(&outcomes).len(), 1);
    assert_eq!(shown(&duo), [one]);
    assert_eq!(rejected(&duo).len(), 1);
    assert_eq!(duo.part_log()[2], (2, two, None));
}

#[test]
fn a_join_that_came_as_state_is_not_replayed() {
    let mut duo = Duo::new("{}");
    let far = "@far:far.example";
    let body = r#"{"membership":"join"}"#;
    let lpdu = hublet::testing::lpdu(&duo.room_id, far, HUB, "m.room.member", Some(far), body, 1_700_000_000_500);
    let event = document(lpdu.bytes());
    let call = RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: Membership::Join,
        event,
    };
    duo.hub.ask(Call::Room(call));
    duo.event(HAL, "m.room.member", Some(far), r#"{"membership":"leave"}"#);
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    // The kick put it out of the state, but it authorises the kick, so it came along.
    let (prev, member) = (head(&mut duo), state(&mut duo, "m.room.member", far));
    let auth = ["m.room.create", "m.room.power_levels", "m.room.join_rules"].map(|kind| state(&mut duo, kind, ""));
    let auth = [auth[0], auth[1], auth[2], member];
    let (again, event) = forge(&duo, far, "m.room.member", Some(far), body, &auth, &[prev]);
    assert_eq!(failures(&duo.receive(vec![event])).len(), 1);
    assert_eq!(duo.part_log()[1], (1, again, None));
    assert!(rejected(&duo)[0].1.starts_with("its LPDU stands in the log already"), "{}", rejected(&duo)[0].1);
}

#[test]
fn only_the_hub_is_heard() {
    let mut duo = Duo::joined();
    let far = "@far:far.example";
    let join = hublet::testing::lpdu(&duo.room_id, far, HUB, "m.room.member", Some(far), r#"{"membership":"join"}"#, 4);
    duo.hub.ask(Call::Room(RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: Membership::Join,
        event: document(join.bytes()),
    }));
    assert!(failures(&duo.catch_up()).is_empty());
    duo.say("news");
    let events = duo.unsent();
    // Who is not in the room does not hear of it.
    let ticket = duo.begin_from("third.example", events.clone());
    let outcomes = duo.outcomes(ticket);
    let failure = outcomes[0].failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.hub_server.clone()), (ErrorCode::NotFound, None));
    let ticket = duo.begin_from("far.example", events.clone());
    let outcomes = duo.outcomes(ticket);
    let failure = outcomes[0].failure.as_ref().unwrap();
    assert_eq!(
        (failure.status, failure.code, failure.hub_server.clone()),
        (403, ErrorCode::Forbidden, Some(server(HUB)))
    );
    // An LPDU is sent on to the hub.
    let lpdu = hublet::testing::lpdu(&duo.room_id, "@far:far.example", PART, "m.room.message", None, "{}", 5);
    for origin in [HUB, "far.example"] {
        let ticket = duo.begin_from(origin, vec![document(lpdu.bytes())]);
        let outcomes = duo.outcomes(ticket);
        let failure = outcomes[0].failure.as_ref().unwrap();
        assert_eq!((failure.code, failure.hub_server.clone()), (ErrorCode::WrongServer, Some(server(HUB))));
        assert_eq!(outcomes[0].id, Some(lpdu.lpdu_id()));
    }
    assert_eq!(duo.part_ids().len(), 2);
    assert!(failures(&duo.receive(events)).is_empty());
}

#[test]
fn an_event_through_another_hub_is_dropped() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let auth = [
        state(&mut duo, "m.room.create", ""),
        state(&mut duo, "m.room.power_levels", ""),
        state(&mut duo, "m.room.member", ANN),
    ];
    let prevs = [prev];
    let forgery = Forgery { hub: "far.example", ..forgery(&duo, ANN, "m.room.message", None, "{}", &auth, &prevs) };
    let (bad, event) = forgery.make();
    let outcomes = duo.receive(vec![event]);
    let failure = outcomes[0].failure.as_ref().unwrap();
    assert_eq!((outcomes[0].id, failure.hub_server.clone()), (Some(bad), Some(server(HUB))));
    assert!(failure.error.starts_with("hub: "));
    assert_eq!(duo.part_ids().len(), 1, "it is no event of our hub, so not even its link is kept");
}

#[test]
fn each_bad_event_spoils_only_itself() {
    let mut duo = Duo::joined();
    let good = duo.say("good");
    let events = duo.unsent();
    let text = core::str::from_utf8(events[0].bytes()).unwrap().to_string();
    let bad = [
        text.replace(r#""type":"m.room.message""#, r#""type":7"#),
        text.replace(r#""sender":"@hal:hub.example""#, r#""sender":"hal""#),
        text.replace(r#""auth_events":["#, r#""auth_events":["$short","#),
        text.replace(r#"{"body":"good"}"#, r#"{"body":1.5}"#),
        String::from("{}"),
    ];
    let mut all: Vec<Document> = bad.iter().map(|text| content(text)).collect();
    all.insert(2, events[0].clone());
    let outcomes = duo.receive(all);
    assert_eq!(failures(&outcomes).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    for (at, failure) in failures(&outcomes) {
        assert_eq!((failure.status, failure.code), (400, ErrorCode::BadJson), "{at}");
        assert!(failure.error.starts_with("schema: "), "{}", failure.error);
    }
    assert_eq!(duo.part_ids()[1..], [good]);
}

#[test]
fn spec_3_3_a_redaction_redacts_where_it_may_and_else_nothing() {
    let mut duo = Duo::joined();
    let said = duo.say("a secret");
    assert!(failures(&duo.catch_up()).is_empty());
    let body = format!(r#"{{"hublet.redacts":"{said}"}}"#);
    let redaction = duo.event(HAL, "m.room.redaction", None, &body);
    assert!(failures(&duo.catch_up()).is_empty());
    let log = duo.part_log();
    assert_eq!(log[2].1, redaction);
    assert!(!core::str::from_utf8(log[1].2.as_ref().unwrap()).unwrap().contains("secret"));
    // In one transaction with its target.
    let (prev, ids) = (head(&mut duo), duo.part_ids().len());
    let (said, event) = message(&mut duo, HAL, r#"{"body":"another secret"}"#, &[prev]);
    let auth = [
        state(&mut duo, "m.room.create", ""),
        state(&mut duo, "m.room.power_levels", ""),
        state(&mut duo, "m.room.member", HAL),
    ];
    let body = format!(r#"{{"hublet.redacts":"{said}"}}"#);
    let (redaction, second) = forge(&duo, HAL, "m.room.redaction", None, &body, &auth, &[said]);
    // A user without the level, whose server is another, redacts nothing.
    let (theirs, third) = message(&mut duo, HAL, r#"{"body":"stays"}"#, &[redaction]);
    let auth = [auth[0], auth[1], state(&mut duo, "m.room.member", ANN)];
    let body = format!(r#"{{"hublet.redacts":"{theirs}"}}"#);
    let (_, fourth) = forge(&duo, ANN, "m.room.redaction", None, &body, &auth, &[theirs]);
    assert!(failures(&duo.receive(vec![event, second, third, fourth])).is_empty());
    let log = duo.part_log();
    let text = |at: usize| String::from_utf8(log[ids + at].2.clone().unwrap()).unwrap();
    assert!(!text(0).contains("secret"));
    assert!(text(2).contains("stays"));
    assert_eq!(log.len(), ids + 4);
}

#[test]
fn what_belongs_before_our_join_brings_nothing_old_back() {
    let mut duo = Duo::new("{}");
    duo.say("before Ann");
    let levels = r#"{"users":{"@ann:part.example":50,"@hal:hub.example":100}}"#;
    duo.event(HAL, "m.room.power_levels", Some(""), levels);
    duo.say("one more");
    duo.event(HAL, "m.room.power_levels", Some(""), r#"{"users":{"@hal:hub.example":100}}"#);
    let old: Vec<Document> = duo.hub_log().into_iter().map(|(_, _, bytes)| document(bytes.as_ref().unwrap())).collect();
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let join = duo.part_log();
    duo.part.told.clear();
    for event in old {
        assert!(failures(&duo.receive(vec![event])).is_empty());
    }
    let before = duo.hub_log().into_iter().rev().nth(2).unwrap().1;
    let (_, event) = message(&mut duo, HAL, r#"{"body":"forked"}"#, &[before]);
    assert!(failures(&duo.receive(vec![event])).is_empty());
    assert_eq!(duo.part_log(), join);
    assert!(duo.part.told.is_empty());
    let call = hublet::testing::Net::event("m.room.name", Some(""), ANN, r#"{"name":"x"}"#);
    assert!(matches!(duo.part.ask(call), Answer::Refused(_)), "Ann's old level is not back");
    duo.part.told.clear();
    // What stands in the join's own place proves a fork, but only against the hub that it came through.
    let before = duo.hub_log().into_iter().rev().nth(1).unwrap().1;
    let prev = [before];
    let theirs = forgery(&duo, "@eve:far.example", "m.room.message", None, "{}", &[], &prev);
    let theirs = Forgery { hub: "far.example", ..theirs };
    let (_, foreign) = theirs.make();
    duo.receive(vec![foreign]);
    assert!(duo.part.told.is_empty());
    let (_, event) = message(&mut duo, HAL, r#"{"body":"instead"}"#, &[before]);
    assert!(failures(&duo.receive(vec![event.clone()])).is_empty());
    assert_eq!(forks(&duo), [(join[0].2.as_deref().unwrap(), event.bytes())]);
    assert_eq!(duo.part_log(), join);
    duo.say("and on");
    assert!(failures(&duo.catch_up()).is_empty());
}

#[test]
fn an_unknown_sender_is_no_user_of_a_room_we_know() {
    let mut duo = Duo::joined();
    let prev = head(&mut duo);
    let auth = [state(&mut duo, "m.room.create", ""), state(&mut duo, "m.room.power_levels", "")];
    let (bad, event) = forge(&duo, "@eve:far.example", "m.room.message", None, "{}", &auth, &[prev]);
    assert_eq!(failures(&duo.receive(vec![event])).len(), 1);
    assert_eq!(duo.part_log()[1], (1, bad, None));
}

/// What follows another than the entry before the hole would stand in the log as a fork that nobody told.
#[test]
fn a_hole_stays_where_a_fork_would_begin() {
    let mut duo = Duo::joined();
    let one = duo.say("one");
    duo.say("two");
    assert!(failures(&duo.catch_up()).is_empty());
    let (forked, event) = message(&mut duo, HAL, r#"{"body":"forked"}"#, &[one]);
    let (_, after) = message(&mut duo, HAL, r#"{"body":"after it"}"#, &[forked]);
    let ticket = duo.begin(vec![after]);
    while duo.waiting() > 0 {
        duo.answer_with(ok(r#"{"pdus":[]}"#));
    }
    assert!(failures(&duo.outcomes(ticket)).is_empty());
    let log = duo.part_log();
    duo.part.wake_after(600_000);
    assert_eq!(duo.waiting(), 1);
    duo.answer_with(ok(core::str::from_utf8(event.bytes()).unwrap()));
    assert_eq!(duo.part_log(), log);
    assert!(!duo.part.told.iter().any(|told| matches!(told, Notification::Filled { .. })));
}

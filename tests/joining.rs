//! A user joins, knocks at and leaves rooms that our server is not in (spec, section 7).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::RoomId,
    json::Document,
    room::membership::Membership,
    server::{
        AccountCall, Address, Answer, Call, ErrorCode, Notification, OwnCall, PeerCall, Response, RoomCall, SendError,
    },
    store::{Query, Table, memory::MemoryStore},
    testing::{
        Fate, Net, Way, content,
        duo::{ANN, Duo, HAL, HUB, failures, ok, silence},
        server, user,
    },
};

fn member(membership: Membership, via: &[&str]) -> Call {
    let via = via.iter().map(|name| server(name)).collect();
    Call::Room(RoomCall::Member { user: user(ANN), membership, via })
}

/// The first request that the participant waits for: whom it asks, and the target.
fn asked(duo: &Duo) -> Option<(String, String)> {
    duo.part.asked.iter().find_map(|(_, to, call)| match (to, call) {
        (Address::Peer(name), Call::Peer(PeerCall::Fetch { target, .. })) => {
            Some((name.as_str().into(), target.clone()))
        }
        _ => None,
    })
}

fn refused(status: u16, body: &str) -> Answer {
    Answer::Response(Response { status, body: body.as_bytes().to_vec() })
}

#[test]
fn servers_are_asked_in_turn_and_the_hub_is_found() {
    let mut duo = Duo::new("{}");
    let ticket = duo.part.begin(member(Membership::Join, &["dead.example", "part.example", "other.example"]));
    assert_eq!(asked(&duo).unwrap().0, "dead.example");
    duo.answer_with(silence());
    assert_eq!(asked(&duo).unwrap().0, "other.example", "we do not ask ourselves");
    duo.answer_with(refused(400, r#"{"errcode":"M_WRONG_SERVER","error":"not me","hub_server":"hub.example"}"#));
    assert_eq!(asked(&duo).unwrap().0, HUB);
    duo.serve();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let log = duo.hub_log();
    assert_eq!(duo.part_ids(), [log.last().unwrap().1]);
}

#[test]
fn a_server_that_lost_its_log_joins_again_and_accuses_nobody() {
    let mut duo = Duo::joined();
    duo.part.store = MemoryStore::new();
    duo.restart_part();
    duo.say("one");
    duo.say("two");
    let owed = duo.unsent();
    duo.part.now += 1_000;
    let ticket = duo.join();
    let answer = duo.part.answer(ticket);
    assert!(matches!(answer, Some(Answer::Accepted(_))), "{answer:?}");
    // What was on its way comes behind the join, and is before our log.
    assert!(failures(&duo.receive(owed)).is_empty());
    assert_eq!(duo.part_ids(), [duo.hub_log().last().unwrap().1]);
    let pull = Call::Room(RoomCall::Pull { peer: server("part.example"), delivered: None });
    assert!(matches!(duo.hub.ask(pull), Answer::Owed(owed) if owed.events.is_empty()));
    let three = duo.say("three");
    let events = duo.unsent();
    assert!(failures(&duo.receive(events)).is_empty());
    assert_eq!(duo.part_ids()[1..], [three]);
    let is_alarm = |told: &Notification| matches!(told, Notification::Fork { .. } | Notification::Hole { .. });
    assert!(!duo.part.told.iter().any(is_alarm), "{:?}", duo.part.told);
}

/// What local users were told that an honest hub gives no cause for.
fn alarms(told: &[Notification]) -> Vec<&Notification> {
    let is_alarm = |told: &&Notification| {
        matches!(told, Notification::Fork { .. } | Notification::Hole { .. } | Notification::Rejected { .. })
    };
    told.iter().filter(is_alarm).collect()
}

#[test]
fn a_server_that_lost_its_log_and_was_owed_more_than_a_transaction_accuses_nobody() {
    for first in [0, 50, 60] {
        let mut duo = Duo::joined();
        duo.part.store = MemoryStore::new();
        duo.restart_part();
        let levels = |level: u64| {
            format!(r#"{{"events_default":{level},"users":{{"@ann:part.example":{level},"@hal:hub.example":100}}}}"#)
        };
        duo.event(HAL, "m.room.power_levels", Some(""), &levels(70));
        (0..60).for_each(|number| {
            duo.say(&number.to_string());
        });
        duo.event(HAL, "m.room.power_levels", Some(""), &levels(20));
        (60..120).for_each(|number| {
            duo.say(&number.to_string());
        });
        let owed = duo.unsent();
        duo.part.now += 1_000;
        let ticket = duo.join();
        assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
        // A part of what it was owed was on its way, in transactions of 50.
        for events in owed[first..].chunks(50).take(2) {
            assert!(failures(&duo.receive(events.to_vec())).is_empty(), "from {first}");
        }
        assert_eq!(duo.part_ids(), [duo.hub_log().last().unwrap().1], "from {first}");
        let after = duo.say("after");
        assert!(failures(&duo.catch_up()).is_empty());
        assert_eq!(duo.part_ids()[1..], [after]);
        // The state is that of the join, not of what came late.
        let call = Net::event("m.room.message", None, ANN, "{}");
        assert!(matches!(duo.part.ask(call), Answer::Accepted(_)), "from {first}");
        assert!(alarms(&duo.part.told).is_empty(), "from {first}: {:?}", alarms(&duo.part.told));
    }
}

#[test]
fn a_server_that_lost_its_log_while_it_was_out_of_reach_comes_back() {
    for on_its_way in [true, false] {
        let (hub, part) = (server(HUB), server("part.example"));
        let mut net = Net::new(&[&hub, &part]);
        let room = net.create(HAL, "!r:hub.example", true, "{}");
        net.join(ANN, &room, HUB);
        net.say(ANN, &room, "hello");
        // The first transaction is on its way all the time, or is lost again and again.
        net.rule(move |packet| match packet.to == server("part.example") && packet.request.target.contains("/send/") {
            true if on_its_way => Fate::Hold,
            true => Fate::Lose,
            false => Fate::Pass,
        });
        (0..170).for_each(|number| {
            net.say(HAL, &room, &number.to_string());
        });
        net.lose_store(&part);
        net.pass(core::time::Duration::from_secs(5));
        net.join(ANN, &room, HUB);
        net.rule(|_| Fate::Pass);
        net.run();
        net.pass(core::time::Duration::from_secs(7_200));
        net.say(HAL, &room, "welcome back");
        net.say(ANN, &room, "thank you");
        let (whole, ours) = (net.ids(HUB, &room, 0), net.ids("part.example", &room, 0));
        assert_eq!(ours.len(), 3);
        assert!(whole.ends_with(&ours));
        let told = net.told("part.example");
        assert!(alarms(&told).is_empty(), "{:?}", alarms(&told));
    }
}

#[test]
fn a_refusal_comes_with_the_hubs_words() {
    let mut duo = Duo::new("{}");
    let ticket = duo.part.begin(member(Membership::Join, &[HUB, "other.example"]));
    duo.answer_with(refused(403, r#"{"errcode":"M_FORBIDDEN","error":"you are banned"}"#));
    duo.answer_with(refused(404, r#"{"errcode":"M_NOT_FOUND","error":"what room"}"#));
    let Some(Answer::Refused(failure)) = duo.part.answer(ticket) else { panic!("no refusal") };
    assert_eq!((failure.status, failure.code, failure.error.as_str()), (403, ErrorCode::Forbidden, "you are banned"));
    assert!(duo.part.store.is_empty());
}

#[test]
fn nobody_to_ask_is_told() {
    let mut duo = Duo::new("{}");
    let ticket = duo.part.begin(member(Membership::Join, &[]));
    assert_eq!(asked(&duo).unwrap().0, HUB, "the room ID names a server");
    duo.answer_with(silence());
    let Some(Answer::Refused(failure)) = duo.part.answer(ticket) else { panic!("no refusal") };
    assert_eq!(failure.status, 502);
    for (membership, status) in [(Membership::Ban, 400), (Membership::Invite, 400)] {
        let Answer::Refused(failure) = duo.part.ask(member(membership, &[])) else { panic!("no refusal") };
        assert_eq!(failure.status, status);
    }
    let call = RoomCall::Member { user: user(HAL), membership: Membership::Join, via: vec![] };
    assert!(matches!(duo.part.ask(Call::Room(call)), Answer::Refused(failure) if failure.status == 403));
}

#[test]
fn a_template_for_something_else_is_not_filled_in() {
    let good = r#"{"event":{"content":{"membership":"join"},"room_id":"!room:hub.example","sender":"@ann:part.example","state_key":"@ann:part.example","type":"m.room.member"},"room_version":"I.1"}"#;
    for (from, to, code) in [
        (r#""membership":"join""#, r#""membership":"leave""#, ErrorCode::Unknown),
        ("!room:", "!other:", ErrorCode::Unknown),
        (r#""sender":"@ann"#, r#""sender":"@bob"#, ErrorCode::Unknown),
        ("m.room.member", "m.room.name", ErrorCode::Unknown),
        ("I.1", "11", ErrorCode::IncompatibleRoomVersion),
        ("I.1", "nonsense", ErrorCode::IncompatibleRoomVersion),
    ] {
        let mut duo = Duo::new("{}");
        let ticket = duo.part.begin(member(Membership::Join, &[HUB]));
        duo.answer_with(ok(&good.replacen(from, to, 1)));
        let Some(Answer::Refused(failure)) = duo.part.answer(ticket) else { panic!("{to} was filled in") };
        assert_eq!(failure.code, code, "{to}");
    }
    // Without its wrapper, and with more than is wanted, it is the same.
    let mut duo = Duo::new("{}");
    duo.part.begin(member(Membership::Join, &[HUB]));
    let bare = good.split_once(":").unwrap().1.rsplit_once(r#","room_version"#).unwrap().0;
    duo.answer_with(ok(&bare.replacen('{', r#"{"auth_events":[],"prev_events":["x"],"#, 1)));
    assert!(asked(&duo).unwrap().1.contains("/send_join/"));
}

/// The hub's answer to the participant's send_join, which is not given.
fn answer_to_join(duo: &mut Duo) -> (hublet::server::Ticket, serde_json::Value) {
    let (ticket, body) = duo.begin_join();
    (ticket, serde_json::from_slice(&body).unwrap())
}

#[test]
fn an_answer_that_does_not_hold_up_is_not_believed() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 11] = [
        ("no state", |answer| drop(answer.as_object_mut().unwrap().remove("state"))),
        ("no event", |answer| drop(answer.as_object_mut().unwrap().remove("event"))),
        ("another event", |answer| answer["event"] = answer["state"][1].clone()),
        ("no create event", |answer| {
            answer["auth_chain"] = serde_json::json!([]);
            drop(answer["state"].as_array_mut().unwrap().remove(0));
        }),
        ("a wrong signature", |answer| {
            answer["state"][2]["signatures"] = answer["state"][1]["signatures"].clone();
            answer["auth_chain"] = serde_json::json!([]);
        }),
        ("another time", |answer| answer["state"][2]["origin_server_ts"] = 1.into()),
        ("another room", |answer| answer["state"][2]["room_id"] = "!x:hub.example".into()),
        ("a malformed event", |answer| answer["state"][2]["sender"] = "hal".into()),
        ("an event that is none", |answer| answer["state"][2] = 7.into()),
        ("the join without the hub", |answer| drop(answer["event"]["signatures"].as_object_mut().unwrap().remove(HUB))),
        ("the join without its links", |answer| answer["event"]["prev_events"] = serde_json::json!([])),
    ];
    for (name, change) in cases {
        let mut duo = Duo::new("{}");
        let (ticket, mut answer) = answer_to_join(&mut duo);
        change(&mut answer);
        duo.answer_with(ok(&answer.to_string()));
        let Some(Answer::Refused(failure)) = duo.part.answer(ticket) else { panic!("{name} was believed") };
        assert_eq!(failure.status, 502, "{name}: {}", failure.error);
        assert!(failure.error.contains("hub.example cannot be used"), "{name}: {}", failure.error);
        assert!(duo.part.store.is_empty(), "{name}");
        // Nothing is left behind: the next attempt succeeds.
        let ticket = duo.join();
        assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))), "{name}");
    }
    let mut duo = Duo::new("{}");
    let (ticket, answer) = answer_to_join(&mut duo);
    duo.answer_with(ok(&answer.to_string()));
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))), "unchanged it is");
}

#[test]
fn the_state_may_be_that_after_the_join_and_redacted_in_part() {
    let mut duo = Duo::new("{}");
    let (ticket, mut answer) = answer_to_join(&mut duo);
    let join = answer["event"].clone();
    answer["state"].as_array_mut().unwrap().push(join);
    for event in answer["state"].as_array_mut().unwrap() {
        event["unsigned"] = serde_json::json!({"age": 1});
        event["event_id"] = "$x".into();
    }
    duo.answer_with(ok(&answer.to_string()));
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    duo.sent = duo.hub_log().last().unwrap().0;
    duo.say("hello");
    assert!(failures(&duo.catch_up()).is_empty());
    let rows = duo.part.store.read(&Query::all(Table::Log));
    let events = rows.iter().filter(|row| row.value.windows(8).any(|at| at == b"unsigned")).count();
    assert_eq!(events, 0, "what no hash covers is not kept");
}

#[test]
fn a_lost_answer_is_asked_for_again_in_the_same_transaction() {
    let mut net = Net::new(&[&server(HUB), &server("part.example")]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    let mut lost = 0;
    net.rule(move |packet| {
        let loses = matches!(packet.way, Way::Answer(_)) && packet.request.target.contains("/send_join/") && lost < 2;
        lost += u32::from(loses);
        if loses { Fate::Lose } else { Fate::Pass }
    });
    let join = net.join(ANN, &room, HUB);
    assert_eq!(net.ids(HUB, &room, 0).len(), 6, "appended once");
    assert_eq!(net.ids("part.example", &room, 0), [join]);
}

#[test]
fn a_hub_that_stays_silent_is_told_of() {
    let mut duo = Duo::new("{}");
    let ticket = duo.part.begin(member(Membership::Join, &[HUB]));
    duo.serve_but(|target| target.contains("make_join"));
    (0..3).for_each(|_| duo.answer_with(Answer::Unreachable(SendError::TimedOut)));
    let Some(Answer::Refused(failure)) = duo.part.answer(ticket) else { panic!("no refusal") };
    assert_eq!(failure.status, 502);
    let ticket = duo.part.begin(member(Membership::Join, &[HUB]));
    duo.part.wake_after(20_000);
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Refused(failure)) if failure.status == 502), "in time");
}

#[test]
fn a_user_knocks_and_takes_it_back() {
    let mut duo = Duo::new("{}");
    duo.event(HAL, "m.room.join_rules", Some(""), r#"{"join_rule":"knock"}"#);
    for (membership, word) in [(Membership::Knock, "knock"), (Membership::Leave, "leave")] {
        let ticket = duo.part.begin(member(membership, &[HUB]));
        duo.serve();
        assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))), "{word}");
        let last = duo.hub_log().pop().unwrap().2.unwrap();
        assert!(core::str::from_utf8(&last).unwrap().contains(&format!(r#""membership":"{word}""#)));
        let told = duo.part.asked.iter().any(|(_, to, call)| {
            *to == Address::Account(user(ANN)) && format!("{call:?}").contains(&format!("{membership:?}"))
        });
        assert!(told, "the account hears of it");
        assert!(duo.part.store.is_empty());
    }
    let ticket = duo.part.begin(member(Membership::Join, &[HUB]));
    duo.serve();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Refused(failure)) if failure.code == ErrorCode::Forbidden));
}

#[test]
fn where_our_server_is_in_the_room_a_join_is_an_event_like_others() {
    let mut net = Net::new(&[&server(HUB), &server("part.example")]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.join("@amy:part.example", &room, HUB);
    net.join("@hob:hub.example", &room, HUB);
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(hub.len(), 8);
    assert!(hub.ends_with(&net.ids("part.example", &room, 0)));
    assert_eq!(net.ids("part.example", &room, 0).len(), 3);
}

#[test]
fn an_invited_user_joins_or_declines() {
    let mut net = Net::new(&[&server(HUB), &server("part.example")]);
    for (membership, word) in [(Membership::Join, "join"), (Membership::Leave, "leave")] {
        let room = net.create(HAL, &format!("!{word}:hub.example"), false, "{}");
        let invite = net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"invite"}"#);
        assert!(matches!(invite, Some(Answer::Accepted(_))), "{invite:?}");
        assert!(net.told("part.example").iter().any(|told| matches!(told, Notification::Invited { .. })));
        assert!(matches!(net.member(ANN, &room, membership, &[HUB]), Some(Answer::Accepted(_))), "{word}");
        let (_, _, last) = net.log(HUB, &room, 0).pop().unwrap();
        let last = String::from_utf8(last.unwrap()).unwrap();
        assert!(last.contains(&format!(r#""membership":"{word}""#)) && last.contains(ANN));
        let invites = Call::Account(AccountCall::Own(OwnCall::Invites));
        assert_eq!(
            net.ask(&server("part.example"), Address::Account(user(ANN)), invites),
            Some(Answer::Invites(vec![]))
        );
    }
    let rooms = Call::Account(AccountCall::Own(OwnCall::Rooms));
    let rooms = net.ask(&server("part.example"), Address::Account(user(ANN)), rooms);
    assert_eq!(rooms, Some(Answer::Rooms(vec![(RoomId::parse("!join:hub.example").unwrap(), Membership::Join)])));
}

#[test]
fn an_invite_taken_back_ends() {
    let mut net = Net::new(&[&server(HUB), &server("part.example")]);
    let room = net.create(HAL, "!r:hub.example", false, "{}");
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"invite"}"#).unwrap();
    net.told("part.example");
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"leave"}"#).unwrap();
    assert!(net.told("part.example").iter().any(|told| matches!(told, Notification::InviteEnded { .. })));
}

#[test]
fn a_member_event_for_a_room_we_are_not_in_is_not_taken() {
    let mut duo = Duo::new("{}");
    let kick: Document = {
        let body = r#"{"membership":"leave"}"#;
        let room: &RoomId = &duo.room_id;
        let lpdu = hublet::testing::lpdu(room, "@far:far.example", HUB, "m.room.member", Some(ANN), body, 1);
        content(core::str::from_utf8(lpdu.bytes()).unwrap())
    };
    let ticket = duo.begin(vec![kick]);
    let outcomes = duo.outcomes(ticket);
    assert_eq!(outcomes[0].failure.as_ref().unwrap().code, ErrorCode::NotFound, "the peer machine asks the account");
}

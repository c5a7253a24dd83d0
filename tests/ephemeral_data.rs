//! Typing, receipts and ephemeral data go through the hub to every server in the room, and into no store (spec, section 11).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::{EventId, RoomId},
    json::Document,
    server::{Address, Answer, Call, Ephemeral, ErrorCode, Notification, RoomCall},
    testing::{Fate, Net, content, server, user},
};

const HUB: &str = "hub.example";
const PART: &str = "part.example";
const FAR: &str = "far.example";
const HAL: &str = "@hal:hub.example";
const ANN: &str = "@ann:part.example";
const FRED: &str = "@fred:far.example";

/// A room with a user of each server.
fn room() -> (Net, RoomId) {
    let mut net = Net::new(&[&server(HUB), &server(PART), &server(FAR)]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.join(FRED, &room, HUB);
    [HUB, PART, FAR].iter().for_each(|name| drop(net.told(name)));
    (net, room)
}

fn says(net: &mut Net, room: &RoomId, sender: &str, what: Ephemeral) -> Answer {
    let sender = user(sender);
    let name = sender.server_name();
    let call = Call::Room(RoomCall::SendEphemeral { sender, what });
    net.ask(&name, Address::Room(room.clone()), call).unwrap()
}

/// What another server's peer machine hands to a room.
fn hands(net: &mut Net, room: &RoomId, to: &str, origin: &str, edus: &[&str]) {
    let edus: Vec<Document> = edus.iter().map(|edu| content(edu)).collect();
    let call = Call::Room(RoomCall::Ephemeral { origin: server(origin), edus });
    assert_eq!(net.ask(&server(to), Address::Room(room.clone()), call), Some(Answer::Done));
}

/// The EDUs that the users of a server were told since this was last asked.
fn heard(net: &mut Net, name: &str) -> Vec<String> {
    let edus = net.told(name).into_iter().filter_map(|told| match told {
        Notification::Ephemeral { edu, .. } => Some(edu.root().text().to_owned()),
        _ => None,
    });
    edus.collect()
}

fn data(text: &str) -> Ephemeral {
    Ephemeral::Data { kind: "cursor".into(), data: content(text) }
}

fn cursor(sender: &str, data: &str) -> String {
    let content = format!(r#"{{"data":{data},"kind":"cursor","room_id":"!r:hub.example","sender":"{sender}"}}"#);
    format!(r#"{{"content":{content},"edu_type":"hublet.ephemeral"}}"#)
}

fn typing(user: &str) -> String {
    format!(r#"{{"content":{{"room_id":"!r:hub.example","typing":true,"user_id":"{user}"}},"edu_type":"m.typing"}}"#)
}

#[test]
fn what_is_said_reaches_every_server_in_the_room_once() {
    let (mut net, room) = room();
    let rows = |net: &mut Net, name: &str| {
        let room = Address::Room(RoomId::parse("!r:hub.example").unwrap());
        (
            net.server(&server(name)).unwrap().commits.get(&room).copied(),
            net.ids(name, &RoomId::parse("!r:hub.example").unwrap(), 0).len(),
        )
    };
    for sender in [HAL, ANN, FRED] {
        let before: Vec<_> = [HUB, PART, FAR].iter().map(|name| rows(&mut net, name)).collect();
        assert_eq!(says(&mut net, &room, sender, Ephemeral::Typing(true)), Answer::Done);
        assert_eq!(says(&mut net, &room, sender, data(r#"[1,2.5]"#)), Answer::Done);
        for name in [HUB, PART, FAR] {
            assert_eq!(heard(&mut net, name), [typing(sender), cursor(sender, "[1,2.5]")], "{name}");
        }
        let after: Vec<_> = [HUB, PART, FAR].iter().map(|name| rows(&mut net, name)).collect();
        assert_eq!(before, after, "nothing is stored");
    }
    let event_id = EventId::from_hash([7; 32]);
    assert_eq!(says(&mut net, &room, ANN, Ephemeral::Read(event_id)), Answer::Done);
    let receipt = format!(
        r#"{{"content":{{"!r:hub.example":{{"m.read":{{"{ANN}":{{"data":{{"ts":{}}},"event_ids":["{event_id}"]}}}}}}}},"edu_type":"m.receipt"}}"#,
        net.now().millis()
    );
    for name in [HUB, PART, FAR] {
        assert_eq!(heard(&mut net, name), [receipt.as_str()], "{name}");
    }
}

#[test]
fn who_is_not_there_says_nothing() {
    let (mut net, room) = room();
    for (name, sender) in [(HUB, "@hugo:hub.example"), (PART, "@amy:part.example"), (PART, HAL)] {
        let call = Call::Room(RoomCall::SendEphemeral { sender: user(sender), what: Ephemeral::Typing(true) });
        let answer = net.ask(&server(name), Address::Room(room.clone()), call);
        assert!(matches!(&answer, Some(Answer::Refused(failure)) if failure.status == 403), "{sender}: {answer:?}");
    }
    let nowhere = RoomId::parse("!none:hub.example").unwrap();
    assert!(
        matches!(says(&mut net, &nowhere, ANN, Ephemeral::Typing(true)), Answer::Refused(failure) if failure.status == 404)
    );
    for name in [HUB, PART, FAR] {
        assert!(heard(&mut net, name).is_empty());
    }
}

#[test]
fn a_server_speaks_for_its_own_joined_users_only() {
    let (mut net, room) = room();
    let receipts = |inner: &str| {
        format!(
            r#"{{"content":{{"!r:hub.example":{{"m.read":{{{inner}}}}},"!other:hub.example":{{}}}},"edu_type":"m.receipt"}}"#
        )
    };
    let dropped = [
        typing(FRED),
        typing(HAL),
        typing("@amy:part.example"),
        typing("amy"),
        typing(ANN).replace("!r:", "!x:"),
        typing(ANN).replace("true", "1"),
        cursor(FRED, "1"),
        cursor(ANN, &format!("{:?}", "x".repeat(4_000))),
        cursor(ANN, "1").replace(r#""kind":"cursor","#, ""),
        cursor(ANN, "1").replace(r#""data":1,"#, ""),
        receipts(&format!(r#""{FRED}":{{}}"#)),
        receipts(&format!(r#""{ANN}":7"#)),
        receipts("").replace("m.read", "m.read.private"),
        r#"{"edu_type":"m.presence","content":{}}"#.into(),
        r#"{"edu_type":"m.typing"}"#.into(),
        "{}".into(),
    ];
    let edus: Vec<&str> = dropped.iter().map(String::as_str).collect();
    hands(&mut net, &room, HUB, PART, &edus);
    for name in [HUB, PART, FAR] {
        assert!(heard(&mut net, name).is_empty(), "{name}");
    }
    // What is left of one EDU is passed on, and only that.
    let mixed = receipts(&format!(r#""{ANN}":{{"event_ids":["$x"]}},"{FRED}":{{}}"#));
    hands(&mut net, &room, HUB, PART, &[&mixed, &typing(ANN).replace('{', r#"{"more":1,"#)]);
    let left = format!(
        r#"{{"content":{{"!r:hub.example":{{"m.read":{{"{ANN}":{{"event_ids":["$x"]}}}}}}}},"edu_type":"m.receipt"}}"#
    );
    assert_eq!(heard(&mut net, FAR), [left, typing(ANN)]);
    assert!(heard(&mut net, PART).is_empty(), "it knows what it said");
}

#[test]
fn a_participant_hears_the_hub_alone_and_not_about_its_own_users() {
    let (mut net, room) = room();
    hands(&mut net, &room, PART, FAR, &[&typing(FRED)]);
    assert!(heard(&mut net, PART).is_empty(), "not the hub");
    hands(&mut net, &room, PART, HUB, &[&typing(ANN), &typing("@gone:far.example")]);
    assert!(heard(&mut net, PART).is_empty(), "not the hub's to say");
    hands(&mut net, &room, PART, HUB, &[&typing(FRED), &typing(HAL)]);
    assert_eq!(heard(&mut net, PART), [typing(FRED), typing(HAL)]);
    assert!(net.wire().next().is_none(), "nobody but the hub passes anything on");
}

#[test]
fn a_kicked_server_neither_speaks_nor_hears() {
    let (mut net, room) = room();
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"leave"}"#).unwrap();
    [HUB, PART, FAR].iter().for_each(|name| drop(net.told(name)));
    assert_eq!(says(&mut net, &room, HAL, Ephemeral::Typing(true)), Answer::Done);
    hands(&mut net, &room, HUB, PART, &[&typing(ANN)]);
    assert!(matches!(says(&mut net, &room, ANN, Ephemeral::Typing(true)), Answer::Refused(_)));
    assert!(heard(&mut net, PART).is_empty());
    assert_eq!(heard(&mut net, FAR), [typing(HAL)]);
    assert_eq!(heard(&mut net, HUB), [typing(HAL)]);
    // So does one that the ACL denies, though its user is still joined.
    let acl = r#"{"allow":["*"],"deny":["far.example"]}"#;
    assert!(matches!(net.send(HAL, &room, "m.room.server_acl", Some(""), acl), Some(Answer::Accepted(_))));
    net.told(HUB);
    hands(&mut net, &room, HUB, FAR, &[&typing(FRED)]);
    assert!(heard(&mut net, HUB).is_empty());
}

#[test]
fn too_large_and_too_much_is_refused_and_heard_by_nobody() {
    let (mut net, room) = room();
    let large = data(&format!("{:?}", "x".repeat(4_096)));
    let answer = says(&mut net, &room, ANN, large);
    assert!(matches!(&answer, Answer::Refused(failure) if failure.code == ErrorCode::TooLarge), "{answer:?}");
    let ticks = 130;
    let refused = (0..ticks).filter(|_| matches!(says(&mut net, &room, ANN, data("1")), Answer::Refused(_))).count();
    assert_eq!(refused, 10, "one moment's worth is 120");
    let Answer::Refused(failure) = says(&mut net, &room, ANN, data("1")) else { panic!() };
    assert_eq!((failure.code, failure.retry_after_ms), (ErrorCode::LimitExceeded, Some(33)));
    assert_eq!(says(&mut net, &room, FRED, data("2")), Answer::Done, "each user for itself");
    net.pass(core::time::Duration::from_millis(33));
    assert_eq!(says(&mut net, &room, ANN, data("3")), Answer::Done);
    // A server that does not count is counted by the hub.
    heard(&mut net, HUB);
    net.pass(core::time::Duration::from_secs(60));
    let flood: Vec<String> = (0..200).map(|number| cursor(ANN, &number.to_string())).collect();
    let flood: Vec<&str> = flood.iter().map(String::as_str).collect();
    hands(&mut net, &room, HUB, PART, &flood);
    assert_eq!(heard(&mut net, HUB).len(), 120);
}

#[test]
fn a_server_out_of_reach_hears_nothing_later() {
    let (mut net, room) = room();
    net.rule(|packet| if packet.to == server(FAR) { Fate::Lose } else { Fate::Pass });
    says(&mut net, &room, HAL, Ephemeral::Typing(true));
    net.rule(|_| Fate::Pass);
    net.pass(core::time::Duration::from_secs(7_200));
    net.say(HAL, &room, "hello");
    assert!(heard(&mut net, FAR).is_empty());
}

//! A user's name and picture reach the rooms: with the join, and when they change.
#![allow(clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::{
    id::RoomId,
    room::membership::Membership,
    server::{AccountCall, Address, Answer, Call, OwnCall, RoomCall, endpoint::ProfileField},
    testing::{Fate, Net, duo::document, server, user},
};

const HUB: &str = "hub.example";
const PART: &str = "part.example";
const HAL: &str = "@hal:hub.example";
const ANN: &str = "@ann:part.example";

fn net() -> Net {
    Net::new(&[&server(HUB), &server(PART)])
}

fn set(net: &mut Net, name: &str, field: ProfileField, value: Option<&str>) {
    let call = Call::Account(AccountCall::Own(OwnCall::SetProfile(field, value.map(Into::into))));
    let user = user(name);
    assert_eq!(net.ask(&user.server_name(), Address::Account(user), call), Some(Answer::Done));
}

/// The content of a user's member event, as a server has it.
fn member(net: &mut Net, at: &str, room: &RoomId, name: &str) -> String {
    let call = RoomCall::State { kind: Some("m.room.member".into()), state_key: Some(name.into()) };
    match net.ask(&server(at), Address::Room(room.clone()), Call::Room(call)) {
        Some(Answer::Entries(entries)) => {
            let event = document(entries.first().unwrap().2.as_deref().unwrap());
            event.root().member("content").unwrap().to_document().text().to_owned()
        }
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn a_join_says_who_joins() {
    let mut net = net();
    set(&mut net, HAL, ProfileField::DisplayName, Some("Hal"));
    set(&mut net, ANN, ProfileField::DisplayName, Some("Ann \"A\""));
    set(&mut net, ANN, ProfileField::AvatarUrl, Some("mxc://part.example/ann"));
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    let ann = r#"{"avatar_url":"mxc://part.example/ann","displayname":"Ann \"A\"","membership":"join"}"#;
    for at in [HUB, PART] {
        assert_eq!(member(&mut net, at, &room, HAL), r#"{"displayname":"Hal","membership":"join"}"#);
        assert_eq!(member(&mut net, at, &room, ANN), ann);
    }
    // One who joins beside another of its server does too, and one without a profile, or with too long a name, does without.
    let long = "x".repeat(2_000);
    set(&mut net, "@bea:part.example", ProfileField::DisplayName, Some("Bea"));
    set(&mut net, "@cid:part.example", ProfileField::DisplayName, Some(&long));
    for (name, content) in [
        ("@bea:part.example", r#"{"displayname":"Bea","membership":"join"}"#),
        ("@cid:part.example", r#"{"membership":"join"}"#),
        ("@dan:part.example", r#"{"membership":"join"}"#),
    ] {
        net.join(name, &room, HUB);
        assert_eq!(member(&mut net, HUB, &room, name), content);
    }
}

#[test]
fn a_change_reaches_the_rooms_that_the_user_is_in_and_once() {
    let mut net = net();
    let rooms = ["!a:hub.example", "!b:hub.example", "!left:hub.example", "!other:hub.example"];
    let rooms = rooms.map(|id| net.create(HAL, id, true, "{}"));
    let [a, b, left, other] = &rooms;
    for room in [a, b, left] {
        net.join(ANN, room, HUB);
    }
    assert!(net.member(ANN, left, Membership::Leave, &[]).is_some());
    let before: Vec<usize> = rooms.iter().map(|room| net.ids(HUB, room, 0).len()).collect();
    set(&mut net, ANN, ProfileField::DisplayName, Some("Ann"));
    set(&mut net, ANN, ProfileField::DisplayName, Some("Ann"));
    let after = |net: &mut Net| rooms.iter().map(|room| net.ids(HUB, room, 0).len()).collect::<Vec<_>>();
    let expected = vec![before[0] + 1, before[1] + 1, before[2], before[3]];
    assert_eq!(after(&mut net), expected);
    for room in [a, b] {
        assert_eq!(member(&mut net, HUB, room, ANN), r#"{"displayname":"Ann","membership":"join"}"#);
        assert_eq!(member(&mut net, PART, room, ANN), r#"{"displayname":"Ann","membership":"join"}"#);
    }
    net.restart(&server(PART));
    net.pass(Duration::from_secs(3_600));
    set(&mut net, ANN, ProfileField::DisplayName, Some("Ann"));
    set(&mut net, ANN, ProfileField::AvatarUrl, None);
    assert_eq!(after(&mut net), expected, "nothing has changed");
    // At the hub itself too, and a field may go.
    set(&mut net, HAL, ProfileField::AvatarUrl, Some("mxc://hub.example/hal"));
    assert_eq!(member(&mut net, HUB, other, HAL), r#"{"avatar_url":"mxc://hub.example/hal","membership":"join"}"#);
    set(&mut net, HAL, ProfileField::AvatarUrl, None);
    assert_eq!(member(&mut net, HUB, other, HAL), r#"{"membership":"join"}"#);
}

#[test]
fn a_change_made_while_the_hub_is_away_arrives() {
    let mut net = net();
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.rule(|_| Fate::Lose);
    set(&mut net, ANN, ProfileField::DisplayName, Some("Ann"));
    set(&mut net, ANN, ProfileField::DisplayName, Some("Anna"));
    net.pass(Duration::from_secs(60));
    net.restart(&server(PART));
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(7_200));
    assert_eq!(member(&mut net, HUB, &room, ANN), r#"{"displayname":"Anna","membership":"join"}"#);
}

use alloc::{format, string::String, vec, vec::Vec};

use super::{AccountMachine, directory};
use crate::{
    crypto::{PreparedKey, Signature},
    event::{UnverifiedPdu, add_signature, rules, signing_input},
    id::{DeviceId, RoomId, RoomVersionId},
    json::Document,
    room::membership::Membership,
    server::{
        AccountCall, Answer, Call, ErrorCode, Identity, Notification, OwnCall, Response, ServerKeys, Signer, Ticket,
        endpoint::ProfileField,
    },
    store::memory::MemoryStore,
    testing::{Driver, content, identity, keys_of, lpdu, server, signing_key, user},
};

const BOB: &str = "@bob:us.example";
const HUB: &str = "hub.example";
const PART: &str = "part.example";

type Account = Driver<AccountMachine>;

fn account() -> Account {
    over(MemoryStore::new())
}

fn over(store: MemoryStore) -> Account {
    let machine = AccountMachine::new(identity("us.example"), user(BOB), Ticket(1 << 20));
    Driver::new(machine, store, vec![keys_of(PART), keys_of(HUB)])
}

fn reopened(account: Account) -> Account {
    over(account.store)
}

fn own(account: &mut Account, call: OwnCall) -> Answer {
    account.ask(Call::Account(AccountCall::Own(call)))
}

fn response(answer: Answer) -> (u16, String) {
    match answer {
        Answer::Response(Response { status, body }) => (status, String::from_utf8(body).unwrap()),
        Answer::Refused(failure) => (failure.status, failure.error),
        other => panic!("{other:?}"),
    }
}

fn device(id: &str) -> DeviceId {
    DeviceId::parse(id).unwrap()
}

fn room() -> RoomId {
    RoomId::parse("!r:hub.example").unwrap()
}

/// A member event about Bob, finished by the hub: its sender is of another server than the hub.
fn finished(membership: &str, change: impl FnOnce(String) -> String) -> Document {
    let body = format!(r#"{{"membership":"{membership}"}}"#);
    let lpdu = lpdu(&room(), "@ann:part.example", HUB, "m.room.member", Some(BOB), &body, 1_700_000_000_000);
    let text = String::from_utf8(lpdu.bytes().to_vec()).unwrap();
    let linked =
        text.replacen('{', r#"{"auth_events":[],"prev_events":["$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],"#, 1);
    // The content hash of the PDU covers the LPDU's hash.
    let hashed = |linked: &str| {
        let hash = {
            let with_some = linked.replacen(r#""hashes":{"#, r#""hashes":{"sha256":"AAAA","#, 1);
            let rules = rules(&RoomVersionId::parse("I.1").unwrap()).unwrap();
            let pdu = UnverifiedPdu::parse(content(&with_some), rules);
            crate::event::content_hash(pdu.unwrap().event())
        };
        linked.replacen(r#""hashes":{"#, &format!(r#""hashes":{{"sha256":"{}","#, hash.as_str()), 1)
    };
    let unsigned = content(&hashed(&linked));
    let rules = rules(&RoomVersionId::parse("I.1").unwrap()).unwrap();
    let pdu = UnverifiedPdu::parse(unsigned.clone(), rules).unwrap();
    let signature = signing_key(HUB).sign(&signing_input(pdu.event()));
    let signed = crate::event::insert_signature(&unsigned, HUB, "ed25519:1", &signature).unwrap();
    content(&change(String::from(signed.text())))
}

fn invite(event: Document, origin: &str, version: &str) -> Call {
    let stripped = vec![content(r#"{"content":{"name":"n"},"state_key":"","type":"m.room.name"}"#)];
    Call::Account(AccountCall::Invite {
        origin: server(origin),
        keys: keys_of(origin),
        version: RoomVersionId::parse(version).unwrap(),
        event,
        stripped,
    })
}

fn same(text: String) -> String {
    text
}

#[test]
fn an_invite_is_checked_signed_kept_and_told() {
    let mut account = account();
    let event = finished("invite", same);
    let (status, body) = response(account.ask(invite(event.clone(), HUB, "I.1")));
    assert_eq!(status, 200, "{body}");
    let body = content(&body);
    let (signed, again) = (body.root().member("event").unwrap(), body.root().member("pdu").unwrap());
    assert_eq!(signed.bytes(), again.bytes());
    let text = |value: Option<crate::json::Value<'_>>| value.and_then(|value| value.as_str()).unwrap().into_owned();
    let ours = signed.member("signatures").and_then(|all| all.member("us.example")?.member("ed25519:1"));
    let signature = Signature::parse(&text(ours)).unwrap();
    let pdu = UnverifiedPdu::parse(event, rules(&RoomVersionId::parse("I.1").unwrap()).unwrap()).unwrap();
    let key = PreparedKey::prepare(&signing_key("us.example").public()).unwrap();
    assert_eq!(crate::crypto::verify(&key, &signing_input(pdu.event()), &signature), Ok(()));
    let told = Notification::Invited { user: user(BOB), room_id: room(), sender: user("@ann:part.example") };
    assert_eq!(account.told, [told]);

    let mut account = reopened(account);
    let Answer::Invites(invites) = own(&mut account, OwnCall::Invites) else { panic!() };
    assert_eq!(invites.len(), 1);
    assert_eq!((invites[0].hub.as_str(), invites[0].stripped.len()), (HUB, 1));
    assert_eq!(invites[0].event.bytes(), signed.bytes());
}

#[test]
fn an_invite_may_still_be_an_lpdu() {
    let lpdu = lpdu(&room(), "@ann:part.example", HUB, "m.room.member", Some(BOB), r#"{"membership":"invite"}"#, 5);
    let event = content(core::str::from_utf8(lpdu.bytes()).unwrap());
    assert_eq!(response(account().ask(invite(event, HUB, "I.1"))).0, 200);
}

#[test]
fn invites_that_are_not_right_are_refused() {
    let altered = |from: &'static str, to: &'static str| finished("invite", move |text| text.replacen(from, to, 1));
    let table = [
        ("from another server", finished("invite", same), PART, "I.1", 403, ErrorCode::Forbidden),
        ("unknown version", finished("invite", same), HUB, "9.9", 400, ErrorCode::IncompatibleRoomVersion),
        ("a version that is not linear", finished("invite", same), HUB, "11", 400, ErrorCode::IncompatibleRoomVersion),
        ("no invite", finished("join", same), HUB, "I.1", 400, ErrorCode::BadJson),
        ("another user's", altered("@bob", "@bot"), HUB, "I.1", 400, ErrorCode::BadJson),
        ("no member event", altered("m.room.member", "m.room.names"), HUB, "I.1", 400, ErrorCode::BadJson),
        ("malformed", altered("\"room_id\"", "\"room\""), HUB, "I.1", 400, ErrorCode::BadJson),
        ("forged", altered("1700000000000", "1700000000001"), HUB, "I.1", 403, ErrorCode::Forbidden),
        (
            "content changed",
            altered(r#"{"membership""#, r#"{"is_direct":true,"membership""#),
            HUB,
            "I.1",
            403,
            ErrorCode::Forbidden,
        ),
    ];
    for (name, event, origin, version, status, code) in table {
        let mut account = account();
        let Answer::Response(found) = account.ask(invite(event, origin, version)) else { panic!() };
        let found = (found.status, crate::server::Failure::from_response(&found).code);
        assert_eq!(found, (status, code), "{name}");
        assert_eq!((account.commits, account.told.len()), (0, 0), "{name}");
    }
}

#[test]
fn the_answer_to_an_invite_leaves_when_it_is_durable() {
    let mut account = account();
    account.hold_commits = true;
    let ticket = account.begin(invite(finished("invite", same), HUB, "I.1"));
    assert!(account.answer(ticket).is_none() && account.told.is_empty());
    account.commit();
    assert!(account.answer(ticket).is_some() && account.told.len() == 1);
}

#[test]
fn a_platforms_key_signs_invites_too() {
    let key = signing_key("us.example");
    let signer = Signer::Platform(key.public());
    let id = crate::id::KeyId::parse("ed25519:1").unwrap();
    let machine = AccountMachine::new(Identity::new(server("us.example"), id, signer, vec![]), user(BOB), Ticket(1));
    let mut account = Driver::new(machine, MemoryStore::new(), vec![keys_of(PART)]);
    account.hold_signatures = true;
    let ticket = account.begin(invite(finished("invite", same), HUB, "I.1"));
    account.sign(vec![]);
    assert_eq!(response(account.answer(ticket).unwrap()).0, 500);
    account.hold_signatures = false;
    account.platform = Some(key);
    let signed = response(account.ask(invite(finished("invite", same), HUB, "I.1")));
    assert_eq!(signed, response(self::account().ask(invite(finished("invite", same), HUB, "I.1"))));
}

fn end(event: Document, origin: &str) -> Call {
    Call::Account(AccountCall::EndInvite { origin: server(origin), keys: keys_of(origin), event })
}

#[test]
fn an_open_invite_is_ended_from_where_it_came_and_no_other() {
    let mut account = account();
    let is_taken = |answer: Answer| match answer {
        Answer::Outcomes(outcomes) => outcomes[0].failure.is_none(),
        other => panic!("{other:?}"),
    };
    assert!(!is_taken(account.ask(end(finished("leave", same), HUB))), "nothing is open");
    account.ask(invite(finished("invite", same), HUB, "I.1"));
    assert!(!is_taken(account.ask(end(finished("leave", same), PART))));
    assert!(!is_taken(account.ask(end(finished("invite", same), HUB))));
    let forged = finished("leave", |text| text.replacen("1700000000000", "1700000000001", 1));
    assert!(!is_taken(account.ask(end(forged, HUB))));
    assert!(is_taken(account.ask(end(finished("leave", same), HUB))));
    assert!(matches!(account.told.last(), Some(Notification::InviteEnded { .. })));
    assert_eq!(own(&mut reopened(account), OwnCall::Invites), Answer::Invites(vec![]));

    let mut knocking = self::account();
    let knock = AccountCall::Membership { room_id: room(), membership: Membership::Knock, hub: Some(server(HUB)) };
    knocking.ask(Call::Account(knock));
    let mut knocking = reopened(knocking);
    assert!(is_taken(knocking.ask(end(finished("ban", same), HUB))), "a knock is ended in the same way");
}

#[test]
fn joining_and_leaving_settle_what_was_open() {
    let mut account = account();
    account.ask(invite(finished("invite", same), HUB, "I.1"));
    let set =
        |membership| Call::Account(AccountCall::Membership { room_id: room(), membership, hub: Some(server(HUB)) });
    account.ask(set(Membership::Join));
    let mut account = reopened(account);
    assert_eq!(own(&mut account, OwnCall::Invites), Answer::Invites(vec![]));
    assert_eq!(own(&mut account, OwnCall::Rooms), Answer::Rooms(vec![(room(), Membership::Join)]));
    account.ask(set(Membership::Invite));
    assert_eq!(own(&mut account, OwnCall::Rooms), Answer::Rooms(vec![(room(), Membership::Invite)]));
    account.ask(set(Membership::Ban));
    assert_eq!(own(&mut reopened(account), OwnCall::Rooms), Answer::Rooms(vec![]));
}

fn device_object(id: &str) -> Document {
    let key = crate::id::base64::encode(&signing_key(id).public());
    let object = content(&format!(
        r#"{{"algorithms":["a"],"device_id":"{id}","keys":{{"ed25519:{id}":"{key}","m.mls.v1.credential.ed25519:{id}":"opaque"}},"user_id":"{BOB}"}}"#
    ));
    add_signature(&object, BOB, &format!("ed25519:{id}"), &signing_key(id)).unwrap()
}

#[test]
fn devices_are_listed_and_their_objects_are_signed() {
    let mut account = account();
    assert_eq!(response(account.ask(Call::Account(AccountCall::Devices))).0, 404);
    assert_eq!(own(&mut account, OwnCall::PutDevice(device_object("D1"))), Answer::Done);
    assert_eq!(own(&mut account, OwnCall::PutDevice(device_object("D2"))), Answer::Done);
    let forged = content(&device_object("D1").text().replace("opaque", "other"));
    assert_eq!(response(own(&mut account, OwnCall::PutDevice(forged))).0, 400);
    let others = content(&device_object("D1").text().replace("@bob", "@eve"));
    assert_eq!(response(own(&mut account, OwnCall::PutDevice(others))).0, 400);
    let mut account = reopened(account);
    let (one, two) = (device_object("D1"), device_object("D2"));
    let list = format!(
        r#"{{"devices":[{{"device_id":"D1","keys":{}}},{{"device_id":"D2","keys":{}}}],"stream_id":2,"user_id":"{BOB}"}}"#,
        one.text(),
        two.text()
    );
    assert_eq!(response(account.ask(Call::Account(AccountCall::Devices))), (200, list));
    assert_eq!(response(account.ask(Call::Account(AccountCall::Device(device("D1"))))), (200, one.text().into()));
    assert_eq!(response(account.ask(Call::Account(AccountCall::Device(device("D3"))))).0, 404);
    let query = |wanted: &[&str]| Call::Account(AccountCall::QueryKeys(wanted.iter().map(|id| device(id)).collect()));
    assert_eq!(account.ask(query(&["D2", "D3"])), Answer::Object(content(&format!(r#"{{"D2":{}}}"#, two.text()))));
    let Answer::Object(all) = account.ask(query(&[])) else { panic!() };
    assert_eq!(all.root().len(), 2);
}

const PACKAGE: &str = "m.mls.v1.key_package.dhkemx25519-aes128gcm-sha256-ed25519";

#[test]
fn a_one_time_key_is_given_out_once_and_one_of_last_resort_again_and_again() {
    let mut account = account();
    let add = |name: &str, key: &str, last_resort| OwnCall::AddKeys {
        device: device("D1"),
        keys: vec![(name.into(), content(key))],
        last_resort,
    };
    assert_eq!(response(own(&mut account, add("olm:A", r#"{"key":1}"#, false))).0, 404, "no such device");
    own(&mut account, OwnCall::PutDevice(device_object("D1")));
    own(&mut account, add("olm:A", r#"{"key":1}"#, false));
    own(&mut account, add("olm:B", r#"{"key":2}"#, false));
    own(&mut account, add(PACKAGE, r#""first""#, false));
    own(&mut account, add(PACKAGE, r#""last""#, true));
    let claim = |algorithm: &str| {
        Call::Account(AccountCall::ClaimKeys(vec![(device("D1"), algorithm.into()), (device("D9"), algorithm.into())]))
    };
    let mut claims = Vec::new();
    for algorithm in ["olm", "olm", "olm", PACKAGE, PACKAGE, PACKAGE] {
        let Answer::Object(found) = account.ask(claim(algorithm)) else { panic!() };
        claims.push(String::from(found.text()));
        account = reopened(account);
    }
    let package = |key: &str| format!(r#"{{"D1":{{"{PACKAGE}":"{key}"}}}}"#);
    let expected = [
        r#"{"D1":{"olm:A":{"key":1}}}"#.into(),
        r#"{"D1":{"olm:B":{"key":2}}}"#.into(),
        "{}".into(),
        package("first"),
        package("last"),
        package("last"),
    ];
    assert_eq!(claims, expected);
}

#[test]
fn a_claimed_key_is_gone_before_it_is_told() {
    let mut account = account();
    own(&mut account, OwnCall::PutDevice(device_object("D1")));
    let keys = vec![("olm:A".into(), content("1")), ("olm:B".into(), content("2"))];
    own(&mut account, OwnCall::AddKeys { device: device("D1"), keys, last_resort: false });
    account.hold_commits = true;
    let claim = || Call::Account(AccountCall::ClaimKeys(vec![(device("D1"), "olm".into())]));
    let (first, second) = (account.begin(claim()), account.begin(claim()));
    assert!(account.answer(first).is_none() && account.answer(second).is_none() && account.told.is_empty());
    account.commit();
    account.commit();
    let (first, second) = (account.answer(first).unwrap(), account.answer(second).unwrap());
    assert_eq!(first, Answer::Object(content(r#"{"D1":{"olm:A":1}}"#)));
    assert_eq!(second, Answer::Object(content(r#"{"D1":{"olm:B":2}}"#)));
    assert!(matches!(account.told.last(), Some(Notification::KeysClaimed { left: 0, .. })));
}

#[test]
fn messages_wait_for_the_device_until_it_has_read_beyond_them() {
    let mut account = account();
    for id in ["D1", "D2"] {
        own(&mut account, OwnCall::PutDevice(device_object(id)));
    }
    let message = |n: u64| content(&format!(r#"{{"n":{n}}}"#));
    let to =
        |device: Option<DeviceId>, n| Call::Account(AccountCall::ToDevice { messages: vec![(device, message(n))] });
    account.ask(to(Some(device("D1")), 1));
    account.ask(to(None, 2));
    account.ask(to(Some(device("D9")), 3));
    assert_eq!(account.told.len(), 2, "a message to no device is no message");
    let mut account = reopened(account);
    account.ask(to(Some(device("D1")), 4));
    let read = |account: &mut Account, id: &str, after, limit| {
        let call = OwnCall::Messages { device: device(id), after, limit };
        let Answer::Messages(messages) = own(account, call) else { panic!() };
        messages.into_iter().map(|(number, text)| (number, String::from(text.text()))).collect::<Vec<_>>()
    };
    let first = read(&mut account, "D1", 0, 2);
    let texts = |messages: &[(u64, String)]| messages.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&first), [r#"{"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(read(&mut account, "D1", 0, 2), first, "until it says that it has them");
    let rest = read(&mut account, "D1", first[1].0, 9);
    assert_eq!(texts(&rest), [r#"{"n":4}"#]);
    assert_eq!(texts(&read(&mut account, "D1", 0, 9)), [r#"{"n":4}"#], "the others are forgotten");
    assert_eq!(texts(&read(&mut account, "D2", 0, 9)), [r#"{"n":2}"#]);
    own(&mut account, OwnCall::RemoveDevice(device("D2")));
    own(&mut account, OwnCall::PutDevice(device_object("D2")));
    assert!(read(&mut account, "D2", 0, 9).is_empty());
}

#[test]
fn profiles_and_aliases_are_read_back() {
    let mut account = account();
    let profile = |field| Call::Account(AccountCall::Profile(field));
    assert_eq!(response(account.ask(profile(None))).0, 404);
    own(&mut account, OwnCall::SetProfile(ProfileField::DisplayName, Some("Bob".into())));
    own(&mut account, OwnCall::SetProfile(ProfileField::AvatarUrl, Some("mxc://a".into())));
    let alias = || String::from("#r:us.example");
    own(&mut account, OwnCall::SetAlias { alias: alias(), room: Some((room(), vec![server(HUB), server(PART)])) });
    let mut account = reopened(account);
    assert_eq!(response(account.ask(profile(None))).1, r#"{"avatar_url":"mxc://a","displayname":"Bob"}"#);
    let name = Some(ProfileField::DisplayName);
    assert_eq!(response(account.ask(profile(name))).1, r#"{"displayname":"Bob"}"#);
    own(&mut account, OwnCall::SetProfile(ProfileField::DisplayName, None));
    assert_eq!(response(account.ask(profile(name))).1, "{}");
    let resolve = || Call::Account(AccountCall::ResolveAlias(alias()));
    assert_eq!(
        response(account.ask(resolve())).1,
        r#"{"room_id":"!r:hub.example","servers":["hub.example","part.example"]}"#
    );
    own(&mut account, OwnCall::SetAlias { alias: alias(), room: None });
    assert_eq!(response(reopened(account).ask(resolve())).0, 404);
    assert_eq!(directory(&server("us.example")), Some(user("@_directory:us.example")));
}

#[test]
fn keys_that_cannot_be_had_leave_the_hubs_signature() {
    let machine = AccountMachine::new(identity("us.example"), user(BOB), Ticket(1));
    let mut alone = Driver::new(machine, MemoryStore::new(), Vec::<ServerKeys>::new());
    let (status, _) = response(alone.ask(invite(finished("invite", same), HUB, "I.1")));
    assert_eq!(status, 200, "the sender's key is missing, the hub's is not");
}

#[test]
fn messages_that_nobody_reads_do_not_fill_the_store() {
    for (length, count) in [(10, 10_500), (60_000, 800)] {
        let mut account = account();
        own(&mut account, OwnCall::PutDevice(device_object("D1")));
        own(&mut account, OwnCall::PutDevice(device_object("D2")));
        let text = "x".repeat(length);
        let messages = |device: &str, numbers: core::ops::Range<u32>| {
            let message = |n| content(&format!(r#"{{"content":{{"n":{n},"text":"{text}"}},"type":"t"}}"#));
            let messages = numbers.map(|n| (Some(self::device(device)), message(n))).collect();
            Call::Account(AccountCall::ToDevice { messages })
        };
        account.ask(messages("D2", 0..1));
        for from in (0..count).step_by(100) {
            account.ask(messages("D1", from..from + 100));
        }
        let stored = account.store.read(&crate::store::Query::prefix(crate::store::Table::Account, *b"m", u32::MAX));
        let bytes: usize = stored.iter().map(|row| row.value.len()).sum();
        assert!(stored.len() <= 10_000 && bytes <= 41_000_000, "{} with {bytes} bytes", stored.len());
        assert!(stored.len() + 10 >= 10_000.min(10_000 / (length / 4_096 + 1)), "no more is lost: {}", stored.len());
        let read = |account: &mut Account, device: &str| {
            let call = OwnCall::Messages { device: self::device(device), after: 0, limit: u32::MAX };
            match own(account, call) {
                Answer::Messages(messages) => messages,
                other => panic!("{other:?}"),
            }
        };
        assert!(read(&mut account, "D2").is_empty(), "the oldest goes first");
        let mut account = reopened(account);
        let last = read(&mut account, "D1").pop().unwrap().1;
        assert!(last.text().contains(&format!(r#""n":{},"#, count - 1)));
    }
}

#[test]
fn rooms_that_have_not_heard_of_a_new_name_hear_after_a_restart() {
    let mut account = account();
    let rooms = ["!a:hub.example", "!b:hub.example"].map(|id| RoomId::parse(id).unwrap());
    for room in &rooms {
        let (room_id, hub) = (room.clone(), Some(server(HUB)));
        account.ask(Call::Account(AccountCall::Membership { room_id, membership: Membership::Join, hub }));
    }
    let name = |name: &str| OwnCall::SetProfile(ProfileField::DisplayName, Some(name.into()));
    let told = |account: &Account| {
        let told = account.asked.iter().map(|(_, to, call)| match call {
            Call::Room(crate::server::RoomCall::SendEvent { content, .. }) => {
                (format!("{to}"), String::from(content.text()))
            }
            other => panic!("{other:?}"),
        });
        told.collect::<Vec<_>>()
    };
    let is = |room: &str, name: &str| {
        vec![(format!("room:{room}:hub.example"), format!(r#"{{"displayname":"{name}","membership":"join"}}"#))]
    };
    account.hold_commits = true;
    let ticket = account.begin(Call::Account(AccountCall::Own(name("Bob"))));
    assert!(told(&account).is_empty(), "not before it is durable");
    account.commit();
    account.hold_commits = false;
    assert_eq!(account.answer(ticket), Some(Answer::Done));
    assert_eq!(told(&account), is("!a", "Bob"), "one at a time");
    // A change on the way is told as well, and a room that was gone is told at the next occasion.
    own(&mut account, name("Rob"));
    account.reply(Answer::Accepted(crate::id::EventId::from_hash([1; 32])));
    assert_eq!(told(&account), is("!a", "Rob"));
    account.reply(Answer::Unavailable);
    assert!(told(&account).is_empty());
    let mut account = reopened(account);
    own(&mut account, OwnCall::Rooms);
    assert_eq!(told(&account), is("!a", "Rob"));
    account.reply(Answer::Accepted(crate::id::EventId::from_hash([1; 32])));
    assert_eq!(told(&account), is("!b", "Rob"));
    account.reply(Answer::Refused(crate::server::Failure::of(ErrorCode::Forbidden, "no")));
    assert!(told(&account).is_empty());
    let mut account = reopened(account);
    own(&mut account, name("Rob"));
    assert!(told(&account).is_empty() && crate::server::Machine::is_idle(&account.machine));
}

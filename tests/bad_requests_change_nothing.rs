//! Bad requests over the whole way, from the request as it stands on the wire to the rows of every store: each gets its status and error code, nothing is
//! appended, and nothing is lost (spec, section 6). What each part refuses in detail is tested beside it.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::BTreeMap;

use hublet::{
    event::LINEARIZED_02,
    id::KeyId,
    server::{Request, paths::PFX, x_matrix},
    testing::{lpdu, server, signed_request},
};
use serde_json::{Value, json};

#[path = "support/world.rs"]
mod world;

use world::{ANN, EVENT, HAL, HUB, OTHER, PART, PRIVATE, ROOM, THIRD, TS, World, assert_kept, body, old_key, room};

const V1: &str = "/_matrix/federation/v1";

/// A request refused as a whole.
type Refused = (&'static str, Request, u16, &'static str);

#[track_caller]
fn check_refused(world: &World, to: &str, table: Vec<Refused>) {
    for (name, request, status, code) in table {
        let (response, before, after) = world.ask(to, request);
        let body = body(&response);
        assert_eq!((response.status, body["errcode"].as_str()), (status, Some(code)), "{name}: {body}");
        assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{name}: {body}");
        assert_kept(&before, &after, name);
    }
}

fn signed(method: &str, target: &str, body: &str) -> Request {
    signed_request(PART, HUB, method, target, body.as_bytes())
}

fn get(path: &str) -> Request {
    signed("GET", &format!("{V1}/{path}"), "")
}

fn profile() -> Request {
    get("query/profile?user_id=@hal:hub.example")
}

#[test]
fn spec_6_authentication() {
    let world = World::new();
    let with = |from: &str, to: &str| {
        let mut request = profile();
        assert!(request.headers[0].1.contains(from), "{from}");
        request.headers[0].1 = request.headers[0].1.replace(from, to);
        request
    };
    let headers = |values: &[&str]| Request {
        headers: values.iter().map(|value| ("Authorization".to_owned(), (*value).to_owned())).collect(),
        ..profile()
    };
    let good = profile().headers.remove(0).1;
    let bare = good.strip_prefix("X-Matrix ").unwrap();
    let stale = {
        let mut request = profile();
        let (key, name) = (KeyId::parse("ed25519:0").unwrap(), server(PART));
        let input = x_matrix::signing_input(&request.method, &request.target, &name, &server(HUB), None);
        request.headers[0].1 = x_matrix::header(&name, &server(HUB), &key, &old_key().sign(&input));
        request
    };
    let other_destination = signed_request(PART, THIRD, "GET", &profile().target, b"");
    let ours = signed_request(HUB, HUB, "GET", &profile().target, b"");
    let refused = |name, request| (name, request, 401, "M_FORBIDDEN");
    check_refused(
        &world,
        HUB,
        vec![
            refused("no header", headers(&[])),
            refused("another scheme", headers(&["Bearer abc"])),
            refused("no parameters", headers(&["X-Matrix"])),
            refused("no origin", with("origin=\"part.example\",", "")),
            refused("no destination", with("destination=\"hub.example\",", "")),
            refused("no key", with("key=\"ed25519:1\",", "")),
            refused("no signature", headers(&[good.split(",sig=").next().unwrap()])),
            refused(
                "an empty signature",
                headers(&[&format!("{}\"", good.split("sig=\"").next().unwrap().to_owned() + "sig=\"")]),
            ),
            refused("a parameter twice", headers(&[&format!("{good},origin=\"part.example\"")])),
            refused("an open quote", headers(&[good.strip_suffix('"').unwrap()])),
            refused("a backslash at the end", headers(&[&format!("{good},x=\"\\")])),
            refused("semicolons", headers(&[&good.replace(',', ";")])),
            refused("two credentials in one header", headers(&[&format!("{good}, {good}")])),
            refused("for another server", other_destination),
            refused(
                "for another server, signed for us",
                with("destination=\"hub.example\"", "destination=\"third.example\""),
            ),
            refused("in our own name", ours),
            refused("in the name of an IP address", with("origin=\"part.example\"", "origin=\"127.0.0.1\"")),
            refused("in another server's name", with("origin=\"part.example\"", "origin=\"third.example\"")),
            refused(
                "in the name of a server that does not answer",
                with("origin=\"part.example\"", "origin=\"far.example\""),
            ),
            refused("in a spelling of its own", with("origin=\"part.example\"", "origin=\"PART.example\"")),
            refused("an unknown key", with("ed25519:1", "ed25519:2")),
            refused("another algorithm", with("ed25519:1", "rsa:1")),
            refused("a key that no longer signs", stale),
            refused("a second header that is malformed", headers(&[&good, "X-Matrix origin"])),
            refused("a first header that is malformed", headers(&["X-Matrix origin", &good])),
            refused("a second header of an unknown key", headers(&[&good, &good.replace("ed25519:1", "ed25519:2")])),
            refused(
                "a second header of another server",
                headers(&[&good, &good.replace("part.example", "third.example")]),
            ),
            refused("more headers than anybody needs", headers(&[good.as_str(); 5])),
            refused(
                "another method's signature",
                Request { method: http::Method::GET, ..signed("POST", &profile().target, "") },
            ),
            refused("another target's signature", Request { target: format!("{}&x", profile().target), ..profile() }),
            refused(
                "another spelling of the target",
                Request { target: profile().target.replace('@', "%40"), ..profile() },
            ),
            refused("a body that was not signed", Request { body: b"{\"a\":1}".to_vec(), ..profile() }),
            refused(
                "a signed body left out",
                Request { body: Vec::new(), ..signed("GET", &profile().target, "{\"a\":1}") },
            ),
        ],
    );
    let accepted = [
        ("as we write it", profile()),
        ("twice", headers(&[&good, &good])),
        ("among others", headers(&["Bearer abc", &good, "Basic x"])),
        ("unknown parameters", headers(&[&format!("X-Matrix later=\"a,b\\\"c\",{bare},more=1")])),
        ("tokens", headers(&[&good.replace('"', "")])),
        ("escapes", headers(&[&good.replace("part", "\\p\\a\\r\\t")])),
        (
            "spaces and case",
            headers(&[&format!("x-mAtRiX   {} ", bare.replace(',', " ,\t").replace("origin=", "ORIGIN = "))]),
        ),
        ("an empty object signed beside no body", {
            let mut request = profile();
            request.headers = signed("GET", &profile().target, "{}").headers;
            request
        }),
    ];
    for (name, request) in accepted {
        let (response, before, after) = world.ask(HUB, request);
        assert_eq!(response.status, 200, "{name}: {}", body(&response));
        assert_kept(&before, &after, name);
    }
}

#[test]
fn spec_6_methods_and_targets() {
    let world = World::new();
    let unknown = |name, target: &str| (name, signed("GET", target, ""), 404, "M_UNRECOGNIZED");
    let parameter = |name, path: &str| (name, get(path), 400, "M_INVALID_PARAM");
    let state = format!("{V1}/state/{ROOM}?event_id={}", world.said);
    check_refused(
        &world,
        HUB,
        vec![
            unknown("nothing", ""),
            unknown("the root", "/"),
            unknown("an unknown path", "/_matrix/federation/v1/nothing"),
            unknown("a version that we do not serve", &state.replace("/v1/", "/v9/")),
            unknown("a trailing slash", &state.replace('?', "/?")),
            unknown("a second slash", &state.replace("/state/", "//state/")),
            unknown("a parameter left out", &state.replace(ROOM, "")),
            unknown("a parameter too many", &state.replace('?', "/x?")),
            unknown("another case", &state.replace("/state/", "/State/")),
            unknown("a path with an escape", &state.replace("/state/", "/st%61te/")),
            unknown("dots", &state.replace("/state/", "/state/../state/")),
            unknown("a whole URL", &format!("https://hub.example{state}")),
            unknown("white space before", &format!(" {state}")),
            ("the wrong method", signed("POST", &state, "{}"), 405, "M_UNRECOGNIZED"),
            ("a method of its own", signed("BREW", &state, ""), 405, "M_UNRECOGNIZED"),
            ("HEAD", signed("HEAD", &state, ""), 405, "M_UNRECOGNIZED"),
            (
                "a wrong method without a header",
                Request { headers: vec![], ..signed("DELETE", &state, "") },
                405,
                "M_UNRECOGNIZED",
            ),
            ("GET of a transaction", signed("GET", &format!("{PFX}/send/t"), ""), 405, "M_UNRECOGNIZED"),
            parameter("no event", &format!("state/{ROOM}")),
            parameter("an empty event", &format!("state/{ROOM}?event_id=")),
            parameter("a broken escape", &format!("state/%2?event_id={EVENT}")),
            parameter("an escape that is no UTF-8", &format!("state/%ff?event_id={EVENT}")),
            parameter("an escaped zero", &format!("state/{ROOM}%00?event_id={EVENT}")),
            parameter("an escaped slash", &format!("state/{ROOM}%2F?event_id={EVENT}")),
            parameter("a doubly escaped room", &format!("state/%2521room:hub.example?event_id={EVENT}")),
            parameter("a plus that is no space", &format!("state/+{ROOM}?event_id={EVENT}")),
            parameter("a fragment", &format!("state/{ROOM}?event_id={EVENT}%23x")),
            parameter(
                "a number beyond its range",
                &format!("backfill/{ROOM}?v={EVENT}&limit=-1").replace("backfill", "state"),
            ),
            parameter("a user without a server", &format!("make_join/{ROOM}/ann?ver=I.1")),
            (
                "a transaction ID that is too long",
                signed("PUT", &format!("{PFX}/send/{}", "t".repeat(256)), "{\"pdus\":[]}"),
                400,
                "M_INVALID_PARAM",
            ),
            (
                "a limit that is no number",
                signed("GET", &format!("{PFX}/backfill/{ROOM}?v={EVENT}&limit=1e2"), ""),
                400,
                "M_INVALID_PARAM",
            ),
        ],
    );
}

#[test]
fn spec_6_bodies_that_are_no_json() {
    let world = World::new();
    let target = format!("{PFX}/send/t");
    let send = |text: &str| signed("PUT", &target, text);
    let raw = |bytes: &[u8]| signed_request(PART, HUB, "PUT", &target, bytes);
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let pdu = |value: &str| send(&format!(r#"{{"pdus":[{{"room_id":"{ROOM}","content":{{"a":{value}}}}}]}}"#));
    let no_json = |name, request| (name, request, 400, "M_NOT_JSON");
    check_refused(
        &world,
        HUB,
        vec![
            no_json("nothing", send("")),
            no_json("half an object", send("{\"pdus\":[")),
            no_json("two objects", send("{\"pdus\":[]}{}")),
            no_json("a comma too many", send("{\"pdus\":[],}")),
            no_json("a byte order mark", send("\u{feff}{\"pdus\":[]}")),
            no_json("bad UTF-8", raw(b"{\"pdus\":[{\"a\":\"\xff\"}]}")),
            no_json("an encoded surrogate", raw(b"{\"pdus\":[{\"a\":\"\xed\xa0\x80\"}]}")),
            no_json("a lone surrogate", pdu(r#""\ud800""#)),
            no_json("a lone surrogate in a key", pdu(r#"{"\udc00":1}"#)),
            no_json("a duplicate key", pdu(r#"{"k":1,"k":1}"#)),
            no_json("a duplicate key, once escaped", pdu(r#"{"k":1,"\u006b":2}"#)),
            no_json("a number beyond f64", pdu("1e400")),
            no_json("a number with a leading zero", pdu("01")),
            no_json("no number", pdu("NaN")),
            no_json("a control character", pdu("\"\u{1}\"")),
            no_json("too deep by one", pdu(&nested(517))),
            no_json("100,000 brackets", pdu(&nested(100_000))),
            no_json("100,000 open brackets", send(&"[".repeat(100_000))),
            no_json("100,000 open objects", send(&"{\"a\":".repeat(100_000))),
            ("too large", send(&format!("{{\"pdus\":[]}}{}", " ".repeat(4 << 20))), 413, "M_TOO_LARGE"),
        ],
    );
}

/// What a member of a body must be.
#[derive(Clone, Copy, PartialEq)]
enum Must {
    Object,
    Array,
    Text,
    Number,
    /// Text, where it is there.
    MaybeText,
    /// An array, where it is there.
    MaybeArray,
}

/// Method and target, a body that is right, and its members.
type Body<'a> = (&'a str, String, Value, &'a [(&'a str, Must)]);

/// Every way to leave out or mistype a member.
fn mistyped(base: &Value, pointer: &str, must: Must) -> Vec<(String, Value)> {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut cases = Vec::new();
    if !matches!(must, Must::MaybeText | Must::MaybeArray) {
        let mut body = base.clone();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        cases.push((format!("{pointer} left out"), body));
    }
    for value in [json!(null), json!(true), json!(1), json!("\u{0}"), json!([1]), json!({"x": 1})] {
        let is_right = (must == Must::Object && value.is_object()) || (must == Must::Number && value.is_number());
        if !is_right {
            let mut body = base.clone();
            body.pointer_mut(parent).unwrap()[key] = value.clone();
            cases.push((format!("{pointer}: {value}"), body));
        }
    }
    cases
}

#[test]
fn spec_6_bodies_with_a_field_missing_or_mistyped() {
    use Must::{Array, MaybeArray, MaybeText, Number, Object, Text};
    let world = World::new();
    let bob = "@bob:part.example";
    let member = |membership: &str| {
        let content = json!({"membership": membership}).to_string();
        serde_json::from_slice::<Value>(lpdu(&room(ROOM), bob, HUB, "m.room.member", Some(bob), &content, TS).bytes())
            .unwrap()
    };
    let event = [
        ("/room_id", Text),
        ("/sender", Text),
        ("/state_key", Text),
        ("/hub_server", Text),
        ("/type", Text),
        ("/content", Object),
        ("/content/membership", Text),
        ("/origin_server_ts", Number),
        ("/hashes", Object),
        ("/hashes/lpdu", Object),
        ("/hashes/lpdu/sha256", Text),
        ("/signatures", Object),
    ];
    let invite = json!({
        "event": serde_json::from_slice::<Value>(
            lpdu(&room(ROOM), ANN, HUB, "m.room.member", Some(bob), r#"{"membership":"invite"}"#, TS).bytes()
        ).unwrap(),
        "invite_room_state": [],
        "room_version": LINEARIZED_02.id,
    });
    let endpoints: [Body<'_>; 8] = [
        ("PUT", format!("{PFX}/send/t"), json!({"pdus": [], "edus": []}), &[("/pdus", Array), ("/edus", MaybeArray)]),
        ("POST", format!("{PFX}/send_join/t"), member("join"), &event),
        ("POST", format!("{PFX}/send_leave/t"), member("leave"), &event),
        ("POST", format!("{PFX}/send_knock/t"), member("knock"), &event),
        (
            "POST",
            format!("{PFX}/invite/t"),
            invite,
            &[
                ("/event", Object),
                ("/room_version", Text),
                ("/invite_room_state", MaybeArray),
                ("/event/room_id", Text),
                ("/event/sender", Text),
                ("/event/state_key", Text),
                ("/event/content/membership", Text),
                ("/event/hashes", Object),
            ],
        ),
        (
            "POST",
            format!("{V1}/user/keys/claim"),
            json!({"one_time_keys": {HAL: {"D": "a"}}}),
            &[("/one_time_keys", Object), ("/one_time_keys/@hal:hub.example/D", MaybeText)],
        ),
        (
            "POST",
            format!("{V1}/user/keys/query"),
            json!({"device_keys": {HAL: []}}),
            &[("/device_keys", Object), ("/device_keys/@hal:hub.example", MaybeArray)],
        ),
        ("POST", "/_matrix/key/v2/query".to_owned(), json!({"server_keys": {HUB: {}}}), &[("/server_keys", Object)]),
    ];
    let mut count = 0;
    for (method, target, base, fields) in endpoints {
        for (name, body) in fields.iter().flat_map(|(pointer, must)| mistyped(&base, pointer, *must)) {
            // Text that is right by its type and wrong by its meaning is for other rungs.
            let is_text = name.ends_with(r#""\u0000""#);
            if is_text && ["/sha256", "/type", "/D"].iter().any(|key| name.contains(key)) {
                continue;
            }
            let (response, before, after) = world.ask(HUB, signed(method, &target, &body.to_string()));
            let answer = self::body(&response);
            assert_eq!(
                (response.status, answer["errcode"].as_str()),
                (400, Some("M_BAD_JSON")),
                "{target} {name}: {answer}"
            );
            let field = name.split([' ', ':']).next().unwrap().rsplit('/').next().unwrap();
            assert!(answer["error"].as_str().unwrap().contains(field), "{target} {name}: {answer}");
            assert_kept(&before, &after, &format!("{target} {name}"));
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn spec_6_limits_of_a_transaction() {
    let world = World::new();
    let target = format!("{PFX}/send/t");
    let many = |count: usize| vec!["{}"; count].join(",");
    let bad = |name, body: &str| (name, signed("PUT", &target, body), 400, "M_BAD_JSON");
    check_refused(
        &world,
        HUB,
        vec![
            bad("51 PDUs", &format!(r#"{{"pdus":[{}]}}"#, many(51))),
            bad("101 EDUs", &format!(r#"{{"pdus":[],"edus":[{}]}}"#, many(101))),
            bad("a PDU that is no object", r#"{"pdus":[[]]}"#),
            bad("an EDU that is no object", r#"{"pdus":[],"edus":[1]}"#),
            bad("an array", "[]"),
            bad("text", "\"pdus\""),
        ],
    );
    // At the limits all are looked at, and none is worth anything.
    let (response, before, after) =
        world.ask(HUB, signed("PUT", &target, &format!(r#"{{"pdus":[{}],"edus":[{}]}}"#, many(50), many(100))));
    assert_eq!((response.status, body(&response)["failed_pdus"].as_object().unwrap().len()), (200, 1));
    assert_kept(&before, &after, "rows");
}

#[test]
fn spec_6_refusals_about_a_room_stand_in_order() {
    let world = World::new();
    let said = world.said;
    let unknown = "!unknown:hub.example";
    let outside =
        |method: &str, target: &str, body: &str| signed_request("out.example", HUB, method, target, body.as_bytes());
    let mut out = World::new();
    // The outsider's keys can be had.
    out.stores.insert(server("out.example"), BTreeMap::new());
    let reads = |room: &str| {
        [
            format!("{V1}/state/{room}?event_id={said}"),
            format!("{V1}/state_ids/{room}?event_id={said}"),
            format!("{V1}/event_auth/{room}/{said}"),
            format!("{PFX}/backfill/{room}?v={said}&limit=5"),
            format!("{PFX}/event/{said}"),
        ]
    };
    let eve = "@eve:out.example";
    let join = |room_id: &str, membership: &str| {
        let content = json!({"membership": membership}).to_string();
        let event = lpdu(&room(room_id), eve, HUB, "m.room.member", Some(eve), &content, TS);
        String::from_utf8(event.bytes().to_vec()).unwrap()
    };
    let mut table = Vec::new();
    for target in reads(unknown).into_iter().take(4) {
        table.push(("a read of an unknown room", signed("GET", &target, ""), 404, "M_NOT_FOUND"));
    }
    for target in reads(ROOM) {
        table.push(("a read by an outsider", outside("GET", &target, ""), 404, "M_NOT_FOUND"));
    }
    for target in reads(OTHER).into_iter().take(4) {
        table.push(("an event of another room", signed("GET", &target, ""), 404, "M_NOT_FOUND"));
    }
    for target in reads(PRIVATE).into_iter().take(4) {
        table.push(("a room without the caller", signed("GET", &target, ""), 404, "M_NOT_FOUND"));
    }
    let make = |what: &str, room: &str, query: &str| format!("{V1}/{what}/{room}/{eve}{query}");
    let version = format!("?ver={}", LINEARIZED_02.id);
    table.extend([
        ("make_join of an unknown room", outside("GET", &make("make_join", unknown, &version), ""), 404, "M_NOT_FOUND"),
        (
            "make_join without versions",
            outside("GET", &make("make_join", ROOM, ""), ""),
            400,
            "M_INCOMPATIBLE_ROOM_VERSION",
        ),
        (
            "make_join with others",
            outside("GET", &make("make_join", ROOM, "?ver=10&ver=11"), ""),
            400,
            "M_INCOMPATIBLE_ROOM_VERSION",
        ),
        ("make_join of a private room", outside("GET", &make("make_join", PRIVATE, &version), ""), 403, "M_FORBIDDEN"),
        ("make_knock where nobody knocks", outside("GET", &make("make_knock", ROOM, &version), ""), 403, "M_FORBIDDEN"),
        ("make_leave of one who is outside", outside("GET", &make("make_leave", ROOM, ""), ""), 403, "M_FORBIDDEN"),
        ("make_join for another's user", signed("GET", &make("make_join", ROOM, &version), ""), 403, "M_FORBIDDEN"),
        (
            "send_join of an unknown room",
            outside("POST", &format!("{PFX}/send_join/t"), &join(unknown, "join")),
            404,
            "M_NOT_FOUND",
        ),
        (
            "send_join of a private room",
            outside("POST", &format!("{PFX}/send_join/t"), &join(PRIVATE, "join")),
            403,
            "M_FORBIDDEN",
        ),
        (
            "send_leave of one who is outside",
            outside("POST", &format!("{PFX}/send_leave/t"), &join(ROOM, "leave")),
            403,
            "M_FORBIDDEN",
        ),
        (
            "send_knock where nobody knocks",
            outside("POST", &format!("{PFX}/send_knock/t"), &join(ROOM, "knock")),
            403,
            "M_FORBIDDEN",
        ),
        (
            "a join to another endpoint",
            outside("POST", &format!("{PFX}/send_leave/t"), &join(ROOM, "join")),
            400,
            "M_BAD_JSON",
        ),
        (
            "a join of another's user",
            signed("POST", &format!("{PFX}/send_join/t"), &join(ROOM, "join")),
            403,
            "M_FORBIDDEN",
        ),
    ]);
    check_refused(&out, HUB, table);
    // Who is not the hub says who is.
    let to_part =
        |method: &str, target: &str, body: &str| signed_request("out.example", PART, method, target, body.as_bytes());
    let misdirected = [
        to_part("GET", &make("make_join", ROOM, &version), ""),
        to_part("POST", &format!("{PFX}/send_join/t"), &join(ROOM, "join")),
    ];
    for request in misdirected {
        let (response, before, after) = out.ask(PART, request);
        let answer = body(&response);
        let said = (response.status, answer["errcode"].as_str(), answer["hub_server"].as_str());
        assert_eq!(said, (400, Some("M_WRONG_SERVER"), Some(HUB)), "{answer}");
        assert_kept(&before, &after, "rows");
    }
}

//! Under an honest hub every participant's log equals the hub's from its join on.

use hublet::{
    room::membership::Membership,
    server::Answer,
    testing::{Net, server},
};

const HUB: &str = "hub.example";
const ANN: &str = "@ann:a.example";
const BOB: &str = "@bob:b.example";
const HAL: &str = "@hal:hub.example";

fn net() -> Net {
    Net::new(&[&server(HUB), &server("a.example"), &server("b.example")])
}

#[test]
fn a_joined_server_has_what_the_hub_has() {
    let mut net = net();
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    let join = net.join(ANN, &room, HUB);
    net.say(HAL, &room, "hello");
    net.say(ANN, &room, "hi");
    let hub = net.ids(HUB, &room, 0);
    let from = hub.iter().position(|id| *id == join).unwrap();
    assert_eq!(hub.len(), from + 3);
    assert_eq!(net.ids("a.example", &room, 0), hub[from..]);
    net.join(BOB, &room, HUB);
    net.say(BOB, &room, "me too");
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(hub.len(), from + 5);
    assert_eq!(net.ids("a.example", &room, 0), hub[from..]);
    assert_eq!(net.ids("b.example", &room, 0), hub[from + 3..]);
    assert!(matches!(net.member(ANN, &room, Membership::Leave, &[]), Some(Answer::Accepted(_))));
    net.say(BOB, &room, "bye");
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(net.ids("a.example", &room, 0), hub[from..hub.len() - 1], "it has its own leave and nothing after");
    assert_eq!(net.ids("b.example", &room, 0), hub[from + 3..]);
}

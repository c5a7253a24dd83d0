//! Rooms and events at random: mostly sensible, some malformed, from few enough names to meet often.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::sample::select;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Builder, Room, event_id, message, state_event};
use crate::event::LINEARIZED_02;
use crate::room::power_levels::LevelField;

pub(crate) const USERS: [&str; 5] = ["@ann:a.org", "@amy:a.org", "@bob:b.org", "@bea:b.org", "@cat:c.org"];

const KINDS: [&str; 14] = [
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.server_acl",
    "m.room.retention",
    "m.room.redaction",
    "m.room.hub",
    "m.mls.commit",
    "m.room.topic",
    "m.room.message",
    "m.own",
    "",
];

pub(crate) fn user() -> impl Strategy<Value = &'static str> {
    select(&USERS[..])
}

/// A level near those that matter, now and then at the ends of the range, written as JSON.
fn level() -> impl Strategy<Value = String> {
    let near = select(&["-1", "0", "1", "10", "49", "50", "51", "99", "100", "101"][..]);
    let end = select(&["-9007199254740991", "9007199254740991"][..]);
    prop_oneof![12 => near, 1 => end].prop_map(ToString::to_string)
}

/// Power levels that rule 9 finds well-formed.
pub(crate) fn levels() -> impl Strategy<Value = String> {
    levels_with(0.3)
}

/// Power levels with each of the seven plain levels at this probability.
fn levels_with(weight: f64) -> impl Strategy<Value = String> {
    let field = move || option::weighted(weight, level());
    let fields = (field(), field(), field(), field(), field(), field(), field());
    let events = vec((select(&["m.room.power_levels", "m.room.topic", "m.own"][..]), level()), 0..3);
    let users = vec((user(), level()), 0..6);
    (fields, events, users).prop_map(|(fields, events, users)| {
        let (ban, events_default, invite, kick, redact, state_default, users_default) = fields;
        let mut content = serde_json::Map::new();
        let written = [
            ("ban", ban),
            ("events_default", events_default),
            ("invite", invite),
            ("kick", kick),
            ("redact", redact),
            ("state_default", state_default),
            ("users_default", users_default),
        ];
        for (name, level) in written {
            content.extend(level.map(|level| (name.to_string(), serde_json::from_str(&level).unwrap())));
        }
        for (name, entries) in [("events", events), ("users", users)] {
            let entries: serde_json::Map<_, _> = entries
                .into_iter()
                .map(|(name, level)| (name.to_string(), serde_json::from_str(&level).unwrap()))
                .collect();
            content.insert(name.to_string(), entries.into());
        }
        serde_json::Value::Object(content).to_string()
    })
}

pub(crate) fn membership() -> impl Strategy<Value = &'static str> {
    select(&["join", "invite", "leave", "ban", "knock"][..])
}

pub(crate) fn join_rule() -> impl Strategy<Value = &'static str> {
    select(&["public", "invite", "knock"][..])
}

/// A sensible event that no rule has judged.
pub(crate) fn event() -> impl Strategy<Value = Builder> {
    let member = (user(), user(), membership())
        .prop_map(|(sender, target, membership)| super::member(sender, target, membership));
    let own = (user(), membership()).prop_map(|(user, membership)| super::member(user, user, membership));
    let levels =
        (user(), levels()).prop_map(|(sender, content)| state_event(sender, "m.room.power_levels", "", &content));
    let rules = (user(), join_rule()).prop_map(|(sender, rule)| {
        state_event(sender, "m.room.join_rules", "", &format!(r#"{{"join_rule":"{rule}"}}"#))
    });
    let plain = (user(), select(&["m.room.topic", "m.own"][..]), prop_oneof![Just(""), Just("x"), user()])
        .prop_map(|(sender, kind, key)| state_event(sender, kind, key, "{}"));
    let text =
        (user(), select(&["m.room.message", "m.own"][..])).prop_map(|(sender, kind)| message(sender, kind, "{}"));
    prop_oneof![3 => member, 3 => own, 3 => levels, 1 => rules, 1 => plain, 1 => text]
}

/// A created room with levels, a join rule and members.
pub(crate) fn room() -> impl Strategy<Value = Room> {
    let members = vec((user(), membership()), 0..6);
    (option::weighted(0.9, levels()), option::weighted(0.9, join_rule()), members).prop_map(
        |(levels, join_rule, members)| {
            let mut room = Room::created_with("");
            room = levels.into_iter().fold(room, |room, levels| room.levels(&levels));
            room = join_rule.into_iter().fold(room, Room::join_rule);
            members.into_iter().fold(room, |room, (user, membership)| room.member(user, membership))
        },
    )
}

/// Any JSON, with the keys and words that rules look for.
fn json() -> impl Strategy<Value = String> {
    let word = select(
        &[
            "membership",
            "join",
            "ban",
            "join_rule",
            "public",
            "users",
            "events",
            "@ann:a.org",
            "@",
            "kick",
            "invite",
            "notifications",
            "allow",
            "deny",
            "*",
            "a.org",
            "head",
            "hublet.redacts",
            "redacts",
            "room_version",
            "m.federate",
            "hublet.hub_transfer",
            "encryption",
            "algorithm",
            "history_visibility",
            "joined",
            "",
            "max_lifetime",
            "min_lifetime",
            "allow_ip_literals",
            "users_default",
            "😀",
        ][..],
    );
    let id = (0..20_u64).prop_map(|number| format!("\"{}\"", event_id(number)));
    let leaf = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("false".to_string()),
        level(),
        id,
        word.clone().prop_map(|word| format!("\"{word}\"")),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let object = proptest::collection::btree_map(word.clone(), inner.clone(), 0..6).prop_map(|members| {
            let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        let array = vec(inner, 0..6).prop_map(|elements| format!("[{}]", elements.join(",")));
        prop_oneof![3 => object, 1 => array]
    })
}

/// Any event that the schema lets through, of any type, with any content and links.
pub(crate) fn wild_event() -> impl Strategy<Value = Builder> {
    let content = json().prop_map(|json| if json.starts_with('{') { json } else { format!(r#"{{"x":{json}}}"#) });
    let key = option::of(prop_oneof![Just("".to_string()), user().prop_map(ToString::to_string), "[@:a-z ]{0,4}"]);
    let links = (vec(0..20_u64, 1..4), vec(0..20_u64, 0..9));
    let hub = option::of(select(&["a.org", "b.org"][..]));
    let redacts = option::of(json());
    (user(), select(&KINDS[..]), key, content, links, hub, redacts).prop_map(
        |(sender, kind, key, content, (prev, auth), hub, redacts)| {
            let ids = |numbers: Vec<u64>| numbers.into_iter().map(event_id).collect::<Vec<_>>();
            let mut builder = message(sender, kind, &content).prev(&ids(prev)).auth(&ids(auth));
            if let Some(key) = key {
                builder = builder.top_level("state_key", &format!("\"{key}\""));
            }
            if let Some(hub) = hub {
                builder = builder.hub(hub);
            }
            redacts.into_iter().fold(builder, |builder, redacts| builder.top_level("redacts", &redacts))
        },
    )
}

/// The events of a created room with levels, a join rule and members, as a log that no rule has judged.
pub(crate) fn history() -> impl Strategy<Value = Vec<Builder>> {
    let members = vec((user(), prop_oneof![2 => Just("join"), 1 => membership()]), 3..10);
    (option::weighted(0.9, levels_with(0.8)), join_rule(), members).prop_map(|(levels, join_rule, members)| {
        let create = format!(r#"{{"room_version":"{}"}}"#, LINEARIZED_02.id);
        let mut log = Vec::from([
            state_event("@ann:a.org", "m.room.create", "", &create),
            super::member("@ann:a.org", "@ann:a.org", "join"),
        ]);
        log.extend(levels.map(|levels| state_event("@ann:a.org", "m.room.power_levels", "", &levels)));
        let rule = format!(r#"{{"join_rule":"{join_rule}"}}"#);
        log.push(state_event("@ann:a.org", "m.room.join_rules", "", &rule));
        log.extend(members.into_iter().map(|(user, membership)| super::member(user, user, membership)));
        log
    })
}

/// Takes a power levels content one or two steps on; plain levels are changed, entries also added and removed.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let field = select(&LevelField::ALL[..]).prop_map(|field| Place::Field(field.name()));
    let event =
        select(&["m.room.power_levels", "m.room.topic", "m.own"][..]).prop_map(|kind| Place::In("events", kind));
    let user = user().prop_map(|user| Place::In("users", user));
    let step = (prop_oneof![1 => field, 1 => event, 2 => user], option::weighted(0.8, level()));
    vec(step.prop_map(|(place, level)| Step { place, level }), 1..3)
}

#[derive(Clone, Debug)]
enum Place {
    Field(&'static str),
    In(&'static str, &'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    place: Place,
    level: Option<String>,
}

impl Step {
    pub(crate) fn apply(&self, content: &mut serde_json::Value) {
        let level = self.level.as_ref().map(|level| serde_json::from_str::<serde_json::Value>(level).unwrap());
        match (&self.place, level) {
            (Place::Field(name), Some(level)) => content[*name] = level,
            (Place::Field(_), None) => {}
            (Place::In(object, name), Some(level)) => content[*object][*name] = level,
            (Place::In(object, name), None) => {
                content[*object].as_object_mut().and_then(|entries| entries.remove(*name));
            }
        }
    }
}

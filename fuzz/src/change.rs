//! Changes to JSON, as somebody would make them who looks for what was not thought of.

use serde_json::{Map, Value, json};

use crate::{ANN, HAL, HUB, PART, Pick, ROOM};

/// A value that some rule may stumble over.
pub fn value(pick: &mut Pick<'_>) -> Value {
    let id = "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438";
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(50),
        json!(100),
        json!(101),
        json!(9_007_199_254_740_991_i64),
        json!(-9_007_199_254_740_991_i64),
        json!(1.5),
        json!(""),
        json!("\u{0}\"\\\u{10000}"),
        json!("join"),
        json!("invite"),
        json!("leave"),
        json!("ban"),
        json!("knock"),
        json!("public"),
        json!("world_readable"),
        json!("joined"),
        json!(ANN),
        json!(HAL),
        json!("@bob:part.example"),
        json!(HUB),
        json!(PART),
        json!(ROOM),
        json!("*"),
        json!(id),
        json!([]),
        json!([id]),
        json!(["*"]),
        json!({}),
        json!({ANN: 100}),
        json!({ANN: 50, HAL: 100}),
        json!({"m.room.name": 0}),
        json!({"sha256": "x"}),
        json!({"\u{10000}": 1, "\u{ff21}": 2}),
    ];
    if pick.rarely(8) {
        return Value::String(pick.text());
    }
    if pick.rarely(8) {
        return serde_json::from_slice(pick.bytes()).unwrap_or_default();
    }
    pick.one(&values)
}

/// Changes one place, however deep.
pub fn change(pick: &mut Pick<'_>, whole: &mut Value) {
    if pick.rarely(4) {
        *whole = value(pick);
        return;
    }
    match whole {
        Value::Object(map) => change_object(pick, map),
        Value::Array(list) if !list.is_empty() => {
            let at = pick.below(list.len());
            match pick.below(4) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => change(pick, &mut list[at]),
            }
        }
        whole => *whole = value(pick),
    }
}

fn change_object(pick: &mut Pick<'_>, map: &mut Map<String, Value>) {
    const NAMES: [&str; 14] = [
        "event_id",
        "unsigned",
        "auth_events",
        "prev_events",
        "state_key",
        "hub_server",
        "redacts",
        "hublet.redacts",
        "membership",
        "third_party_invite",
        "users",
        "events",
        "notifications",
        "x",
    ];
    let keys: Vec<String> = map.keys().cloned().collect();
    if keys.is_empty() || pick.rarely(6) {
        let name = (pick.one(&NAMES)).to_owned();
        let value = value(pick);
        map.insert(name, value);
        return;
    }
    let key = pick.one(&keys);
    if pick.rarely(5) {
        map.remove(&key);
    } else if let Some(inside) = map.get_mut(&key) {
        change(pick, inside);
    }
}

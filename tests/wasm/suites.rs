//! The suites under `tests/` that also run as WebAssembly, in Node and in headless Chromium.
//!
//! Each is the native file itself. It says, once, under which name `#[test]` is known there:
//! `#[cfg(target_arch = "wasm32")] use wasm_bindgen_test::wasm_bindgen_test as test;`
#![allow(clippy::duplicate_mod, reason = "natively each suite is a program of its own, with what it shares in it")]
#![cfg(all(test, target_arch = "wasm32"))]

#[path = "../bad_events_change_nothing.rs"]
mod bad_events_change_nothing;
#[path = "../bad_requests_change_nothing.rs"]
mod bad_requests_change_nothing;
#[path = "../base64_forms.rs"]
mod base64_forms;
#[path = "../canonical_json_follows_published_vectors.rs"]
mod canonical_json_follows_published_vectors;
#[path = "../dead_peers.rs"]
mod dead_peers;
#[path = "../ed25519_acceptance.rs"]
mod ed25519_acceptance;
#[path = "../ephemeral_data.rs"]
mod ephemeral_data;
#[path = "../gaps_are_healed.rs"]
mod gaps_are_healed;
#[path = "../history_before_the_join.rs"]
mod history_before_the_join;
#[path = "../hostile_hub.rs"]
mod hostile_hub;
#[path = "../hub_transfer.rs"]
mod hub_transfer;
#[path = "../invites_in_flight.rs"]
mod invites_in_flight;
#[path = "../joining.rs"]
mod joining;
#[path = "../json_refuses_malformed_text.rs"]
mod json_refuses_malformed_text;
#[path = "../keys_rotate.rs"]
mod keys_rotate;
#[path = "../malformed_events_are_dropped.rs"]
mod malformed_events_are_dropped;
#[path = "../ordering_traps.rs"]
mod ordering_traps;
#[path = "../participants_follow_the_hub.rs"]
mod participants_follow_the_hub;
#[path = "../profiles.rs"]
mod profiles;
#[path = "../put_out_while_away.rs"]
mod put_out_while_away;
#[path = "../redaction_keeps.rs"]
mod redaction_keeps;
#[path = "../retention.rs"]
mod retention;
#[path = "../rooms_are_restored.rs"]
mod rooms_are_restored;
#[path = "../rooms_survive_bad_networks.rs"]
mod rooms_survive_bad_networks;
#[path = "../stores_conform.rs"]
mod stores_conform;
#[path = "../whose_word_counts.rs"]
mod whose_word_counts;

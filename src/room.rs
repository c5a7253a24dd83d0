//! One room: state, rules and log (spec, sections 1, 4, 5, 7, 9, 10). Sans-I/O.
//!
//! A room is one array with one writer, so its state before an event is simply what the events before it left; there is
//! nothing to resolve. This layer takes verified events to authorised ones ([`authorize`]) and keeps what they leave
//! ([`state`]). Rules read typed state and one event, and answer with the rule that was broken.

// State: what the events so far have left.
mod content;
mod kind;
pub mod membership;
pub mod power_levels;
pub mod state;
pub mod state_row;
pub mod stripped;
mod summary;

// Rules: what the next event may do.
pub mod auth;
pub mod auth_events;
pub mod auth_rule;
pub mod hub_refusal;
pub mod known;
pub mod redaction;

// The rung: verified to authorised.
pub mod auth_chain;
pub mod authorize;

// Reading and keeping: who may see what, and for how long.
pub mod acl;
pub mod retention;
pub mod visibility;

#[cfg(test)]
pub(crate) mod testing;

pub use summary::{Create, Federation, HubTransfer};

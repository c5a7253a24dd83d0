//! The peer machine driven by hand: what goes in, what comes out, in which order.

mod any_order;
mod authentication;
mod bad_requests;
mod edus;
mod keys;
mod limits;
mod outgoing;
mod requests;
mod transactions;

//! The simulator: servers, users and rooms on a bad network, all of it following from one seed.
//!
//! [`honest`] and [`hostile`] each play one seed and panic at the first property that does not hold. What a seed does depends on nothing else, so a
//! seed that failed fails again. A [`Tally`] says what happened, so that a run in which nothing happens does not pass for a success.

mod act;
mod attack;
mod audit;
mod judge;
mod reads;
mod story;
mod suspect;
mod tally;
mod villain;
mod weather;
mod world;

pub use tally::Tally;

use core::time::Duration;

use self::world::{Morals, World};

/// What happens in one run.
const DEEDS: u64 = 45;

/// Attacks among what happens, in percent.
const ATTACKS: u64 = 40;

/// How long the servers have to come to an end once nothing goes wrong any more.
const REST: Duration = Duration::from_secs(3 * 3_600);

/// Users do what they like over a network that loses, delays and doubles, between servers that crash; hub and servers are honest. In the end every
/// server's log is the hub's from its join on.
pub fn honest(seed: u64) -> Tally {
    let mut world = World::new(seed, Morals::Honest);
    for _ in 0..DEEDS {
        world.something_happens();
    }
    world.comes_to_rest(REST);
    for room in 0..3 {
        world.joins_again(room);
        let audit = world.judge(room);
        world.spot_reads(room, &audit);
    }
    world.tally
}

/// The same, and the hub of one room and a participant of all do what they can. In the end nothing invalid was shown, what diverges was reported with two
/// signed events, and the other rooms are as if nothing had been.
pub fn hostile(seed: u64) -> Tally {
    let mut world = World::new(seed, Morals::Hostile);
    for _ in 0..DEEDS {
        if world.dice.falls(ATTACKS) { world.attacked() } else { world.something_happens() }
    }
    world.comes_to_rest(REST);
    world.has_a_last_word();
    world.suspect(0);
    for room in 1..3 {
        world.joins_again(room);
        world.judge(room);
    }
    world.tally
}

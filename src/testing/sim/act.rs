//! What users and operators do.

use alloc::{format, string::String};
use core::time::Duration;

use super::world::World;
use crate::{
    id::UserId,
    room::membership::Membership,
    server::{Call, RoomCall},
};

impl World {
    /// One thing happens, then some time passes.
    pub(super) fn something_happens(&mut self) {
        let room = usize::try_from(self.dice.roll(3)).unwrap();
        let user = self.dice.pick(&self.users).clone();
        match self.dice.roll(100) {
            0..=34 => self.says(&user, room),
            35..=49 => self.member(&user, room, Membership::Join),
            50..=53 => self.member(&user, room, Membership::Leave),
            54..=56 => self.member(&user, room, Membership::Knock),
            57..=64 => self.acts_on_another(&user, room),
            65..=70 => self.changes_state(&user, room),
            71..=74 => self.changes_rules(room),
            75..=80 => self.redacts(&user, room),
            81..=84 => self.moves(&user),
            85..=89 => {
                let name = user.server_name();
                self.restart(&name);
            }
            90..=94 => self.weather.borrow_mut().cut_or_mend(&user.server_name()),
            _ => self.says_much(&user, room),
        }
        let pause = match self.dice.roll(10) {
            0..=3 => 0,
            4..=8 => self.dice.roll(8_000),
            _ => self.dice.roll(120_000),
        };
        self.pass(Duration::from_millis(pause));
    }

    fn says(&mut self, user: &UserId, room: usize) {
        let body = format!(r#""body":"hello","msgtype":"m.text",{}"#, self.number());
        self.send(user, room, "m.room.message", None, &body);
    }

    /// Enough at once that several go into one transaction.
    fn says_much(&mut self, user: &UserId, room: usize) {
        for _ in 0..self.dice.roll(12) {
            self.says(user, room);
        }
    }

    fn acts_on_another(&mut self, user: &UserId, room: usize) {
        let membership = *self.dice.pick(&["invite", "invite", "leave", "ban", "leave"]);
        let target = self.dice.pick(&self.users).clone();
        // Whoever made the room may do most.
        let user = if self.dice.falls(60) { self.rooms[room].creator.clone() } else { user.clone() };
        if target != user {
            let body = format!(r#""membership":"{membership}",{}"#, self.number());
            self.send(&user, room, "m.room.member", Some(target.as_str()), &body);
        }
    }

    fn changes_state(&mut self, user: &UserId, room: usize) {
        let user = if self.dice.falls(60) { self.rooms[room].creator.clone() } else { user.clone() };
        let (kind, state_key): (&str, String) = match self.dice.roll(3) {
            0 => ("m.room.topic", String::new()),
            1 => ("m.room.name", String::new()),
            _ => ("x.of.mine", user.as_str().into()),
        };
        let body = format!(r#""topic":"news",{}"#, self.number());
        self.send(&user, room, kind, Some(&state_key), &body);
    }

    fn changes_rules(&mut self, room: usize) {
        let creator = self.rooms[room].creator.clone();
        let number = self.number();
        let (kind, body) = match self.dice.roll(3) {
            0 => {
                let seen = self.dice.pick(&["shared", "joined", "invited", "world_readable"]);
                ("m.room.history_visibility", format!(r#""history_visibility":"{seen}""#))
            }
            1 => {
                let rule = self.dice.pick(&["public", "public", "invite", "knock"]);
                ("m.room.join_rules", format!(r#""join_rule":"{rule}""#))
            }
            _ => {
                let other = self.dice.pick(&self.users).clone();
                let level = self.dice.pick(&[0, 50, 100]);
                let users = match other == creator {
                    true => format!(r#""{creator}":100"#),
                    false => format!(r#""{creator}":100,"{other}":{level}"#),
                };
                ("m.room.power_levels", format!(r#""redact":50,"users":{{{users}}}"#))
            }
        };
        self.send(&creator, room, kind, Some(""), &format!("{body},{number}"));
    }

    fn redacts(&mut self, user: &UserId, room: usize) {
        let user = if self.dice.falls(50) { self.rooms[room].creator.clone() } else { user.clone() };
        let story = self.story(&user.server_name(), room);
        let ids: alloc::vec::Vec<_> = story.shown.iter().rev().take(20).map(|shown| shown.event_id).collect();
        if !ids.is_empty() {
            let body = format!(r#""hublet.redacts":"{}",{}"#, self.dice.pick(&ids).clone(), self.number());
            self.send(&user, room, "m.room.redaction", None, &body);
        }
    }

    /// A user's server wants to be the hub of the room that may move, and mostly every operator agrees.
    fn moves(&mut self, user: &UserId) {
        let room = 1;
        let to = user.server_name();
        if !self.honest.contains(&to) {
            return;
        }
        if self.dice.falls(85) {
            self.consents.insert(to.clone());
            for operator in self.users.clone() {
                self.ask(&operator, room, Call::Room(RoomCall::Consent { to: to.clone() }));
            }
        }
        self.send(user, room, "m.room.hub", Some(""), "");
    }
}

//! The rooms that are still to hear of a change of the user's profile: told one by one, each durable until it has heard.

use super::{AccountMachine, Pending, record};
use crate::{
    id::RoomId,
    ordered::Set,
    room::{kind, membership::Membership},
    server::{
        contract::{Address, Output},
        endpoint::ProfileField,
        message::{Answer, Call, RoomCall},
        room::member_content,
    },
    store::WriteBatch,
};

/// Rooms that are to be told.
#[derive(Debug, Default)]
pub(super) struct Renames {
    rooms: Set<RoomId>,
    /// Counts the changes: what was told before the last one is told again.
    changes: u64,
    is_telling: bool,
    /// The room that was asked was gone: the account's next call tells it again.
    is_paused: bool,
}

impl Renames {
    pub(super) fn restore(&mut self, room: RoomId) {
        self.rooms.insert(room);
    }

    pub(super) const fn go_on(&mut self) {
        self.is_paused = false;
    }
}

impl AccountMachine {
    /// The profile is another: every room that the user is joined to is to be told.
    pub(super) fn renamed(&mut self, batch: &mut WriteBatch) {
        self.renames.changes = self.renames.changes.wrapping_add(1);
        for (room, membership) in self.rooms.rooms() {
            if membership == Membership::Join && self.renames.rooms.insert(room.clone()) {
                record::put_rename(&room, batch);
            }
        }
    }

    /// Tells the next room, as a member event of the user's.
    pub(super) fn tell_room(&mut self) {
        let renames = &mut self.renames;
        let Some(room) = renames.rooms.iter().next().filter(|_| !renames.is_telling && !renames.is_paused).cloned()
        else {
            return;
        };
        let field = |field| self.profile.get(&field);
        let content =
            member_content(Membership::Join, field(ProfileField::AvatarUrl), field(ProfileField::DisplayName));
        let Ok(content) = content else { return };
        renames.is_telling = true;
        let (sender, state_key) = (self.user.clone(), Some(self.user.as_str().into()));
        let call = RoomCall::SendEvent { sender, kind: kind::MEMBER.into(), state_key, content };
        let ticket = self.desk.ticket();
        self.pending.insert(ticket, Pending::Rename(room.clone(), renames.changes));
        self.desk.after(Output::Ask(ticket, Address::Room(room), Call::Room(call)));
    }

    /// A room has heard, or refuses to: the user may have left it meanwhile.
    pub(super) fn told_room(&mut self, room: &RoomId, change: u64, answer: &Answer) {
        self.renames.is_telling = false;
        self.renames.is_paused = *answer == Answer::Unavailable;
        if !self.renames.is_paused && change == self.renames.changes {
            let mut batch = WriteBatch::new();
            self.renames.rooms.remove(room);
            record::delete_rename(room, &mut batch);
            self.desk.write(batch);
        }
    }
}

//! The auth rules by name and number (spec, section 5; for hub transfers, section 9).

/// The rule that an event breaks. Every server that sees the event rejects it.
///
/// Rules 1 and 2 are about signatures: they were judged when the event was verified, and what broke them was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthRule {
    /// 3: a create event has `prev_events` or `auth_events`.
    #[error("m.room.create must be the first event: leave prev_events and auth_events empty")]
    CreateNotFirst,
    /// 3: a create event is no state event with an empty state key.
    #[error("m.room.create must be state: set an empty state_key")]
    CreateNotState,
    /// 3: the room ID names another server than the create event's sender.
    #[error("the server in room_id is not the creator's: create the room under an ID of the sender's server")]
    CreateRoomServer,
    /// 3: `content.room_version` is not the room's version.
    #[error("content.room_version is not the room's version: state the version that the room has")]
    CreateVersion,
    /// 3: the room has a create event.
    #[error("the room was created before: send nothing under its m.room.create again")]
    CreateTwice,
    /// 4: two of one type and state key.
    #[error("auth_events holds two events of one type and state key: list one of them")]
    AuthEventsDuplicate,
    /// 4: an entry that this event does not need.
    #[error("auth_events holds an event that this one does not need: list only what authorises it")]
    AuthEventsOutside,
    /// 4: no create event among them, or the room has none.
    #[error("auth_events lacks the m.room.create event: list it")]
    AuthEventsNoCreate,
    /// 4: an entry that is not known to be of this room.
    #[error("auth_events holds an event that is not known in this room: list events of this room")]
    AuthEventsForeign,
    /// 4: an entry that was rejected.
    #[error("auth_events holds an event that was rejected: list accepted events")]
    AuthEventsRejected,
    /// 5: a member event without `state_key` or `content.membership`.
    #[error("a member event needs a state_key and content.membership: set both")]
    MemberMalformed,
    /// 5.1: a join by someone else.
    #[error("a user joins only by an event of their own: send the join as the user in state_key")]
    JoinForAnother,
    /// 5.1: a banned user joins.
    #[error("the user is banned: ask to be unbanned")]
    JoinBanned,
    /// 5.1: the room is by invite, and the user has none.
    #[error("the room is by invite only: ask for an invite")]
    JoinNotInvited,
    /// 5.1: no known join rule.
    #[error("the room's join rule lets nobody join: ask for another join rule")]
    JoinClosed,
    /// 5.2: the sender is not joined.
    #[error("only members invite: join first")]
    InviteSenderNotJoined,
    /// 5.2: the target is joined or banned.
    #[error("a user who is joined or banned cannot be invited: unban first, or leave them be")]
    InviteTarget,
    /// 5.2: the sender's level.
    #[error("inviting asks for level {needs}, the sender has {has}: ask someone with a higher level")]
    InviteLevel {
        /// The sender's level.
        has: i64,
        /// The `invite` level.
        needs: i64,
    },
    /// 5.3: a user leaves who is not joined, invited or knocking.
    #[error("the user is not in the room: there is nothing to leave")]
    LeaveNotInRoom,
    /// 5.3: the sender is not joined.
    #[error("only members remove others: join first")]
    LeaveSenderNotJoined,
    /// 5.3: an unban.
    #[error("unbanning asks for level {needs}, the sender has {has}: ask someone with a higher level")]
    UnbanLevel {
        /// The sender's level.
        has: i64,
        /// The `ban` level.
        needs: i64,
    },
    /// 5.3: the sender's level.
    #[error("removing a member asks for level {needs}, the sender has {has}: ask someone with a higher level")]
    KickLevel {
        /// The sender's level.
        has: i64,
        /// The `kick` level.
        needs: i64,
    },
    /// 5.3: the target's level is not below the sender's.
    #[error("the sender's level {has} is not above the member's {target}: ask someone with a higher level")]
    KickTarget {
        /// The sender's level.
        has: i64,
        /// The target's level.
        target: i64,
    },
    /// 5.4: the sender is not joined.
    #[error("only members ban: join first")]
    BanSenderNotJoined,
    /// 5.4: the sender's level.
    #[error("banning asks for level {needs}, the sender has {has}: ask someone with a higher level")]
    BanLevel {
        /// The sender's level.
        has: i64,
        /// The `ban` level.
        needs: i64,
    },
    /// 5.4: the target's level is not below the sender's.
    #[error("the sender's level {has} is not above the user's {target}: ask someone with a higher level")]
    BanTarget {
        /// The sender's level.
        has: i64,
        /// The target's level.
        target: i64,
    },
    /// 5.5: the join rule is not `knock`.
    #[error("the room takes no knocks: join it, or ask for an invite")]
    KnockRule,
    /// 5.5: a knock by someone else.
    #[error("a user knocks only by an event of their own: send the knock as the user in state_key")]
    KnockForAnother,
    /// 5.5: the user is banned, invited or joined.
    #[error("a user who is banned, invited or joined cannot knock: join, or ask to be unbanned")]
    KnockMembership,
    /// 5.6: an unknown membership.
    #[error("unknown membership: use join, invite, leave, ban or knock")]
    MembershipUnknown,
    /// 6: the sender is not joined.
    #[error("the sender is not in the room: join first")]
    SenderNotJoined,
    /// 7: the sender's level.
    #[error("sending this event asks for level {needs}, the sender has {has}: ask someone with a higher level")]
    LevelToSend {
        /// The sender's level.
        has: i64,
        /// The level to send the event.
        needs: i64,
    },
    /// 8: a state key that is another user's.
    #[error("state_key names another user: use the sender's own ID")]
    StateKeyOfAnother,
    /// 9.1: a level that is no integer.
    #[error("a power level is not an integer: write levels as integers")]
    PowerNotInteger,
    /// 9.2: `events`.
    #[error("events must map event types to integers: write levels as integers")]
    PowerEvents,
    /// 9.3: `users`.
    #[error("users must map user IDs to integers: list valid IDs with integers")]
    PowerUsers,
    /// 9.5: one of the seven levels.
    #[error("a level above the sender's would change: leave it as it was")]
    PowerFieldLevel,
    /// 9.6 and 9.7: an entry of `events`.
    #[error("an entry of events above the sender's level would change: leave it as it was")]
    PowerEventLevel,
    /// 9.8: another user's entry, at or above the sender's level.
    #[error("the level of a user who is not below the sender would change: leave it as it was")]
    PowerUserAbove,
    /// 9.9: an entry that would be above the sender's level.
    #[error("a user would get a level above the sender's: give at most the sender's own")]
    PowerUserRaised,
    /// Section 9: an `m.room.hub` event with a wrong content hash.
    #[error("m.room.hub does not match its content hash: fetch the event whole")]
    HubRedacted,
    /// Section 9: `m.room.hub` by a user of the present hub, which has no LPDU form.
    #[error("m.room.hub must come from the new hub as an lpdu for the present one: set hub_server")]
    HubForm,
    /// Section 9: the sender's level is below 100.
    #[error("moving the hub asks for level 100, the sender has {has}: ask someone with a higher level")]
    HubLevel {
        /// The sender's level.
        has: i64,
    },
    /// Section 9: `head` is not the one event before.
    #[error("content.head is not the room's last event: read the log up to its head and send m.room.hub again")]
    HubHead,
}

impl AuthRule {
    /// The rule's number in section 5 of the specification, or the section of a hub-transfer rule.
    pub fn number(self) -> &'static str {
        match self {
            Self::CreateNotFirst
            | Self::CreateNotState
            | Self::CreateRoomServer
            | Self::CreateVersion
            | Self::CreateTwice => "3",
            Self::AuthEventsDuplicate
            | Self::AuthEventsOutside
            | Self::AuthEventsNoCreate
            | Self::AuthEventsForeign
            | Self::AuthEventsRejected => "4",
            Self::MemberMalformed => "5",
            Self::JoinForAnother | Self::JoinBanned | Self::JoinNotInvited | Self::JoinClosed => "5.1",
            Self::InviteSenderNotJoined | Self::InviteTarget | Self::InviteLevel { .. } => "5.2",
            Self::LeaveNotInRoom
            | Self::LeaveSenderNotJoined
            | Self::UnbanLevel { .. }
            | Self::KickLevel { .. }
            | Self::KickTarget { .. } => "5.3",
            Self::BanSenderNotJoined | Self::BanLevel { .. } | Self::BanTarget { .. } => "5.4",
            Self::KnockRule | Self::KnockForAnother | Self::KnockMembership => "5.5",
            Self::MembershipUnknown => "5.6",
            Self::SenderNotJoined => "6",
            Self::LevelToSend { .. } => "7",
            Self::StateKeyOfAnother => "8",
            Self::PowerNotInteger => "9.1",
            Self::PowerEvents => "9.2",
            Self::PowerUsers => "9.3",
            Self::PowerFieldLevel => "9.5",
            Self::PowerEventLevel => "9.6",
            Self::PowerUserAbove => "9.8",
            Self::PowerUserRaised => "9.9",
            Self::HubRedacted | Self::HubForm | Self::HubLevel { .. } | Self::HubHead => "section 9",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AuthRule;
    use std::string::ToString;

    #[test]
    fn texts_say_what_is_wrong_and_what_to_do() {
        let (has, needs, target) = (1, 50, 7);
        for (rule, number, text) in [
            (AuthRule::CreateTwice, "3", "the room was created before: send nothing under its m.room.create again"),
            (AuthRule::AuthEventsNoCreate, "4", "auth_events lacks the m.room.create event: list it"),
            (AuthRule::JoinNotInvited, "5.1", "the room is by invite only: ask for an invite"),
            (
                AuthRule::InviteLevel { has, needs },
                "5.2",
                "inviting asks for level 50, the sender has 1: ask someone with a higher level",
            ),
            (
                AuthRule::KickTarget { has, target },
                "5.3",
                "the sender's level 1 is not above the member's 7: ask someone with a higher level",
            ),
            (
                AuthRule::LevelToSend { has, needs },
                "7",
                "sending this event asks for level 50, the sender has 1: ask someone with a higher level",
            ),
            (AuthRule::PowerNotInteger, "9.1", "a power level is not an integer: write levels as integers"),
            (
                AuthRule::HubLevel { has },
                "section 9",
                "moving the hub asks for level 100, the sender has 1: ask someone with a higher level",
            ),
        ] {
            assert_eq!((rule.number(), rule.to_string().as_str()), (number, text));
        }
    }
}

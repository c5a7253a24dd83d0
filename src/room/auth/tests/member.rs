//! Rule 5.

use super::{ANN, AuthRule, BOB, CAT, check};
use crate::room::testing::{Builder, Room, event_id, member, message, state_event};

const MEMBERSHIPS: [&str; 5] = ["join", "invite", "leave", "ban", "knock"];

/// `@ann` 100, `@bob` 50, `@cat` 0; `ban` 60, `kick` 40, `invite` 30.
fn levels(room: Room) -> Room {
    room.levels(
        r#"{"ban":60,"invite":30,"kick":40,"users":{"@ann:a.org":100,"@bob:b.org":50,"@dan:d.org":50,"@eve:e.org":60}}"#,
    )
}

#[test]
fn rule_5_member_without_state_key_or_membership_is_rejected() {
    let state = Room::new().state();
    let malformed: [Builder; 4] = [
        message(ANN, "m.room.member", r#"{"membership":"join"}"#),
        state_event(ANN, "m.room.member", ANN, "{}"),
        state_event(ANN, "m.room.member", ANN, r#"{"membership":1}"#),
        state_event(ANN, "m.room.member", ANN, r#"{"membership":null}"#),
    ];
    for event in malformed {
        check(&state, event, Err(AuthRule::MemberMalformed));
    }
    check(&state, member(ANN, ANN, "join"), Ok(()));
}

#[test]
fn rule_5_1_join_of_the_creator_right_after_create_is_allowed() {
    let create = r#"{"room_version":"org.matrix.i-d.ralston-mimi-linearized-matrix.02"}"#;
    let room = Room::empty().with(state_event(ANN, "m.room.create", "", create));
    let [created, other] = [1, 9].map(event_id);
    let state = room.state();
    check(&state, member(ANN, ANN, "join").prev(&[created]), Ok(()));
    // As in Matrix, this rule comes before the sender is looked at.
    check(&state, member(BOB, ANN, "join").prev(&[created]), Ok(()));
    check(&state, member(ANN, ANN, "join").prev(&[other]), Err(AuthRule::JoinNotInvited));
    check(&state, member(ANN, ANN, "join").prev(&[created, other]), Err(AuthRule::JoinNotInvited));
    check(&state, member(BOB, BOB, "join").prev(&[created]), Err(AuthRule::JoinNotInvited));
}

#[test]
fn rule_5_1_join_for_another_is_rejected() {
    check(&Room::new().state(), member(ANN, BOB, "join"), Err(AuthRule::JoinForAnother));
    check(&Room::new().member(BOB, "invite").state(), member(ANN, BOB, "join"), Err(AuthRule::JoinForAnother));
}

#[test]
fn rule_5_1_join_of_the_banned_is_rejected() {
    for rule in ["public", "invite", "knock", "restricted"] {
        let state = Room::new().join_rule(rule).member(BOB, "ban").state();
        check(&state, member(BOB, BOB, "join"), Err(AuthRule::JoinBanned));
    }
}

#[test]
fn rule_5_1_join_by_join_rule_and_membership() {
    let rules = ["public", "invite", "knock", "restricted", "private", "knock_restricted"];
    for rule in rules {
        for membership in ["join", "invite", "leave", "knock"] {
            let state = Room::new().join_rule(rule).member(BOB, membership).state();
            let expected = match (rule, membership) {
                ("public", _) | ("invite" | "knock", "join" | "invite") => Ok(()),
                ("invite" | "knock", _) => Err(AuthRule::JoinNotInvited),
                _ => Err(AuthRule::JoinClosed),
            };
            check(&state, member(BOB, BOB, "join"), expected);
        }
    }
}

#[test]
fn rule_5_1_join_without_a_join_rule_is_by_invite() {
    let room = Room::created_with("");
    check(&room.state(), member(BOB, BOB, "join"), Err(AuthRule::JoinNotInvited));
    check(&room.clone().member(BOB, "invite").state(), member(BOB, BOB, "join"), Ok(()));
    let malformed = room.with(state_event(ANN, "m.room.join_rules", "", r#"{"join_rule":["public"]}"#));
    check(&malformed.state(), member(BOB, BOB, "join"), Err(AuthRule::JoinNotInvited));
}

#[test]
fn rule_5_2_invite_by_one_who_is_not_joined_is_rejected() {
    for membership in ["invite", "leave", "ban", "knock"] {
        let state = Room::new().member(BOB, membership).state();
        check(&state, member(BOB, CAT, "invite"), Err(AuthRule::InviteSenderNotJoined));
    }
    check(&Room::new().joined(BOB).state(), member(BOB, CAT, "invite"), Ok(()));
}

#[test]
fn rule_5_2_invite_of_the_joined_or_banned_is_rejected() {
    for membership in MEMBERSHIPS {
        let state = Room::new().member(CAT, membership).state();
        let expected = if matches!(membership, "join" | "ban") { Err(AuthRule::InviteTarget) } else { Ok(()) };
        check(&state, member(ANN, CAT, "invite"), expected);
    }
}

#[test]
fn rule_5_2_invite_below_the_invite_level_is_rejected() {
    let state = levels(Room::new()).joined(BOB).joined("@dee:d.org").state();
    check(&state, member(BOB, CAT, "invite"), Ok(()));
    check(&state, member("@dee:d.org", CAT, "invite"), Err(AuthRule::InviteLevel { has: 0, needs: 30 }));
}

#[test]
fn rule_5_3_leave_of_ones_own() {
    for membership in MEMBERSHIPS {
        let state = Room::new().member(BOB, membership).state();
        let expected =
            if matches!(membership, "knock" | "join" | "invite") { Ok(()) } else { Err(AuthRule::LeaveNotInRoom) };
        check(&state, member(BOB, BOB, "leave"), expected);
    }
    check(&Room::new().state(), member(BOB, BOB, "leave"), Err(AuthRule::LeaveNotInRoom));
}

#[test]
fn rule_5_3_leave_of_another_by_one_who_is_not_joined_is_rejected() {
    for membership in ["invite", "leave", "ban", "knock"] {
        let state = levels(Room::new()).joined(CAT).member(BOB, membership).state();
        check(&state, member(BOB, CAT, "leave"), Err(AuthRule::LeaveSenderNotJoined));
    }
    check(&levels(Room::new()).joined(CAT).joined(BOB).state(), member(BOB, CAT, "leave"), Ok(()));
}

#[test]
fn rule_5_3_unban_below_the_ban_level_is_rejected() {
    let state = levels(Room::new()).joined(BOB).joined("@eve:e.org").member(CAT, "ban").state();
    check(&state, member(BOB, CAT, "leave"), Err(AuthRule::UnbanLevel { has: 50, needs: 60 }));
    check(&state, member("@eve:e.org", CAT, "leave"), Ok(()));
}

#[test]
fn rule_5_3_kick_below_the_kick_level_is_rejected() {
    let state = levels(Room::new()).joined(CAT).joined("@dee:d.org").joined(BOB).state();
    check(&state, member(CAT, "@dee:d.org", "leave"), Err(AuthRule::KickLevel { has: 0, needs: 40 }));
    check(&state, member(BOB, "@dee:d.org", "leave"), Ok(()));
}

#[test]
fn rule_5_3_kick_of_an_equal_or_higher_is_rejected() {
    let state = levels(Room::new()).joined(BOB).joined("@dan:d.org").state();
    check(&state, member(BOB, "@dan:d.org", "leave"), Err(AuthRule::KickTarget { has: 50, target: 50 }));
    check(&state, member(BOB, ANN, "leave"), Err(AuthRule::KickTarget { has: 50, target: 100 }));
    check(&state, member(ANN, BOB, "leave"), Ok(()));
    // It is asked of whoever is named, in the room or not.
    check(&state, member(ANN, "@nobody:n.org", "leave"), Ok(()));
}

#[test]
fn rule_5_4_ban_by_one_who_is_not_joined_is_rejected() {
    for membership in ["invite", "leave", "ban", "knock"] {
        let state = levels(Room::new()).member("@eve:e.org", membership).state();
        check(&state, member("@eve:e.org", CAT, "ban"), Err(AuthRule::BanSenderNotJoined));
    }
    check(&levels(Room::new()).joined("@eve:e.org").state(), member("@eve:e.org", CAT, "ban"), Ok(()));
}

#[test]
fn rule_5_4_ban_below_the_ban_level_is_rejected() {
    let state = levels(Room::new()).joined(BOB).state();
    check(&state, member(BOB, CAT, "ban"), Err(AuthRule::BanLevel { has: 50, needs: 60 }));
    check(&state, member(ANN, CAT, "ban"), Ok(()));
}

#[test]
fn rule_5_4_ban_of_an_equal_or_higher_is_rejected() {
    let state = levels(Room::new()).joined("@eve:e.org").joined(BOB).state();
    check(&state, member("@eve:e.org", "@eve:e.org", "ban"), Err(AuthRule::BanTarget { has: 60, target: 60 }));
    check(&state, member("@eve:e.org", ANN, "ban"), Err(AuthRule::BanTarget { has: 60, target: 100 }));
    check(&state, member("@eve:e.org", BOB, "ban"), Ok(()));
}

#[test]
fn rule_5_5_knock_where_the_join_rule_is_another_is_rejected() {
    for rule in ["public", "invite", "restricted", "knock_restricted"] {
        check(&Room::new().join_rule(rule).state(), member(BOB, BOB, "knock"), Err(AuthRule::KnockRule));
    }
    check(&Room::created_with("").state(), member(BOB, BOB, "knock"), Err(AuthRule::KnockRule));
    check(&Room::new().join_rule("knock").state(), member(BOB, BOB, "knock"), Ok(()));
}

#[test]
fn rule_5_5_knock_for_another_is_rejected() {
    check(&Room::new().join_rule("knock").state(), member(ANN, BOB, "knock"), Err(AuthRule::KnockForAnother));
}

#[test]
fn rule_5_5_knock_of_the_banned_invited_or_joined_is_rejected() {
    for membership in MEMBERSHIPS {
        let state = Room::new().join_rule("knock").member(BOB, membership).state();
        let expected = if matches!(membership, "leave" | "knock") { Ok(()) } else { Err(AuthRule::KnockMembership) };
        check(&state, member(BOB, BOB, "knock"), expected);
    }
}

#[test]
fn rule_5_6_unknown_membership_is_rejected() {
    for membership in ["", "Join", "kick", "banned"] {
        check(&Room::new().state(), member(ANN, ANN, membership), Err(AuthRule::MembershipUnknown));
    }
}

#[test]
fn rule_5_takes_state_keys_that_are_no_users_without_harm() {
    for target in ["", "bob", "@bob", "@Bob:b.org", "@bob:b.org:x"] {
        let state = Room::new().joined(BOB).state();
        check(&state, member(ANN, target, "invite"), Ok(()));
        check(&state, member(ANN, target, "join"), Err(AuthRule::JoinForAnother));
        check(&state, member(ANN, target, "ban"), Ok(()));
        check(&state, member(BOB, target, "leave"), Err(AuthRule::KickLevel { has: 0, needs: 50 }));
    }
}

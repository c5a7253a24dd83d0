//! Which fields each message has, and in which order they cross. Numbers of variants never change their meaning within one form.

use super::Wire;
use crate::{
    server::message::{
        AccountCall, Answer, Call, Delivered, Ephemeral, Failure, HistoryEntry, Keep, KeyNeeds, KnownKey, Outcome,
        OwedEvents, OwnCall, PeerCall, PendingInvite, Request, Response, RoomCall, RoomRead, SendError, ServerKeys,
        Shelf, Validity,
    },
    store::{DecodeError, Reader, Writer},
};

/// The fields of a struct, in order.
macro_rules! fields {
    ($($name:ident { $($field:ident),+ })*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Writer) {
                $(self.$field.put(out);)+
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: Wire::take(from)?),+ })
            }
        }
    )*};
}

/// The variants of an enum, each with its number and its fields, in order.
macro_rules! variants {
    ($($name:ident { $($number:literal $variant:ident $(($($place:ident),+))? $({ $($field:ident),+ })?,)+ })*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Writer) {
                match self {
                    $(Self::$variant $(($($place),+))? $({ $($field),+ })? => {
                        out.u8($number);
                        $($($place.put(out);)+)?
                        $($($field.put(out);)+)?
                    })+
                }
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match from.u8()? {
                    $($number => {
                        $($(let $place = Wire::take(from)?;)+)?
                        Ok(Self::$variant $(($($place),+))? $({ $($field: Wire::take(from)?),+ })?)
                    })+
                    _ => Err(DecodeError(concat!("no such ", stringify!($name)))),
                }
            }
        }
    )*};
}

fields! {
    Request { method, target, headers, body }
    Response { status, body }
    KeyNeeds { server, key_ids, notary }
    ServerKeys { server, keys }
    KnownKey { id, key, validity }
    Delivered { shelf, position, refused }
    OwedEvents { shelf, events, position, more }
    Outcome { id, failure }
    PendingInvite { room_id, hub, sender, version, event, stripped }
    HistoryEntry { position, event_id, event, sender_verified, intact, authorized }
}

/// The cause stays with the machine that refuses.
impl Wire for Failure {
    fn put(&self, out: &mut Writer) {
        let Self { status, code, error, hub_server, head, retry_after_ms, cause: _ } = self;
        status.put(out);
        code.put(out);
        error.put(out);
        hub_server.put(out);
        head.put(out);
        retry_after_ms.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            status: Wire::take(from)?,
            code: Wire::take(from)?,
            error: Wire::take(from)?,
            hub_server: Wire::take(from)?,
            head: Wire::take(from)?,
            retry_after_ms: Wire::take(from)?,
            cause: None,
        })
    }
}

variants! {
    Call {
        0 Room(call),
        1 Peer(call),
        2 Account(call),
        3 Front(request),
    }
    RoomCall {
        0 Receive { origin, keys, events },
        1 Read { origin, read },
        2 Template { origin, user, membership, versions },
        3 SendMember { origin, keys, membership, event },
        4 Invite { origin, keys, event },
        5 Pull { peer, delivered },
        6 Create { creator, public, name, version, create_content },
        7 SendEvent { sender, kind, state_key, content },
        8 Member { user, membership, via },
        9 Consent { to },
        10 Ephemeral { origin, edus },
        11 Timeline { from, limit },
        12 SendEphemeral { sender, what },
        13 History { before, limit },
        14 Restore { from, lines, end },
        15 SendOnce { txn, sender, kind, state_key, content },
        16 State { kind, state_key },
        17 Pending,
        18 Find { event_id },
    }
    RoomRead {
        0 Event(event),
        1 State(event),
        2 StateIds(event),
        3 EventAuth(event),
        4 Backfill { until, limit },
    }
    PeerCall {
        0 Serve(request),
        1 Fetch { method, target, body },
        2 Nudge(room),
        3 Keys(needs),
        4 Notarise { minimum_valid_until },
        5 Edu { edu, keep },
        6 Reached,
        7 Said(room),
    }
    AccountCall {
        0 Invite { origin, keys, version, event, stripped },
        1 EndInvite { origin, keys, event },
        2 Membership { room_id, membership, hub },
        3 ToDevice { messages },
        4 Profile(field),
        5 Devices,
        6 Device(device),
        7 QueryKeys(devices),
        8 ClaimKeys(devices),
        9 ResolveAlias(alias),
        10 Own(call),
    }
    OwnCall {
        0 SetProfile(field, value),
        1 PutDevice(object),
        2 RemoveDevice(device),
        3 AddKeys { device, keys, last_resort },
        4 Invites,
        5 Rooms,
        6 Messages { device, after, limit },
        7 SetAlias { alias, room },
    }
    Answer {
        0 Done,
        1 Response(response),
        2 Unreachable(error),
        3 Outcomes(outcomes),
        4 Owed(events),
        5 Keys(keys),
        6 Created(room),
        7 Accepted(event),
        8 Object(object),
        9 Invites(invites),
        10 Rooms(rooms),
        11 Messages(messages),
        12 Entries(entries),
        13 Refused(failure),
        14 Unavailable,
        15 History(entries),
    }
    Ephemeral {
        0 Typing(typing),
        1 Read(event),
        2 Data { kind, data },
    }
    Keep {
        0 UntilTaken,
        1 Fleeting,
    }
    Validity {
        0 CurrentUntil(time),
        1 ExpiredAt(time),
        2 Vouched(time),
    }
    Shelf {
        0 Log,
        1 Pending,
    }
    SendError {
        0 Unreachable,
        1 TimedOut,
        2 TooLarge,
    }
}

//! Where an event's top-level fields lie: a table made once, from which every hashed or signed form is cut.

use alloc::vec::Vec;
use core::ops::Range;

use crate::json::Value;

/// A top-level field that some room version's rules name. Declared in the order of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// `auth_events`
    AuthEvents,
    /// `content`
    Content,
    /// `depth`
    Depth,
    /// `event_id`
    EventId,
    /// `hashes`
    Hashes,
    /// `hub_server`
    HubServer,
    /// `membership`
    Membership,
    /// `origin`
    Origin,
    /// `origin_server_ts`
    OriginServerTs,
    /// `prev_events`
    PrevEvents,
    /// `prev_state`
    PrevState,
    /// `room_id`
    RoomId,
    /// `sender`
    Sender,
    /// `signatures`
    Signatures,
    /// `state_key`
    StateKey,
    /// `type`
    Type,
    /// `unsigned`
    Unsigned,
}

/// All fields, in the order of their names.
const FIELDS: [Field; 17] = [
    Field::AuthEvents,
    Field::Content,
    Field::Depth,
    Field::EventId,
    Field::Hashes,
    Field::HubServer,
    Field::Membership,
    Field::Origin,
    Field::OriginServerTs,
    Field::PrevEvents,
    Field::PrevState,
    Field::RoomId,
    Field::Sender,
    Field::Signatures,
    Field::StateKey,
    Field::Type,
    Field::Unsigned,
];

impl Field {
    /// The field's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthEvents => "auth_events",
            Self::Content => "content",
            Self::Depth => "depth",
            Self::EventId => "event_id",
            Self::Hashes => "hashes",
            Self::HubServer => "hub_server",
            Self::Membership => "membership",
            Self::Origin => "origin",
            Self::OriginServerTs => "origin_server_ts",
            Self::PrevEvents => "prev_events",
            Self::PrevState => "prev_state",
            Self::RoomId => "room_id",
            Self::Sender => "sender",
            Self::Signatures => "signatures",
            Self::StateKey => "state_key",
            Self::Type => "type",
            Self::Unsigned => "unsigned",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "auth_events" => Self::AuthEvents,
            "content" => Self::Content,
            "depth" => Self::Depth,
            "event_id" => Self::EventId,
            "hashes" => Self::Hashes,
            "hub_server" => Self::HubServer,
            "membership" => Self::Membership,
            "origin" => Self::Origin,
            "origin_server_ts" => Self::OriginServerTs,
            "prev_events" => Self::PrevEvents,
            "prev_state" => Self::PrevState,
            "room_id" => Self::RoomId,
            "sender" => Self::Sender,
            "signatures" => Self::Signatures,
            "state_key" => Self::StateKey,
            "type" => Self::Type,
            "unsigned" => Self::Unsigned,
            _ => return None,
        })
    }

    /// The field's number, from 0, in the order of the names.
    const fn number(self) -> u8 {
        match self {
            Self::AuthEvents => 0,
            Self::Content => 1,
            Self::Depth => 2,
            Self::EventId => 3,
            Self::Hashes => 4,
            Self::HubServer => 5,
            Self::Membership => 6,
            Self::Origin => 7,
            Self::OriginServerTs => 8,
            Self::PrevEvents => 9,
            Self::PrevState => 10,
            Self::RoomId => 11,
            Self::Sender => 12,
            Self::Signatures => 13,
            Self::StateKey => 14,
            Self::Type => 15,
            Self::Unsigned => 16,
        }
    }

    const fn bit(self) -> u32 {
        1 << self.number()
    }
}

/// A set of top-level fields; whether fields that no rule names belong to it too is one more member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSet(u32);

const OTHERS: u32 = 1 << 31;

impl FieldSet {
    /// Every field, unknown ones included.
    pub(super) const ALL: Self = Self(u32::MAX);

    /// Exactly these fields, no unknown ones.
    pub(super) const fn of(fields: &[Field]) -> Self {
        Self(0).with(fields)
    }

    /// This set and these fields.
    pub(super) const fn with(self, fields: &[Field]) -> Self {
        Self(self.0 | bits(fields))
    }

    /// This set but for these fields.
    pub(super) const fn without(self, fields: &[Field]) -> Self {
        Self(self.0 & !bits(fields))
    }

    /// Whether the set has this field.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }
}

const fn bits(fields: &[Field]) -> u32 {
    match fields {
        [] => 0,
        [first, rest @ ..] => first.bit() | bits(rest),
    }
}

/// Where a member stands among all possible ones: `2 * number + 1` for a known field, an even number for an unknown
/// one, above that of every known name that sorts before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u8);

impl Place {
    pub(super) const fn of(field: Field) -> Self {
        Self(field.number() * 2 + 1)
    }

    // All known names are ASCII, and any key sorts against an ASCII one by UTF-16 unit as it does by byte. So one
    // place serves both key orders.
    fn of_unknown(key: &str) -> Self {
        let before = FIELDS.iter().filter(|field| field.name() < key).count();
        Self(u8::try_from(before).unwrap_or(u8::MAX / 2).saturating_mul(2))
    }

    pub(super) const fn is_in(self, set: FieldSet) -> bool {
        let bit = if self.0 % 2 == 1 { 1 << (self.0 / 2) } else { OTHERS };
        set.0 & bit != 0
    }
}

/// One top-level member: its place, and where `"key":value` lies in the event's canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) place: Place,
    pub(super) member: Range<u32>,
}

/// The values of the known fields that are present, and the table of all members in canonical order.
pub(super) struct Members<'a> {
    pub(super) slots: Vec<Slot>,
    values: [Option<Value<'a>>; FIELDS.len()],
}

impl<'a> Members<'a> {
    /// Reads the members of `root`, which must be the root of its document, once.
    pub(super) fn read(root: Value<'a>) -> Self {
        let mut values = [None; FIELDS.len()];
        let mut slots = Vec::with_capacity(FIELDS.len());
        for member in root.members() {
            let key = member.key();
            let place = match Field::of_name(&key) {
                Some(field) => {
                    if let Some(value) = values.get_mut(usize::from(field.number())) {
                        *value = Some(member.value());
                    }
                    Place::of(field)
                }
                None => Place::of_unknown(&key),
            };
            slots.push(Slot { place, member: member.span() });
        }
        Self { slots, values }
    }

    /// The known fields that are present, in the order of their names.
    pub(super) fn known(&self) -> impl Iterator<Item = (Field, Value<'a>)> + '_ {
        FIELDS.into_iter().filter_map(|field| Some((field, self.get(field)?)))
    }

    pub(super) fn get(&self, field: Field) -> Option<Value<'a>> {
        self.values.get(usize::from(field.number())).copied().flatten()
    }
}

/// A span of a document as indices.
pub(super) fn to_usize(span: Range<u32>) -> Range<usize> {
    let index = |at| usize::try_from(at).unwrap_or(usize::MAX);
    index(span.start)..index(span.end)
}

#[cfg(test)]
mod tests {
    use super::{FIELDS, Field, FieldSet, Place};

    #[test]
    fn fields_stand_in_the_order_of_their_names() {
        for (number, field) in FIELDS.into_iter().enumerate() {
            assert_eq!(usize::from(field.number()), number);
            assert_eq!(Field::of_name(field.name()), Some(field));
        }
        assert!(FIELDS.is_sorted_by(|a, b| a.name() < b.name()));
    }

    #[test]
    fn unknown_keys_stand_between_the_known_ones() {
        for (key, after, before) in [
            ("auth_event", None, Some(Field::AuthEvents)),
            ("auth_events2", Some(Field::AuthEvents), Some(Field::Content)),
            ("hashesé", Some(Field::Hashes), Some(Field::HubServer)),
            ("\u{10000}", Some(Field::Unsigned), None),
            ("\u{fb33}", Some(Field::Unsigned), None),
            ("\"", None, Some(Field::AuthEvents)),
        ] {
            let place = Place::of_unknown(key);
            assert!(after.is_none_or(|field| Place::of(field) < place), "{key}");
            assert!(before.is_none_or(|field| place < Place::of(field)), "{key}");
            assert!(place.is_in(FieldSet::ALL) && !place.is_in(FieldSet::of(&FIELDS)), "{key}");
        }
    }

    #[test]
    fn sets_hold_what_they_name() {
        let set = FieldSet::of(&[Field::Content, Field::Type]).with(&[Field::Depth]).without(&[Field::Type]);
        for field in FIELDS {
            assert_eq!(set.contains(field), matches!(field, Field::Content | Field::Depth), "{}", field.name());
            assert_eq!(Place::of(field).is_in(set), set.contains(field));
        }
    }
}

//! How plain values cross: numbers, text, lists, identifiers, documents.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::Wire;
use crate::{
    id::{DeviceId, EventId, KeyId, RoomId, RoomVersionId, ServerName, Timestamp, UserId},
    json::Document,
    room::membership::Membership,
    server::{endpoint::ProfileField, message::ErrorCode},
    store::{DecodeError, Reader, Writer},
};

impl Wire for bool {
    fn put(&self, out: &mut Writer) {
        out.u8(u8::from(*self));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(from.u8()? == 1)
    }
}

impl Wire for u16 {
    fn put(&self, out: &mut Writer) {
        out.raw(&self.to_be_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.array().map(Self::from_be_bytes)
    }
}

impl Wire for u32 {
    fn put(&self, out: &mut Writer) {
        out.u32(*self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.u32()
    }
}

impl Wire for u64 {
    fn put(&self, out: &mut Writer) {
        out.u64(*self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.u64()
    }
}

impl Wire for i64 {
    fn put(&self, out: &mut Writer) {
        out.position(*self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.position()
    }
}

impl Wire for [u8; 32] {
    fn put(&self, out: &mut Writer) {
        out.raw(self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.array()
    }
}

impl Wire for String {
    fn put(&self, out: &mut Writer) {
        out.text(self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.text()
    }
}

impl Wire for Timestamp {
    fn put(&self, out: &mut Writer) {
        out.u64(self.millis());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.u64().map(Self::new)
    }
}

impl Wire for EventId {
    fn put(&self, out: &mut Writer) {
        out.raw(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.array().map(Self::from_hash)
    }
}

impl Wire for http::Method {
    fn put(&self, out: &mut Writer) {
        out.text(self.as_str());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(from.bytes()?).map_err(|_| DecodeError("no method"))
    }
}

/// Words and identifiers that cross as their text.
macro_rules! as_text {
    ($($name:ty: $write:ident, $read:expr;)*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Writer) {
                out.text(self.$write());
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let read: fn(&str) -> Option<Self> = $read;
                core::str::from_utf8(from.bytes()?).ok().and_then(read).ok_or(DecodeError(stringify!($name)))
            }
        }
    )*};
}

as_text! {
    UserId: as_str, |text| Self::parse(text).ok();
    RoomId: as_str, |text| Self::parse(text).ok();
    RoomVersionId: as_str, |text| Self::parse(text).ok();
    ServerName: as_str, |text| Self::parse(text).ok();
    KeyId: as_str, |text| Self::parse(text).ok();
    DeviceId: as_str, |text| Self::parse(text).ok();
    Membership: as_str, Self::parse;
    ProfileField: text, Self::from_text;
    ErrorCode: text, |text| Some(Self::from_text(text));
}

impl Wire for Document {
    fn put(&self, out: &mut Writer) {
        let table = self.table();
        out.text(self.text()).u32(u32::try_from(table.len()).unwrap_or(u32::MAX));
        for row in table {
            out.raw(&row);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = from.text()?;
        let rows = from.u32()?;
        let table = (0..rows).map_while(|_| from.array().ok());
        Self::with_table(text, table).ok_or(DecodeError("document without its table"))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Writer) {
        (**self).put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::take(from).map(Self::new)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Writer) {
        out.u8(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        (from.u8()? == 1).then(|| T::take(from)).transpose()
    }
}

impl Wire for Vec<u8> {
    fn put(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.bytes().map(Self::from)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Writer) {
        out.u32(u32::try_from(self.len()).unwrap_or(u32::MAX));
        for value in self {
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = from.u32()?;
        (0..count).map(|_| T::take(from)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl<A: Wire, B: Wire, C: Wire> Wire for (A, B, C) {
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::take(from)?, B::take(from)?, C::take(from)?))
    }
}

//! Calls and answers as bytes, for hosts whose machines live apart: at the edge each machine is a Durable Object (spec, section 6).
//!
//! What was parsed and authenticated once is not parsed again on the other side: a document crosses as its canonical bytes and its table. So the bytes
//! may come only from [`Call::encode`] and [`Answer::encode`] of the same version of this crate, over a link between machines of one server. Bytes of
//! another origin are an error or a wrong document, never a panic.

mod forms;
mod messages;

use alloc::vec::Vec;

use super::message::{Answer, Call};
use crate::store::{DecodeError, Reader, Writer};

/// The first byte of every message. It changes with the form, so that two versions of a deployment never misread each other.
const FORM: u8 = 1;

/// What crosses between machines.
trait Wire: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Writer);

    /// Takes the value that [`Wire::put`] wrote off the front.
    fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

impl Call {
    /// The call as bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The call that [`Call::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another form, or of another version of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }
}

impl Answer {
    /// The answer as bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The answer that [`Answer::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another form, or of another version of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }
}

fn encode(message: &impl Wire) -> Vec<u8> {
    let mut out = Writer::new();
    out.u8(FORM);
    message.put(&mut out);
    out.into_bytes()
}

fn decode<T: Wire>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORM {
        return Err(DecodeError("message between machines of another version"));
    }
    let message = T::take(&mut reader)?;
    reader.end()?;
    Ok(message)
}

#[cfg(test)]
mod tests;

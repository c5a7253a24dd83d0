//! The bytes of stored rows and of messages between machines: numbers big-endian, byte strings behind their length.

use alloc::{string::String, vec::Vec};

/// A row or message that is not of the form its reader expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are not of the expected form: {0}")]
pub struct DecodeError(pub &'static str);

/// Writes a row's value.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty value.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Makes room for so many more bytes.
    pub fn reserve(&mut self, bytes: usize) -> &mut Self {
        self.bytes.reserve_exact(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Appends a number.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a number.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a position so that encoded positions sort as numbers do, negative ones first.
    pub fn position(&mut self, value: i64) -> &mut Self {
        self.u64(value.cast_unsigned() ^ (1 << 63))
    }

    /// Appends bytes of a length known to the reader.
    pub fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }

    /// Appends bytes behind their length.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX)).raw(value)
    }

    /// Appends text behind its length.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// The value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads a row's value from its start.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Bytes of a known length.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(DecodeError("ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    /// Bytes of a length known to the compiler.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError("ends too early"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    ///
    /// # Errors
    /// When none is left.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number.
    ///
    /// # Errors
    /// When fewer than four bytes are left.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number.
    ///
    /// # Errors
    /// When fewer than eight bytes are left.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A position written by [`Writer::position`].
    ///
    /// # Errors
    /// When fewer than eight bytes are left.
    pub fn position(&mut self) -> Result<i64, DecodeError> {
        Ok((self.u64()? ^ (1 << 63)).cast_signed())
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// When fewer are left than the length says.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u32()?).map_err(|_| DecodeError("length too large"))?;
        self.raw(length)
    }

    /// Text behind its length.
    ///
    /// # Errors
    /// When fewer bytes are left than the length says, or they are not UTF-8.
    pub fn text(&mut self) -> Result<String, DecodeError> {
        core::str::from_utf8(self.bytes()?).map(String::from).map_err(|_| DecodeError("text is not UTF-8"))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When something is left.
    pub const fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError("goes on too long")) }
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Reader, Writer};

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::new();
        writer.u8(7).u32(70_000).u64(1 << 40).position(-3).bytes(b"ab").text("é").raw(&[1, 2]);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.u32(), Ok(70_000));
        assert_eq!(reader.u64(), Ok(1 << 40));
        assert_eq!(reader.position(), Ok(-3));
        assert_eq!(reader.bytes(), Ok(&b"ab"[..]));
        assert_eq!(reader.text().as_deref(), Ok("é"));
        assert_eq!(reader.array(), Ok([1, 2]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn positions_sort_as_numbers_do() {
        let encoded = [i64::MIN, -2, -1, 0, 1, i64::MAX].map(|position| {
            let mut writer = Writer::new();
            writer.position(position);
            writer.into_bytes()
        });
        assert!(encoded.is_sorted());
    }

    #[test]
    fn a_length_beyond_the_end_is_told() {
        assert_eq!(Reader::new(&[0, 0, 0, 9, 1]).bytes(), Err(DecodeError("ends too early")));
        assert_eq!(Reader::new(&[1]).end(), Err(DecodeError("goes on too long")));
    }
}

//! The body of a transaction, put together from bytes that are canonical already: nothing is serialised again.

use alloc::vec::Vec;

/// What stands around the EDUs and PDUs.
const FRAME: usize = br#"{"edus":[],"pdus":[]}"#.len();

/// A transaction's body in the making.
#[derive(Debug)]
pub(super) struct Splice {
    limit: usize,
    length: usize,
    edus: Vec<u8>,
    pdus: Vec<u8>,
}

impl Splice {
    /// An empty body that is to stay below `limit` bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, length: FRAME, edus: Vec::new(), pdus: Vec::new() }
    }

    /// Adds an EDU if it fits. Whatever comes first fits.
    pub(super) fn edu(&mut self, canonical: &[u8]) -> bool {
        let fits = self.fits(canonical);
        if fits {
            add(&mut self.edus, canonical);
        }
        fits
    }

    /// Adds a PDU if it fits. Whatever comes first fits.
    pub(super) fn pdu(&mut self, canonical: &[u8]) -> bool {
        let fits = self.fits(canonical);
        if fits {
            add(&mut self.pdus, canonical);
        }
        fits
    }

    fn fits(&mut self, canonical: &[u8]) -> bool {
        let length = self.length.saturating_add(canonical.len()).saturating_add(1);
        let fits = length < self.limit || self.is_empty();
        if fits {
            self.length = length;
        }
        fits
    }

    /// Whether nothing was added.
    pub(super) const fn is_empty(&self) -> bool {
        self.edus.is_empty() && self.pdus.is_empty()
    }

    /// The body.
    pub(super) fn into_body(self) -> Vec<u8> {
        [br#"{"edus":["#, self.edus.as_slice(), br#"],"pdus":["#, self.pdus.as_slice(), b"]}"].concat()
    }
}

fn add(list: &mut Vec<u8>, canonical: &[u8]) {
    if !list.is_empty() {
        list.push(b',');
    }
    list.extend_from_slice(canonical);
}

#[cfg(test)]
mod tests {
    use super::Splice;
    use crate::json::{KeyOrder, Limits, parse};

    #[test]
    fn bodies_are_canonical_and_below_their_limit() {
        let mut splice = Splice::new(60);
        assert!(splice.is_empty());
        assert!(splice.edu(br#"{"b":1}"#));
        let added = (0..9).take_while(|_| splice.pdu(br#"{"a":2}"#)).count();
        assert_eq!(added, 3);
        let body = splice.into_body();
        assert!(body.len() < 60, "{}", body.len());
        let parsed = parse(&body, KeyOrder::Utf16, Limits { bytes: 99, depth: 9 }).unwrap();
        assert_eq!(parsed.bytes(), body);
        assert_eq!(parsed.root().member("pdus").unwrap().len(), 3);
    }

    #[test]
    fn what_is_too_large_goes_alone() {
        let mut splice = Splice::new(10);
        assert!(splice.pdu(&[b'1'; 100]));
        assert!(!splice.pdu(b"1") && !splice.edu(b"1"));
    }
}

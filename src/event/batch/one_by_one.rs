//! Texts that go through `sha2` as they are written, one after the other.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

/// The hash of a text of each item, in order. `write` puts a text.
pub(in crate::event) fn digests<T>(
    items: &[T],
    _most: impl Fn(&T) -> usize,
    write: impl Fn(&T, &mut Sha256),
) -> Vec<[u8; 32]> {
    let digest = |item| {
        let mut hasher = Sha256::new();
        write(item, &mut hasher);
        hasher.finalize().into()
    };
    items.iter().map(digest).collect()
}

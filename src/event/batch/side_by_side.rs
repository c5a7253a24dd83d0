//! Texts that are padded to whole blocks (FIPS 180-4, 5.1.1) and go through SHA-256 four at a time.

use alloc::vec::Vec;

use sha2::block_api::compress256;

use super::lanes;

/// What one text of SHA-256 is cut into.
pub(super) type Block = [u8; 64];

/// SHA-256 between two blocks.
pub(super) type State = [u32; 8];

/// The state before the first block: the square roots of the first eight primes, behind the point (FIPS 180-4, 5.3.3).
const START: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// How many texts are held at once: enough for a transaction, and few enough that a long history takes little memory.
const AT_ONCE: usize = 64;

/// The hash of a text of each item, in order. `write` puts a text, which has at most `most` bytes or not many more.
pub(in crate::event) fn digests<T>(
    items: &[T],
    most: impl Fn(&T) -> usize,
    write: impl Fn(&T, &mut Vec<u8>),
) -> Vec<[u8; 32]> {
    let mut digests = Vec::with_capacity(items.len());
    for items in items.chunks(AT_ONCE) {
        let bytes: usize = items.iter().map(&most).sum();
        let mut batch = Batch {
            bytes: Vec::with_capacity(bytes + items.len() * MOST_PADDING),
            ends: Vec::with_capacity(items.len()),
        };
        for item in items {
            write(item, &mut batch.bytes);
            batch.close();
        }
        batch.hash(&mut digests);
    }
    digests
}

/// Texts one behind the other. Its functions are not copied into each that fills one: the module would weigh more for nothing.
struct Batch {
    /// All texts, each padded to whole blocks.
    bytes: Vec<u8>,
    /// Where each text ends; what is behind the last of them stands open.
    ends: Vec<usize>,
}

impl Batch {
    /// Ends the open text.
    #[inline(never)]
    fn close(&mut self) {
        let start = self.ends.last().copied().unwrap_or_default();
        let length = self.bytes.len() - start;
        let end = start + (length + 1 + LENGTH).next_multiple_of(BLOCK);
        let bits = u64::try_from(length).unwrap_or_default() << 3;
        self.bytes.push(0x80);
        self.bytes.resize(end - LENGTH, 0);
        self.bytes.extend_from_slice(&bits.to_be_bytes());
        self.ends.push(end);
    }

    #[inline(never)]
    fn hash(&self, digests: &mut Vec<[u8; 32]>) {
        let mut from = 0;
        let text = |&end: &usize| {
            let bytes = self.bytes.get(from..end).unwrap_or_default();
            from = end;
            Text { state: START, blocks: bytes.as_chunks().0 }
        };
        let mut texts: Vec<Text<'_>> = self.ends.iter().map(text).collect();
        compress_all(&mut texts);
        digests.extend(texts.into_iter().map(Text::digest));
    }
}

const BLOCK: usize = size_of::<Block>();

/// Behind the text and its padding stand its length in bits, eight bytes.
const LENGTH: usize = size_of::<u64>();

/// A byte that marks the end, zeros up to the length, and that.
const MOST_PADDING: usize = BLOCK + LENGTH;

/// A padded text on its way through SHA-256.
pub(super) struct Text<'a> {
    pub(super) state: State,
    /// What is still to be taken.
    pub(super) blocks: &'a [Block],
}

impl Text<'_> {
    fn finish(&mut self) {
        compress256(&mut self.state, self.blocks);
        self.blocks = &[];
    }

    fn digest(self) -> [u8; 32] {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

/// Four at a time; where one of them ends, the next begins in its lane. The last few, which leave lanes empty, go one by one.
fn compress_all(texts: &mut [Text<'_>]) {
    let mut waiting = texts.iter_mut();
    let mut lane = || waiting.next();
    let (Some(a), Some(b), Some(c), Some(d)) = (lane(), lane(), lane(), lane()) else {
        return texts.iter_mut().for_each(Text::finish);
    };
    let mut running = [a, b, c, d];
    loop {
        let count = running.iter().map(|text| text.blocks.len()).min().unwrap_or_default();
        lanes::compress(&mut running, count);
        for lane in running.iter_mut().filter(|text| text.blocks.is_empty()) {
            match waiting.next() {
                Some(next) => *lane = next,
                None => return running.into_iter().for_each(Text::finish),
            }
        }
    }
}

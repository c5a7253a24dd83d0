//! The compression of SHA-256 for four texts side by side (FIPS 180-4, 6.2.2), by the SIMD of WebAssembly: each vector holds the
//! same word of all four.
#![expect(clippy::indexing_slicing, reason = "each place is a number below the fixed length of its array")]

use core::arch::wasm32::{
    i8x16_shuffle, i32x4_shuffle, i64x2_shuffle, u32x4, u32x4_add as add, u32x4_extract_lane, u32x4_shl, u32x4_shr,
    u32x4_splat, u64x2, v128, v128_bitselect, v128_or, v128_xor as xor,
};

use super::side_by_side::{Block, Text};

/// The cube roots of the first 64 primes, behind the point (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Takes so many blocks of each text, which must have them.
pub(super) fn compress(texts: &mut [&mut Text<'_>; 4], count: usize) {
    let [a, b, c, d] = texts.each_mut().map(|text| {
        let (now, later) = text.blocks.split_at_checked(count).unwrap_or_default();
        text.blocks = later;
        now
    });
    let mut state = side_by_side(texts);
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        compress_one(&mut state, [a, b, c, d]);
    }
    for (index, word) in state.into_iter().enumerate() {
        let words = [
            u32x4_extract_lane::<0>(word),
            u32x4_extract_lane::<1>(word),
            u32x4_extract_lane::<2>(word),
            u32x4_extract_lane::<3>(word),
        ];
        for (text, word) in texts.iter_mut().zip(words) {
            text.state[index] = word;
        }
    }
}

fn side_by_side([a, b, c, d]: &[&mut Text<'_>; 4]) -> [v128; 8] {
    core::array::from_fn(|word| u32x4(a.state[word], b.state[word], c.state[word], d.state[word]))
}

fn compress_one(state: &mut [v128; 8], blocks: [&Block; 4]) {
    let mut words = schedule(blocks);
    let mut now = *state;
    for (sixteen, keys) in K.as_chunks::<16>().0.iter().enumerate() {
        for at in 0..16 {
            if sixteen > 0 {
                // The word that stood here sixteen rounds ago makes room for the one of this round.
                let (w1, w9, w14) = (words[(at + 1) % 16], words[(at + 9) % 16], words[(at + 14) % 16]);
                let small0 = xor(xor(rotate::<7>(w1), rotate::<18>(w1)), u32x4_shr(w1, 3));
                let small1 = xor(xor(rotate::<17>(w14), rotate::<19>(w14)), u32x4_shr(w14, 10));
                words[at] = add(add(words[at], small0), add(w9, small1));
            }
            now = round(now, add(words[at], u32x4_splat(keys[at])));
        }
    }
    for (before, after) in state.iter_mut().zip(now) {
        *before = add(*before, after);
    }
}

fn round([a, b, c, d, e, f, g, h]: [v128; 8], word: v128) -> [v128; 8] {
    let big1 = xor(xor(rotate::<6>(e), rotate::<11>(e)), rotate::<25>(e));
    let choice = v128_bitselect(f, g, e);
    let first = add(add(h, word), add(big1, choice));
    let big0 = xor(xor(rotate::<2>(a), rotate::<13>(a)), rotate::<22>(a));
    // Where a and b agree they are the majority, elsewhere c is.
    let majority = v128_bitselect(c, b, xor(a, b));
    [add(first, add(big0, majority)), a, b, c, add(d, first), e, f, g]
}

fn rotate<const BITS: u32>(word: v128) -> v128 {
    v128_or(u32x4_shr(word, BITS), u32x4_shl(word, 32 - BITS))
}

/// The sixteen words of each block, side by side.
fn schedule(blocks: [&Block; 4]) -> [v128; 16] {
    let mut words = [u32x4_splat(0); 16];
    for (at, four) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let [a, b, c, d] = blocks.map(|block| big_endian(&block.as_chunks().0[at]));
        let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
        let (ab_behind, cd_behind) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        *four = [
            i64x2_shuffle::<0, 2>(ab, cd),
            i64x2_shuffle::<1, 3>(ab, cd),
            i64x2_shuffle::<0, 2>(ab_behind, cd_behind),
            i64x2_shuffle::<1, 3>(ab_behind, cd_behind),
        ];
    }
    words
}

/// Four words of one text.
fn big_endian(bytes: &[u8; 16]) -> v128 {
    let [low, high] =
        [bytes.first_chunk(), bytes.last_chunk()].map(|half| u64::from_le_bytes(*half.unwrap_or(&[0; 8])));
    let words = u64x2(low, high);
    i8x16_shuffle::<3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12>(words, words)
}

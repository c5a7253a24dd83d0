//! SHA-256 of many texts at once, for what a transaction brings together.
//!
//! The hashes are those that `sha2` gives, bit for bit, on every platform. With the feature `lanes` four texts go side by side;
//! without it one goes after the other, as is faster where the processor has instructions for SHA.

#[cfg(feature = "lanes")]
mod lanes;
#[cfg(not(feature = "lanes"))]
mod one_by_one;
#[cfg(feature = "lanes")]
mod side_by_side;

#[cfg(not(feature = "lanes"))]
pub(super) use one_by_one::digests;
#[cfg(feature = "lanes")]
pub(super) use side_by_side::digests;

#[cfg(test)]
mod tests {
    use crate::event::form::Sink;
    use alloc::{format, string::String, vec::Vec};
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
    use sha2::{Digest, Sha256};

    fn digests<T: AsRef<[u8]>>(texts: &[T]) -> Vec<[u8; 32]> {
        super::digests(texts, |text| text.as_ref().len(), |text, batch| batch.put(text.as_ref()))
    }

    fn one_by_one<T: AsRef<[u8]>>(texts: &[T]) -> Vec<[u8; 32]> {
        texts.iter().map(|text| Sha256::digest(text).into()).collect()
    }

    fn hexadecimal(hash: &[u8; 32]) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 + length * 7 + 3) as u8).collect()
    }

    #[test]
    fn published_texts_have_their_published_hashes() {
        // FIPS 180-4's examples (NIST, SHA256.pdf), and a million times `a`; repeated, so that they fill all lanes.
        let rows = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (&"a".repeat(1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ];
        for rotated in 0..rows.len() {
            let rows: Vec<_> = rows.iter().cycle().skip(rotated).take(9).collect();
            let texts: Vec<&str> = rows.iter().map(|row| row.0).collect();
            let hashes: Vec<_> = digests(&texts).iter().map(hexadecimal).collect();
            assert_eq!(hashes, rows.iter().map(|row| row.1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn texts_of_every_length_hash_as_alone() {
        let texts: Vec<_> = (0..=300).map(text).collect();
        assert_eq!(digests(&texts), one_by_one(&texts));
        // Neighbours in lanes of equal and of very unequal lengths.
        for length in 0..=300 {
            let alike = [length; 4].map(text);
            assert_eq!(digests(&alike), one_by_one(&alike), "{length}");
            let unlike = [length, 300 - length, 1_200, length, 0, length * 7 % 301, 64, length].map(text);
            assert_eq!(digests(&unlike), one_by_one(&unlike), "{length}");
        }
    }

    #[test]
    fn few_and_many_texts_hash_as_alone() {
        for count in (0..10).chain([63, 64, 65, 130]) {
            let texts: Vec<_> = (0..count).map(|at| text(at * 90 % 700)).collect();
            assert_eq!(digests(&texts), one_by_one(&texts), "{count}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_texts_hash_as_alone(
            texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..20),
        ) {
            prop_assert_eq!(digests(&texts), one_by_one(&texts));
        }
    }
}

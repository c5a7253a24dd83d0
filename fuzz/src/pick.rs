//! Choices out of the fuzzer's bytes. When these are used up, every choice is the first one.

use arbitrary::Unstructured;

/// The bytes that are left.
pub struct Pick<'d>(Unstructured<'d>);

impl<'d> Pick<'d> {
    /// Choices out of these bytes.
    pub fn new(data: &'d [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    /// Whether nothing is left to choose by.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end - 1).unwrap_or_default()
    }

    /// One in `count`.
    pub fn rarely(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// One of these; the list is not empty.
    pub fn one<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    /// Some bytes as they are.
    pub fn bytes(&mut self) -> &'d [u8] {
        let length = self.0.arbitrary_len::<u8>().unwrap_or_default();
        self.0.bytes(length).unwrap_or_default()
    }

    /// Some text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

//! A set for what grows with a room: the keys of a large map that has no values.

use core::borrow::Borrow;

use super::LargeMap;

/// A set in the order of its members, in pages.
#[derive(Clone, Debug, PartialEq)]
pub struct LargeSet<T> {
    members: LargeMap<T, ()>,
}

impl<T> LargeSet<T> {
    pub const fn new() -> Self {
        Self { members: LargeMap::new() }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.members.keys()
    }
}

impl<T: Ord> LargeSet<T> {
    pub fn contains<Q: Ord + ?Sized>(&self, member: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.members.contains_key(member)
    }

    /// Adds a member; whether it was not there.
    pub fn insert(&mut self, member: T) -> bool {
        self.members.insert(member, ()).is_none()
    }

    /// Takes a member out; whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, member: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.members.remove(member).is_some()
    }
}

impl<T> Default for LargeSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord> Extend<T> for LargeSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, members: I) {
        for member in members {
            self.insert(member);
        }
    }
}

impl<T: Ord> FromIterator<T> for LargeSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut set = Self::new();
        set.extend(members);
        set
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for LargeSet<T> {
    fn from(members: [T; N]) -> Self {
        members.into_iter().collect()
    }
}

impl<T> IntoIterator for LargeSet<T> {
    type Item = T;
    type IntoIter = core::iter::Map<<LargeMap<T, ()> as IntoIterator>::IntoIter, fn((T, ())) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter().map(|(member, ())| member)
    }
}

#[cfg(test)]
mod tests {
    use super::LargeSet;
    use alloc::vec::Vec;

    #[test]
    fn members_stand_in_order_and_once() {
        let mut set: LargeSet<u16> = (0..1_000).rev().collect();
        assert_eq!((set.len(), set.is_empty()), (1_000, false));
        assert!(!set.insert(1) && set.insert(1_000) && set.contains(&1_000) && set.remove(&2) && !set.remove(&2));
        assert!(set.iter().copied().eq((0..=1_000).filter(|member| *member != 2)));
        assert_eq!(LargeSet::from([3, 1, 3]).into_iter().collect::<Vec<_>>(), [1, 3]);
    }
}

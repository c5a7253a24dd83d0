//! A set in order: the keys of a map that has no values.

use core::borrow::Borrow;

use super::LargeMap;

/// A set in the order of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    members: LargeMap<T, ()>,
}

impl<T> Set<T> {
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

    pub fn retain(&mut self, mut keeps: impl FnMut(&T) -> bool) {
        self.members.retain(|member, ()| keeps(member));
    }
}

impl<T: Ord> Set<T> {
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

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord> Extend<T> for Set<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, members: I) {
        for member in members {
            self.insert(member);
        }
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut set = Self::new();
        set.extend(members);
        set
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Set<T> {
    fn from(members: [T; N]) -> Self {
        members.into_iter().collect()
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = core::iter::Map<<LargeMap<T, ()> as IntoIterator>::IntoIter, fn((T, ())) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter().map(|(member, ())| member)
    }
}

#[cfg(test)]
mod tests {
    use super::Set;
    use alloc::vec::Vec;

    #[test]
    fn members_stand_in_order_and_once() {
        let mut set: Set<u8> = [3, 1, 2, 3].into();
        assert_eq!((set.len(), set.is_empty()), (3, false));
        assert!(!set.insert(1) && set.insert(9) && set.contains(&9) && set.remove(&2) && !set.remove(&2));
        assert_eq!(set.iter().copied().collect::<Vec<_>>(), [1, 3, 9]);
        set.retain(|member| *member != 3);
        assert_eq!(set.iter().chain(Set::from([4]).iter()).count(), 3);
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [1, 9]);
        assert!((0..1_000).rev().collect::<Set<u16>>().iter().copied().eq(0..1_000));
    }
}

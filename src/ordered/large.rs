//! A map for what grows with a room: its state, the events of an answer. Adding anywhere costs what looking up costs.

use alloc::{vec, vec::Vec};
use core::borrow::Borrow;
use core::iter::Flatten;

/// Entries of a page at most: moving so many costs no more than finding where they go.
const PAGE: usize = 64;

/// A map in the order of its keys, in pages.
#[derive(Clone, Debug)]
pub struct LargeMap<K, V> {
    /// Invariant: keys ascend from the first page to the last, none stands twice, and no page is empty or longer than a page.
    pages: Vec<Vec<(K, V)>>,
}

impl<K, V> LargeMap<K, V> {
    pub const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.pages.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.pages.iter().flatten().map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.pages.iter().flatten().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.pages.iter().flatten().map(|(_, value)| value)
    }

    pub fn retain(&mut self, mut keeps: impl FnMut(&K, &mut V) -> bool) {
        for page in &mut self.pages {
            page.retain_mut(|(key, value)| keeps(key, value));
        }
        self.pages.retain(|page| !page.is_empty());
    }

    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> {
        self.pages.into_iter().flatten().map(|(_, value)| value)
    }
}

impl<K: Ord, V> LargeMap<K, V> {
    /// The page where a key stands or would, and its place there.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let begins_before = |page: &Vec<(K, V)>| page.first().is_some_and(|(first, _)| first.borrow() <= key);
        // What is before the first key would stand on the first page, so there is nothing to ask of it; nearly always it is the only one.
        let page = self.pages.get(1..).unwrap_or_default().partition_point(begins_before);
        let entries = self.pages.get(page).map(Vec::as_slice).unwrap_or_default();
        (page, entries.binary_search_by(|(known, _)| known.borrow().cmp(key)))
    }

    /// The key as it stands here, and its value.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (page, place) = self.place(key);
        self.pages.get(page)?.get(place.ok()?).map(|(key, value)| (key, value))
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).1.is_ok()
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (page, place) = self.place(key);
        self.pages.get_mut(page)?.get_mut(place.ok()?).map(|(_, value)| value)
    }

    /// Sets a value; the one that stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            (page, Ok(place)) => {
                let (_, known) = self.pages.get_mut(page)?.get_mut(place)?;
                Some(core::mem::replace(known, value))
            }
            (page, Err(place)) => {
                self.put(page, place, (key, value));
                None
            }
        }
    }

    /// The value of a key, set to the default if it is not there.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let (page, place) = match self.place(&key) {
            (page, Ok(place)) => (page, place),
            (page, Err(place)) => self.put(page, place, (key, V::default())),
        };
        #[expect(clippy::indexing_slicing, reason = "an entry stands at this place: it was found or put there")]
        &mut self.pages[page][place].1
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (page, place) = self.place(key);
        let entries = self.pages.get_mut(page)?;
        let (_, value) = entries.remove(place.ok()?);
        if entries.is_empty() {
            self.pages.remove(page);
        }
        Some(value)
    }

    /// Puts an entry where its key belongs; where it then stands. What comes in order fills page after page.
    fn put(&mut self, page: usize, place: usize, entry: (K, V)) -> (usize, usize) {
        match self.pages.get_mut(page) {
            Some(entries) if entries.len() < PAGE => {
                entries.insert(place, entry);
                (page, place)
            }
            Some(entries) if place < entries.len() => {
                let half = entries.len() / 2;
                let behind = entries.split_off(half);
                self.pages.insert(page.saturating_add(1), behind);
                match place.checked_sub(half) {
                    Some(place) => self.put(page.saturating_add(1), place, entry),
                    None => self.put(page, place, entry),
                }
            }
            full => {
                let next = if full.is_some() { page.saturating_add(1) } else { page };
                self.pages.insert(next, vec![entry]);
                (next, 0)
            }
        }
    }
}

impl<K, V> Default for LargeMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same entries, in whatever pages.
impl<K: PartialEq, V: PartialEq> PartialEq for LargeMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for LargeMap<K, V> {}

impl<K: Ord, V> Extend<(K, V)> for LargeMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for LargeMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for LargeMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> IntoIterator for LargeMap<K, V> {
    type Item = (K, V);
    type IntoIter = Flatten<vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pages.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeMap, vec::Vec};

    use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};

    use super::{LargeMap, PAGE};

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16, u16),
        Run(u16),
        Remove(u16),
        Retain(u16),
        Count(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any::<(u16, u16)>().prop_map(|(key, value)| Step::Insert(key % 512, value)),
            1 => any::<u16>().prop_map(|from| Step::Run(from % 512)),
            3 => any::<u16>().prop_map(|key| Step::Remove(key % 512)),
            1 => any::<u16>().prop_map(|divisor| Step::Retain(divisor % 4 + 1)),
            1 => any::<u16>().prop_map(|key| Step::Count(key % 512)),
        ]
    }

    /// What holds between any two calls.
    fn stands(map: &LargeMap<u16, u16>) -> bool {
        let mut keys = map.keys();
        map.pages.iter().all(|page| (1..=PAGE).contains(&page.len()))
            && keys.clone().skip(1).all(|key| keys.next() < Some(key))
    }

    proptest! {
        #[test]
        fn it_is_what_a_b_tree_is(steps in prop::collection::vec(step(), 0..60)) {
            let (mut map, mut tree) = (LargeMap::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, value) => assert_eq!(map.insert(key, value), tree.insert(key, value)),
                    Step::Run(from) => (from..from + 100).for_each(|key| {
                        assert_eq!(map.insert(key, 0), tree.insert(key, 0));
                    }),
                    Step::Remove(key) => (key..key + 30).for_each(|key| assert_eq!(map.remove(&key), tree.remove(&key))),
                    Step::Retain(divisor) => {
                        map.retain(|key, _| key / 64 % divisor == 0);
                        tree.retain(|key, _| key / 64 % divisor == 0);
                    }
                    Step::Count(key) => {
                        let (ours, theirs) = (map.or_default(key), tree.entry(key).or_default());
                        *ours = ours.wrapping_add(1);
                        *theirs = theirs.wrapping_add(1);
                    }
                }
                assert!(stands(&map));
                assert!(map.iter().eq(tree.iter()) && map.iter().rev().eq(tree.iter().rev()) && map.values().eq(tree.values()));
                assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
                assert!((0..620).all(|key| map.get(&key) == tree.get(&key) && map.contains_key(&key) == tree.contains_key(&key)));
            }
            assert_eq!(map, tree.iter().rev().map(|(key, value)| (*key, *value)).collect());
            assert!(map.clone().into_values().eq(tree.clone().into_values()));
            assert_eq!(map.into_iter().collect::<Vec<_>>(), tree.into_iter().collect::<Vec<_>>());
        }
    }
}

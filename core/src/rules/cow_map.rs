//! A copy-on-write map: cheap to clone, and cheap to change after a clone.
//!
//! A snapshot of the rules is a clone. A change of one of 100,000 rules copies only one shard and the list of shards. A
//! lookup is one hash and one probe for any size.

mod inline;

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

pub(super) use inline::InlineKey;

/// The number of shards, a power of two. With a million entries, a copy of a shard is a copy of 4,000 pointers.
const SHARDS: usize = 256;

/// The hash function. This crate has no randomness, so the seed is fixed. That is safe because administrators choose
/// the keys, not callers.
const HASHER: FixedState = FixedState::with_seed(0x6163_6b72_616d);

/// A copy-on-write map from texts, stored as `K`, to `V`.
#[derive(Clone, Debug)]
pub(crate) struct CowMap<V, K = Arc<[u8]>> {
    /// Empty until the first key is added.
    shards: Arc<[Shard<K, V>]>,
    len: usize,
}

type Shard<K, V> = Arc<HashTable<TableEntry<K, V>>>;

#[derive(Clone, Debug)]
struct TableEntry<K, V> {
    key: K,
    value: V,
}

impl<V, K> Default for CowMap<V, K> {
    fn default() -> Self {
        Self {
            shards: Arc::default(),
            len: 0,
        }
    }
}

impl<V, K> CowMap<V, K>
where
    V: Clone,
    K: Clone + AsRef<[u8]> + for<'a> From<&'a [u8]>,
{
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        let key = key.as_bytes();
        let hash = HASHER.hash_one(key);
        self.shards
            .get(shard_index(hash))?
            .find(hash, |entry| entry.key.as_ref() == key)
            .map(|entry| &entry.value)
    }

    /// Replaces the value of `key` with the result of `change`, which gets the current value. The result `None` removes
    /// the key.
    pub(crate) fn alter(&mut self, key: &str, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let next = change(self.get(key));
        self.set(key.as_bytes(), next);
    }

    fn set(&mut self, key: &[u8], next: Option<V>) {
        let hash = HASHER.hash_one(key);
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS].into();
        }
        let shards = Arc::make_mut(&mut self.shards);
        let Some(shard) = shards.get_mut(shard_index(hash)) else {
            return;
        };
        let table = Arc::make_mut(shard);
        let found = table.find_entry(hash, |entry| entry.key.as_ref() == key);
        match (found, next) {
            (Ok(mut found), Some(value)) => found.get_mut().value = value,
            (Ok(found), None) => {
                found.remove();
                self.len -= 1;
            }
            (Err(_), Some(value)) => {
                let key = key.into();
                table.insert_unique(hash, TableEntry { key, value }, |entry| {
                    HASHER.hash_one(entry.key.as_ref())
                });
                self.len += 1;
            }
            (Err(_), None) => {}
        }
    }

    /// Returns all values, in arbitrary order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards
            .iter()
            .flat_map(|shard| shard.iter().map(|entry| &entry.value))
    }
}

/// Returns the index of the shard for `hash`. It uses bits in the middle, because the table uses the highest and lowest
/// bits.
fn shard_index(hash: u64) -> usize {
    ((hash >> 24) as usize) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clone_does_not_see_later_changes() {
        let mut map: CowMap<u32> = CowMap::default();
        for n in 0..5_000 {
            map.alter(&n.to_string(), |_| Some(n));
        }
        let before = map.clone();
        map.alter("7", |_| None);
        map.alter("8", |old| old.map(|n| n * 10));
        map.alter("new", |old| Some(old.copied().unwrap_or(1)));
        map.alter("absent", |_| None);
        for (key, old, new) in [
            ("7", Some(7), None),
            ("8", Some(8), Some(80)),
            ("9", Some(9), Some(9)),
            ("new", None, Some(1)),
            ("absent", None, None),
        ] {
            assert_eq!(before.get(key).copied(), old, "{key}");
            assert_eq!(map.get(key).copied(), new, "{key}");
        }
        assert_eq!((before.len(), map.len()), (5_000, 5_000));
        assert_eq!(map.values().count(), map.len());
    }

    #[test]
    fn change_copies_one_shard() {
        let mut map: CowMap<u32> = CowMap::default();
        for n in 0..100_000 {
            map.alter(&n.to_string(), |_| Some(n));
        }
        for key in ["7", "new", "absent"] {
            let before = map.clone();
            map.alter(key, |old| {
                Some(old.copied().unwrap_or(1)).filter(|_| key != "absent")
            });
            let shards = before.shards.iter().zip(&*map.shards);
            let copied = shards.filter(|(old, new)| !Arc::ptr_eq(old, new)).count();
            assert_eq!(copied, 1, "{key}");
            let largest = map.shards.iter().map(|shard| shard.len()).max();
            assert!(largest < Some(100_000 / SHARDS * 2), "{largest:?}");
        }
    }
}

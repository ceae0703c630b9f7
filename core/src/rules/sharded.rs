//! A map that is cheap to clone and cheap to change after that.
//!
//! A snapshot of the rules is a clone. Changing one of 100,000 rules copies the one shard that it falls into, and the
//! list of shards; a lookup is one hash and one probe, whatever the size.

mod inline;

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

pub(super) use inline::InlineKey;

/// A power of two. At a million entries, copying a shard is copying 4,000 pointers.
const SHARDS: usize = 256;

/// Keys are chosen by administrators, not by callers, so a fixed hash is good enough; `core` has no randomness.
const HASHER: FixedState = FixedState::with_seed(0x6163_6b72_616d);

/// From text, kept as a `K`, to `V`.
#[derive(Clone, Debug)]
pub(crate) struct ShardedMap<V, K = Arc<[u8]>> {
    /// None until the first key comes.
    shards: Arc<[Shard<K, V>]>,
    len: usize,
}

type Shard<K, V> = Arc<HashTable<Entry<K, V>>>;

#[derive(Clone, Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
}

impl<V, K> Default for ShardedMap<V, K> {
    fn default() -> Self {
        Self {
            shards: Arc::default(),
            len: 0,
        }
    }
}

impl<V, K> ShardedMap<V, K>
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
            .get(shard(hash))?
            .find(hash, |entry| entry.key.as_ref() == key)
            .map(|entry| &entry.value)
    }

    /// Gives `key` the value that `change` makes of the one it has; `None` removes it.
    pub(crate) fn alter(&mut self, key: &str, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let next = change(self.get(key));
        self.put(key.as_bytes(), next);
    }

    fn put(&mut self, key: &[u8], next: Option<V>) {
        let hash = HASHER.hash_one(key);
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS].into();
        }
        let shards = Arc::make_mut(&mut self.shards);
        let Some(shard) = shards.get_mut(shard(hash)) else {
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
                table.insert_unique(hash, Entry { key, value }, |entry| {
                    HASHER.hash_one(entry.key.as_ref())
                });
                self.len += 1;
            }
            (Err(_), None) => {}
        }
    }

    /// All values, in no order that may be shown.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards
            .iter()
            .flat_map(|shard| shard.iter().map(|entry| &entry.value))
    }
}

/// The table uses the hash's upper bits and its lowest ones; these are from between.
fn shard(hash: u64) -> usize {
    ((hash >> 24) as usize) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut map: ShardedMap<u32> = ShardedMap::default();
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
    fn a_change_copies_one_shard() {
        let mut map: ShardedMap<u32> = ShardedMap::default();
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

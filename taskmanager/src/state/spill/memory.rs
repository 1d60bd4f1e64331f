//! What all databases of a task manager hold in memory together: one cache, in which their write buffers count too.
//!
//! Each step that spills brings its part of the one memory number and takes it away again; whoever needs more than its part
//! has what others do not use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rocksdb::{Cache, WriteBufferManager};

/// Nothing is written row by row: a database has an empty buffer.
const BUFFERS_BYTES: usize = 1 << 20;

/// The memory of all databases. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::state) struct DiskMemory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    made: Mutex<Option<Made>>,
    /// What tables hold that may spill, as they last said it.
    tables: AtomicUsize,
}

struct Made {
    cache: Cache,
    buffers: WriteBufferManager,
    /// The sum of what the steps brought.
    bytes: usize,
}

impl std::fmt::Debug for DiskMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskMemory").field("bytes", &self.limit()).finish()
    }
}

impl DiskMemory {
    /// A step brings so many bytes.
    pub(in crate::state) fn share(&self, bytes: usize) -> CacheShare {
        let mut made = self.0.made.lock();
        let made = made.get_or_insert_with(|| {
            let cache = Cache::new_lru_cache(bytes);
            let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(BUFFERS_BYTES, false, cache.clone());
            Made {
                cache,
                buffers,
                bytes: 0,
            }
        });
        made.bytes += bytes;
        made.cache.set_capacity(made.bytes);
        CacheShare {
            memory: self.clone(),
            cache: made.cache.clone(),
            buffers: made.buffers.clone(),
            bytes,
        }
    }

    /// How much they may hold.
    pub(in crate::state) fn limit(&self) -> usize {
        self.0.made.lock().as_ref().map_or(0, |made| made.bytes)
    }

    /// A table holds so much instead of what it held before.
    pub(super) fn account(&self, before: usize, now: usize) {
        if now >= before {
            self.0.tables.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.0.tables.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// How much all tables hold that may spill.
    pub(in crate::state) fn tables(&self) -> usize {
        self.0.tables.load(Ordering::Relaxed)
    }

    /// How much they hold.
    pub(in crate::state) fn used(&self) -> usize {
        self.0.made.lock().as_ref().map_or(0, |made| made.cache.get_usage())
    }
}

/// What one step has brought; taken away when it goes.
pub(in crate::state) struct CacheShare {
    memory: DiskMemory,
    cache: Cache,
    buffers: WriteBufferManager,
    bytes: usize,
}

impl CacheShare {
    /// The cache of all.
    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The write buffers of all.
    pub(super) fn buffers(&self) -> &WriteBufferManager {
        &self.buffers
    }
}

impl Drop for CacheShare {
    fn drop(&mut self) {
        if let Some(made) = &mut *self.memory.0.made.lock() {
            made.bytes = made.bytes.saturating_sub(self.bytes);
            made.cache.set_capacity(made.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_share_one_cache_that_is_as_large_as_what_they_brought() {
        let memory = DiskMemory::default();
        let (one, two) = (memory.share(3 << 20), memory.share(1 << 20));
        assert_eq!(memory.limit(), 4 << 20);
        assert_eq!(one.cache().get_usage(), two.cache().get_usage());
        drop(one);
        assert_eq!(memory.limit(), 1 << 20);
        drop(two);
        assert_eq!(memory.limit(), 0);
        assert!(memory.used() < 1 << 20);
    }
}

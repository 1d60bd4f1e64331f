//! RocksDB under the tables of one step.

use std::iter::Peekable;
use std::path::{Path, PathBuf};

use dataflow::Failure;
use rocksdb::compaction_filter::Decision;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, ColumnFamilyDescriptor, DB, DBCompressionType, DEFAULT_COLUMN_FAMILY_NAME,
    DataBlockIndexType, IngestExternalFileOptions, IteratorMode, LogLevel, Options, ReadOptions, SstFileWriter,
};

use super::memory::CacheShare;
use super::spent::{Expiry, Spent};

/// So many keys are looked up at once.
const LOOKUP: usize = 1024;

/// Files of about this size: large enough to be few, small enough that a dropped table leaves by whole files.
const FILE_BYTES: u64 = 32 << 20;

/// The database of one step. Its folder goes with it.
pub(in crate::state) struct Disk {
    db: Option<DB>,
    options: Options,
    how: ReadOptions,
    folder: PathBuf,
    spent: Spent,
    /// Given back when it is closed.
    _share: CacheShare,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Disk {
    /// An empty one in this folder.
    pub(super) fn open(folder: PathBuf, share: CacheShare) -> Result<Self, Failure> {
        let spent = Spent::default();
        let options = options(&share, &spent);
        let family = ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, options.clone());
        let mut how = ReadOptions::default();
        // What was written by this process a while ago, and goes with it.
        how.set_verify_checksums(false);
        match DB::open_cf_descriptors(&options, folder.join("rocksdb"), [family]) {
            Ok(db) => Ok(Self {
                db: Some(db),
                options,
                how,
                folder,
                spent,
                _share: share,
            }),
            Err(error) => Err(broken("cannot be opened", &folder, &error)),
        }
    }

    fn unwritten(&self, error: &rocksdb::Error) -> Failure {
        broken("cannot be written", &self.folder, error)
    }

    fn db(&self) -> &DB {
        self.db.as_ref().expect("it is there until the drop")
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins to write keys of a table, in their order; `buried`, in theirs, are deleted with it.
    pub(super) fn run(&self, table: u32, file: PathBuf, buried: Vec<Box<[u8]>>) -> Run<'_> {
        Run {
            disk: self,
            writer: SstFileWriter::create(&self.options),
            file,
            is_open: false,
            table,
            full: Vec::new(),
            buried: buried.into_iter().peekable(),
        }
    }

    /// Looks up keys, which are sorted.
    pub(super) fn get(
        &self,
        table: u32,
        keys: &[&[u8]],
        mut take: impl FnMut(usize, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let default = self
            .db()
            .cf_handle(DEFAULT_COLUMN_FAMILY_NAME)
            .ok_or_else(|| Failure::bug("a database without its column family"))?;
        for (chunk, keys) in keys.chunks(LOOKUP).enumerate() {
            let full: Vec<Vec<u8>> = keys.iter().map(|key| [&table.to_be_bytes(), *key].concat()).collect();
            let found = self.db().batched_multi_get_cf_opt(&default, &full, true, &self.how);
            for (index, found) in found.into_iter().enumerate() {
                let found = found.map_err(|error| broken("cannot be read", &self.folder, &error))?;
                if let Some(value) = found {
                    take(chunk * LOOKUP + index, &value)?;
                }
            }
        }
        Ok(())
    }

    /// Shows a table from this key on, until told to stop: the last key shown then.
    pub(super) fn each(
        &self,
        table: u32,
        from: &[u8],
        mut show: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let begin = [&table.to_be_bytes(), from].concat();
        let mut how = ReadOptions::default();
        how.set_iterate_lower_bound(begin);
        how.set_iterate_upper_bound((table + 1).to_be_bytes());
        // What is read once, in order, is not worth the place of what is looked up.
        how.fill_cache(false);
        how.set_readahead_size(1 << 20);
        for entry in self.db().iterator_opt(IteratorMode::Start, how) {
            let (key, value) = entry.map_err(|error| broken("cannot be read", &self.folder, &error))?;
            if !show(&key[4..], &value) {
                return Ok(Some(key[4..].to_vec()));
            }
        }
        Ok(None)
    }

    /// Drops a table: whole files at once, the rest when they are compacted. Its number is never used again, so what stays for
    /// a while is in nobody's way.
    pub(super) fn drop_table(&self, table: u32) {
        self.spent.drop_table(table);
        self.drop_files(table, (table + 1).to_be_bytes().to_vec());
    }

    /// Takes away the files that hold nothing but keys from the beginning of a table up to this key, and not this key.
    fn drop_files(&self, table: u32, to: Vec<u8>) {
        // RocksDB takes the end for a part of the range: a file whose last key is this one would go as well.
        let Some(to) = just_before(to) else { return };
        if let Err(error) = self
            .db()
            .delete_file_in_range(table.to_be_bytes().as_slice(), to.as_slice())
        {
            tracing::debug!(%error, folder = %self.folder.display(), "what is of no use stays on disk");
        }
    }
}

impl Disk {
    /// What of a table stands before this key is not read any more: whole files of it go at once, the rest when they are
    /// compacted.
    pub(super) fn drop_before(&self, table: u32, key: &[u8]) {
        self.keep_from(table, key);
        self.drop_files(table, [&table.to_be_bytes(), key].concat());
    }

    /// What of a table stands before this key may go, and what stands behind it may not.
    pub(super) fn keep_from(&self, table: u32, key: &[u8]) {
        self.spent.keep_from(table, key);
    }

    /// What of a table is over by its time may go when it is compacted.
    pub(super) fn expire(&self, table: u32, expiry: &Expiry) {
        self.spent.expire(table, expiry.clone());
    }

    /// Compacts everything.
    #[cfg(test)]
    pub(super) fn compact(&self) {
        self.db().compact_range(None::<&[u8]>, None::<&[u8]>);
    }
}

/// Keys on their way to disk: one sorted file, which the database takes in whole.
pub(in crate::state) struct Run<'a> {
    disk: &'a Disk,
    writer: SstFileWriter<'a>,
    file: PathBuf,
    is_open: bool,
    table: u32,
    full: Vec<u8>,
    buried: Peekable<std::vec::IntoIter<Box<[u8]>>>,
}

impl Run<'_> {
    /// The next key; none of those that are buried.
    pub(in crate::state) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        while let Some(gone) = self.buried.next_if(|gone| **gone < *key) {
            self.delete(&gone)?;
        }
        self.begin(key)?;
        self.writer
            .put(&self.full, value)
            .map_err(|error| self.disk.unwritten(&error))
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.begin(key)?;
        self.writer
            .delete(&self.full)
            .map_err(|error| self.disk.unwritten(&error))
    }

    fn begin(&mut self, key: &[u8]) -> Result<(), Failure> {
        if !self.is_open {
            self.writer
                .open(&self.file)
                .map_err(|error| self.disk.unwritten(&error))?;
            self.is_open = true;
        }
        self.full.clear();
        self.full.extend_from_slice(&self.table.to_be_bytes());
        self.full.extend_from_slice(key);
        Ok(())
    }

    /// Hands it over.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        while let Some(gone) = self.buried.next() {
            self.delete(&gone)?;
        }
        if !self.is_open {
            return Ok(());
        }
        self.writer.finish().map_err(|error| self.disk.unwritten(&error))?;
        let mut how = IngestExternalFileOptions::default();
        how.set_move_files(true);
        let taken = self.disk.db().ingest_external_file_opts(&how, vec![&self.file]);
        taken.map_err(|error| self.disk.unwritten(&error))
    }
}

/// A key before this one, with hardly any between them; none before the empty one.
fn just_before(mut key: Vec<u8>) -> Option<Vec<u8>> {
    if let Some(last) = key.pop()?.checked_sub(1) {
        key.push(last);
        key.extend([u8::MAX; 8]);
    }
    Some(key)
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(db) = &self.db {
            db.cancel_all_background_work(true);
        }
        self.db = None;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, folder = %self.folder.display(), "a folder of spilled state stays");
        }
    }
}

fn options(share: &CacheShare, spent: &Spent) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(share.cache());
    // What is looked up is one small entry, anywhere: a block is read for each.
    blocks.set_block_size(4 << 10);
    blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    // So are filters and indexes, which a small cache must not read by the megabyte.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(4 << 10);
    blocks.set_pin_top_level_index_and_filter(true);
    blocks.set_bloom_filter(10.0, false);
    // The filters count against the cache: nothing of a large table is outside it.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks.set_format_version(5);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    // Unpacking a block for each key took a tenth of the time, and the files go with the attempt.
    options.set_compression_type(DBCompressionType::None);
    // A table asks for keys that it knows to be there, so the last level needs no filter.
    options.set_optimize_filters_for_hits(true);
    options.set_target_file_size_base(FILE_BYTES);
    options.set_max_bytes_for_level_base(8 * FILE_BYTES);
    options.set_max_open_files(256);
    options.set_max_background_jobs(2);
    let spent = spent.clone();
    options.set_compaction_filter("spent", move |_, key, value| {
        if spent.covers(key, value) {
            Decision::Remove
        } else {
            Decision::Keep
        }
    });
    options.set_write_buffer_manager(share.buffers());
    // Nothing is written row by row, so there is nothing to buffer.
    options.set_write_buffer_size(64 << 10);
    options.set_keep_log_file_num(1);
    options.set_log_level(LogLevel::Error);
    options.set_stats_dump_period_sec(0);
    options
}

fn broken(what: &str, folder: &Path, error: &rocksdb::Error) -> Failure {
    Failure::retry(format!(
        "state that does not fit into memory {what} in {}",
        folder.display()
    ))
    .because(error)
    .help("check that there is space, or name another folder with `--state-dir`; a restart reads the checkpoint again")
}

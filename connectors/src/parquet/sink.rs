//! The Parquet sink of one subtask: rows sorted into folders, one open file in each, all of them bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::{Committable, Cut, Prepared, Sink, SinkContext};
use dataflow::element::Roll as Closing;
use dataflow::store::Store;
use futures::{StreamExt as _, TryStreamExt as _};
use parquet::file::properties::WriterProperties;

use super::columns::Columns;
use super::footer::Origin;
use super::options::Options;
use super::partition::{Part, Partitioner, fnv};
use super::writer::RowGroups;
use crate::offload::offload;
use crate::segments::commit::{self, Stitch};
use crate::segments::{self, File, Names, Pending, Publish};

/// So many files are open at once; one more finishes the one that has waited longest for rows.
const FILES_MAX: usize = 64;

/// So many files are written or sealed at once.
const CONCURRENT_MAX: usize = 8;

/// All open files together hold about this much memory; beyond it the largest end their row groups early.
const MEMORY_MAX: usize = 96 << 20;

/// A Parquet sink.
pub(super) struct ParquetSink {
    options: Options,
    context: SinkContext,
    store: Arc<dyn Store>,
    names: Names,
    partitioner: Arc<Partitioner>,
    columns: Arc<Columns>,
    origin: Arc<Origin>,
    properties: WriterProperties,
    /// What a file must be to be gone on with: its schema.
    kind: String,
    /// By folder.
    files: BTreeMap<String, Open>,
    /// Finished since the last checkpoint.
    finished: Vec<Publish>,
    /// Counts batches, to know which file has waited longest.
    batches: u64,
}

/// An open file.
struct Open {
    file: File<RowGroups>,
    last_batch: u64,
}

impl ParquetSink {
    pub(super) fn new(
        options: Options,
        partitioner: Partitioner,
        columns: Columns,
        context: SinkContext,
    ) -> Result<Self, Failure> {
        let store = context.stores.open(&options.path)?;
        let row_group_bytes = options.row_group.as_usize();
        let mut sink = Self {
            store,
            names: Names::new(&context, &options.prefix, "parquet"),
            partitioner: Arc::new(partitioner),
            origin: Arc::new(Origin::new(&context)),
            properties: columns.properties(options.codec(), row_group_bytes),
            kind: format!("{:016x}", fnv(format!("{:?}", columns.schema()).as_bytes())),
            columns: Arc::new(columns),
            files: BTreeMap::new(),
            finished: Vec::new(),
            batches: 0,
            options,
            context,
        };
        sink.resume()?;
        Ok(sink)
    }

    /// Goes on with what earlier attempts left open: one file a folder; others, of before a change of parallelism or of the document, are finished.
    fn resume(&mut self) -> Result<(), Failure> {
        for file in segments::restored(&self.context.restored)? {
            let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            let fits = file.kind == self.kind && file.root == self.options.path && self.files.len() < FILES_MAX;
            if fits && !self.files.contains_key(&folder) {
                let file = File::resume(file, self.context.clock.as_ref());
                self.files.insert(folder, Open { file, last_batch: 0 });
            } else {
                self.finished.push(file.into());
            }
        }
        Ok(())
    }

    /// Takes the open file of a folder out, begun if need be, with a segment to write to.
    fn take(&mut self, folder: &str) -> Result<File<RowGroups>, Failure> {
        let clock = self.context.clock.as_ref();
        let mut file = match self.files.remove(folder) {
            Some(open) => open.file,
            None => {
                let name = self.names.file(clock.wall());
                let name = if folder.is_empty() {
                    name
                } else {
                    format!("{folder}/{name}")
                };
                File::begin(&self.options.path, name, &self.kind, clock)
            }
        };
        if file.writer.is_none() {
            let pending = Pending::new(Arc::clone(&self.store), self.names.segment());
            let (columns, origin) = (Arc::clone(&self.columns), Arc::clone(&self.origin));
            file.writer = Some(RowGroups::new(pending, columns, origin, self.properties.clone())?);
        }
        Ok(file)
    }

    /// Writes parts of different folders, all at once.
    async fn write_parts(&mut self, parts: Vec<Part>) -> Result<(), Failure> {
        let mut work = Vec::with_capacity(parts.len());
        for part in parts {
            work.push((part.folder.clone(), self.take(&part.folder)?, part.rows));
        }
        let written = work.into_iter().map(|(folder, mut file, rows)| async move {
            if let Some(writer) = &mut file.writer {
                writer.write(rows).await?;
            }
            Ok::<_, Failure>((folder, file))
        });
        for (folder, file) in futures::future::try_join_all(written).await? {
            if file.is_full(&self.options.roll) {
                self.finished.push(file.finish().await?);
            } else {
                self.files.insert(
                    folder,
                    Open {
                        file,
                        last_batch: self.batches,
                    },
                );
            }
        }
        Ok(())
    }

    /// Finishes the files that have waited longest for rows, until `room` more may be opened.
    async fn make_room(&mut self, room: usize) -> Result<(), Failure> {
        while self.files.len() + room > FILES_MAX {
            let oldest = self
                .files
                .iter()
                .min_by_key(|(_, open)| open.last_batch)
                .map(|(folder, _)| folder.clone());
            let Some(open) = oldest.and_then(|folder| self.files.remove(&folder)) else {
                break;
            };
            self.finished.push(open.file.finish().await?);
        }
        Ok(())
    }

    /// Ends row groups, the largest first, until what is held in memory fits.
    async fn bound_memory(&mut self) -> Result<(), Failure> {
        let held = |open: &Open| open.file.writer.as_ref().map_or(0, RowGroups::memory);
        let mut total: usize = self.files.values().map(held).sum();
        if total <= MEMORY_MAX {
            return Ok(());
        }
        let mut largest: Vec<&mut Open> = self.files.values_mut().collect();
        largest.sort_by_key(|open| std::cmp::Reverse(held(open)));
        for open in largest {
            if total <= MEMORY_MAX / 2 {
                break;
            }
            if let Some(writer) = &mut open.file.writer {
                let before = writer.memory();
                writer.flush().await?;
                total = total.saturating_sub(before.saturating_sub(writer.memory()));
            }
        }
        Ok(())
    }

    /// Seals all files, and finishes those that are due.
    async fn seal(&mut self, closing: Closing) -> Result<(), Failure> {
        let (clock, roll) = (self.context.clock.as_ref(), &self.options.roll);
        let sealed = std::mem::take(&mut self.files)
            .into_iter()
            .map(|(folder, mut open)| async move {
                let due = closing == Closing::All || open.file.is_due(roll, clock);
                open.file.seal().await?;
                Ok::<_, Failure>((folder, open, due))
            });
        let sealed: Vec<_> = futures::stream::iter(sealed)
            .buffer_unordered(CONCURRENT_MAX)
            .try_collect()
            .await?;
        for (folder, open, due) in sealed {
            if due {
                self.finished.push(open.file.finish().await?);
            } else {
                self.files.insert(folder, open);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for ParquetSink {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.batches += 1;
        let partitioner = Arc::clone(&self.partitioner);
        let mut parts = offload(move || partitioner.split(&batch)).await??;
        while !parts.is_empty() {
            let rest = parts.split_off(parts.len().min(CONCURRENT_MAX));
            let new = parts
                .iter()
                .filter(|part| !self.files.contains_key(&part.folder))
                .count();
            self.make_room(new).await?;
            self.write_parts(parts).await?;
            parts = rest;
        }
        self.bound_memory().await
    }

    async fn prepare(&mut self, cut: Cut) -> Result<Prepared, Failure> {
        self.seal(cut.roll).await?;
        let clock = self.context.clock.as_ref();
        let open: Vec<_> = self.files.values().map(|open| open.file.state(clock)).collect();
        let committables = self
            .finished
            .drain(..)
            .map(|publish| publish.committable())
            .collect::<Result<_, _>>()?;
        Ok(Prepared {
            committables,
            state: segments::state(&open)?,
        })
    }

    async fn commit(&mut self, committables: Vec<Committable>) -> Result<(), Failure> {
        commit::commit(&self.context.stores, Stitch::RowGroups, committables).await
    }
}

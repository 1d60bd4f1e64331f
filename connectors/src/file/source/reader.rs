//! Reads files of lines: one after another, the next one opened while the current one is read.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use dataflow::Failure;
use dataflow::contract::{Framing, Polled, Progress, Reader, ReaderContext, Split};

use super::input::{Content, Stored};
use super::lines::{Begin, Cutter, Found, More};
use super::options::Compression;
use super::split::Spec;
use crate::coordinates::SplitLabel;

/// Content is read in pieces of this size, each the buffer of about one batch.
const BLOCK_BYTES: usize = 1 << 20;
/// So many blocks without a row are read in one poll.
const FILLS_MAX: usize = 4;
/// So many files are open or being opened at once.
const OPEN_MAX: usize = 2;

/// Reads files of lines.
pub(super) struct LineReader {
    context: ReaderContext,
    open: VecDeque<OpenFile>,
    waiting: VecDeque<Split>,
    complete: bool,
    /// Bytes of the files that are finished.
    finished_bytes: u64,
}

/// One split that is being read.
struct OpenFile {
    split: Split,
    spec: Arc<Spec>,
    label: SplitLabel,
    content: Content,
    cutter: Cutter,
    /// Where in the content it began.
    begun: u64,
    /// Decompressed bytes to be thrown away before the place to go on at.
    skip: u64,
    /// Whether all content was fed to the cutter.
    drained: bool,
}

/// What reading on came to.
enum Advance {
    Batch(RecordBatch),
    Finished,
    /// The waker will be called.
    Starved,
    /// There was much to do that yielded no row: let others of the subtask have their turn.
    Busy,
}

impl LineReader {
    pub(super) fn new(context: ReaderContext) -> Self {
        Self {
            context,
            open: VecDeque::new(),
            waiting: VecDeque::new(),
            complete: false,
            finished_bytes: 0,
        }
    }

    fn open_files(&mut self) -> Result<(), Failure> {
        while self.open.len() < OPEN_MAX {
            let Some(split) = self.waiting.pop_front() else { break };
            self.open.push_back(OpenFile::new(split, &self.context)?);
        }
        Ok(())
    }
}

impl Reader for LineReader {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        splits.iter().try_for_each(|split| Spec::read(split).map(drop))?;
        self.waiting.extend(splits);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.complete = true;
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        self.open_files()?;
        let Some(file) = self.open.front_mut() else {
            return Ok(if self.complete { Polled::End } else { Polled::Wait });
        };
        match file.advance(&self.context)? {
            Advance::Batch(batch) => Ok(Polled::Batch(batch)),
            Advance::Starved => Ok(Polled::Wait),
            Advance::Busy => {
                self.context.waker.wake();
                Ok(Polled::Wait)
            }
            Advance::Finished => {
                self.finished_bytes += file.content.bytes_read();
                let finished = self.open.pop_front().map(|file| file.split.id);
                Ok(finished.map_or(Polled::Wait, Polled::Finished))
            }
        }
    }

    fn snapshot(&self) -> Vec<Split> {
        self.open
            .iter()
            .map(OpenFile::snapshot)
            .chain(self.waiting.iter().cloned())
            .collect()
    }

    fn progress(&self) -> Progress {
        let open: u64 = self.open.iter().map(|file| file.content.bytes_read()).sum();
        Progress {
            bytes_read: self.finished_bytes + open,
        }
    }
}

impl OpenFile {
    fn new(split: Split, context: &ReaderContext) -> Result<Self, Failure> {
        let (spec, position) = Spec::read(&split)?;
        let (start, end) = match context.framing {
            // Where a quote may hold line feeds nobody can begin in the middle: the first range is the whole file.
            Framing::QuotedLines { .. } if spec.start == 0 => (0, spec.size),
            Framing::QuotedLines { .. } => (spec.start, spec.start),
            Framing::Lines => (spec.start, spec.end),
        };
        let aligned = position.is_some() || start == 0 || start == end;
        // A range begins behind the first line feed that is not before the byte ahead of it.
        let from = position.unwrap_or(if aligned { start } else { start - 1 });
        let plain = spec.compression == Compression::None;
        // To the end of the file is to its last byte: that it is still the file that was found shows there.
        let end = if plain && end < spec.size { end } else { u64::MAX };
        let spec = Arc::new(spec);
        let budget = context.buffer_bytes / OPEN_MAX;
        let stored = Stored::open(&spec, if plain { from } else { 0 }, context, budget);
        Ok(Self {
            label: SplitLabel::new(&split.id),
            split,
            content: Content::new(stored)?,
            cutter: Cutter::new(
                &context.framing,
                from,
                end,
                if aligned { Begin::AtRecord } else { Begin::InRecord },
            ),
            begun: from,
            skip: if plain { 0 } else { from },
            drained: false,
            spec,
        })
    }

    fn snapshot(&self) -> Split {
        // While it stands where it began, the split is as it was given.
        let moved = self.cutter.position().filter(|position| *position != self.begun);
        let position = moved.map_or_else(|| self.split.position.clone(), Into::into);
        Split {
            position,
            ..self.split.clone()
        }
    }

    fn advance(&mut self, context: &ReaderContext) -> Result<Advance, Failure> {
        if self.skip > 0 {
            return self.skip_some();
        }
        for _ in 0..FILLS_MAX {
            match self
                .cutter
                .cut(if self.drained { More::None } else { More::Coming })
                .map_err(|failure| self.named(failure))?
            {
                Found::Records(records, buffer) => {
                    let arrival = context.clock.wall().0;
                    return records
                        .finish(buffer, &context.output, &self.label, arrival)
                        .map(Advance::Batch);
                }
                Found::End => return Ok(Advance::Finished),
                Found::Starved if !self.fill()? => return Ok(Advance::Starved),
                Found::Starved => {}
            }
        }
        Ok(Advance::Busy)
    }

    /// Names the file in a failure that was found in its content.
    fn named(&self, failure: Failure) -> Failure {
        Failure {
            message: format!("`{}`: {}", self.spec.name(), failure.message),
            ..failure
        }
    }

    /// Reads the next block; false where there is nothing now.
    ///
    /// A line that spans blocks makes them grow, so that it is copied only a few times.
    fn fill(&mut self) -> Result<bool, Failure> {
        let left = usize::try_from(self.spec.size).unwrap_or(usize::MAX);
        let small = self.spec.compression == Compression::None && left < BLOCK_BYTES;
        let wanted = if small {
            left.max(1)
        } else {
            BLOCK_BYTES.max(self.cutter.rest())
        };
        let mut block = self.cutter.carry(wanted);
        match self.content.append(&mut block, wanted)? {
            None => return Ok(false),
            Some(0) => self.drained = true,
            Some(_) => {}
        }
        self.cutter.feed(block);
        Ok(true)
    }

    /// Throws away content that was read before.
    fn skip_some(&mut self) -> Result<Advance, Failure> {
        let wanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        let mut thrown = Vec::with_capacity(wanted);
        match self.content.append(&mut thrown, wanted)? {
            None => Ok(Advance::Starved),
            Some(0) => Err(self.spec.changed("became shorter")),
            Some(count) => {
                self.skip -= count as u64;
                Ok(Advance::Busy)
            }
        }
    }
}

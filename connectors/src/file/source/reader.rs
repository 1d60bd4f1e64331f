//! Reads files of lines: one after another, the next one opened while the current one is read; or side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::contract::{Framing, Polled, Progress, Reader, ReaderContext, Split};

use super::input::{Content, Stored};
use super::lines::{Begin, Cutter, Found, More};
use super::options::Compression;
use super::split::Spec;
use crate::coordinates::SplitLabel;
use crate::lanes::{Advance, Gave, Lane, Lanes};

/// Content is read in pieces of this size, each the buffer of about one batch.
const BLOCK_BYTES: usize = 1 << 20;
/// And of no smaller ones, whatever share of the memory a file has.
const BLOCK_BYTES_MIN: usize = 64 << 10;
/// So many blocks without a row are read in one poll.
const FILLS_MAX: usize = 4;
/// So many files are open or being opened at once where they are read one after another.
const OPEN_MAX: usize = 2;

/// Reads files of lines.
pub(super) struct LineReader {
    context: Arc<ReaderContext>,
    lanes: Lanes<OpenFile>,
    /// Bytes of the files that are finished.
    finished_bytes: u64,
}

/// One split that is being read.
struct OpenFile {
    context: Arc<ReaderContext>,
    split: Split,
    spec: Arc<Spec>,
    label: SplitLabel,
    content: Content,
    cutter: Cutter,
    /// Content is read in pieces of this size.
    block: usize,
    /// Where in the content it began.
    begun: u64,
    /// Decompressed bytes to be thrown away before the place to go on at.
    skip: u64,
    /// Whether all content was fed to the cutter.
    drained: bool,
}

impl LineReader {
    pub(super) fn new(context: ReaderContext) -> Self {
        Self {
            lanes: Lanes::new(context.alignment, OPEN_MAX),
            context: Arc::new(context),
            finished_bytes: 0,
        }
    }
}

impl Reader for LineReader {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        splits.iter().try_for_each(|split| Spec::read(split).map(drop))?;
        self.lanes.assign(splits);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.lanes.complete();
    }

    fn room(&self) -> usize {
        self.lanes.room()
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        let (context, budget) = (&self.context, self.context.buffer_bytes / self.lanes.most());
        Ok(match self.lanes.next(|split| OpenFile::new(split, context, budget))? {
            Gave::Batch(batch) => Polled::Batch(batch),
            Gave::Nothing => Polled::Wait,
            Gave::End => Polled::End,
            Gave::Finished(id, file) => {
                self.finished_bytes += file.content.bytes_read();
                Polled::Finished(id)
            }
        })
    }

    fn hold(&mut self, ahead: &BTreeSet<String>) {
        self.lanes.hold(ahead);
    }

    fn snapshot(&self) -> Vec<Split> {
        self.lanes.snapshot()
    }

    fn progress(&self) -> Progress {
        let open: u64 = self.lanes.lanes().map(|file| file.content.bytes_read()).sum();
        Progress {
            bytes_read: self.finished_bytes + open,
        }
    }
}

impl OpenFile {
    fn new(split: Split, context: &Arc<ReaderContext>, budget: usize) -> Result<Self, Failure> {
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
        let stored = Stored::open(&spec, if plain { from } else { 0 }, context, budget);
        Ok(Self {
            context: Arc::clone(context),
            label: SplitLabel::new(&split.id),
            split,
            content: Content::new(stored)?,
            cutter: Cutter::new(
                &context.framing,
                from,
                end,
                if aligned { Begin::AtRecord } else { Begin::InRecord },
            ),
            block: budget.clamp(BLOCK_BYTES_MIN, BLOCK_BYTES),
            begun: from,
            skip: if plain { 0 } else { from },
            drained: false,
            spec,
        })
    }

    /// There was much to do that yielded no row: others of the subtask have their turn.
    fn busy(&self) -> Advance {
        self.context.waker.wake();
        Advance::Starved
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
        let small = self.spec.compression == Compression::None && left < self.block;
        let wanted = if small {
            left.max(1)
        } else {
            self.block.max(self.cutter.rest())
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
        let wanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(self.block);
        let mut thrown = Vec::with_capacity(wanted);
        match self.content.append(&mut thrown, wanted)? {
            None => Ok(Advance::Starved),
            Some(0) => Err(self.spec.changed("became shorter")),
            Some(count) => {
                self.skip -= count as u64;
                Ok(self.busy())
            }
        }
    }
}

impl Lane for OpenFile {
    fn snapshot(&self) -> Split {
        // While it stands where it began, the split is as it was given.
        let moved = self.cutter.position().filter(|position| *position != self.begun);
        let position = moved.map_or_else(|| self.split.position.clone(), Into::into);
        Split {
            position,
            ..self.split.clone()
        }
    }

    fn advance(&mut self) -> Result<Advance, Failure> {
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
                    let arrival = self.context.clock.wall().0;
                    return records
                        .finish(buffer, &self.context.output, &self.label, arrival)
                        .map(Advance::Batch);
                }
                Found::End => return Ok(Advance::Finished),
                Found::Starved if !self.fill()? => return Ok(Advance::Starved),
                Found::Starved => {}
            }
        }
        Ok(self.busy())
    }
}

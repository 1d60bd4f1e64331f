//! Reads splits: polls the connector's reader, asks for splits when it has none, and ends when there will be no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::contract::{Polled, Reader, Split};
use dataflow::element::Batch;

use super::{Emitted, Operator, Outbox};
use crate::checkpoint::Finished;
use crate::task::gauges::Gauges;

/// A reader, and what is known of its splits.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what was said to a reader, and what it said"
)]
pub(crate) struct Source {
    step: String,
    reader: Box<dyn Reader>,
    gauges: Arc<Gauges>,
    asked: bool,
    /// It has asked for more beside those it holds, and there were none for it: it asks again when one is at its end.
    sated: bool,
    outlook: Outlook,
    drained: bool,
    ahead: BTreeSet<String>,
    finished: Finished,
}

/// Whether there will be more splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Perhaps.
    More,
    /// These were the last.
    Last,
}

/// What a source has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// Rows.
    Batch(Batch),
    /// A split was read to its end.
    Finished(String),
    /// It has no split left, or room for more beside those it has, and wants some; said once.
    Wanting,
    /// Nothing until it is woken.
    Wait,
    /// No row will follow.
    End,
}

impl Source {
    /// Goes on with the splits of a snapshot.
    pub(crate) fn new(
        step: String,
        mut reader: Box<dyn Reader>,
        restored: Vec<Split>,
        gauges: Arc<Gauges>,
    ) -> Result<Self, Failure> {
        if !restored.is_empty() {
            reader.assign(restored)?;
        }
        Ok(Self {
            step,
            reader,
            gauges,
            asked: false,
            sated: false,
            outlook: Outlook::More,
            drained: false,
            ahead: BTreeSet::new(),
            finished: Finished::default(),
        })
    }

    /// The step whose splits these are.
    pub(crate) fn step(&self) -> &str {
        &self.step
    }

    /// Takes more splits.
    pub(crate) fn assign(&mut self, splits: Vec<Split>, outlook: Outlook) -> Result<(), Failure> {
        self.asked = false;
        self.sated = splits.is_empty();
        if !splits.is_empty() {
            self.reader.assign(splits)?;
        }
        if outlook == Outlook::Last && self.outlook == Outlook::More {
            self.outlook = Outlook::Last;
            self.reader.no_more_splits();
        }
        Ok(())
    }

    /// Ends as if the input were at its end; its splits stay at their positions.
    pub(crate) fn drain(&mut self) {
        self.drained = true;
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Result<Event, Failure> {
        if self.drained {
            return Ok(Event::End);
        }
        if self.wants_company() {
            // Nothing is read before the answer: what comes may be older than all that is here.
            let said = std::mem::replace(&mut self.asked, true);
            return Ok(if said { Event::Wait } else { Event::Wanting });
        }
        let polled = self.reader.poll()?;
        self.gauges.source_bytes_read.set(self.reader.progress().bytes_read);
        Ok(match polled {
            Polled::Batch(rows) => Event::Batch(Batch::new(rows)),
            Polled::Finished(split) => {
                self.sated = false;
                Event::Finished(split)
            }
            Polled::Wait if !self.asked && self.outlook == Outlook::More && self.reader.snapshot().is_empty() => {
                self.asked = true;
                Event::Wanting
            }
            Polled::Wait => Event::Wait,
            Polled::End => Event::End,
        })
    }

    /// Whether it would read more splits side by side with those it has, and there may be some for it.
    fn wants_company(&self) -> bool {
        self.outlook == Outlook::More && !self.sated && self.reader.room() > 0
    }

    /// These splits are too far ahead: the others are to be read. Whether they are others than before.
    pub(crate) fn hold(&mut self, ahead: &BTreeSet<String>) -> bool {
        let changed = *ahead != self.ahead;
        if changed {
            self.reader.hold(ahead);
            self.ahead.clone_from(ahead);
        }
        changed
    }

    /// Whether it has asked for splits and got none.
    pub(crate) fn wants(&self) -> bool {
        self.asked
    }

    /// What was read to its end and is in no record yet, as far as is known here.
    pub(crate) fn finished(&mut self) -> &mut Finished {
        &mut self.finished
    }

    /// Its splits, each behind the last row that entered the chain.
    pub(crate) fn snapshot(&self) -> Vec<Split> {
        self.reader.snapshot()
    }
}

/// The source's place in its chain: rows pass.
#[derive(Debug, Default)]
pub(super) struct Passing(Outbox);

impl Operator for Passing {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        self.0.unchanged(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.0.take())
    }
}

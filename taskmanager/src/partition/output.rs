//! One edge of a chain's output: the channels to all subtasks it feeds.

use std::time::Duration;

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use dataflow::element::{Barrier, Batch, Element};
use dataflow::error::Failure;
use dataflow::id::EdgeId;
use dataflow::recipe::Partition;
use dataflow::time::Instant;

use super::Partitioner;
use super::merge::Merge;
use crate::channel::Outlet;

/// The sending end of one edge, for one subtask.
pub struct Output {
    edge: EdgeId,
    partitioner: Partitioner,
    targets: Vec<Target>,
    buffer_timeout: Duration,
    /// When the oldest merging row must be sent.
    flush_at: Option<Instant>,
    ended: bool,
}

struct Target {
    outlet: Outlet,
    merge: Merge,
}

impl Output {
    /// The output of subtask `index` into `outlets`, one for each subtask it sends to, in order of their index.
    ///
    /// For [`Partition::Forward`] there is one outlet: to the subtask of the same index.
    ///
    /// # Errors
    /// A key is not in `schema` or of a type that cannot be one, or there is no outlet.
    pub fn new(
        edge: EdgeId,
        partition: &Partition,
        schema: &SchemaRef,
        outlets: Vec<Outlet>,
        buffer_timeout: Duration,
    ) -> Result<Self, Failure> {
        if outlets.is_empty() {
            return Err(Failure::bug(format!("{edge} leads nowhere")));
        }
        // Senders begin their rounds at different targets, or the first would get every sender's first batch.
        let first = outlets[0].id().from.index as usize;
        let partitioner = Partitioner::new(partition, schema, outlets.len(), first)?;
        let targets = outlets
            .into_iter()
            .map(|outlet| Target {
                outlet,
                merge: Merge::default(),
            })
            .collect();
        Ok(Self {
            edge,
            partitioner,
            targets,
            buffer_timeout,
            flush_at: None,
            ended: false,
        })
    }

    /// Which edge.
    #[must_use]
    pub fn edge(&self) -> EdgeId {
        self.edge
    }

    /// Sends an element: rows to those they belong to, perhaps merged with later ones; anything else to all, behind all rows.
    /// Never blocks: what credit is too short for waits in the output, so send only while [`Output::is_clear`].
    ///
    /// # Errors
    /// A receiver is gone (retry), a row is too large for any frame or a key cannot be read (fail).
    pub fn send(&mut self, element: Element, now: Instant) -> Result<(), Failure> {
        debug_assert!(!self.ended, "after End nothing follows");
        match element {
            Element::Batch(batch) => self.rows(batch.into_records(), now),
            Element::End => {
                self.ended = true;
                self.send_to_all(&Element::End)
            }
            other @ (Element::Watermark(_) | Element::Barrier(_) | Element::Idle) => self.send_to_all(&other),
        }
    }

    fn rows(&mut self, records: RecordBatch, now: Instant) -> Result<(), Failure> {
        for (target, part) in self.partitioner.split(&records)? {
            let target = &mut self.targets[target];
            for merged in target.merge.push(Batch::new(part))? {
                target.outlet.send(Element::Batch(merged))?;
            }
        }
        if self.targets.iter().all(|target| target.merge.is_empty()) {
            self.flush_at = None;
        } else if self.flush_at.is_none() {
            self.flush_at = Some(now + self.buffer_timeout);
        }
        Ok(())
    }

    fn send_to_all(&mut self, element: &Element) -> Result<(), Failure> {
        // A watermark says nothing about rows before it, yet must not pass them: they would be late.
        self.flush()?;
        self.targets
            .iter_mut()
            .try_for_each(|target| target.outlet.send(element.clone()))
    }

    /// Sends what was waiting for company.
    ///
    /// # Errors
    /// As for [`Output::send`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.flush_at = None;
        for target in &mut self.targets {
            if let Some(merged) = target.merge.finish()? {
                target.outlet.send(Element::Batch(merged))?;
            }
        }
        Ok(())
    }

    /// Sends a barrier to every target past all that waits for credit. What it passed on the way to each, by the index of the
    /// receiver; it is sent behind the barrier.
    ///
    /// # Errors
    /// As for [`Output::send`].
    pub fn overtake(&mut self, barrier: Barrier) -> Result<Vec<(u32, Vec<Element>)>, Failure> {
        self.flush()?;
        let targets = self.targets.iter_mut();
        targets
            .map(|target| Ok((target.outlet.id().to.index, target.outlet.overtake(barrier)?)))
            .collect()
    }

    /// What a restored barrier had passed on the way to the receiver of this index; before anything is sent.
    ///
    /// # Errors
    /// There is no such receiver.
    pub fn restore(&mut self, to: u32, passed: Vec<Element>) -> Result<(), Failure> {
        let target = self.targets.iter_mut().find(|target| target.outlet.id().to.index == to);
        let target = target.ok_or_else(|| {
            Failure::bug(format!(
                "rows were on their way by {} to subtask {to}, which is not there",
                self.edge
            ))
        })?;
        target.outlet.restore(passed);
        Ok(())
    }

    /// When [`Output::flush`] is due, if anything waits for company.
    #[must_use]
    pub fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }

    /// Sends what waits for credit, as far as there is some now. To be called after a wake-up.
    ///
    /// # Errors
    /// As for [`Output::send`].
    pub fn pump(&mut self) -> Result<(), Failure> {
        self.targets.iter_mut().try_for_each(|target| target.outlet.pump())
    }

    /// Whether nothing waits for credit: the time to take more input.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.targets.iter().all(|target| target.outlet.is_clear())
    }

    /// What it waits for, as people read it: `credit of edge-1 to sub-2.0`.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        self.targets.iter().find_map(|target| target.outlet.waits_for())
    }

    /// Bytes that wait here, for company or for credit.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.targets
            .iter()
            .map(|target| target.outlet.waiting_bytes() + target.merge.bytes())
            .sum()
    }
}

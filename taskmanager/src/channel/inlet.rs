//! The end of a channel that elements come out of.

use std::collections::VecDeque;
use std::sync::Arc;

use dataflow::element::{Barrier, Batch, Element};
use dataflow::error::Failure;
use dataflow::id::BarrierId;

use super::{ChannelId, Intake, Item};
use crate::network::{EncodedBatch, Reader};

/// The receiving end of one channel, local or remote alike. Owned by the receiving subtask's gate.
pub struct Inlet {
    intake: Arc<Intake>,
    /// Reads what came from the wire, on the thread that takes it.
    reader: Reader,
    /// What a barrier had passed on this channel, to be taken before anything that comes.
    restored: VecDeque<Element>,
}

impl Inlet {
    pub(crate) fn new(intake: Arc<Intake>) -> Self {
        Self {
            intake,
            reader: Reader::default(),
            restored: VecDeque::new(),
        }
    }

    /// Which channel this is.
    #[must_use]
    pub fn id(&self) -> &ChannelId {
        self.intake.id()
    }

    /// The next element, if one has come. Never blocks; after `None` the waker is called once when there is one.
    ///
    /// Taking a batch gives its credit back to the sender, so it is to be taken only when it is to be worked on.
    ///
    /// # Errors
    /// The sender is gone before its end (retry), or what came cannot be read (bug). The same each time.
    pub fn take(&mut self) -> Result<Option<Element>, Failure> {
        if let Some(element) = self.restored.pop_front() {
            return Ok(Some(element));
        }
        match self.intake.take()? {
            None => Ok(None),
            Some(Item::Element(element)) => Ok(Some(element)),
            Some(Item::Encoded(encoded)) => read(&mut self.reader, &self.intake, encoded)
                .map(Element::Batch)
                .map(Some),
        }
    }

    /// What a restored barrier had passed on this channel; before anything is taken.
    pub fn restore(&mut self, passed: Vec<Element>) {
        self.restored.extend(passed);
    }

    /// Whether a barrier has come and was not yet taken, or the channel's end, which counts as every later one.
    #[must_use]
    pub fn has_come(&self, barrier: BarrierId) -> bool {
        self.intake.has_come(barrier)
    }

    /// Takes a barrier that has come past all that stands before it; answers that, in order. It is still to be taken.
    ///
    /// # Errors
    /// What came cannot be read (bug).
    pub fn overtake(&mut self, barrier: BarrierId) -> Result<Vec<Element>, Failure> {
        let (reader, intake) = (&mut self.reader, &self.intake);
        let passed = intake.overtake(barrier, |encoded| read(reader, intake, encoded))?;
        Ok(self.restored.iter().cloned().chain(passed).collect())
    }

    /// Takes what is next if it is a barrier. After `None` the waker is called once only where nothing has come at all.
    ///
    /// # Errors
    /// As [`Inlet::take`].
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "taking changes what comes next, as for the other calls"
    )]
    pub fn take_barrier(&mut self) -> Result<Option<Barrier>, Failure> {
        if !self.restored.is_empty() {
            return Ok(None);
        }
        self.intake.take_barrier()
    }

    /// What the channel looks like to somebody else.
    pub(crate) fn intake(&self) -> Arc<Intake> {
        Arc::clone(&self.intake)
    }

    /// Bytes that came and were not yet taken.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.intake.queued_bytes()
    }
}

fn read(reader: &mut Reader, intake: &Intake, encoded: EncodedBatch) -> Result<Batch, Failure> {
    reader.read(encoded.body).map(Batch::new).map_err(|error| {
        let failure = Failure::bug(format!("a batch of {} cannot be read", intake.id())).because(&error);
        intake.fail(failure.clone());
        failure
    })
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.intake.close();
    }
}

//! The end of a channel that elements come out of.

use std::sync::Arc;

use dataflow::element::{Barrier, Batch, Element};
use dataflow::error::Failure;

use super::{ChannelId, Intake, Item};
use crate::network::Reader;

/// The receiving end of one channel, local or remote alike. Owned by the receiving subtask's gate.
pub struct Inlet {
    intake: Arc<Intake>,
    /// Reads what came from the wire, on the thread that takes it.
    reader: Reader,
}

impl Inlet {
    pub(crate) fn new(intake: Arc<Intake>) -> Self {
        Self {
            intake,
            reader: Reader::default(),
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
        match self.intake.take()? {
            None => Ok(None),
            Some(Item::Element(element)) => Ok(Some(element)),
            Some(Item::Encoded(encoded)) => match self.reader.read(encoded.body) {
                Ok(records) => Ok(Some(Element::Batch(Batch::new(records)))),
                Err(error) => {
                    let failure =
                        Failure::bug(format!("a batch of {} cannot be read", self.intake.id())).because(&error);
                    self.intake.fail(failure.clone());
                    Err(failure)
                }
            },
        }
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
        self.intake.take_barrier()
    }

    /// Bytes that came and were not yet taken.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.intake.queued_bytes()
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.intake.close();
    }
}

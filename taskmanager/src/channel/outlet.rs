//! The end of a channel that elements go into.

use std::collections::VecDeque;

use dataflow::element::{Barrier, Batch, Element};
use dataflow::error::Failure;

use super::credit::{self, EXCLUSIVE, QUANTUM};
use super::intake::{cost_of, into_batch};
use super::{ChannelId, Item, compact, push_merged, slice};

/// The way from an outlet to the receiving queue.
pub(crate) trait Link: Send {
    /// Credit, if at least `least` is there; otherwise none, and the sender's waker is called once it is.
    ///
    /// # Errors
    /// The other end, or the way to it, is gone.
    fn credit(&mut self, least: u64) -> Result<Option<u64>, Failure>;

    /// Sends one element on its way; a batch spends `cost`. `backlog` is what waits behind it.
    ///
    /// # Errors
    /// The element cannot be sent at all.
    fn carry(&mut self, element: Element, cost: u64, backlog: u64) -> Result<(), Failure>;

    /// The outlet is dropped; `ended` says whether it sent `End`.
    fn close(&mut self, ended: Ended);
}

/// Whether an outlet has sent `End`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Yes,
    No,
}

/// The sending end of one channel, local or remote alike. Owned by the sending subtask.
pub struct Outlet {
    id: ChannelId,
    /// What credit was too short for, in order.
    waiting: VecDeque<(Item, u64)>,
    waiting_bytes: u64,
    link: Box<dyn Link>,
    ended: Ended,
}

impl Outlet {
    pub(crate) fn new(id: ChannelId, link: Box<dyn Link>) -> Self {
        Self {
            id,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            link,
            ended: Ended::No,
        }
    }

    /// Which channel this is.
    #[must_use]
    pub fn id(&self) -> &ChannelId {
        &self.id
    }

    /// Sends `element`, as far as credit goes; the rest waits here for [`Outlet::pump`]. Never blocks.
    ///
    /// What waits here is bounded by the caller, who takes no more input while [`Outlet::is_clear`] is false.
    ///
    /// # Errors
    /// The receiver is gone (retry), or a row is larger than a frame may be (fail).
    pub fn send(&mut self, element: Element) -> Result<(), Failure> {
        debug_assert!(self.ended == Ended::No, "after End nothing follows");
        let element = match element {
            Element::Batch(batch) if batch.row_count() == 0 => return Ok(()),
            Element::Batch(batch) => Element::Batch(compacted(batch)),
            Element::End => {
                self.ended = Ended::Yes;
                Element::End
            }
            other @ (Element::Watermark(_) | Element::Barrier(_) | Element::Idle) => other,
        };
        let cost = cost_of(&element);
        self.waiting_bytes += cost;
        push_merged(&mut self.waiting, Item::Element(element), cost);
        self.pump()
    }

    /// Sends what waits, as far as credit goes. To be called after a wake-up.
    ///
    /// # Errors
    /// As for [`Outlet::send`].
    pub fn pump(&mut self) -> Result<(), Failure> {
        while let Some((item, cost)) = self.waiting.pop_front() {
            if cost == 0 {
                if let Item::Element(element) = item {
                    self.link.carry(element, 0, self.waiting_bytes)?;
                }
                continue;
            }
            let Some(batch) = into_batch(item) else { continue };
            let before = self.waiting_bytes - cost;
            let rest = self.offer(batch, before)?;
            self.waiting_bytes = before;
            if let Some((rest, outcome)) = rest {
                let cost = credit::cost(&rest);
                self.waiting_bytes += cost;
                self.waiting.push_front((Item::Element(Element::Batch(rest)), cost));
                if outcome == Outcome::Blocked {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends a barrier past all that waits for credit; answers that, in order. It is sent behind the barrier, as credit comes.
    ///
    /// A channel whose end has left needs no barrier: the end counts as every later one.
    ///
    /// # Errors
    /// The receiver is gone (retry).
    pub fn overtake(&mut self, barrier: Barrier) -> Result<Vec<Element>, Failure> {
        if self.ended == Ended::Yes && self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        self.link.carry(Element::Barrier(barrier), 0, self.waiting_bytes)?;
        let says_something = |element: &&Element| !matches!(element, Element::Barrier(_) | Element::End);
        let elements = self.waiting.iter().filter_map(|(item, _)| match item {
            Item::Element(element) => Some(element),
            Item::Encoded(_) => None,
        });
        Ok(elements.filter(says_something).cloned().collect())
    }

    /// What a restored barrier had passed here, to be sent before anything else.
    pub fn restore(&mut self, passed: Vec<Element>) {
        for element in passed {
            let cost = cost_of(&element);
            self.waiting_bytes += cost;
            self.waiting.push_back((Item::Element(element), cost));
        }
    }

    /// Sends a part of `batch` and answers the rest, if any; `behind` bytes wait behind it.
    fn offer(&mut self, batch: Batch, behind: u64) -> Result<Option<(Batch, Outcome)>, Failure> {
        let Some(credit) = self.link.credit(credit::cost(&batch).min(QUANTUM))? else {
            return Ok(Some((batch, Outcome::Blocked)));
        };
        let (head, rest) = match slice::split_off(batch, credit) {
            (Some(head), rest) => (head, rest),
            (None, batch) => {
                // Not even one row fits. One that is larger than any window goes when the window is whole.
                let Some(batch) = batch else { return Ok(None) };
                let (head, rest) = slice::first_row(&batch);
                if self.link.credit(credit::cost(&head).min(EXCLUSIVE))?.is_none() {
                    return Ok(Some((batch, Outcome::Blocked)));
                }
                (head, rest)
            }
        };
        let backlog = behind + rest.as_ref().map_or(0, credit::cost);
        let cost = credit::cost(&head);
        self.link.carry(Element::Batch(head), cost, backlog)?;
        Ok(rest.map(|rest| (rest, Outcome::Partly)))
    }

    /// Whether nothing waits for credit: the time to take more input.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait for credit.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// What it waits for, as people read it: `credit of edge-1 to sub-2.0`.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        (!self.is_clear()).then(|| format!("credit of {} to {}", self.id.edge, self.id.to))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Partly,
    Blocked,
}

/// The batch without the parts of shared buffers that it does not reach.
fn compacted(batch: Batch) -> Batch {
    Batch::new(compact(batch.records()))
}

impl Drop for Outlet {
    fn drop(&mut self) {
        // With something still waiting the receiver would miss it: that is no end.
        let ended = if self.waiting.is_empty() { self.ended } else { Ended::No };
        self.link.close(ended);
    }
}

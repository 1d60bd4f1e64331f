//! Drives a batch through the nodes: the deepest operator that may still have output is pulled first.

use std::sync::Arc;

use dataflow::element::{Barrier, Batch, Element};
use dataflow::recipe::Port;
use dataflow::time::Instant;
use dataflow::{Failure, contract::Committable};

use crate::operators::Operator;
use crate::partition::Output;
use crate::task::gauges::{Gauges, NodeGauges, Wait};
use crate::writer::{Occasion, Writer};

/// The nodes, and the ways out.
pub(crate) struct Chain {
    nodes: Vec<Node>,
    outputs: Vec<Output>,
    gauges: Arc<Gauges>,
    /// Nodes that may still have output, the one to be pulled next at the end.
    under_way: Vec<usize>,
}

/// One operator in its place.
pub(crate) struct Node {
    /// What it does.
    pub(crate) operator: Box<dyn Operator>,
    /// What it counts.
    pub(crate) gauges: Arc<NodeGauges>,
    /// Where its rows go.
    pub(crate) main: Vec<Next>,
    /// Where its dead letters go.
    pub(crate) dead: Vec<Next>,
    /// Its queue, where it is a sink.
    pub(crate) writer: Option<(Arc<str>, Writer)>,
}

/// Where a batch goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A later node.
    Node(usize),
    /// An output, by its place in the list.
    Output(usize),
}

impl Chain {
    /// A chain of these nodes with these ways out.
    pub(crate) fn new(nodes: Vec<Node>, outputs: Vec<Output>, gauges: Arc<Gauges>) -> Self {
        Self {
            nodes,
            outputs,
            gauges,
            under_way: Vec::new(),
        }
    }

    /// Takes a batch at node 0. Only when the one before is through.
    pub(crate) fn enter(&mut self, batch: Batch) -> Result<(), Failure> {
        debug_assert!(self.under_way.is_empty(), "a batch enters while another is under way");
        self.gauges.records_in.add_size(batch.row_count());
        self.gauges.bytes_in.add_size(batch.bytes());
        self.push(0, batch)
    }

    /// Pulls once; `false` when nothing is under way.
    pub(crate) fn step(&mut self, now: Instant) -> Result<bool, Failure> {
        let Some(index) = self.under_way.last().copied() else {
            return Ok(false);
        };
        let Some(emitted) = self.nodes[index].operator.pull()? else {
            self.under_way.pop();
            return Ok(true);
        };
        let node = &mut self.nodes[index];
        let nexts = match emitted.port {
            Port::Main => {
                node.gauges.records_out.add_size(emitted.batch.row_count());
                std::mem::take(&mut node.main)
            }
            Port::Dead => std::mem::take(&mut node.dead),
        };
        let sent = self.fan_out(&nexts, emitted.batch, now);
        match emitted.port {
            Port::Main => self.nodes[index].main = nexts,
            Port::Dead => self.nodes[index].dead = nexts,
        }
        sent.map(|()| true)
    }

    fn fan_out(&mut self, nexts: &[Next], batch: Batch, now: Instant) -> Result<(), Failure> {
        let Some((last, others)) = nexts.split_last() else {
            return Ok(());
        };
        for next in others {
            self.deliver(*next, batch.clone(), now)?;
        }
        self.deliver(*last, batch, now)
    }

    fn deliver(&mut self, next: Next, batch: Batch, now: Instant) -> Result<(), Failure> {
        match next {
            Next::Node(index) => self.push(index, batch),
            Next::Output(index) => {
                self.count_out(&batch);
                self.outputs[index].send(Element::Batch(batch), now)
            }
        }
    }

    fn push(&mut self, index: usize, batch: Batch) -> Result<(), Failure> {
        let node = &mut self.nodes[index];
        node.gauges.records_in.add_size(batch.row_count());
        if node.writer.is_some() {
            self.gauges.records_out.add_size(batch.row_count());
            self.gauges.bytes_out.add_size(batch.bytes());
        }
        node.operator.push(batch)?;
        self.under_way.push(index);
        Ok(())
    }

    fn count_out(&self, batch: &Batch) {
        self.gauges.records_out.add_size(batch.row_count());
        self.gauges.bytes_out.add_size(batch.bytes());
    }

    /// What stands in the way of the next step, after everything that can leave has left.
    pub(crate) fn blocked(&mut self) -> Result<Option<Wait>, Failure> {
        if let Some(wait) = self.pump()? {
            return Ok(Some(wait));
        }
        let full = self
            .nodes
            .iter()
            .filter_map(|node| node.writer.as_ref())
            .find(|(_, writer)| !writer.has_room());
        Ok(full.map(|(step, _)| Wait::Sink(Arc::clone(step))))
    }

    /// Sends on what waits for credit; what is still waited for, if anything.
    pub(crate) fn pump(&mut self) -> Result<Option<Wait>, Failure> {
        for output in &mut self.outputs {
            if !output.is_clear() {
                output.pump()?;
            }
            if !output.is_clear() {
                return Ok(Some(Wait::Credit(
                    output.waits_for().unwrap_or_else(|| "credit".to_owned()),
                )));
            }
        }
        Ok(None)
    }

    /// Sends to every subtask of every edge.
    pub(crate) fn broadcast(&mut self, element: &Element, now: Instant) -> Result<(), Failure> {
        self.outputs
            .iter_mut()
            .try_for_each(|output| output.send(element.clone(), now))
    }

    /// Sends the small batches that have waited long enough for company.
    pub(crate) fn flush_due(&mut self, now: Instant) -> Result<(), Failure> {
        let due = |output: &&mut Output| output.flush_at().is_some_and(|at| at <= now);
        self.outputs.iter_mut().filter(due).try_for_each(Output::flush)
    }

    /// Sends the small batches that wait for company.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.outputs.iter_mut().try_for_each(Output::flush)
    }

    /// Has every sink prepare.
    pub(crate) fn prepare(&self, barrier: Barrier) {
        for (_, writer) in self.nodes.iter().filter_map(|node| node.writer.as_ref()) {
            writer.prepare(barrier);
        }
    }

    /// Has the sink at `index` commit.
    pub(crate) fn commit(&self, index: usize, committables: Vec<Committable>, occasion: Occasion) {
        if let Some((_, writer)) = self.nodes.get(index).and_then(|node| node.writer.as_ref()) {
            writer.commit(committables, occasion);
        }
    }

    /// Nothing is between node 0 and the ways out.
    pub(crate) fn is_through(&self) -> bool {
        self.under_way.is_empty()
    }
}

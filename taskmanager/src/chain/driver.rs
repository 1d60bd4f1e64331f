//! Drives a batch, or a watermark, through the nodes: the deepest operator that may still have output is pulled first.
//!
//! A watermark goes the way of the rows and stays behind them: a node is told of it, gives what that makes it give, and
//! only then do the nodes behind it hear of it. So the nodes under way are a stack, each with what it passes on at its end.
//! A node that holds rows back says itself when time has come to where: it gives watermarks of its own, behind its rows.
//!
//! Rows that wait in a node are its state, and not under way. Only one that can hold no more stays on the stack, so that
//! nothing before it is pulled, until the time it is told lets it give some.

use std::collections::BTreeMap;
use std::sync::Arc;

use dataflow::element::{Barrier, Batch, Element, Watermark};
use dataflow::id::EdgeId;
use dataflow::recipe::Port;
use dataflow::time::Instant;
use dataflow::{Failure, contract::Committable, crash};

use crate::meter::{Carries, Meter};
use crate::operators::{Emitted, Moment, Operator, Room, SplitChange};
use crate::overtaken::{Passed, Place};
use crate::partition::Output;
use crate::state::Keeper;
use crate::task::gauges::{Gauges, NodeGauges, Wait};
use crate::writer::{Occasion, Writer};

/// The nodes, and the ways out.
pub(crate) struct Chain {
    nodes: Vec<Node>,
    outputs: Vec<Output>,
    gauges: Arc<Gauges>,
    meter: Meter,
    /// Nodes that may still have output, the one to be pulled next at the end.
    under_way: Vec<UnderWay>,
    /// How many barriers have passed: the number of the next cut, less one.
    cuts: u64,
}

/// A node that may still have output.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    node: usize,
    /// What goes on behind its output.
    then: Option<Signal>,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something moved.
    Moved,
    /// Nothing is under way.
    Through,
    /// Something is, and a node can hold no more of it before it is told the time.
    Held,
}

/// What is said about time, behind the rows it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It has come to here.
    Watermark(Watermark),
    /// Nobody is to wait for this chain.
    Idle,
}

impl From<Signal> for Element {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Watermark(watermark) => Self::Watermark(watermark),
            Signal::Idle => Self::Idle,
        }
    }
}

/// One operator in its place.
pub(crate) struct Node {
    /// What it does.
    pub(crate) operator: Box<dyn Operator>,
    /// What it counts.
    pub(crate) gauges: Arc<NodeGauges>,
    /// How what it gives follows from what it takes.
    pub(crate) carries: Carries,
    /// Where its rows go.
    pub(crate) main: Vec<Next>,
    /// Where its late rows go.
    pub(crate) late: Vec<Next>,
    /// Where its dead letters go.
    pub(crate) dead: Vec<Next>,
    /// Its queue, where it is a sink.
    pub(crate) writer: Option<(Arc<str>, Writer)>,
    /// What keeps its state, where it has any.
    pub(crate) keeper: Option<(Arc<str>, Keeper)>,
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
    pub(crate) fn new(nodes: Vec<Node>, outputs: Vec<Output>, gauges: Arc<Gauges>, meter: Meter) -> Self {
        Self {
            nodes,
            outputs,
            gauges,
            meter,
            under_way: Vec::new(),
            cuts: 0,
        }
    }

    /// Takes a batch at node 0. Only when the one before is through.
    pub(crate) fn enter(&mut self, batch: Batch) -> Result<(), Failure> {
        debug_assert!(self.under_way.is_empty(), "a batch enters while another is under way");
        self.gauges.records_in.add_size(batch.row_count());
        self.gauges.bytes_in.add_size(batch.bytes());
        self.push(0, batch)
    }

    /// Takes what is said about time, at node 0. Only when what came before is through.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<(), Failure> {
        debug_assert!(self.under_way.is_empty(), "time moves while rows are under way");
        self.hear(0, signal)
    }

    /// Whether anybody wants to know what time it is.
    pub(crate) fn is_clocked(&self) -> bool {
        self.nodes.iter().any(|node| node.operator.is_clocked())
    }

    /// Tells them; what that makes them give is under way then. Where a node holds up what is under way, only it is told,
    /// and those that neither are under way themselves nor give rows to one that is.
    pub(crate) fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        let top = self.under_way.last().map(|under_way| under_way.node);
        // The last node is pulled first, so that none is handed rows before it has given its own.
        for index in self.told_the_time() {
            self.nodes[index].operator.tick(now)?;
            if top != Some(index) {
                self.under_way.push(UnderWay {
                    node: index,
                    then: None,
                });
            }
        }
        Ok(())
    }

    fn told_the_time(&self) -> Vec<usize> {
        let top = self.under_way.last().map(|under_way| under_way.node);
        let told =
            |index: &usize| self.nodes[*index].operator.is_clocked() && (top == Some(*index) || self.is_quiet(*index));
        (0..self.nodes.len()).filter(told).collect()
    }

    /// Whether neither a node nor any behind it is under way.
    fn is_quiet(&self, index: usize) -> bool {
        if self.under_way.is_empty() {
            return true;
        }
        let node = &self.nodes[index];
        let mut behind = node.main.iter().chain(&node.late).chain(&node.dead);
        let is_quiet = |next: &Next| match next {
            Next::Node(next) => self.is_quiet(*next),
            Next::Output(_) => true,
        };
        self.under_way.iter().all(|under_way| under_way.node != index) && behind.all(is_quiet)
    }

    /// Has every operator give what it holds back only to have more of it together. Only when nothing is under way; whether
    /// something is then. No row is handed to one that has not given its own: the last node is pulled first.
    pub(crate) fn settle(&mut self) -> Result<bool, Failure> {
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if node.operator.settle()? {
                self.under_way.push(UnderWay {
                    node: index,
                    then: None,
                });
            }
        }
        Ok(!self.under_way.is_empty())
    }

    /// When the next operator wants to be told the time.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let told = self.told_the_time().into_iter();
        told.filter_map(|index| self.nodes[index].operator.wake_at()).min()
    }

    /// The node that holds rows back and wants no more of them, if there is one: nothing is to enter meanwhile.
    pub(crate) fn held(&self) -> Option<Wait> {
        let held = self.nodes.iter().find(|node| node.operator.room() != Room::Open)?;
        Some(Wait::Held(held.gauges.step.as_str().into()))
    }

    /// The splits of the source at node 0 have changed.
    pub(crate) fn splits(&mut self, change: &SplitChange) {
        self.nodes.iter_mut().for_each(|node| node.operator.splits(change));
    }

    /// Pulls once.
    pub(crate) fn step(&mut self, now: Instant) -> Result<Progress, Failure> {
        let Some(UnderWay { node: index, then }) = self.under_way.last().copied() else {
            self.meter.forget();
            return Ok(Progress::Through);
        };
        match self.nodes[index].operator.pull()? {
            None if self.nodes[index].operator.room() == Room::Full => return Ok(Progress::Held),
            None => {
                self.under_way.pop();
                if let Some(signal) = then {
                    self.pass_on(index, signal, now)?;
                }
            }
            Some(Emitted::Rows(port, batch)) => self.emit(index, port, batch, now)?,
            Some(Emitted::Watermark(watermark)) => {
                // Who gives rows their time hears of none.
                self.nodes[index].gauges.watermark.raise(watermark);
                self.pass_on(index, Signal::Watermark(watermark), now)?;
            }
            Some(Emitted::Idle) => self.pass_on(index, Signal::Idle, now)?,
        }
        Ok(Progress::Moved)
    }

    fn emit(&mut self, index: usize, port: Port, batch: Batch, now: Instant) -> Result<(), Failure> {
        let node = &mut self.nodes[index];
        if port == Port::Main {
            node.gauges.records_out.add_size(batch.row_count());
            self.meter.left(&node.gauges, &batch, node.carries);
            node.gauges.valve.pass(&batch);
        }
        let nexts = std::mem::take(node.nexts(port));
        let sent = self.fan_out(&nexts, batch, now);
        *self.nodes[index].nexts(port) = nexts;
        sent
    }

    /// Sends a signal to everybody behind a node. A watermark ends no wait of its own: what is behind it has room.
    fn pass_on(&mut self, index: usize, signal: Signal, now: Instant) -> Result<(), Failure> {
        for port in [Port::Dead, Port::Late, Port::Main] {
            let nexts = std::mem::take(self.nodes[index].nexts(port));
            let told = nexts.iter().try_for_each(|next| match next {
                Next::Node(next) => self.hear(*next, signal),
                Next::Output(output) => self.outputs[*output].send(signal.into(), now),
            });
            *self.nodes[index].nexts(port) = nexts;
            told?;
        }
        Ok(())
    }

    fn hear(&mut self, index: usize, signal: Signal) -> Result<(), Failure> {
        let node = &mut self.nodes[index];
        match signal {
            Signal::Watermark(watermark) => {
                node.gauges.watermark.set(watermark);
                node.operator.advance(watermark)?;
            }
            Signal::Idle => node.operator.idle()?,
        }
        let then = Some(signal).filter(|_| !node.operator.holds_time());
        self.under_way.push(UnderWay { node: index, then });
        Ok(())
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
                if let Some(edge) = self.gauges.edges.get(index) {
                    edge.rows.add_size(batch.row_count());
                    edge.bytes.add_size(batch.bytes());
                }
                let sent = self.outputs[index].send(Element::Batch(batch), now);
                self.note_backlog(index);
                sent
            }
        }
    }

    fn push(&mut self, index: usize, batch: Batch) -> Result<(), Failure> {
        let node = &mut self.nodes[index];
        if crash::loses(&node.gauges.step) {
            return Ok(());
        }
        node.gauges.records_in.add_size(batch.row_count());
        self.meter.entered(&node.gauges, &batch, node.carries);
        if node.writer.is_some() {
            self.gauges.records_out.add_size(batch.row_count());
            self.gauges.bytes_out.add_size(batch.bytes());
            // What a sink is handed is what is seen of it.
            node.gauges.valve.pass(&batch);
        }
        node.operator.push(batch)?;
        if node.writer.is_some() {
            self.meter.written(&node.gauges);
        }
        self.under_way.push(UnderWay {
            node: index,
            then: None,
        });
        Ok(())
    }

    fn count_out(&self, batch: &Batch) {
        self.gauges.records_out.add_size(batch.row_count());
        self.gauges.bytes_out.add_size(batch.bytes());
    }

    /// Says how many bytes wait in an output.
    fn note_backlog(&self, index: usize) {
        if let (Some(edge), Some(output)) = (self.gauges.edges.get(index), self.outputs.get(index)) {
            edge.backlog_bytes.set(output.waiting_bytes());
        }
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
        if let Some((step, _)) = full {
            return Ok(Some(Wait::Sink(Arc::clone(step))));
        }
        let mut keepers = self.nodes.iter().filter_map(|node| node.keeper.as_ref());
        let full = keepers.find(|(_, keeper)| !keeper.has_room());
        Ok(full.map(|(step, _)| Wait::State(Arc::clone(step))))
    }

    /// Sends on what waits for credit; what is still waited for, if anything.
    pub(crate) fn pump(&mut self) -> Result<Option<Wait>, Failure> {
        for index in 0..self.outputs.len() {
            let output = &mut self.outputs[index];
            if !output.is_clear() {
                output.pump()?;
                self.note_backlog(index);
            }
            let output = &self.outputs[index];
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

    /// Sends a barrier to every subtask of every edge, past what waits for credit; answers that.
    pub(crate) fn overtake(&mut self, barrier: Barrier) -> Result<Vec<Passed>, Failure> {
        let mut passed = Vec::new();
        for output in &mut self.outputs {
            let edge = output.edge();
            let of_edge = output.overtake(barrier)?.into_iter().map(|(to, elements)| Passed {
                place: Place::Outlet { edge, to },
                elements,
            });
            passed.extend(of_edge);
        }
        Ok(passed)
    }

    /// Has the prepares of a barrier pass the rows that wait for sinks; answers those.
    pub(crate) fn overtake_writers(&self, counter: u64) -> Vec<Passed> {
        let writers = self.nodes.iter().filter_map(|node| node.writer.as_ref());
        let passed = writers.filter_map(|(step, writer)| {
            let rows = writer.overtake(counter)?;
            Some(Passed {
                place: Place::Sink { step: step.to_string() },
                elements: rows.into_iter().map(Element::Batch).collect(),
            })
        });
        passed.filter(|passed| !passed.elements.is_empty()).collect()
    }

    /// What a restored barrier had passed, back to where it was, before anything new: what waited for credit.
    pub(crate) fn restore_output(&mut self, edge: EdgeId, to: u32, passed: Vec<Element>) -> Result<(), Failure> {
        let output = self.outputs.iter_mut().find(|output| output.edge() == edge);
        let output = output.ok_or_else(|| {
            Failure::bug(format!(
                "rows were on their way by {edge}, which this subtask does not send by"
            ))
        })?;
        output.restore(to, passed)
    }

    /// The same of what waited for the sink of this node.
    pub(crate) fn restore_writer(&self, index: usize, passed: Vec<Batch>) {
        if let Some((_, writer)) = self.nodes.get(index).and_then(|node| node.writer.as_ref()) {
            writer.restore(passed);
        }
    }

    /// Bytes that are sent, or written, beyond what there is credit and room for.
    pub(crate) fn overdrawn(&self) -> u64 {
        let outputs = self.outputs.iter().map(Output::waiting_bytes);
        let writers = self.nodes.iter().filter_map(|node| node.writer.as_ref());
        let writers = writers.map(|(_, writer)| writer.overdrawn() as u64);
        outputs.chain(writers).sum()
    }

    /// Sends the small batches that have waited long enough for company.
    pub(crate) fn flush_due(&mut self, now: Instant) -> Result<(), Failure> {
        let due = |output: &&mut Output| output.flush_at().is_some_and(|at| at <= now);
        self.outputs.iter_mut().filter(due).try_for_each(Output::flush)
    }

    /// Sends the small batches that wait for company.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.outputs.iter_mut().try_for_each(Output::flush)?;
        (0..self.outputs.len()).for_each(|index| self.note_backlog(index));
        Ok(())
    }

    /// Has every sink prepare.
    pub(crate) fn prepare(&self, barrier: Barrier) {
        for (_, writer) in self.nodes.iter().filter_map(|node| node.writer.as_ref()) {
            writer.prepare(barrier);
        }
    }

    /// Has every node with state give what has changed, and keeps it. Nothing is under way.
    pub(crate) fn freeze(&mut self, counter: u64) -> Result<(), Failure> {
        self.cuts += 1;
        for node in &mut self.nodes {
            if let Some((_, keeper)) = &node.keeper {
                let mut cut = keeper.begin(self.cuts);
                node.operator.freeze(&mut cut)?;
                if let Some(failure) = cut.take_failure() {
                    return Err(failure);
                }
                node.gauges.strangers.add(cut.strangers());
                keeper.keep(counter, cut);
            }
        }
        Ok(())
    }

    /// Has the sink at `index` commit.
    pub(crate) fn commit(&self, index: usize, committables: Vec<Committable>, occasion: Occasion) {
        if let Some((_, writer)) = self.nodes.get(index).and_then(|node| node.writer.as_ref()) {
            writer.commit(committables, occasion);
        }
    }

    /// The nodes with state, by their place.
    pub(crate) fn stateful(&self) -> impl Iterator<Item = usize> {
        self.nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.keeper.is_some())
            .map(|(index, _)| index)
    }

    /// How far each split of the source has come that is being read, where a node knows.
    pub(crate) fn reached(&self) -> BTreeMap<String, i64> {
        let mut reached = BTreeMap::new();
        for node in &self.nodes {
            node.operator.reached(&mut reached);
        }
        reached
    }

    /// Nothing is between node 0 and the ways out.
    pub(crate) fn is_through(&self) -> bool {
        self.under_way.is_empty()
    }
}

impl Node {
    fn nexts(&mut self, port: Port) -> &mut Vec<Next> {
        match port {
            Port::Main => &mut self.main,
            Port::Late => &mut self.late,
            Port::Dead => &mut self.dead,
        }
    }
}

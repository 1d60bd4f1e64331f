//! A whole datastream in one thread, with rows and time given by hand: what the tests in a document are run on.
//!
//! Enters: the chains of a job graph, rows as JSON lines, watermarks, the time of the clock. Leaves: what each sink would
//! have been handed, as JSON. Who calls: `weir test`. Must stay true: the operators are those of a real run, and nothing
//! depends on the machine's clock. Not here: channels, checkpoints, parallelism; what stands in a test (planner, cli).

mod given;
mod sinks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dataflow::id::{EdgeId, JobId, VertexId};
use dataflow::recipe::{self, Chain as Recipes, Port, Recipe, Target};
use dataflow::time::{Clock, Instant, WallTime};
use dataflow::{Failure, Registry};
use serde_json::Value;

use crate::chain::dead::Origin;
use crate::chain::{Chain, Next, Node, Progress, Signal};
use crate::operators::{self, Ground, Moment};
use crate::state::{KeyGroups, Restored};
use crate::task::gauges::{Gauges, NodeGauges};
use given::Given;
use sinks::{Collect, Collected};

/// A datastream that is played through by hand.
pub struct Rehearsal {
    /// One chain of everything that hangs on one source; rows of another source never meet them in one push.
    chain: Chain,
    sources: BTreeMap<String, Source>,
    collected: BTreeMap<String, Collected>,
    clock: Arc<dyn Clock>,
    wall: WallTime,
}

struct Source {
    node: usize,
    given: Given,
}

/// The parts of a job, as a rehearsal wants them.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Its chains, by vertex.
    pub vertices: &'a BTreeMap<VertexId, Recipes>,
    /// Where its edges lead.
    pub edges: &'a BTreeMap<EdgeId, VertexId>,
    /// Connectors and formats.
    pub registry: &'a Registry,
    /// The time, which only the caller moves.
    pub clock: &'a Arc<dyn Clock>,
}

impl Rehearsal {
    /// Brings the operators of a job to life, with one subtask of each.
    ///
    /// # Errors
    /// What would fail a deployment: expressions and formats that cannot run.
    pub fn new(job: &JobId, parts: Parts<'_>) -> Result<Self, Failure> {
        let mut first = BTreeMap::new();
        let mut count = 0;
        for (vertex, chain) in parts.vertices {
            first.insert(*vertex, count);
            count += chain.nodes.len();
        }
        let (mut nodes, mut sources, mut collected) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (vertex, chain) in parts.vertices {
            let offset = first[vertex];
            for node in &chain.nodes {
                if let Recipe::Source(source) = &node.recipe {
                    let given = Given::new(source, node, parts.registry)?;
                    let source = Source {
                        node: nodes.len(),
                        given,
                    };
                    sources.insert(node.name.clone(), source);
                }
                let next = |target: &Target| match target {
                    Target::Node(index) => Some(Next::Node(offset + index)),
                    Target::Edge(edge) => parts.edges.get(edge).map(|vertex| Next::Node(first[vertex])),
                };
                nodes.push(made(job, node, &parts, &mut collected, next)?);
            }
        }
        let gauges = Arc::new(Gauges::new(std::iter::empty()));
        Ok(Self {
            chain: Chain::new(nodes, Vec::new(), gauges),
            sources,
            collected,
            clock: Arc::clone(parts.clock),
            wall: parts.clock.wall(),
        })
    }

    /// The names of the sources.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Rows of a source, in order, as records of its format or as JSON of its columns.
    ///
    /// # Errors
    /// No source of this name, rows that are not of its columns, or what would fail a subtask.
    pub fn rows(&mut self, source: &str, records: &[String]) -> Result<(), Failure> {
        let known: Vec<&str> = self.sources.keys().map(String::as_str).collect();
        let unknown = format!("there is no source `{source}`; there is {}", known.join(", "));
        let Some(found) = self.sources.get_mut(source) else {
            return Err(Failure::fail(unknown));
        };
        let (node, wall) = (found.node, self.wall);
        if let Some(batch) = found.given.batch(records, wall)? {
            self.chain.enter_at(node, batch)?;
        }
        self.settle()
    }

    /// Event time comes to here, in all sources.
    ///
    /// # Errors
    /// What would fail a subtask.
    pub fn watermark(&mut self, watermark: dataflow::element::Watermark) -> Result<(), Failure> {
        let nodes: Vec<usize> = self.sources.values().map(|source| source.node).collect();
        for node in nodes {
            self.chain.signal_at(node, Signal::Watermark(watermark))?;
            self.settle()?;
        }
        Ok(())
    }

    /// The clock goes on.
    ///
    /// # Errors
    /// What would fail a subtask.
    pub fn tick(&mut self, time: Duration) -> Result<(), Failure> {
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.wall = WallTime(self.wall.0.saturating_add(ms));
        self.chain.tick(self.moment())?;
        self.settle()
    }

    /// All input is over.
    ///
    /// # Errors
    /// What would fail a subtask.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.watermark(dataflow::element::Watermark::MAX)
    }

    /// What a sink was handed since it was last asked; none where there is no such sink.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "what is taken is gone")]
    pub fn take(&mut self, sink: &str) -> Option<Vec<Value>> {
        self.collected.get(sink).map(Collected::take)
    }

    /// The names of the sinks.
    pub fn sinks(&self) -> impl Iterator<Item = &str> {
        self.collected.keys().map(String::as_str)
    }

    fn moment(&self) -> Moment {
        Moment {
            instant: self.now(),
            wall: self.wall,
            held_up: Duration::ZERO,
        }
    }

    fn now(&self) -> Instant {
        let start = self.clock.wall().0;
        let passed = u64::try_from(self.wall.0.saturating_sub(start)).unwrap_or(0);
        Instant::from_start(Duration::from_millis(passed))
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let now = self.now();
        loop {
            while self.chain.step(now)? == Progress::Moved {}
            if !self.chain.is_through() || !self.chain.settle()? {
                return Ok(());
            }
        }
    }
}

/// One node, alive; a sink only collects.
fn made(
    job: &JobId,
    node: &recipe::Node,
    parts: &Parts<'_>,
    collected: &mut BTreeMap<String, Collected>,
    next: impl Fn(&Target) -> Option<Next>,
) -> Result<Node, Failure> {
    let gauges = Arc::new(NodeGauges::new(node.name.clone()));
    let origin = Origin {
        job: job.clone(),
        attempt: "test".to_owned(),
        clock: Arc::clone(parts.clock),
    };
    let ground = Ground {
        registry: parts.registry,
        origin: &origin,
        gauges: &gauges,
        writer: None,
        groups: KeyGroups::of(0, 1, 1024),
        restored: &Restored::default(),
        spill: None,
    };
    let operator: Box<dyn operators::Operator> = if let Recipe::Sink(_) = &node.recipe {
        let rows = collected.entry(node.name.clone()).or_default();
        Box::new(Collect::new(rows.clone()))
    } else {
        operators::build(node, &ground)?
    };
    let nexts = |port: Port| {
        let targets = node.targets.iter().filter(move |(from, _)| *from == port);
        targets.filter_map(|(_, target)| next(target)).collect()
    };
    Ok(Node {
        operator,
        main: nexts(Port::Main),
        late: nexts(Port::Late),
        dead: nexts(Port::Dead),
        gauges,
        writer: None,
        keeper: None,
    })
}

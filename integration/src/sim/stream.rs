//! The one datastream of a simulated world: bounded splits, a count for each key, a sink in two phases.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use async_trait::async_trait;
use dataflow::contract::{
    Connector, Description, Discovery, Enumerator, EnumeratorContext, InvalidOptions, Reader, ReaderContext, Shape,
    SourceConnector, Split,
};
use dataflow::id::{EdgeId, VertexId};
use dataflow::recipe::{Chain, Node, Partition, Port, Recipe, Role, Sink, Source, Target};
use dataflow::{Failure, Registry};
use jobmanager::{Desired, Planned};
use planner::job::{Edge, JobGraph, Restart, Settings, Vertex};
use serde_json::{Value, json};

use super::chance::{Chance, scattered};

/// The datastream.
pub(super) const NAME: &str = "simulated";
/// The source's step.
pub(super) const EVENTS: &str = "events";
/// The sink's step.
pub(super) const OUT: &str = "out";
/// The state of the counts, beside the sink in its subtask.
pub(super) const COUNT: &str = "count";

/// How large the datastream of a seed is.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Rows of each split.
    pub(super) splits: Vec<u64>,
    pub(super) keys: u64,
    pub(super) sources: u32,
    pub(super) sinks: u32,
    pub(super) interval: Duration,
}

impl Stream {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let count = chance.within(&(1..=8));
        Self {
            splits: (0..count).map(|_| chance.within(&(0..=80))).collect(),
            keys: chance.within(&(1..=7)),
            sources: u32::try_from(chance.within(&(1..=3))).unwrap_or(1),
            sinks: u32::try_from(chance.within(&(1..=3))).unwrap_or(1),
            interval: Duration::from_millis(chance.within(&(50..=500))),
        }
    }

    /// The key of a row.
    pub(super) fn key(&self, split: u64, position: u64) -> u64 {
        scattered(split << 32 | position) % self.keys
    }

    /// Slots that it needs.
    pub(super) fn slots(&self) -> u32 {
        self.sources.max(self.sinks)
    }

    pub(super) fn registry(&self) -> Arc<Registry> {
        let connector = Bounded {
            splits: self.splits.clone(),
        };
        Arc::new(Registry::new(vec![Arc::new(connector)], Vec::new()))
    }

    pub(super) fn planned(&self) -> Planned {
        let source = Recipe::Source(Source {
            connector: EVENTS.to_owned(),
            options: Value::Null,
            format: None,
            columns: None,
        });
        let sink = Recipe::Sink(Sink {
            connector: OUT.to_owned(),
            options: Value::Null,
            format: None,
            role: Role::Sink,
        });
        let edge = Edge {
            id: EdgeId(0),
            from: VertexId(0),
            to: VertexId(1),
            partition: Partition::Hash {
                keys: Vec::new(),
                max_parallelism: 1024,
            },
        };
        let settings = Settings {
            checkpoint_interval: self.interval,
            // Nothing waits in the channels of this world.
            aligned_timeout: None,
            restart: Restart::Exponential {
                first: Duration::from_millis(50),
                longest: Duration::from_secs(2),
                quiet: Duration::from_secs(600),
                attempts: None,
            },
            ..Settings::default()
        };
        let graph = JobGraph {
            name: NAME.to_owned(),
            contact: None,
            vertices: vec![
                vertex(
                    0,
                    self.sources,
                    node(EVENTS, source, vec![(Port::Main, Target::Edge(EdgeId(0)))]),
                ),
                vertex(1, self.sinks, node(OUT, sink, Vec::new())),
            ],
            edges: vec![edge],
            settings,
        };
        Planned {
            text: "datastreamName: simulated".to_owned(),
            graph,
            desired: Desired::On,
            written: Arc::default(),
        }
    }
}

fn node(name: &str, recipe: Recipe, targets: Vec<(Port, Target)>) -> Node {
    let empty = Arc::new(Schema::empty());
    Node {
        name: name.to_owned(),
        recipe,
        input: empty.clone(),
        output: empty,
        targets,
    }
}

fn vertex(id: u32, parallelism: u32, node: Node) -> Vertex {
    Vertex {
        id: VertexId(id),
        name: node.name.clone(),
        parallelism,
        chain: Chain { nodes: vec![node] },
    }
}

/// A source of a few splits, found one by one.
struct Bounded {
    splits: Vec<u64>,
}

struct Finder {
    splits: Vec<u64>,
    found: usize,
}

/// The split of a number.
pub(super) fn split_id(number: usize) -> String {
    format!("split-{number}")
}

/// The number of a split.
pub(super) fn split_number(id: &str) -> u64 {
    id.trim_start_matches("split-").parse().unwrap_or(u64::MAX)
}

impl Connector for Bounded {
    fn name(&self) -> &'static str {
        EVENTS
    }

    fn describe(&self) -> Description {
        Description {
            summary: "Splits of a simulated world.",
            guarantee: None,
            examples: &[],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(self)
    }
}

impl SourceConnector for Bounded {
    fn schema(&self) -> Value {
        json!({})
    }

    fn plan(&self, _options: &Value) -> Result<Shape, InvalidOptions> {
        Ok(Shape::Bytes)
    }

    fn enumerator(
        &self,
        _options: &Value,
        _context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        let found = restored.and_then(|value| value.as_u64()).unwrap_or(0);
        Ok(Box::new(Finder {
            splits: self.splits.clone(),
            found: usize::try_from(found).unwrap_or(usize::MAX),
        }))
    }

    fn reader(&self, _options: &Value, _context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        Err(Failure::bug("nobody reads at a job manager"))
    }
}

#[async_trait]
impl Enumerator for Finder {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        let end = (self.found + 2).min(self.splits.len());
        let splits = (self.found..end).map(|number| Split {
            id: split_id(number),
            spec: json!(self.splits[number]),
            position: Value::Null,
        });
        let splits = splits.collect();
        self.found = end;
        Ok(Discovery {
            splits,
            next: (end < self.splits.len()).then(|| Duration::from_millis(70)),
            bytes: None,
        })
    }

    fn snapshot(&self) -> Value {
        json!(self.found)
    }
}

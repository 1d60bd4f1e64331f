//! The one datastream of a simulated world: bounded splits, a count for each key, a sink in two phases; in some worlds two such
//! flows side by side, each a region of its own.

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
use super::profile::Profile;

/// The datastream.
pub(super) const NAME: &str = "simulated";
/// The source's step.
pub(super) const EVENTS: &str = "events";
/// The sink's step.
pub(super) const OUT: &str = "out";
/// The state of the counts, beside the sink in its subtask.
pub(super) const COUNT: &str = "count";

/// A step's name in a flow.
pub(super) fn step_of(name: &str, flow: u32) -> String {
    match flow {
        0 => name.to_owned(),
        _ => format!("{name}-{flow}"),
    }
}

/// The flow that a vertex is of.
pub(super) fn flow_of(vertex: VertexId) -> u32 {
    vertex.0 / 2
}

/// One source with its sink.
#[derive(Clone, Debug)]
struct Flow {
    /// Rows of each split.
    splits: Vec<u64>,
    keys: u64,
    sources: u32,
    sinks: u32,
}

impl Flow {
    fn draw(chance: &mut Chance) -> Self {
        let count = chance.within(&(1..=8));
        Self {
            splits: (0..count).map(|_| chance.within(&(0..=80))).collect(),
            keys: chance.within(&(1..=7)),
            sources: u32::try_from(chance.within(&(1..=3))).unwrap_or(1),
            sinks: u32::try_from(chance.within(&(1..=3))).unwrap_or(1),
        }
    }

    /// Its source's vertex and its sink's, and the edge between them.
    fn planned(&self, flow: u32, first: usize) -> ([Vertex; 2], Edge) {
        let source = Recipe::Source(Source {
            connector: EVENTS.to_owned(),
            options: json!({ "first": first, "end": first + self.splits.len() }),
            format: None,
            columns: None,
        });
        let sink = Recipe::Sink(Sink {
            connector: OUT.to_owned(),
            options: Value::Null,
            format: None,
            role: Role::Sink,
        });
        let (from, to, id) = (VertexId(2 * flow), VertexId(2 * flow + 1), EdgeId(flow));
        let source = node(&step_of(EVENTS, flow), source, vec![(Port::Main, Target::Edge(id))]);
        let sink = node(&step_of(OUT, flow), sink, Vec::new());
        let partition = Partition::Hash {
            keys: Vec::new(),
            max_parallelism: 1024,
        };
        let vertices = [vertex(from, self.sources, source), vertex(to, self.sinks, sink)];
        (
            vertices,
            Edge {
                id,
                from,
                to,
                partition,
            },
        )
    }
}

/// How large the datastream of a seed is.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    flows: Vec<Flow>,
    interval: Duration,
}

impl Stream {
    pub(super) fn draw(profile: Profile, chance: &mut Chance) -> Self {
        let mut flows = vec![Flow::draw(chance)];
        let interval = Duration::from_millis(chance.within(&(50..=500)));
        let two = match profile {
            Profile::PartFails => true,
            Profile::Swarm => chance.happens(250),
            _ => false,
        };
        if two {
            flows.push(Flow::draw(chance));
        }
        Self { flows, interval }
    }

    /// Rows of each split, over all flows.
    pub(super) fn splits(&self) -> impl Iterator<Item = u64> {
        self.flows.iter().flat_map(|flow| &flow.splits).copied()
    }

    /// The key of a row; no two flows share one.
    pub(super) fn key(&self, split: u64, position: u64) -> u64 {
        let (mut first, mut keys) = (0, 0);
        for flow in &self.flows {
            first += flow.splits.len() as u64;
            if split < first {
                return keys + scattered(split << 32 | position) % flow.keys;
            }
            keys += flow.keys;
        }
        keys
    }

    /// Slots that it needs.
    pub(super) fn slots(&self) -> u32 {
        let widest = self.flows.iter().map(|flow| flow.sources.max(flow.sinks));
        widest.max().unwrap_or(1)
    }

    pub(super) fn registry(&self) -> Arc<Registry> {
        let connector = Bounded {
            splits: self.splits().collect(),
        };
        Arc::new(Registry::new(vec![Arc::new(connector)], Vec::new()))
    }

    pub(super) fn planned(&self) -> Planned {
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
        let mut graph = JobGraph {
            name: NAME.to_owned(),
            contact: None,
            vertices: Vec::new(),
            edges: Vec::new(),
            settings,
        };
        let mut first = 0;
        for (flow, number) in self.flows.iter().zip(0..) {
            let (vertices, edge) = flow.planned(number, first);
            graph.vertices.extend(vertices);
            graph.edges.push(edge);
            first += flow.splits.len();
        }
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

fn vertex(id: VertexId, parallelism: u32, node: Node) -> Vertex {
    Vertex {
        id,
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
    end: usize,
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
        options: &Value,
        _context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        let number = |value: &Value| usize::try_from(value.as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        Ok(Box::new(Finder {
            splits: self.splits.clone(),
            found: number(&restored.unwrap_or_else(|| options["first"].clone())),
            end: number(&options["end"]),
        }))
    }

    fn reader(&self, _options: &Value, _context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        Err(Failure::bug("nobody reads at a job manager"))
    }
}

#[async_trait]
impl Enumerator for Finder {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        let end = (self.found + 2).min(self.end);
        let splits = (self.found..end).map(|number| Split {
            id: split_id(number),
            spec: json!(self.splits[number]),
            position: Value::Null,
        });
        let splits = splits.collect();
        self.found = end;
        Ok(Discovery {
            splits,
            next: (end < self.end).then(|| Duration::from_millis(70)),
            bytes: None,
        })
    }

    fn snapshot(&self) -> Value {
        json!(self.found)
    }
}

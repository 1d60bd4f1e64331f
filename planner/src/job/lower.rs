//! Logical plan to job graph: nodes fused into chains, chains joined by edges, dead letters sent to their sink.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::Schema;
use dataflow::contract::dead;
use dataflow::id::{EdgeId, VertexId};
use dataflow::recipe::{Chain, Node, Partition, Port, Recipe, Role, Target};

use super::dealt::dealt;
use super::{Edge, JobGraph, Vertex};
use crate::logical::{self, LogicalPlan};

/// The name of the sink of dead letters.
pub const DEAD_LETTER: &str = "deadLetter";

/// Fuses what can run in one thread: a node with one input and as many subtasks as that, without a key, or with the one
/// that its rows lie apart by already.
#[must_use]
pub fn lower(plan: &LogicalPlan) -> JobGraph {
    let mut lowering = Lowering {
        plan,
        places: BTreeMap::new(),
        vertices: Vec::new(),
        edges: Vec::new(),
    };
    for index in 0..plan.nodes.len() {
        lowering.place(index);
    }
    lowering.dead_letters();
    let vertices = lowering.vertices.into_iter().map(named).collect();
    let (name, contact) = (plan.name.clone(), plan.contact.clone());
    JobGraph {
        name,
        contact,
        vertices,
        edges: lowering.edges,
        settings: plan.settings.clone(),
    }
}

/// Where a job keeps its dead letters, if it does.
#[must_use]
pub fn dead_letter_folder(graph: &JobGraph) -> Option<&str> {
    let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
    let mut sinks = nodes.filter_map(|node| match &node.recipe {
        Recipe::Sink(sink) if sink.role == Role::DeadLetter => Some(sink),
        _ => None,
    });
    sinks.next()?.options.get("path")?.as_str()
}

struct Lowering<'a> {
    plan: &'a LogicalPlan,
    /// Vertex and place in its chain of each node.
    places: BTreeMap<usize, (usize, usize)>,
    vertices: Vec<Vertex>,
    edges: Vec<Edge>,
}

impl Lowering<'_> {
    fn place(&mut self, index: usize) {
        let node = &self.plan.nodes[index];
        let fused = match node.inputs.as_slice() {
            [input] if self.plan.nodes[input.node].parallelism == node.parallelism => {
                let lies_apart = || dealt(self.plan, *input).is_some_and(|key| key == node.key_by);
                (node.key_by.is_empty() || lies_apart()).then_some(*input)
            }
            _ => None,
        };
        let made = self.node(node);
        if let Some(input) = fused {
            let (vertex, before) = self.places[&input.node];
            let nodes = &mut self.vertices[vertex].chain.nodes;
            let place = nodes.len();
            nodes.push(made);
            nodes[before].targets.push((input.port, Target::Node(place)));
            self.places.insert(index, (vertex, place));
            return;
        }
        let vertex = self.vertex(made, node.parallelism);
        self.places.insert(index, (vertex, 0));
        for input in &node.inputs {
            let partition = self.partition(input.node, node);
            let from = self.places[&input.node];
            self.connect(from, input.port, (vertex, partition));
        }
    }

    fn node(&self, node: &logical::Node) -> Node {
        Node {
            name: node.name.clone(),
            recipe: node.recipe.clone(),
            input: self.plan.input(node),
            output: Arc::clone(&node.output),
            targets: Vec::new(),
        }
    }

    fn vertex(&mut self, first: Node, parallelism: u32) -> usize {
        let id = VertexId(number(self.vertices.len()));
        self.vertices.push(Vertex {
            id,
            name: String::new(),
            parallelism,
            chain: Chain { nodes: vec![first] },
        });
        self.vertices.len() - 1
    }

    fn partition(&self, input: usize, node: &logical::Node) -> Partition {
        if !node.key_by.is_empty() {
            return Partition::Hash {
                keys: node.key_by.clone(),
                max_parallelism: self.plan.settings.max_parallelism,
            };
        }
        if self.plan.nodes[input].parallelism == node.parallelism {
            Partition::Forward
        } else {
            Partition::Rebalance
        }
    }

    fn connect(&mut self, (from, node): (usize, usize), port: Port, (to, partition): (usize, Partition)) {
        let id = EdgeId(number(self.edges.len()));
        self.edges.push(Edge {
            id,
            from: self.vertices[from].id,
            to: self.vertices[to].id,
            partition,
        });
        self.vertices[from].chain.nodes[node]
            .targets
            .push((port, Target::Edge(id)));
    }

    /// One sink for the dead letters of all nodes: few rows, one file.
    fn dead_letters(&mut self) {
        let Some(sink) = &self.plan.dead_letter else { return };
        let (recipe, output) = (Recipe::Sink(sink.clone()), Arc::new(Schema::empty()));
        let node = Node {
            name: DEAD_LETTER.to_owned(),
            recipe,
            input: dead::schema(),
            output,
            targets: Vec::new(),
        };
        let to = self.vertex(node, 1);
        for (index, node) in self
            .plan
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.has_dead_letters())
        {
            let partition = if node.parallelism == 1 {
                Partition::Forward
            } else {
                Partition::Rebalance
            };
            self.connect(self.places[&index], Port::Dead, (to, partition));
        }
    }
}

fn named(mut vertex: Vertex) -> Vertex {
    let names: Vec<&str> = vertex.chain.nodes.iter().map(|node| node.name.as_str()).collect();
    vertex.name = names.join(" -> ");
    vertex
}

/// Documents have a few hundred steps at most ([`crate::spec::STEPS_MAX`]).
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("a document has far fewer steps than 2^32")
}

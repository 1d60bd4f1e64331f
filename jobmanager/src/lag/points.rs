//! The steps of a graph, and who gives rows to whom.

use dataflow::element::columns;
use dataflow::id::EdgeId;
use dataflow::recipe::{Node, Partition, Port, Recipe, Target};
use planner::job::JobGraph;

/// The steps, each behind those that feed it within its chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points<'a> {
    pub(super) steps: Vec<Point<'a>>,
}

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Point<'a> {
    pub(super) node: &'a Node,
    /// Its vertex, by its place in the graph.
    vertex: usize,
    /// Who gives it rows, by what output.
    pub(super) fed: Vec<Feeder>,
    /// Whether its rows come by an edge that multiplies them.
    pub(super) multiplied: bool,
}

/// Whoever gives rows, and by which output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feeder {
    /// By its place among the steps.
    pub(super) step: usize,
    pub(super) port: Port,
}

impl<'a> Points<'a> {
    /// Of this graph.
    pub(crate) fn of(graph: &'a JobGraph) -> Self {
        let mut steps: Vec<Point<'a>> = Vec::new();
        let mut firsts = Vec::with_capacity(graph.vertices.len());
        for (place, vertex) in graph.vertices.iter().enumerate() {
            firsts.push(steps.len());
            steps.extend(vertex.chain.nodes.iter().map(|node| Point {
                node,
                vertex: place,
                fed: Vec::new(),
                multiplied: false,
            }));
        }
        for step in 0..steps.len() {
            let first = firsts[steps[step].vertex];
            for (port, target) in steps[step].node.targets.clone() {
                let (to, multiplied) = match target {
                    Target::Node(index) => (Some(first + index), false),
                    Target::Edge(edge) => into(graph, &firsts, edge),
                };
                if let Some(point) = to.and_then(|to| steps.get_mut(to)) {
                    point.fed.push(Feeder { step, port });
                    point.multiplied |= multiplied;
                }
            }
        }
        Self { steps }
    }

    /// What tells this graph's tallies from those of another: its steps, and who feeds whom. However wide it is.
    pub(crate) fn shape(&self) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        for point in &self.steps {
            hash.update(point.node.name.as_bytes());
            hash.update(point.node.recipe.name().as_bytes());
            hash.update(&[
                u8::from(columns::is_timed(&point.node.input)),
                u8::from(columns::is_timed(&point.node.output)),
            ]);
            for feeder in &point.fed {
                hash.update(format!(" {} {:?}", feeder.step, feeder.port).as_bytes());
            }
            hash.update(b";");
        }
        hash.finalize()
    }

    /// The place of the step of this name.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|point| point.node.name == name)
    }

    /// The steps by which rows go from one to another, both among them; none where there is no such way.
    pub(super) fn way(&self, from: usize, to: usize) -> Vec<usize> {
        let mut before = vec![false; self.steps.len()];
        let mut open = vec![to];
        while let Some(step) = open.pop() {
            if !std::mem::replace(&mut before[step], true) {
                open.extend(self.steps[step].fed.iter().map(|feeder| feeder.step));
            }
        }
        let mut behind = vec![false; self.steps.len()];
        let mut open = vec![from];
        while let Some(step) = open.pop() {
            if std::mem::replace(&mut behind[step], true) {
                continue;
            }
            let fed = |point: &Point<'_>| point.fed.iter().any(|feeder| feeder.step == step);
            open.extend((0..self.steps.len()).filter(|other| fed(&self.steps[*other])));
        }
        (0..self.steps.len())
            .filter(|step| before[*step] && behind[*step])
            .collect()
    }
}

impl Point<'_> {
    /// Whether its rows count by the time that they come with: what gives them theirs counts them by that.
    pub(super) fn takes_time(&self) -> bool {
        columns::is_timed(&self.node.input) && !matches!(self.node.recipe, Recipe::EventTime(_))
    }

    /// Whether late rows become dead letters, for nobody else wants them.
    pub(super) fn buries_late(&self) -> bool {
        self.node.targets.iter().all(|(port, _)| *port != Port::Late)
    }
}

/// Where an edge leads, and whether every receiver gets every row.
fn into(graph: &JobGraph, firsts: &[usize], edge: EdgeId) -> (Option<usize>, bool) {
    let Some(edge) = graph.edges.iter().find(|other| other.id == edge) else {
        return (None, false);
    };
    let vertex = graph.vertices.iter().position(|vertex| vertex.id == edge.to);
    let first = vertex.and_then(|vertex| firsts.get(vertex)).copied();
    (first, edge.partition == Partition::Broadcast)
}

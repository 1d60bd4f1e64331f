//! The documents that datastreams run and have run, and what would come of another one.

use dataflow::id::JobId;
use dataflow::recipe::Recipe;
use planner::job::{self, JobGraph};
use planner::verdict::{self, Verdict};
use tokio::sync::oneshot;

use super::asking::Known;
use super::{Desired, Error, Jobs, Planned};
use crate::execution::partition_name;
use crate::job::Ask;
use crate::rest::types::{Cause, Edge, Prospect, State, Step, Vertex};
use crate::store::{Chain, Document, Entered, Version, Versions};

/// The document that a datastream runs, or ran last.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The document.
    pub document: Document,
    /// The number of its version, where it has one.
    pub number: Option<u64>,
}

/// What would come of a document.
#[derive(Clone, Debug)]
pub struct Outlined {
    /// What would be done.
    pub prospect: Prospect,
    /// What it would follow.
    pub in_force: Option<InForce>,
    /// What becomes of the state of each step that keeps something.
    pub verdicts: Vec<Verdict>,
}

impl Jobs {
    /// At most so many versions of a datastream's document, the newest first, and only those before a number, where given.
    ///
    /// # Errors
    /// When there is none of that name, or the store fails.
    pub async fn versions(&self, name: &str, before: Option<u64>, limit: u64) -> Result<Vec<Version>, Error> {
        self.known(name)?;
        Ok(self.versions_of(name).before(before, limit).await?)
    }

    /// One version.
    ///
    /// # Errors
    /// When there is none of that name or number, or the store fails.
    pub async fn version(&self, name: &str, number: u64) -> Result<Version, Error> {
        self.known(name)?;
        let found = self.versions_of(name).read(number).await?;
        found.ok_or_else(|| Error::NoVersion {
            name: name.to_owned(),
            number,
        })
    }

    /// The document that a datastream runs, or ran last; none where there is none of that name.
    ///
    /// # Errors
    /// When it does not answer, or the store fails.
    pub async fn in_force(&self, name: &str) -> Result<Option<InForce>, Error> {
        let Ok(known) = self.known(name) else {
            return Ok(None);
        };
        let (job, running) = match &known {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(handle, Ask::InForce(reply)).await?;
                (handle.job.clone(), self.answer(name, answer).await?)
            }
            Known::Entry(entry) => (entry.job(name), None),
        };
        let last = self.versions_of(name).last().await?.filter(|last| last.job == job);
        let number = last.as_ref().map(|last| last.number);
        let document = match (running, last) {
            (Some(document), _) => Some(*document),
            (None, Some(last)) => Some(last.document),
            (None, None) => {
                let context = &self.inner.context;
                let chain = Chain::new(context.store.clone(), job, context.clock.clone());
                chain.head().await?.map(|(_, document)| document)
            }
        };
        Ok(document.map(|document| InForce { document, number }))
    }

    /// What would be done if a document were applied. Nothing is.
    ///
    /// # Errors
    /// When the datastream of its name does not answer, or the store fails.
    pub async fn outline(&self, planned: &Planned) -> Result<Outlined, Error> {
        let name = &planned.graph.name;
        let in_force = self.in_force(name).await?;
        let state = self.summary(name).ok().map(|summary| summary.state);
        let prospect = prospect(planned, in_force.as_ref().map(|one| &one.document), state);
        let nothing = JobGraph {
            vertices: Vec::new(),
            edges: Vec::new(),
            ..planned.graph.clone()
        };
        // A life that has finished hands nothing on.
        let before = in_force.as_ref().filter(|_| prospect != Prospect::Finished);
        let verdicts = verdict::compare(before.map_or(&nothing, |one| &one.document.graph), &planned.graph);
        Ok(Outlined {
            prospect,
            in_force,
            verdicts,
        })
    }

    /// Writes down the document of a datastream that has no task which would.
    pub(super) async fn enter_version(&self, job: &JobId, document: Document) -> Result<(), Error> {
        let entered = Entered {
            job: job.clone(),
            at: self.inner.context.clock.wall(),
            cause: Cause::Begun,
            document,
            before: None,
        };
        Ok(self.versions_of(&job.name).enter(entered).await.map(drop)?)
    }

    fn versions_of(&self, name: &str) -> Versions {
        let context = &self.inner.context;
        Versions::new(&context.store, name, &context.clock)
    }
}

/// What would be done, by what is wished and what there is.
fn prospect(planned: &Planned, in_force: Option<&Document>, state: Option<State>) -> Prospect {
    let Some((document, state)) = in_force.zip(state) else {
        return match planned.desired {
            Desired::On => Prospect::Starts,
            Desired::Off => Prospect::Off,
        };
    };
    let same = document.text == planned.text && document.graph == planned.graph;
    match (planned.desired, state) {
        (Desired::Off, state) if state.is_over() => Prospect::Off,
        (Desired::Off, _) => Prospect::Stops,
        (Desired::On, State::Finished) => Prospect::Finished,
        (Desired::On, state) if state.is_over() => Prospect::Resumes,
        (Desired::On, _) if same => Prospect::Unchanged,
        (Desired::On, _) => Prospect::Changes,
    }
}

/// A graph as the page draws it, with nothing of it at work.
#[must_use]
pub fn drawn(graph: &JobGraph) -> (Vec<Vertex>, Vec<Edge>) {
    let step = |(name, recipe): (&String, &Recipe)| Step {
        name: name.clone(),
        kind: recipe.name().to_owned(),
        ..Step::default()
    };
    let vertex = |vertex: &job::Vertex| {
        let mut steps: Vec<Step> = Vec::new();
        for node in &vertex.chain.nodes {
            if steps.iter().all(|step| step.name != node.name) {
                steps.push(step((&node.name, &node.recipe)));
            }
        }
        Vertex {
            id: vertex.id.to_string(),
            name: vertex.name.clone(),
            parallelism: vertex.parallelism,
            subtasks: Vec::new(),
            steps,
        }
    };
    let edge = |edge: &job::Edge| Edge {
        id: edge.id.to_string(),
        from: edge.from.to_string(),
        to: edge.to.to_string(),
        partition: partition_name(&edge.partition).to_owned(),
        rows_rate: None,
        backlog_bytes: 0,
    };
    let vertices = graph.vertices.iter().map(vertex).collect();
    (vertices, graph.edges.iter().map(edge).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::planned;

    #[test]
    fn what_would_be_done_follows_from_the_wish_and_from_what_there_is() {
        let on = planned(1);
        let off = Planned {
            desired: Desired::Off,
            ..planned(1)
        };
        let same = Document {
            text: on.text.clone(),
            graph: on.graph.clone(),
        };
        let other = Document {
            text: "other".to_owned(),
            ..same.clone()
        };
        let cases = [
            (&on, None, None, Prospect::Starts),
            (&off, None, None, Prospect::Off),
            (&on, Some(&same), Some(State::Running), Prospect::Unchanged),
            (&on, Some(&other), Some(State::Running), Prospect::Changes),
            (&off, Some(&same), Some(State::Running), Prospect::Stops),
            (&off, Some(&same), Some(State::Stopped), Prospect::Off),
            (&on, Some(&other), Some(State::Stopped), Prospect::Resumes),
            (&on, Some(&same), Some(State::Failed), Prospect::Resumes),
            (&on, Some(&same), Some(State::Finished), Prospect::Finished),
        ];
        for (wished, in_force, state, wanted) in cases {
            assert_eq!(prospect(wished, in_force, state), wanted, "{state:?}");
        }
    }

    #[test]
    fn a_graph_that_does_not_run_is_drawn_with_every_step_once() {
        let (vertices, edges) = drawn(&planned(3).graph);
        assert_eq!((vertices.len(), edges[0].partition.as_str()), (2, "rebalance"));
        assert_eq!((vertices[0].parallelism, vertices[0].subtasks.len()), (3, 0));
        assert_eq!(vertices[0].steps[0].kind, "source");
    }
}

//! Another document for a job with a past: looked at before anything stops, then put at the head of the chain.

use std::collections::BTreeSet;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::recipe::Recipe;
use planner::job::JobGraph;
use tokio::sync::oneshot;

use super::actor::Actor;
use super::event::Event;
use super::history::Blame;
use super::life;
use super::operations::Number;
use crate::checkpoint::{self, Config};
use crate::execution::{ExecutionGraph, expand};
use crate::jobs::Written;
use crate::rest::types::{Cause, Operation};
use crate::restore::{Dropping, Refusal, fits, is_reshaped};
use crate::store::{Amendment, Appended, Document, Error, Record};

/// What a person wants a job to run from now on.
#[derive(Debug)]
pub struct Change {
    /// The document, planned.
    pub document: Document,
    /// The text that the document came in.
    pub written: Arc<Written>,
    /// What it is, for people: `rescale to 3`.
    pub what: String,
    /// What happens to state that it has no use for.
    pub dropping: Dropping,
}

/// A change that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    change: Change,
    execution: ExecutionGraph,
    operation: Number,
}

/// The answer: what is under way, or none where nothing differs.
pub(super) type Reply = oneshot::Sender<Result<Option<Operation>, Refusal>>;

impl Actor {
    pub(super) fn change_asked(&mut self, change: Change, reply: Reply) {
        // Whoever asked may have gone.
        drop(reply.send(self.take_change(change)));
    }

    fn take_change(&mut self, change: Change) -> Result<Option<Operation>, Refusal> {
        let (Some(head), Some(in_force)) = (&self.head, &self.document) else {
            let failure = Failure::retry("the past of the datastream is not read yet");
            return Err(failure.help("try again in a moment").into());
        };
        if *in_force == change.document {
            return Ok(None);
        }
        if !self.life.may_change() {
            let failure = Failure::retry(format!("it is {}, and cannot be changed now", self.life.state()));
            return Err(failure
                .help("wait until it runs; `weir describe` shows what it does")
                .into());
        }
        let execution = expand(&change.document.graph);
        // Its checkpoint is aligned, closes all files and waits for the commits: sinks leave nothing, nor do channels.
        let mut trial = self.amended_record(head, in_force, &change.document);
        trial = trial.without_nodes(&sinks(&in_force.graph)).aligned();
        fits(&trial, &in_force.graph, &change.document.graph, change.dropping)?;
        self.context.cluster.would_fit(&self.job, &execution).map_err(|few| {
            Failure::retry(format!(
                "{}: {few}, those of the datastream itself counted in",
                change.what
            ))
            .help(few.help())
        })?;
        let operation = self.operations.add(change.what.clone(), self.context.clock.wall())?;
        self.say("INFO", format!("{} is asked for", change.what));
        self.pending = Some(Pending {
            change,
            execution,
            operation,
        });
        self.step(life::Event::ChangeAsked);
        Ok(self.operations.get(operation).cloned())
    }

    fn amended_record(&self, head: &Record, in_force: &Document, document: &Document) -> Record {
        let amendment = Amendment {
            document: document.clone(),
            replaces: in_force.graph.clone(),
        };
        let mut record = head.fenced(
            self.context.next_generation(),
            Some(amendment),
            self.context.clock.wall(),
        );
        // What fits the present graph as it is needs no dealing out.
        let fits = |old: &&mut Box<JobGraph>| !is_reshaped(old, &document.graph);
        if record.taken_from.as_mut().filter(fits).is_some() {
            record.taken_from = None;
        }
        record
    }

    /// Puts the other document at the head of the chain, where nothing runs and the head is known.
    pub(super) fn amend(&mut self) {
        // What runs, if anything does, is of the old document.
        (self.adoption, self.adopting) = (None, None);
        let (Some(pending), Some(head), Some(in_force)) = (&self.pending, &self.head, &self.document) else {
            return self.step(life::Event::Amended);
        };
        let mut record = self.amended_record(head, in_force, &pending.change.document);
        if self.coordinator.is_published() {
            record = record.published();
        }
        // Where a failure came between, this is no checkpoint that has closed all files.
        let new = &pending.change.document.graph;
        let fits = fits(&record, &in_force.graph, new, pending.change.dropping);
        let encoded = || self.chain.encode(&record).map_err(|error| error.failure().into());
        let bytes = match fits.and_then(|()| encoded()) {
            Ok(bytes) => bytes,
            Err(refusal) => return self.unamended(refusal),
        };
        let (chain, own, record) = (self.chain.clone(), self.own.clone(), Box::new(record));
        self.context.scope.run(async move {
            let trouble = own.clone();
            let epoch = record.epoch;
            let trouble = move |error: &Error| {
                // Only for people; the next one says the same.
                let _ = trouble.try_send(Event::RecordTrouble(epoch, error.failure()));
            };
            let outcome = chain.append_until_known(epoch, bytes, trouble).await;
            // The job is there as long as it runs.
            let _ = own.send(Event::Amended { record, outcome }).await;
        });
    }

    /// It is known what came of the record with the other document.
    pub(super) fn amended(&mut self, record: Record, outcome: Result<Appended, Error>) {
        self.record_trouble = None;
        match outcome {
            Ok(Appended::Ours) => {}
            Ok(Appended::Foreign(found)) if found.generation == record.generation => {}
            Ok(Appended::Foreign(found)) => {
                let text = format!(
                    "{} was made by {}, which is not this job manager",
                    record.epoch, found.generation
                );
                let failure = Failure::fail(text)
                    .help("another job manager works on this state folder; this one steps down from the job");
                return self.fail(failure, Blame::default());
            }
            Err(error) => return self.fail(error.failure(), Blame::default()),
        }
        let Some(document) = record.document.clone() else {
            return self.fail(Failure::bug("another document without a document"), Blame::default());
        };
        let epoch = record.epoch;
        self.head = Some(record);
        self.coordinate(checkpoint::Event::Amended(epoch));
        let settings = &document.graph.settings;
        self.coordinator
            .reconfigure(Config::every(settings.checkpoint_interval).overtaking_after(settings.aligned_timeout));
        self.life.follow(settings.restart.clone());
        if let Some(pending) = &mut self.pending {
            self.execution = std::mem::take(&mut pending.execution);
        }
        self.document = Some(document);
        self.enter_version(Cause::Changed);
        // Their places in the graph are no more.
        self.past = None;
        self.say("INFO", format!("another document is in force from {epoch}"));
        self.step(life::Event::Amended);
    }

    /// The change does not fit what there is now.
    fn unamended(&mut self, refusal: Refusal) {
        self.say("ERROR", format!("the change is not made: {}", refusal.failure.message));
        let shown = self
            .pending
            .as_ref()
            .and_then(|pending| pending.change.written.shown(&refusal));
        if let (Some(pending), Some(shown)) = (&self.pending, shown) {
            self.operations.show(pending.operation, *shown);
        }
        self.end_change(Err(refusal.failure));
        self.step(life::Event::Amended);
    }

    /// The change that is under way, if any, is over.
    pub(super) fn end_change(&mut self, outcome: Result<(), Failure>) {
        let Some(pending) = self.pending.take() else { return };
        let (at, epoch) = (self.context.clock.wall(), self.coordinator.head().0);
        match outcome {
            Ok(()) => self.operations.done(pending.operation, at, epoch, None),
            Err(failure) => self.operations.failed(pending.operation, at, &failure),
        }
    }
}

/// The names of the nodes that write.
fn sinks(graph: &JobGraph) -> BTreeSet<&str> {
    let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
    let sinks = nodes.filter(|node| matches!(node.recipe, Recipe::Sink(_)));
    sinks.map(|node| node.name.as_str()).collect()
}

//! Changes of what runs: another parallelism, another document.

use tokio::sync::oneshot;

use super::asking::Known;
use super::{Desired, Error, Fresh, Jobs, Planned};
use crate::job::{Ask, Change};
use crate::rest::types::{Operation, Outcome, Submitted};
use crate::restore::Dropping;
use crate::store::{Document, Standing};

impl Jobs {
    /// Lets a datastream that runs go on with another parallelism. Returns once that is begun.
    ///
    /// # Errors
    /// When there is none of that name, it is over, nothing differs, there are too few slots, or its state does not fit.
    pub async fn rescale(&self, planned: Planned, parallelism: u32) -> Result<Operation, Error> {
        let name = planned.graph.name.clone();
        let what = format!("rescale to {parallelism}");
        let change = change(planned, what, Dropping::Refused);
        let begun = self
            .alone(|jobs, name| async move { jobs.change(&name, change).await }, &name)
            .await?;
        let as_it_is = || dataflow::Failure::fail(format!("its parallelism is {parallelism} already"));
        begun.ok_or_else(|| Error::Unchanged {
            name,
            shown: None,
            failure: as_it_is().help("steps that say their own `parallelism` keep it; change the document for those"),
        })
    }

    /// Creates a datastream, goes on with it, or changes what runs to what the document says.
    ///
    /// # Errors
    /// When it has finished, its state does not fit, there are too few slots, or the store fails.
    pub async fn apply(&self, planned: Planned, dropping: Dropping) -> Result<Submitted, Error> {
        let name = planned.graph.name.clone();
        self.alone(
            move |jobs, name| async move { jobs.apply_alone(&name, planned, dropping).await },
            &name,
        )
        .await
    }

    async fn apply_alone(&self, name: &str, planned: Planned, dropping: Dropping) -> Result<Submitted, Error> {
        let summary = match self.known(name) {
            Ok(Known::Task(handle)) => Some(handle.summary.borrow().clone()),
            Ok(Known::Entry(_)) | Err(_) => None,
        };
        let Some(summary) = summary.filter(|summary| !summary.state.is_over()) else {
            return self.submit_alone(planned, Fresh::Resume, dropping).await;
        };
        let submitted = |outcome, operation| Submitted {
            name: name.to_owned(),
            job: summary.job.clone(),
            outcome,
            epoch: summary.epoch,
            operation,
        };
        if planned.desired == Desired::Off {
            self.wish_alone(name, Standing::Stopping, Ask::Stop).await?;
            return Ok(submitted(Outcome::Stopping, None));
        }
        let change = change(planned, "another document".to_owned(), dropping);
        Ok(match self.change(name, change).await? {
            Some(operation) => submitted(Outcome::Changing, Some(operation.id)),
            None => submitted(Outcome::Unchanged, None),
        })
    }

    async fn change(&self, name: &str, change: Change) -> Result<Option<Operation>, Error> {
        let graph = &change.document.graph;
        let most = graph.settings.max_parallelism;
        let fits = |vertex: &planner::job::Vertex| (1..=most).contains(&vertex.parallelism);
        if let Some(vertex) = graph.vertices.iter().find(|vertex| !fits(vertex)) {
            let text = format!(
                "a parallelism of {} is not between 1 and its `maxParallelism`, {most}",
                vertex.parallelism
            );
            return Err(Error::Unchanged {
                name: name.to_owned(),
                shown: None,
                failure: dataflow::Failure::fail(text).help("`maxParallelism` is fixed for the life of a datastream"),
            });
        }
        let Known::Task(handle) = self.known(name)? else {
            return Err(self.over(name));
        };
        if handle.summary.borrow().state.is_over() {
            return Err(self.over(name));
        }
        let (reply, answer) = oneshot::channel();
        let written = change.written.clone();
        self.ask(&handle, Ask::Change(Box::new(change), reply)).await?;
        let answer = self.answer(name, answer).await?;
        answer.map_err(|refusal| Error::Unchanged {
            name: name.to_owned(),
            shown: written.shown(&refusal),
            failure: refusal.failure,
        })
    }
}

fn change(planned: Planned, what: String, dropping: Dropping) -> Change {
    let Planned {
        text, graph, written, ..
    } = planned;
    let document = Document { text, graph };
    Change {
        document,
        written,
        what,
        dropping,
    }
}

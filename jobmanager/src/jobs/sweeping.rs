//! Garbage, asked for by a person.

use tokio::sync::oneshot;

use super::asking::Known;
use super::{Error, Jobs};
use crate::gc::{Mode, Plot, sweep};
use crate::job::Ask;
use crate::rest::types::Swept;

/// So many of the newest checkpoints of a job that is over stay.
const RETAINED: u64 = 10;

impl Jobs {
    /// Finds the garbage of one datastream or of all, and takes it away if told so.
    ///
    /// # Errors
    /// When there is none of that name, or the store fails.
    pub async fn sweep(&self, name: Option<&str>, mode: Mode) -> Result<Vec<Swept>, Error> {
        let all: Vec<String> = self.list().into_iter().map(|summary| summary.name).collect();
        let names = name.map_or(all, |name| vec![name.to_owned()]);
        let mut swept = Vec::new();
        for name in names {
            let plot = self.plot(&name).await?;
            let (job, context) = (plot.job.to_string(), &self.inner.context);
            let garbage = sweep(&context.store, &context.clock, plot, mode)
                .await
                .map_err(Error::Garbage)?;
            swept.push(Swept {
                job,
                records: garbage.records.iter().map(|epoch| epoch.0).collect(),
                objects: garbage.objects,
            });
        }
        Ok(swept)
    }

    async fn plot(&self, name: &str) -> Result<Plot, Error> {
        match self.known(name)? {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(&handle, Ask::Plot(reply)).await?;
                self.answer(name, answer).await
            }
            // Nothing of it runs, and whatever does later is of a generation behind this one.
            Known::Entry(entry) => Ok(Plot {
                job: entry.job(name),
                newest: RETAINED,
                pinned: std::collections::BTreeSet::new(),
                fence: self.inner.context.next_generation(),
            }),
        }
    }
}

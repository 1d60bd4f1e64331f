//! The dead letters of a datastream, read back from where it keeps them.

use std::sync::Arc;

use dataflow::Hidden;
use dataflow::store::Store;
use planner::job::{JobGraph, dead_letter_folder};
use tokio::sync::oneshot;

use super::Error;
use super::asking::{Jobs, Known};
use crate::job::Ask;
use crate::letters::{self, Query};
use crate::rest::types::{DeadLetter, DeadLetterPage};
use crate::store::Chain;

/// Where dead letters are, and what of them nobody is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The folder; none where they are not kept.
    pub(crate) folder: Option<String>,
    /// The fields.
    pub(crate) hidden: Hidden,
}

impl Kept {
    /// Of a job with this graph.
    pub(crate) fn of(graph: &JobGraph) -> Self {
        Self {
            folder: dead_letter_folder(graph).map(str::to_owned),
            hidden: graph.settings.hidden.clone(),
        }
    }
}

impl Jobs {
    /// Some dead letters of a datastream that fit, the newest first.
    ///
    /// # Errors
    /// When there is none of that name, it keeps no dead letters, or they cannot be read.
    pub async fn dead_letters(&self, name: &str, query: &Query) -> Result<DeadLetterPage, Error> {
        match self.dead_of(name).await? {
            Some((store, hidden)) => letters::list(&store, (name, &hidden), query)
                .await
                .map_err(Error::Letters),
            None => Ok(DeadLetterPage::default()),
        }
    }

    /// One of them, whole.
    ///
    /// # Errors
    /// As for [`Jobs::dead_letters`], and when it is not there.
    pub async fn dead_letter(&self, name: &str, id: &str) -> Result<DeadLetter, Error> {
        let kept = self.dead_of(name).await?;
        let (store, hidden) = kept.ok_or(Error::Letters(letters::Error::Nowhere))?;
        letters::show(&store, (name, &hidden), id).await.map_err(Error::Letters)
    }

    async fn dead_of(&self, name: &str) -> Result<Option<(Arc<dyn Store>, Hidden)>, Error> {
        let context = &self.inner.context;
        let kept = match self.known(name)? {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(&handle, Ask::Kept(reply)).await?;
                self.answer(name, answer).await?
            }
            // It ended before this job manager began: its chain has the document.
            Known::Entry(entry) => {
                let chain = Chain::new(context.store.clone(), entry.job(name), context.clock.clone());
                let head = chain.head().await?;
                head.map(|(_, document)| Kept::of(&document.graph)).unwrap_or_default()
            }
        };
        let Some(folder) = kept.folder else { return Ok(None) };
        let store = context.stores.open(&folder);
        let store = store.map_err(|error| Error::Letters(error.into()))?;
        Ok(Some((store, kept.hidden)))
    }
}

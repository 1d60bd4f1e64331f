//! The documents that a datastream has run, one numbered object each: which, since when, why, and what became of its state.
//!
//! Only history: nothing is restored from it, and the document in force is the one that the chain names. Must stay true: a
//! document is written down once while it is in force, however often it is told of; the row is bounded. One that could not be
//! written is made up for when the datastream is taken up the next time.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::id::JobId;
use dataflow::store::Store;
use dataflow::time::{Clock, WallTime};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use planner::job::JobGraph;
use planner::verdict;
use serde::{Deserialize, Serialize};

use super::hint::Hint;
use super::{Created, Document, Error, Numbered, open, seal};
use crate::rest::types::{Cause, StepVerdict};

/// So many of the newest are kept; of older ones only those that a search for the last one asks for.
const KEPT: u64 = 100;

/// So many are read at once.
const AT_ONCE: usize = 8;

/// People count from one.
const FIRST: u64 = 1;

/// One document that was in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// The job that ran it.
    pub job: JobId,
    /// Since when it was in force.
    pub at: WallTime,
    /// Why it came into force.
    pub cause: Cause,
    /// What it is.
    pub document: Document,
    /// What became of the state of the one before.
    pub verdicts: Vec<StepVerdict>,
}

/// How a document came into force.
#[derive(Clone, Debug)]
pub struct Entered {
    /// The job that runs it.
    pub job: JobId,
    /// Since when.
    pub at: WallTime,
    /// Why.
    pub cause: Cause,
    /// What it is.
    pub document: Document,
    /// The graph that left the state it goes on from, where that is known.
    pub before: Option<JobGraph>,
}

/// The versions of one datastream.
#[derive(Clone, Debug)]
pub struct Versions {
    rows: Numbered,
    hint: Hint,
    store: Arc<dyn Store>,
    folder: String,
}

impl Versions {
    /// Those of the datastream of this name.
    #[must_use]
    pub fn new(store: &Arc<dyn Store>, name: &str, clock: &Arc<dyn Clock>) -> Self {
        let folder = format!("datastreams/versions/{name}");
        Self {
            rows: Numbered::new(store.clone(), format!("{folder}/"), ".json", clock.clone()),
            hint: Hint::new(store.clone(), format!("{folder}/hint")),
            store: store.clone(),
            folder,
        }
    }

    /// Writes down what is in force, unless the last one says the same of this job. Returns its number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn enter(&self, entered: Entered) -> Result<u64, Error> {
        loop {
            let last = self.last().await?;
            let same = |last: &&Version| last.job == entered.job && last.document.text == entered.document.text;
            if let Some(last) = last.as_ref().filter(same) {
                return Ok(last.number);
            }
            let number = last.as_ref().map_or(FIRST, |last| last.number + 1);
            let version = version(number, &entered, last.as_ref());
            match self.rows.create(number, Bytes::from(seal(&version))).await? {
                Created::Ours => {
                    self.hint.write(number).await;
                    self.forget(number).await;
                    return Ok(number);
                }
                // By the leader before this one, a moment ago: it is the last one now.
                Created::Foreign(_) => {}
            }
        }
    }

    /// The newest one.
    ///
    /// # Errors
    /// When the store fails, or it is damaged.
    pub async fn last(&self) -> Result<Option<Version>, Error> {
        match self.rows.head_from(FIRST, self.hint.read().await).await? {
            Some(number) => self.read(number).await,
            None => Ok(None),
        }
    }

    /// One of them; none where there is none of that number, or it is kept no more.
    ///
    /// # Errors
    /// When the store fails, or it is damaged.
    pub async fn read(&self, number: u64) -> Result<Option<Version>, Error> {
        let found = self.rows.read(number).await?;
        found.map(|bytes| open(&bytes, &self.rows.path(number))).transpose()
    }

    /// At most `limit` of them, the newest first, and only those before a number, where one is given.
    ///
    /// # Errors
    /// When the store fails, or one is damaged.
    pub async fn before(&self, before: Option<u64>, limit: u64) -> Result<Vec<Version>, Error> {
        let Some(head) = self.rows.head_from(FIRST, self.hint.read().await).await? else {
            return Ok(Vec::new());
        };
        let oldest = oldest(head);
        let last = before.map_or(head, |before| before.saturating_sub(1).min(head));
        let first = (last + 1).saturating_sub(limit).max(oldest);
        let numbers = (first..=last).rev().map(|number| self.read(number));
        let found: Vec<Option<Version>> = stream::iter(numbers).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Takes away those that nobody is shown any more. What is left over by a failure goes the next time.
    async fn forget(&self, head: u64) {
        if head < FIRST + KEPT {
            return;
        }
        let (searched, _) = super::search(FIRST, head);
        let goes = |number: &u64| *number > FIRST && *number < oldest(head) && !searched.contains(number);
        let Ok(there) = self.store.list(&self.folder).await else {
            return;
        };
        let numbers = there.iter().filter_map(|object| self.rows.number(&object.path));
        for number in numbers.filter(goes) {
            if let Err(error) = self.store.delete(&self.rows.path(number)).await {
                tracing::debug!(number, %error, "an old version of a document was not taken away");
            }
        }
    }
}

/// The oldest that is shown, where this is the newest.
fn oldest(head: u64) -> u64 {
    (head + 1).saturating_sub(KEPT).max(FIRST)
}

fn version(number: u64, entered: &Entered, last: Option<&Version>) -> Version {
    // Another life begins with nothing, unless it is told what from.
    let of_last = last.filter(|last| last.job == entered.job);
    let before = entered
        .before
        .as_ref()
        .or_else(|| of_last.map(|last| &last.document.graph));
    let graph = &entered.document.graph;
    let nothing = JobGraph {
        vertices: Vec::new(),
        edges: Vec::new(),
        ..graph.clone()
    };
    let verdicts = verdict::compare(before.unwrap_or(&nothing), graph);
    Version {
        number,
        job: entered.job.clone(),
        at: entered.at,
        cause: entered.cause,
        document: entered.document.clone(),
        verdicts: verdicts.iter().map(StepVerdict::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dataflow::recipe::Partition;
    use dataflow::time::SystemClock;

    use super::*;
    use crate::execution::tests::two_vertices;
    use crate::store::tests::Memory;

    fn entered(life: u32, text: &str) -> Entered {
        Entered {
            job: JobId {
                name: "orders".to_owned(),
                life,
            },
            at: WallTime(1_000),
            cause: Cause::Begun,
            document: Document {
                text: text.to_owned(),
                graph: two_vertices(1, 1, Partition::Rebalance),
            },
            before: None,
        }
    }

    fn versions(memory: Memory) -> Versions {
        let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (Arc::new(memory), Arc::new(SystemClock::start()));
        Versions::new(&store, "orders", &clock)
    }

    #[tokio::test]
    async fn a_document_is_written_down_once_while_it_is_in_force() {
        let versions = versions(Memory::default());
        assert_eq!(versions.last().await.unwrap(), None);
        assert_eq!(versions.before(None, 10).await.unwrap(), []);
        for (life, text, number) in [(1, "a", 1), (1, "a", 1), (1, "b", 2), (1, "a", 3), (2, "a", 4)] {
            assert_eq!(versions.enter(entered(life, text)).await.unwrap(), number);
        }
        let all = versions.before(None, 10).await.unwrap();
        let told: Vec<_> = all.iter().map(|one| (one.number, one.document.text.as_str())).collect();
        assert_eq!(told, [(4, "a"), (3, "a"), (2, "b"), (1, "a")]);
        let page = versions.before(Some(4), 2).await.unwrap();
        assert_eq!(page.iter().map(|one| one.number).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(versions.read(9).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_change_says_what_became_of_the_state_and_a_new_life_begins_with_nothing() {
        let versions = versions(Memory::default());
        versions.enter(entered(1, "a")).await.unwrap();
        versions.enter(entered(1, "b")).await.unwrap();
        versions.enter(entered(2, "b")).await.unwrap();
        let words = async |number| {
            let version = versions.read(number).await.unwrap().unwrap();
            version.verdicts.iter().map(|one| one.state).collect::<Vec<_>>()
        };
        use crate::rest::types::Fate::{Keeps, StartsEmpty};
        assert_eq!(words(1).await, [StartsEmpty, StartsEmpty]);
        assert_eq!(words(2).await, [Keeps, Keeps]);
        assert_eq!(words(3).await, [StartsEmpty, StartsEmpty]);
    }

    #[tokio::test]
    async fn the_row_is_bounded_and_its_end_is_found_without_a_hint() {
        let versions = versions(Memory {
            lists: true,
            ..Memory::default()
        });
        for number in 1..=250 {
            versions.enter(entered(1, &format!("{number}"))).await.unwrap();
        }
        versions.store.delete("datastreams/versions/orders/hint").await.unwrap();
        assert_eq!(versions.last().await.unwrap().map(|last| last.number), Some(250));
        let all = versions.before(None, u64::MAX).await.unwrap();
        assert_eq!((all.len(), all[99].number), (100, 151));
        let kept = versions.store.list(&versions.folder).await.unwrap().len();
        assert!(kept <= 120, "{kept} objects");
    }
}

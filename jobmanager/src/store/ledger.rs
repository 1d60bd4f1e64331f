//! What is wished of every datastream: one small table, written anew as the next numbered object with every change.
//!
//! Must stay true: terms only grow along the pages. Whoever finds a page of a later term behind its own writes no more, and
//! nobody begins behind one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dataflow::id::JobId;
use dataflow::store::Store;
use dataflow::time::{Clock, WallTime};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use super::hint::Hint;
use super::{Created, Error, Numbered, open, seal};
#[cfg(feature = "testing")]
use crate::testing::{Mutant, is_planted};

/// What is wished of a datastream, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It shall run.
    Running,
    /// It shall come to its end as if its input were over.
    Draining,
    /// It shall take a last checkpoint and stop.
    Stopping,
    /// It has stopped, or is not to run at all.
    Stopped,
    /// A person cancelled it.
    Cancelled,
    /// Its input is over and everything is committed.
    Finished,
    /// It failed, for this reason, and shall not be tried again by itself.
    Failed {
        /// What happened.
        message: String,
        /// What a person can do about it.
        help: Option<String>,
    },
}

impl Standing {
    /// Whether a job manager that starts takes it up.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::Running | Self::Draining | Self::Stopping)
    }
}

/// One datastream in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which life it is in.
    pub life: u32,
    /// What is wished of it.
    pub standing: Standing,
    /// Since when.
    pub at: WallTime,
    /// When it was wanted first, of the time that it has been wanted without a break: when its run began.
    #[serde(default)]
    pub begun: Option<WallTime>,
    /// The newest of its runs that is remembered.
    #[serde(default)]
    pub run: Option<u64>,
}

impl Entry {
    /// The job of this entry.
    #[must_use]
    pub fn job(&self, name: &str) -> JobId {
        JobId {
            name: name.to_owned(),
            life: self.life,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Page {
    term: u64,
    datastreams: BTreeMap<String, Entry>,
}

/// The ledger, as its one leader writes it.
#[derive(Debug)]
pub struct Ledger {
    pages: Numbered,
    hint: Hint,
    term: u64,
    clock: Arc<dyn Clock>,
    head: Mutex<(Option<u64>, Page)>,
    /// The page of a later term, once it was seen, and that term.
    later: watch::Sender<Option<(String, u64)>>,
}

/// Where the last page was, only a hint.
const HINT: &str = "datastreams/ledger/hint";

impl Ledger {
    /// Reads the newest page and puts one of `term` behind it, so that no older leader can write on.
    ///
    /// # Errors
    /// When the store fails or a later leader has written.
    pub async fn open(store: Arc<dyn Store>, term: u64, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let pages = Numbered::new(store.clone(), "datastreams/ledger/", ".json", clock.clone());
        let hint = Hint::new(store, HINT);
        let number = pages.head_from(0, hint.read().await).await?;
        let page = match number {
            None => Page::default(),
            Some(number) => {
                let path = pages.path(number);
                let bytes = pages.read(number).await?.ok_or_else(|| Error::gap(path.clone()))?;
                let page: Page = open(&bytes, &path)?;
                // Claimed before it and opened after it: whoever leads now has written already.
                if page.term > term && !is_unfenced() {
                    return Err(Error::Deposed { path, term: page.term });
                }
                page
            }
        };
        let ledger = Self {
            pages,
            hint,
            term,
            clock,
            head: Mutex::new((number, page)),
            later: watch::Sender::new(None),
        };
        ledger.write(|_| {}).await?;
        Ok(ledger)
    }

    /// Everything in it.
    pub async fn entries(&self) -> BTreeMap<String, Entry> {
        self.head.lock().await.1.datastreams.clone()
    }

    /// The entry of one datastream.
    pub async fn entry(&self, name: &str) -> Option<Entry> {
        self.head.lock().await.1.datastreams.get(name).cloned()
    }

    /// Writes what is wished of one datastream; durable when it returns. Says how it stands in the ledger then.
    ///
    /// # Errors
    /// When the store fails or a later leader has written.
    pub async fn set(&self, job: &JobId, standing: Standing) -> Result<Entry, Error> {
        self.set_at(job, standing, (self.clock.wall(), None)).await
    }

    /// The same of a time that was, and of one that is over the number of its run.
    ///
    /// # Errors
    /// As for [`Ledger::set`].
    pub async fn set_at(
        &self,
        job: &JobId,
        standing: Standing,
        (at, run): (WallTime, Option<u64>),
    ) -> Result<Entry, Error> {
        let changed = |known: Option<&Entry>| {
            let same = known.filter(|known| known.life == job.life);
            // A run that goes on, or one that ends.
            let of_before = same.filter(|known| known.standing.is_wanted() || !standing.is_wanted());
            Entry {
                life: job.life,
                standing: standing.clone(),
                at,
                begun: match of_before {
                    Some(known) => known.begun,
                    None => standing.is_wanted().then_some(at),
                },
                run: run.or_else(|| known.and_then(|known| known.run)),
            }
        };
        let write = |page: &mut Page| {
            let entry = changed(page.datastreams.get(&job.name));
            page.datastreams.insert(job.name.clone(), entry);
        };
        self.write(write).await?;
        // Whoever writes this name waits for this one: nobody has changed it since.
        let entry = self.entry(&job.name).await;
        Ok(entry.unwrap_or_else(|| changed(None)))
    }

    /// Names a run that was written after the end was; nothing where the datastream has gone on by then.
    ///
    /// # Errors
    /// As for [`Ledger::set`].
    pub async fn remember(&self, job: &JobId, ended: WallTime, run: u64) -> Result<(), Error> {
        self.write(|page| {
            let entry = page.datastreams.get_mut(&job.name);
            let same = entry.filter(|entry| (entry.life, entry.at) == (job.life, ended) && !entry.standing.is_wanted());
            if let Some(entry) = same {
                entry.run = Some(run);
            }
        })
        .await
    }

    /// Whether this leader may still write, as far as it knows. Before anything is made that the ledger is to name.
    ///
    /// # Errors
    /// When a later leader is known to have written.
    pub fn check_term(&self) -> Result<(), Error> {
        match self.later.borrow().clone() {
            Some((path, term)) => Err(Error::Deposed { path, term }),
            None => Ok(()),
        }
    }

    /// Returns once a later leader is known to have written, and says so.
    pub async fn deposed(&self) -> Error {
        let mut later = self.later.subscribe();
        match later.wait_for(Option::is_some).await.map(|found| found.clone()) {
            Ok(Some((path, term))) => Error::Deposed { path, term },
            // The sender is in this very ledger.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    async fn write(&self, change: impl Fn(&mut Page)) -> Result<(), Error> {
        // Held across the write on purpose: pages are numbered, so there is one writer at a time.
        let mut head = self.head.lock().await;
        loop {
            self.check_term()?;
            let number = head.0.map_or(0, |number| number + 1);
            let mut page = head.1.clone();
            page.term = self.term;
            change(&mut page);
            match self.pages.create(number, Bytes::from(seal(&page))).await? {
                Created::Ours => {
                    *head = (Some(number), page);
                    self.hint.write(number).await;
                    return Ok(());
                }
                Created::Foreign(bytes) => {
                    let path = self.pages.path(number);
                    let found: Page = open(&bytes, &path)?;
                    if found.term > self.term {
                        self.later.send_replace(Some((path, found.term)));
                        continue;
                    }
                    // Ours from a try that seemed to fail, or the last word of an older leader: go on from it.
                    *head = (Some(number), found);
                }
            }
        }
    }
}

/// The mutant that begins behind a page of a later term.
fn is_unfenced() -> bool {
    #[cfg(feature = "testing")]
    return is_planted(Mutant::LedgerUnfenced);
    #[cfg(not(feature = "testing"))]
    false
}

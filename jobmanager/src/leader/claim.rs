//! Performs an election on a store: probes, locks, dials, creates.

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dataflow::store::{Error as StoreError, Store};
use dataflow::time::Clock;

use super::dial::{Asker, Http};
use super::term::{Action, Claim, Election, Event, Lock};
use crate::access::tls::Dialling;
use crate::store::{self, Created, Numbered};

/// How often a standby looks whether the leader still lives: a lock or one small request.
const STANDBY_PAUSE: Duration = Duration::from_millis(500);

/// Who wants to lead.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which start of this process.
    pub incarnation: String,
    /// Where its REST interface is; empty where it has none.
    pub address: String,
    /// Its process id and the name of its machine.
    pub process: String,
    /// How the one that led before is dialled, where job managers speak TLS.
    pub dialling: Option<Dialling>,
}

/// The term, and what holds others off while it is kept.
#[derive(Debug)]
pub struct Leadership {
    /// The term.
    pub term: u64,
    /// The lock of a local folder; given back by the end of the process, however it ends.
    _lock: Option<File>,
}

/// Why this process does not lead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another one does.
    #[error("another job manager works on {state}: {who}")]
    Led {
        /// The state folder.
        state: String,
        /// What is known of the other one.
        who: String,
    },
    /// The store makes an object although it is there: nothing that must be made once is safe in it.
    #[error("{state} does not honour create-if-absent: it made one object twice")]
    MakesTwice {
        /// The state folder.
        state: String,
    },
    /// The lock cannot be taken at all.
    #[error("{state}: no lock on `leader/lock`")]
    Lock {
        /// The state folder.
        state: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error("the leader's claims cannot be read or written")]
    Store(#[from] store::Error),
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Led { .. } => "stop that one first, or give this one a state folder of its own with `--state`",
            Self::MakesTwice { .. } => {
                "use a store with conditional writes (S3 itself, a newer MinIO or SeaweedFS) or a local folder"
            }
            Self::Lock { .. } => "the user that runs Weir needs the right to write there",
            Self::Store(_) => "check that the state folder is there and can be written",
        }
    }
}

/// Becomes the leader of the state folder in `store`.
///
/// # Errors
/// Where another one leads, or the store fails.
pub async fn claim(store: &Arc<dyn Store>, candidate: Candidate, clock: &Arc<dyn Clock>) -> Result<Leadership, Error> {
    let asker = Http {
        clock: clock.clone(),
        dialling: candidate.dialling.clone(),
    };
    claim_asking(store, candidate, clock, &asker).await
}

/// Becomes the leader; `asker` finds out whether the last one lives.
pub(crate) async fn claim_asking(
    store: &Arc<dyn Store>,
    candidate: Candidate,
    clock: &Arc<dyn Clock>,
    asker: &dyn Asker,
) -> Result<Leadership, Error> {
    try_create_if_absent(store, &candidate.incarnation).await?;
    let claims = Numbered::new(store.clone(), "leader/term-", ".json", clock.clone());
    let (mut election, mut action) = Election::begin();
    let (mut lock, mut last) = (None, None);
    loop {
        let event = match action {
            Action::Probe => {
                last = newest(&claims).await?;
                Event::Probed(last.clone(), take_lock(store, &mut lock)?)
            }
            Action::Dial(claim) => Event::Dialed(asker.ask(&claim).await),
            Action::WaitUntil(until) => {
                clock.sleep_until(until).await;
                Event::Tick
            }
            Action::Create(term) => create(&claims, term, &candidate, clock).await?,
            Action::Lead(term) => return Ok(Leadership { term, _lock: lock }),
            Action::Refuse(claim) => return Err(led(store, claim.or(last))),
        };
        action = election.on(event, clock.now()).unwrap_or(Action::Probe);
    }
}

/// Becomes the leader once nobody else is: waits for the end of the one that leads.
///
/// # Errors
/// Where the store fails.
pub async fn standby(
    store: &Arc<dyn Store>,
    candidate: Candidate,
    clock: &Arc<dyn Clock>,
    waiting: impl Fn(&Error),
) -> Result<Leadership, Error> {
    loop {
        match claim(store, candidate.clone(), clock).await {
            Err(led @ Error::Led { .. }) => {
                waiting(&led);
                clock.sleep(STANDBY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Makes an object twice; the second time must be refused. Some stores ignore the condition without a word.
async fn try_create_if_absent(store: &Arc<dyn Store>, incarnation: &str) -> Result<(), Error> {
    let path = format!("leader/probe-{incarnation}");
    let failed = |error| Error::Store(store::Error::Store(error));
    match store.create(&path, Bytes::from_static(b"first")).await {
        // There although nobody else has this name: a try inside the client that was thought to have failed.
        Ok(()) | Err(StoreError::Exists { .. }) => {}
        Err(error) => return Err(failed(error)),
    }
    let twice = store.create(&path, Bytes::from_static(b"second")).await;
    let there = store.read(&path).await.map_err(failed)?;
    // What is left behind where this fails is small, and nobody looks at it.
    let _ = store.delete(&path).await;
    match twice {
        Ok(()) => Err(Error::MakesTwice {
            state: store.url().to_owned(),
        }),
        Err(_) if there != "first" => Err(Error::MakesTwice {
            state: store.url().to_owned(),
        }),
        Err(_) => Ok(()),
    }
}

fn led(store: &Arc<dyn Store>, claim: Option<Claim>) -> Error {
    let who = claim.map_or_else(
        || "it has just started".to_owned(),
        |claim| match claim.address.as_str() {
            "" => format!("{}, term {}", claim.process, claim.term),
            address => format!("{} at {address}, term {}", claim.process, claim.term),
        },
    );
    Error::Led {
        state: store.url().to_owned(),
        who,
    }
}

async fn newest(claims: &Numbered) -> Result<Option<Claim>, Error> {
    // Terms count from 1, and there are as many as there were starts: few enough to gallop over.
    let Some(term) = claims.head_from(1, None).await? else {
        return Ok(None);
    };
    let bytes = claims
        .read(term)
        .await?
        .ok_or_else(|| store::Error::gap(claims.path(term)))?;
    Ok(Some(store::open(&bytes, &claims.path(term))?))
}

async fn create(claims: &Numbered, term: u64, candidate: &Candidate, clock: &Arc<dyn Clock>) -> Result<Event, Error> {
    let Candidate {
        incarnation,
        address,
        process,
        dialling: _,
    } = candidate.clone();
    let claim = Claim {
        term,
        incarnation,
        address,
        process,
        at: clock.wall(),
    };
    let bytes = Bytes::from(store::seal(&claim));
    match claims.create(term, bytes).await? {
        Created::Ours => Ok(Event::Created),
        Created::Foreign(_) => Ok(Event::Exists),
    }
}

/// Locks `leader/lock` of a local folder, once. The lock dies with the process, so a lock that is free proves that its
/// owner is gone.
fn take_lock(store: &Arc<dyn Store>, lock: &mut Option<File>) -> Result<Lock, Error> {
    let Some(root) = store.local_root() else {
        return Ok(Lock::None);
    };
    if lock.is_some() {
        return Ok(Lock::Ours);
    }
    let folder = root.join("leader");
    let failed = |source| Error::Lock {
        state: store.url().to_owned(),
        source,
    };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let file = File::options()
        .create(true)
        .append(true)
        .open(folder.join("lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            *lock = Some(file);
            Ok(Lock::Ours)
        }
        Err(TryLockError::WouldBlock) => Ok(Lock::Theirs),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

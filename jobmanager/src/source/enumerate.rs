//! Runs one enumerator: asks it, reports what it finds, sleeps, asks again. A task of its own, so that one that hangs
//! holds up nobody.

use std::sync::Arc;

use dataflow::contract::{Enumerator, Split};
use dataflow::time::Clock;
use dataflow::{Failure, Scope};
use serde_json::Value;
use tokio::sync::mpsc;

/// What an enumerator reported, and what it has reported so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// New splits.
    pub splits: Vec<Split>,
    /// The enumerator's snapshot after them: both are taken in at one moment.
    pub snapshot: Value,
    /// Bytes of input in the new splits, where known.
    pub bytes: Option<u64>,
    /// Whether there will be no more.
    pub complete: bool,
}

/// A report of one source's enumerator.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovered {
    /// The source's step name.
    pub source: String,
    /// What it found, or why it cannot.
    pub found: Result<Found, Failure>,
}

/// Runs `enumerator` in `scope` until it has found all, fails, or the scope ends.
pub fn enumerate(
    scope: &Scope,
    source: String,
    mut enumerator: Box<dyn Enumerator>,
    clock: Arc<dyn Clock>,
    reports: mpsc::Sender<Discovered>,
) {
    let name = source.clone();
    let panicked = reports.clone();
    let work = async move {
        loop {
            let discovery = match enumerator.discover().await {
                Ok(discovery) => discovery,
                Err(failure) => {
                    let failure = Failure {
                        message: format!("source {source}: {}", failure.message),
                        ..failure
                    };
                    // Nobody listens once the deployment is gone.
                    let _ = reports
                        .send(Discovered {
                            source,
                            found: Err(failure),
                        })
                        .await;
                    return;
                }
            };
            let complete = discovery.next.is_none();
            let (splits, bytes) = (discovery.splits, discovery.bytes);
            let found = Found {
                splits,
                snapshot: enumerator.snapshot(),
                bytes,
                complete,
            };
            if reports
                .send(Discovered {
                    source: source.clone(),
                    found: Ok(found),
                })
                .await
                .is_err()
            {
                return;
            }
            match discovery.next {
                Some(pause) => clock.sleep(pause).await,
                None => return,
            }
        }
    };
    scope.spawn(work, move |outcome| {
        if let Err(failure) = outcome {
            // The queue is full only while the job is busy with reports of this source that came before the panic.
            let _ = panicked.try_send(Discovered {
                source: name,
                found: Err(failure),
            });
        }
    });
}

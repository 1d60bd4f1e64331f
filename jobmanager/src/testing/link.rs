//! A job manager without sockets: its leader's dial is handed in, its sessions with task managers are queues.

use dataflow::Failure;
use proto::v1::{FromTaskManager, Register, ToTaskManager};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, Refusal};
use crate::jobs::{JobManager, Options, World};
use crate::leader::Asker;

/// Messages that may wait in a session, as many as on the wire.
const OUTBOX: usize = 4 << 10;

/// As [`JobManager::start`], with `asker` in place of the network.
///
/// # Errors
/// As for [`JobManager::start`].
pub async fn start(options: Options, world: World, asker: &dyn Asker) -> Result<JobManager, Failure> {
    JobManager::start_asking(options, world, asker).await
}

/// The job manager's end of the session of one task manager.
#[derive(Debug)]
pub struct Link {
    name: String,
    incarnation: String,
    outbox: mpsc::Receiver<ToTaskManager>,
    evicted: CancellationToken,
}

impl Link {
    /// Registers, as the first message of a stream does.
    ///
    /// # Errors
    /// Where the job manager does not take it.
    pub fn join(cluster: &Cluster, register: Register) -> Result<Self, Refusal> {
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let (name, incarnation) = (register.name.clone(), register.incarnation.clone());
        let evicted = cluster.join(register, &outbox)?;
        Ok(Self {
            name,
            incarnation,
            outbox: messages,
            evicted,
        })
    }

    /// The next message for the task manager, if there is one.
    pub fn take(&mut self) -> Option<ToTaskManager> {
        self.outbox.try_recv().ok()
    }

    /// Whether the job manager does not listen any more.
    #[must_use]
    pub fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }

    /// The job manager hears a message of this session.
    pub async fn hear(&self, cluster: &Cluster, message: FromTaskManager) {
        cluster.hear(&self.name, message).await;
    }

    /// The job manager's end is over, for this reason.
    pub async fn end(self, cluster: &Cluster, reason: &str) {
        cluster.bury(&self.name, &self.incarnation, reason).await;
    }
}

//! A job manager on a store in memory.

use std::sync::Arc;
use std::time::Duration;

use dataflow::recipe::Partition;
use dataflow::time::{Clock, SystemClock};
use dataflow::{Failure, Scope};

use super::toys;
use crate::execution::tests::two_vertices;
use crate::jobs::{Desired, JobManager, Jobs, Options, Planned, World};
use crate::rest::types::{State, Summary};
use crate::store::tests::{Always, Memory};

const PATIENCE: Duration = Duration::from_secs(20);

/// A job manager and its store.
pub(crate) struct Bench {
    pub(crate) manager: JobManager,
    pub(crate) store: Arc<Memory>,
    pub(crate) scope: Scope,
}

/// A document of a source and a sink, with a checkpoint every 20 ms.
pub(crate) fn planned(parallelism: u32) -> Planned {
    let mut graph = two_vertices(parallelism, parallelism, Partition::Rebalance);
    graph.settings.checkpoint_interval = Duration::from_millis(20);
    // A barrier is said once.
    graph.settings.aligned_timeout = None;
    Planned {
        text: "datastreamName: orders".to_owned(),
        graph,
        desired: Desired::On,
        written: Arc::default(),
    }
}

impl Bench {
    pub(crate) async fn start(store: &Arc<Memory>) -> Self {
        Self::try_start(store).await.unwrap()
    }

    pub(crate) async fn try_start(store: &Arc<Memory>) -> Result<Self, Failure> {
        let (options, world) = Self::parts(store);
        let scope = world.scope.clone();
        Ok(Self {
            manager: JobManager::start(options, world).await?,
            store: store.clone(),
            scope,
        })
    }

    /// As `weir run` does: nothing is taken up by itself.
    pub(crate) async fn start_idle(store: &Arc<Memory>) -> Self {
        let (options, world) = Self::parts(store);
        let scope = world.scope.clone();
        Self {
            manager: JobManager::start_idle(options, world).await.unwrap(),
            store: store.clone(),
            scope,
        }
    }

    fn parts(store: &Arc<Memory>) -> (Options, World) {
        let scope = Scope::root("test", tokio::runtime::Handle::current());
        let world = World {
            registry: toys(),
            store: store.clone(),
            stores: Arc::new(Always(store.clone())),
            clock: Arc::new(SystemClock::start()),
            scope,
        };
        let options = Options {
            build: "test".to_owned(),
            incarnation: uuid::Uuid::new_v4().to_string(),
            process: "pid 7".to_owned(),
            address: String::new(),
            metrics: dataflow::metric::Wanted::default(),
            dialling: None,
        };
        (options, world)
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        self.manager.jobs()
    }

    /// Waits until the one datastream is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Summary) -> bool) -> Summary {
        let clock = SystemClock::start();
        let mut watch = self.jobs().watch("orders").unwrap();
        tokio::select! {
            found = watch.wait_for(|summary| wanted(summary)) => found.unwrap().clone(),
            () = clock.sleep(PATIENCE) => panic!("never as wanted: {:?}", self.jobs().list()),
        }
    }

    pub(crate) async fn until_state(&self, state: State) -> Summary {
        self.until(|summary| summary.state == state).await
    }

    /// As `kill -9` leaves it: nothing more is done, the store stays.
    pub(crate) async fn kill(self) {
        drop(self.manager);
        self.scope.shut_down().await;
    }
}

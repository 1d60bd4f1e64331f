//! The scripted job manager: answers what it must, and says and hears what a test wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dataflow::contract::Split;
use dataflow::element::Roll;
use dataflow::metric::Wanted;
use dataflow::recipe::{Chain, Partition};
use dataflow::time::{Clock, SystemClock};
use dataflow::{Registry, Scope};
use proto::v1::control_server::{Control, ControlServer};
use proto::v1::{self, FromTaskManager, State, ToTaskManager, from_task_manager as from, to_task_manager as to};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::chains::{sink_chain, source_chain};
use crate::checkpoint::Snapshot;
use crate::service::{Lines, Options, Surroundings, TaskManager};
use crate::testing::{Json, NoStores, OneFolder, Toys};

const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const JOB: &str = "numbers@1";

/// Hands every connection to the test.
struct Accepting(mpsc::Sender<Connection>);

pub(super) struct Connection {
    pub(super) incoming: Streaming<FromTaskManager>,
    pub(super) outgoing: mpsc::Sender<Result<ToTaskManager, Status>>,
}

#[tonic::async_trait]
impl Control for Accepting {
    type AttachStream = ReceiverStream<Result<ToTaskManager, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<FromTaskManager>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (outgoing, stream) = mpsc::channel(64);
        let connection = Connection {
            incoming: request.into_inner(),
            outgoing,
        };
        self.0
            .send(connection)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// The scripted job manager, and the task manager it plays with.
pub(super) struct Play {
    pub(super) task_manager: TaskManager,
    pub(super) toys: Toys,
    pub(super) connections: mpsc::Receiver<Connection>,
    pub(super) connection: Connection,
    /// What came and was not asked for yet.
    pub(super) heard: Vec<from::Message>,
    /// Whose acknowledgements are meant: the newest deployment's; an older one may still have something to say.
    attempt: String,
    pub(super) lines: Lines,
    pub(super) clock: SystemClock,
    pub(super) scope: Scope,
    /// The folder of state files.
    pub(super) state: Option<TempDir>,
    memory_bytes: u64,
    lease_ms: u64,
}

impl Play {
    pub(super) async fn begin() -> Self {
        Self::with(None, 0).await
    }

    /// With a folder for state files, and so little memory that a few rows fill it.
    pub(super) async fn begin_small(state: TempDir) -> Self {
        let play = Self::with(Some(state), 0).await;
        Self {
            memory_bytes: 1 << 20,
            ..play
        }
    }

    /// With a lease of so many milliseconds; 0 for what a task manager does without being told.
    pub(super) async fn begin_leasing(lease_ms: u64) -> Self {
        Self::with(None, lease_ms).await
    }

    async fn with(state: Option<TempDir>, lease_ms: u64) -> Self {
        let clock = SystemClock::start();
        let scope = Scope::root("test", Handle::current());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, mut connections) = mpsc::channel(4);
        let server = Server::builder().add_service(ControlServer::new(Accepting(accepted)));
        scope.run(async move {
            server
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap()
        });
        let toys = Toys::default();
        toys.hold_at(i64::MAX);
        let options = Options {
            name: "tm-1".to_owned(),
            data_address: "local".to_owned(),
            metrics_address: String::new(),
            slots: 2,
            memory_bytes: 64 << 20,
            scratch: std::env::temp_dir(),
            build: "test".to_owned(),
            metrics: Wanted::default(),
        };
        let lines = Lines::new(Arc::new(clock));
        let surroundings = Surroundings {
            registry: Registry::new(toys.connectors(), vec![Arc::new(Json)]),
            stores: Arc::new(NoStores),
            state_stores: match &state {
                Some(folder) => Arc::new(OneFolder(folder.path().to_owned())),
                None => Arc::new(NoStores),
            },
            clock: Arc::new(clock),
            scope: scope.clone(),
            data_runtime: Handle::current(),
            control: Endpoint::from_shared(format!("http://{address}"))
                .unwrap()
                .connect_lazy(),
            exchange: None,
            papers: None,
            lines: lines.clone(),
        };
        let task_manager = TaskManager::start(options, surroundings).unwrap();
        let connection = connections.recv().await.unwrap();
        let mut play = Self {
            task_manager,
            toys,
            connections,
            connection,
            heard: vec![],
            attempt: String::new(),
            lines,
            clock,
            scope,
            state,
            memory_bytes: 0,
            lease_ms,
        };
        play.register().await;
        play
    }

    /// The job manager is gone; the next one has a connection.
    pub(super) async fn lose(&mut self) {
        let connection = self.connections.recv();
        let (lost, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.connection.outgoing, lost));
        self.connection = connection.await.unwrap();
        self.heard.clear();
    }

    /// Answers the registration that comes first.
    pub(super) async fn register(&mut self) -> v1::Register {
        let register = self.next(|message| match message {
            from::Message::Register(register) => Some(register.clone()),
            _ => None,
        });
        let register = register.await;
        self.say(to::Message::Registered(v1::Registered {
            term: 1,
            heartbeat_ms: 50,
            lease_ms: self.lease_ms,
        }))
        .await;
        register
    }

    pub(super) async fn say(&self, message: to::Message) {
        self.connection
            .outgoing
            .send(Ok(ToTaskManager {
                message: Some(message),
                ..ToTaskManager::default()
            }))
            .await
            .unwrap();
    }

    /// The first message that fits, of those that came before or come in time.
    pub(super) async fn next<T>(&mut self, fits: impl Fn(&from::Message) -> Option<T>) -> T {
        if let Some(index) = self.heard.iter().position(|message| fits(message).is_some()) {
            return fits(&self.heard.remove(index)).unwrap();
        }
        let deadline = self.clock.now() + PATIENCE;
        loop {
            let message = tokio::select! {
                message = self.connection.incoming.message() => message.unwrap().expect("the connection stands").message.unwrap(),
                () = self.clock.sleep_until(deadline) => panic!("nothing that fits came; but {:?}", self.heard),
            };
            match fits(&message) {
                Some(found) => return found,
                None if matches!(message, from::Message::Heartbeat(_)) => {}
                None => self.heard.push(message),
            }
        }
    }

    pub(super) async fn status(&mut self, vertex: u32, index: u32, state: State) -> v1::SubtaskStatus {
        let subtask = Some(v1::Subtask { vertex, index });
        self.next(|message| match message {
            from::Message::Status(status) if status.subtask == subtask && status.state() == state => {
                Some(status.clone())
            }
            _ => None,
        })
        .await
    }

    pub(super) async fn acknowledged(&mut self, vertex: u32, index: u32, counter: u64) -> Snapshot {
        let (subtask, attempt) = (Some(v1::Subtask { vertex, index }), self.attempt.clone());
        let bytes = self.next(|message| match message {
            from::Message::Acknowledge(ack)
                if ack.subtask == subtask && ack.counter == counter && ack.attempt == attempt =>
            {
                Some(ack.snapshot.clone())
            }
            _ => None,
        });
        Snapshot::decode(&bytes.await).unwrap()
    }

    /// The same of a subtask whose sink writes one batch with each heartbeat.
    pub(super) async fn acknowledged_slowly(&mut self, vertex: u32, index: u32, counter: u64) -> Snapshot {
        let (subtask, attempt) = (Some(v1::Subtask { vertex, index }), self.attempt.clone());
        let toys = self.toys.clone();
        let bytes = self.next(move |message| match message {
            from::Message::Acknowledge(ack)
                if ack.subtask == subtask && ack.counter == counter && ack.attempt == attempt =>
            {
                Some(ack.snapshot.clone())
            }
            from::Message::Heartbeat(_) => {
                toys.allow_writes(Some(1));
                None
            }
            _ => None,
        });
        Snapshot::decode(&bytes.await).unwrap()
    }

    pub(super) async fn committed(&mut self, vertex: u32, epoch: u64) {
        self.next(|message| match message {
            from::Message::Committed(done) if done.subtask.is_some_and(|subtask| subtask.vertex == vertex) => {
                (done.epoch == epoch).then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// As [`Self::committed`], where a write may be in the way.
    pub(super) async fn committed_slowly(&mut self, vertex: u32, epoch: u64) {
        let toys = self.toys.clone();
        self.next(move |message| match message {
            from::Message::Committed(done) if done.subtask.is_some_and(|subtask| subtask.vertex == vertex) => {
                (done.epoch == epoch).then_some(())
            }
            from::Message::Heartbeat(_) => {
                toys.allow_writes(Some(1));
                None
            }
            _ => None,
        })
        .await;
    }

    pub(super) async fn splits_wanted(&mut self, index: u32) {
        let subtask = Some(v1::Subtask { vertex: 0, index });
        self.next(|message| match message {
            from::Message::SplitsWanted(wanted) => (wanted.subtask == subtask).then_some(()),
            _ => None,
        })
        .await;
    }

    pub(super) async fn trigger(&self, deployment: u32, counter: u64, roll: Roll) {
        let barrier = Some(v1::Barrier {
            counter,
            roll_all: roll == Roll::All,
        });
        self.say(to::Message::Trigger(v1::Trigger {
            fence: fence(deployment),
            barrier,
            overtake: false,
        }))
        .await;
    }

    /// The barrier is not to wait any longer.
    pub(super) async fn overtake(&self, deployment: u32, counter: u64) {
        self.say(to::Message::Trigger(v1::Trigger {
            fence: fence(deployment),
            barrier: Some(v1::Barrier {
                counter,
                roll_all: false,
            }),
            overtake: true,
        }))
        .await;
    }

    /// Waits until a subtask says that it waits for this.
    pub(super) async fn waits_for(&mut self, vertex: u32, index: u32, what: &str) {
        let subtask = Some(v1::Subtask { vertex, index });
        self.next(|message| match message {
            from::Message::Heartbeat(beat) => {
                let mut all = beat.subtasks.iter();
                all.any(|gauges| gauges.subtask == subtask && gauges.waits_for.starts_with(what))
                    .then_some(())
            }
            _ => None,
        })
        .await;
    }

    pub(super) async fn commit(&self, deployment: u32, epoch: u64, counter: u64) {
        self.say(to::Message::Commit(v1::Commit {
            fence: fence(deployment),
            epoch,
            counter,
        }))
        .await;
    }

    pub(super) async fn assign(&self, index: u32, splits: &[Split]) {
        self.assign_to(1, index, splits).await;
    }

    pub(super) async fn assign_to(&self, deployment: u32, index: u32, splits: &[Split]) {
        let splits = splits
            .iter()
            .map(|split| serde_json::to_vec(split).unwrap().into())
            .collect();
        let subtask = Some(v1::Subtask { vertex: 0, index });
        self.say(to::Message::AssignSplits(v1::AssignSplits {
            fence: fence(deployment),
            subtask,
            splits,
            no_more: true,
        }))
        .await;
    }

    /// Waits until the task manager has what is asked for.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&TaskManager, &Toys) -> bool) {
        let deadline = self.clock.now() + PATIENCE;
        while !holds(&self.task_manager, &self.toys) {
            assert!(self.clock.now() < deadline, "in time: {what}");
            self.clock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Two sources, each with a split, and a sink behind a filter for even numbers.
    pub(super) async fn deploy(&mut self, deployment: u32, restored: &BTreeMap<(u32, u32), Snapshot>) {
        self.attempt = format!("a{deployment}");
        let local = |vertex, index| v1::Peer {
            subtask: Some(v1::Subtask { vertex, index }),
            task_manager: "tm-1".to_owned(),
            incarnation: self.task_manager.incarnation().to_owned(),
            data_address: "local".to_owned(),
        };
        let rebalance = serde_json::to_vec(&Partition::Rebalance).unwrap();
        let subtask = |vertex, index, chain: &Chain| v1::SubtaskDeployment {
            subtask: Some(v1::Subtask { vertex, index }),
            attempt: format!("a{deployment}"),
            parallelism: parallelism(vertex),
            name: format!("vertex {vertex}"),
            chain: chain.encode().into(),
            restored: restored
                .get(&(vertex, index))
                .map(|snapshot| v1::Restored {
                    index,
                    parallelism: parallelism(vertex),
                    snapshot: snapshot.encode().into(),
                })
                .into_iter()
                .collect(),
            ..v1::SubtaskDeployment::default()
        };
        let source = |index| v1::SubtaskDeployment {
            outputs: vec![v1::OutEdge {
                edge: 0,
                partition: rebalance.clone().into(),
                peers: vec![local(1, 0)],
            }],
            ..subtask(0, index, &source_chain())
        };
        let sink = v1::SubtaskDeployment {
            inputs: vec![v1::InEdge {
                edge: 0,
                peers: vec![local(0, 0), local(0, 1)],
            }],
            ..subtask(1, 0, &sink_chain("n % 2 = 0"))
        };
        let deploy = v1::Deploy {
            fence: fence(deployment),
            incarnation: self.task_manager.incarnation().to_owned(),
            subtasks: vec![source(0), source(1), sink],
            memory_bytes: self.memory_bytes,
            buffer_timeout_ms: 5,
            epoch: 0,
            max_parallelism: 1024,
            state_url: self.state.as_ref().map_or_else(String::new, |_| "state".to_owned()),
            hidden: Vec::new(),
        };
        self.say(to::Message::Deploy(deploy)).await;
    }

    pub(super) async fn running(&mut self) {
        for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
            self.status(vertex, index, State::Running).await;
        }
    }

    pub(super) async fn end(self) {
        self.task_manager.shut_down().await;
        assert_eq!(self.task_manager.subtask_count(), 0, "no subtask is left behind");
        self.scope.cancel();
    }
}

fn parallelism(vertex: u32) -> u32 {
    if vertex == 0 { 2 } else { 1 }
}

pub(super) fn fence(deployment: u32) -> Option<v1::Fence> {
    Some(v1::Fence {
        job: JOB.to_owned(),
        term: 1,
        deployment,
    })
}

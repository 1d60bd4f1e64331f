//! A task manager with a scripted job manager at the other end of a real connection, and toys for connectors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::contract::Split;
use dataflow::element::Roll;
use dataflow::expr::Expression;
use dataflow::id::EdgeId;
use dataflow::recipe::{self, Chain, Format, Node, Partition, Port, Recipe, Role, Target};
use dataflow::time::{Clock, SystemClock};
use dataflow::{Registry, Scope};
use proto::v1::control_server::{Control, ControlServer};
use proto::v1::{self, FromTaskManager, State, ToTaskManager, from_task_manager as from, to_task_manager as to};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::{Line, Lines, Options, Surroundings, TaskManager};
use crate::checkpoint::Snapshot;
use crate::testing::{Json, NoStores, Toys};

const PATIENCE: Duration = Duration::from_secs(20);
const JOB: &str = "numbers@1";

/// Hands every connection to the test.
struct Accepting(mpsc::Sender<Connection>);

struct Connection {
    incoming: Streaming<FromTaskManager>,
    outgoing: mpsc::Sender<Result<ToTaskManager, Status>>,
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
struct Play {
    task_manager: TaskManager,
    toys: Toys,
    connections: mpsc::Receiver<Connection>,
    connection: Connection,
    /// What came and was not asked for yet.
    heard: Vec<from::Message>,
    lines: Lines,
    clock: SystemClock,
    scope: Scope,
}

impl Play {
    async fn begin() -> Self {
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
        };
        let lines = Lines::new(Arc::new(clock));
        let surroundings = Surroundings {
            registry: Registry::new(toys.connectors(), vec![Arc::new(Json)]),
            stores: Arc::new(NoStores),
            state_stores: Arc::new(NoStores),
            clock: Arc::new(clock),
            scope: scope.clone(),
            data_runtime: Handle::current(),
            control: Endpoint::from_shared(format!("http://{address}"))
                .unwrap()
                .connect_lazy(),
            exchange: None,
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
            lines,
            clock,
            scope,
        };
        play.register().await;
        play
    }

    /// Answers the registration that comes first.
    async fn register(&mut self) -> v1::Register {
        let register = self.next(|message| match message {
            from::Message::Register(register) => Some(register.clone()),
            _ => None,
        });
        let register = register.await;
        self.say(to::Message::Registered(v1::Registered {
            term: 1,
            heartbeat_ms: 50,
        }))
        .await;
        register
    }

    async fn say(&self, message: to::Message) {
        self.connection
            .outgoing
            .send(Ok(ToTaskManager { message: Some(message) }))
            .await
            .unwrap();
    }

    /// The first message that fits, of those that came before or come in time.
    async fn next<T>(&mut self, fits: impl Fn(&from::Message) -> Option<T>) -> T {
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

    async fn status(&mut self, vertex: u32, index: u32, state: State) -> v1::SubtaskStatus {
        let subtask = Some(v1::Subtask { vertex, index });
        self.next(|message| match message {
            from::Message::Status(status) if status.subtask == subtask && status.state() == state => {
                Some(status.clone())
            }
            _ => None,
        })
        .await
    }

    async fn acknowledged(&mut self, vertex: u32, index: u32, counter: u64) -> Snapshot {
        let subtask = Some(v1::Subtask { vertex, index });
        let bytes = self.next(|message| match message {
            from::Message::Acknowledge(ack) if ack.subtask == subtask && ack.counter == counter => {
                Some(ack.snapshot.clone())
            }
            _ => None,
        });
        Snapshot::decode(&bytes.await).unwrap()
    }

    async fn committed(&mut self, vertex: u32, epoch: u64) {
        self.next(|message| match message {
            from::Message::Committed(done) if done.subtask.is_some_and(|subtask| subtask.vertex == vertex) => {
                (done.epoch == epoch).then_some(())
            }
            _ => None,
        })
        .await;
    }

    async fn splits_wanted(&mut self, index: u32) {
        let subtask = Some(v1::Subtask { vertex: 0, index });
        self.next(|message| match message {
            from::Message::SplitsWanted(wanted) => (wanted.subtask == subtask).then_some(()),
            _ => None,
        })
        .await;
    }

    async fn trigger(&self, deployment: u32, counter: u64, roll: Roll) {
        let barrier = Some(v1::Barrier {
            counter,
            roll_all: roll == Roll::All,
        });
        self.say(to::Message::Trigger(v1::Trigger {
            fence: fence(deployment),
            barrier,
        }))
        .await;
    }

    async fn commit(&self, deployment: u32, epoch: u64, counter: u64) {
        self.say(to::Message::Commit(v1::Commit {
            fence: fence(deployment),
            epoch,
            counter,
        }))
        .await;
    }

    async fn assign(&self, index: u32, splits: &[Split]) {
        let splits = splits
            .iter()
            .map(|split| serde_json::to_vec(split).unwrap().into())
            .collect();
        let subtask = Some(v1::Subtask { vertex: 0, index });
        self.say(to::Message::AssignSplits(v1::AssignSplits {
            fence: fence(1),
            subtask,
            splits,
            no_more: true,
        }))
        .await;
    }

    /// Waits until the task manager has what is asked for.
    async fn until(&self, what: &str, holds: impl Fn(&TaskManager, &Toys) -> bool) {
        let deadline = self.clock.now() + PATIENCE;
        while !holds(&self.task_manager, &self.toys) {
            assert!(self.clock.now() < deadline, "in time: {what}");
            self.clock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Two sources, each with a split, and a sink behind a filter for even numbers.
    async fn deploy(&self, deployment: u32, restored: &BTreeMap<(u32, u32), Snapshot>) {
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
            parallelism: if vertex == 0 { 2 } else { 1 },
            name: format!("vertex {vertex}"),
            chain: chain.encode().into(),
            restored: restored
                .get(&(vertex, index))
                .map(|snapshot| v1::Restored {
                    index,
                    parallelism: 1,
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
            subtasks: vec![source(0), source(1), sink],
            memory_bytes: 0,
            buffer_timeout_ms: 5,
            epoch: 0,
        };
        self.say(to::Message::Deploy(deploy)).await;
    }

    async fn running(&mut self) {
        for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
            self.status(vertex, index, State::Running).await;
        }
    }

    async fn end(self) {
        self.task_manager.shut_down().await;
        assert_eq!(self.task_manager.subtask_count(), 0, "no subtask is left behind");
        self.scope.cancel();
    }
}

fn fence(deployment: u32) -> Option<v1::Fence> {
    Some(v1::Fence {
        job: JOB.to_owned(),
        term: 1,
        deployment,
    })
}

fn numbers() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn node(name: &str, recipe: Recipe, targets: Vec<(Port, Target)>) -> Node {
    Node {
        name: name.to_owned(),
        recipe,
        input: numbers(),
        output: numbers(),
        targets,
    }
}

fn source_chain() -> Chain {
    let source = recipe::Source {
        connector: "numbers".to_owned(),
        options: Value::Null,
        format: None,
        columns: None,
    };
    Chain {
        nodes: vec![node(
            "numbers",
            Recipe::Source(source),
            vec![(Port::Main, Target::Edge(EdgeId(0)))],
        )],
    }
}

fn shelf() -> Recipe {
    Recipe::Sink(recipe::Sink {
        connector: "shelf".to_owned(),
        options: Value::Null,
        format: None,
        role: Role::Sink,
    })
}

fn sink_chain(predicate: &str) -> Chain {
    let filter = Recipe::Filter(recipe::Filter {
        predicate: Expression::new(predicate),
    });
    let nodes = vec![
        node("even", filter, vec![(Port::Main, Target::Node(1))]),
        node("shelf", shelf(), vec![]),
    ];
    Chain { nodes }
}

fn even(numbers: std::ops::Range<i64>) -> Vec<i64> {
    numbers.filter(|number| number % 2 == 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_job_runs_to_its_final_record_and_every_row_arrives_once() {
    let mut play = Play::begin().await;
    play.toys.hold_at(600);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.splits_wanted(0).await;
    play.splits_wanted(1).await;
    play.assign(0, &[Toys::split(0, 1000, None)]).await;
    play.assign(1, &[Toys::split(1000, 1500, None)]).await;
    // The second source is held up at once (its numbers are above 600), the first at 600.
    play.trigger(1, 1, Roll::Keep).await;
    assert_eq!(
        play.acknowledged(0, 1, 1).await.splits("numbers").unwrap(),
        [Toys::split(1000, 1500, None)]
    );
    let position = play.acknowledged(0, 0, 1).await.splits("numbers").unwrap()[0]
        .position
        .as_i64()
        .unwrap();
    play.acknowledged(1, 0, 1).await;
    assert_eq!(
        play.toys.shelf(),
        Vec::<i64>::new(),
        "nothing is visible before the record"
    );
    play.commit(1, 1, 1).await;
    play.committed(1, 1).await;
    assert_eq!(
        play.toys.shelf(),
        even(0..position),
        "what the snapshot of the source says, and no more"
    );
    play.toys.hold_at(i64::MAX);
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.status(vertex, index, State::Ended).await;
    }
    play.trigger(1, 2, Roll::All).await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.acknowledged(vertex, index, 2).await;
    }
    play.commit(1, 2, 2).await;
    play.committed(1, 2).await;
    assert_eq!(play.toys.shelf(), even(0..1500));
    play.say(to::Message::Recorded(v1::Recorded {
        fence: fence(1),
        epoch: 2,
        r#final: true,
    }))
    .await;
    play.until("all threads leave", |task_manager, _| task_manager.subtask_count() == 0)
        .await;
    let metrics = play.task_manager.metrics();
    assert!(
        metrics.contains("weir_records_in_total{job=\"numbers\",vertex=\"vertex 0\"} 1500"),
        "{metrics}"
    );
    assert!(
        metrics.contains("weir_step_dropped_total{job=\"numbers\",vertex=\"vertex 1\",step=\"even\"} 750"),
        "{metrics}"
    );
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_aborted_barrier_prepared_is_committed_with_the_next_record() {
    let mut play = Play::begin().await;
    play.toys.hold_at(200);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, 1000, None)]).await;
    play.assign(1, &[]).await;
    play.status(0, 1, State::Ended).await;
    play.trigger(1, 1, Roll::Keep).await;
    let first = play.acknowledged(1, 0, 1).await.sink("shelf").unwrap().committables;
    play.toys.hold_at(400);
    play.trigger(1, 2, Roll::Keep).await;
    let position = play.acknowledged(0, 0, 2).await.splits("numbers").unwrap()[0]
        .position
        .as_i64()
        .unwrap();
    let second = play.acknowledged(1, 0, 2).await.sink("shelf").unwrap().committables;
    assert!(first.iter().all(|committable| second.contains(committable)));
    play.commit(1, 1, 2).await;
    play.committed(1, 1).await;
    assert_eq!(play.toys.shelf(), even(0..position));
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_sink_commits_before_the_first_row_and_sources_go_on_at_their_positions() {
    let mut play = Play::begin().await;
    let node = |name: &str, value: Value| Snapshot {
        nodes: BTreeMap::from([(name.to_owned(), value)]),
        ..Snapshot::default()
    };
    let committable = json!({"name": "of an earlier attempt", "rows": [-2, -4]});
    let restored = BTreeMap::from([
        (
            (0, 0),
            node(
                "numbers",
                json!([Split {
                    position: json!(90),
                    ..Toys::split(0, 100, None)
                }]),
            ),
        ),
        (
            (1, 0),
            node("shelf", json!({"committables": [committable], "state": 1})),
        ),
    ]);
    play.toys.hold_at(0);
    play.deploy(1, &restored).await;
    play.status(1, 0, State::Running).await;
    assert_eq!(play.toys.shelf(), [-4, -2]);
    play.toys.hold_at(i64::MAX);
    play.assign(0, &[]).await;
    play.assign(1, &[]).await;
    play.status(1, 0, State::Ended).await;
    play.trigger(1, 1, Roll::All).await;
    play.acknowledged(1, 0, 1).await;
    play.commit(1, 1, 1).await;
    play.committed(1, 1).await;
    assert_eq!(play.toys.shelf(), [-4, -2, 90, 92, 94, 96, 98]);
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_crosses_the_end_of_the_input_is_answered() {
    let mut play = Play::begin().await;
    play.toys.hold_at(0);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    // The sink is asked while it waits for its sources, which then end without having seen a barrier.
    play.assign(0, &[]).await;
    play.assign(1, &[]).await;
    play.status(0, 0, State::Ended).await;
    play.status(0, 1, State::Ended).await;
    play.trigger(1, 1, Roll::Keep).await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.acknowledged(vertex, index, 1).await;
    }
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_sink_holds_up_its_stream_grows_no_memory_and_cancel_answers_at_once() {
    let mut play = Play::begin().await;
    play.toys.hang();
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, i64::MAX / 2, None)]).await;
    let waits = |task: &v1::SubtaskGauges| {
        task.subtask.is_some_and(|subtask| subtask.vertex == 1) && task.waits_for == "sink shelf"
    };
    let read = |beat: &v1::Heartbeat| beat.subtasks.iter().map(|task| task.records_in).sum::<u64>();
    let held_up = |message: &from::Message| match message {
        from::Message::Heartbeat(beat) if beat.subtasks.iter().any(waits) => Some(read(beat)),
        _ => None,
    };
    play.next(held_up).await;
    let source_waits = |message: &from::Message| match message {
        from::Message::Heartbeat(beat)
            if beat
                .subtasks
                .iter()
                .any(|task| task.waits_for.starts_with("credit of edge-0")) =>
        {
            Some(read(beat))
        }
        _ => None,
    };
    let before = play.next(source_waits).await;
    let later = play.next(source_waits).await;
    assert_eq!(before, later, "nothing is read while nobody takes it");
    let asked = play.clock.now();
    play.say(to::Message::Cancel(v1::Cancel {
        fence: fence(1),
        reason: "a test".to_owned(),
    }))
    .await;
    for (vertex, index) in [(0, 0), (0, 1), (1, 0)] {
        play.status(vertex, index, State::Cancelled).await;
    }
    assert!(play.clock.now().since(asked) < Duration::from_secs(1));
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_fails_says_why_and_the_process_goes_on() {
    let mut play = Play::begin().await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, 1000, Some(500))]).await;
    let failure = play.status(0, 0, State::Failed).await.failure.unwrap();
    assert_eq!(
        (failure.disposition.as_str(), failure.message.as_str()),
        ("fail", "the world has changed")
    );
    play.deploy(2, &BTreeMap::new()).await;
    let next = |message: &from::Message| match message {
        from::Message::Status(status) if status.attempt == "a2" && status.state() == State::Running => Some(()),
        _ => None,
    };
    play.next(next).await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_an_operator_is_a_bug_of_its_subtask_and_of_no_other() {
    let mut play = Play::begin().await;
    let decode = recipe::Decode {
        format: Format {
            name: "json".to_owned(),
            options: Value::Null,
        },
    };
    let open: SchemaRef = Arc::new(Schema::new(vec![dataflow::element::columns::raw()]));
    let wrong = Node {
        input: open,
        ..node("decode", Recipe::Decode(decode), vec![])
    };
    let mut source = source_chain();
    source.nodes[0].targets = vec![(Port::Main, Target::Node(1))];
    source.nodes.push(wrong);
    let subtask = v1::SubtaskDeployment {
        subtask: Some(v1::Subtask { vertex: 0, index: 0 }),
        attempt: "a1".to_owned(),
        parallelism: 1,
        chain: source.encode().into(),
        ..v1::SubtaskDeployment::default()
    };
    let deploy = v1::Deploy {
        fence: fence(1),
        subtasks: vec![subtask],
        ..v1::Deploy::default()
    };
    play.say(to::Message::Deploy(deploy)).await;
    play.status(0, 0, State::Running).await;
    play.assign(0, &[Toys::split(0, 10, None)]).await;
    let failure = play.status(0, 0, State::Failed).await.failure.unwrap();
    assert_eq!(failure.disposition, "bug");
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_makes_no_sense_is_refused_and_strangers_are_not_heard() {
    let mut play = Play::begin().await;
    let subtask = v1::SubtaskDeployment {
        subtask: Some(v1::Subtask { vertex: 0, index: 0 }),
        chain: vec![1, 2, 3].into(),
        ..v1::SubtaskDeployment::default()
    };
    let deploy = v1::Deploy {
        fence: fence(1),
        subtasks: vec![subtask],
        ..v1::Deploy::default()
    };
    play.say(to::Message::Deploy(deploy)).await;
    assert_eq!(
        play.status(0, 0, State::Failed).await.failure.unwrap().disposition,
        "bug"
    );
    play.trigger(9, 1, Roll::Keep).await;
    play.say(to::Message::Trigger(v1::Trigger {
        fence: None,
        barrier: None,
    }))
    .await;
    let dropped = "weir_control_messages_dropped_total 2";
    play.until("both are counted", |task_manager, _| {
        task_manager.metrics().contains(dropped)
    })
    .await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_job_manager_ends_all_subtasks_and_is_registered_with_again() {
    let mut play = Play::begin().await;
    let first = play.task_manager.incarnation().to_owned();
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    assert_eq!(play.task_manager.subtask_count(), 3);
    let connection = play.connections.recv();
    let (lost, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut play.connection.outgoing, lost));
    let connection = connection.await.unwrap();
    play.connection = connection;
    play.heard.clear();
    assert_eq!(play.register().await.incarnation, first);
    assert_eq!(play.task_manager.subtask_count(), 0);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_source_ends_where_it_stands() {
    let mut play = Play::begin().await;
    play.toys.hold_at(100);
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.assign(0, &[Toys::split(0, 1000, None)]).await;
    play.assign(1, &[]).await;
    play.status(0, 1, State::Ended).await;
    play.say(to::Message::Drain(v1::Drain { fence: fence(1) })).await;
    play.status(0, 0, State::Ended).await;
    play.status(1, 0, State::Ended).await;
    play.trigger(1, 1, Roll::All).await;
    let position = play.acknowledged(0, 0, 1).await.splits("numbers").unwrap()[0]
        .position
        .as_i64()
        .unwrap();
    play.acknowledged(1, 0, 1).await;
    play.commit(1, 1, 1).await;
    play.committed(1, 1).await;
    assert_eq!(play.toys.shelf(), even(0..position));
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_about_a_job_reaches_the_job_manager_and_a_flood_of_it_harms_nothing() {
    let mut play = Play::begin().await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    let line = |text: String| Line {
        job: JOB.to_owned(),
        subtask: Some("sub-1.0".to_owned()),
        attempt: Some("a1".to_owned()),
        level: tracing::Level::WARN,
        text,
    };
    let said = |message: &from::Message| match message {
        from::Message::Log(line) => Some(line.clone()),
        _ => None,
    };
    play.lines.hear(line("a disk is slow".to_owned()));
    let first = play.next(said).await;
    assert_eq!(
        (first.job.as_str(), first.level.as_str(), first.text.as_str()),
        (JOB, "WARN", "a disk is slow")
    );
    let subtask = Some(v1::Subtask { vertex: 1, index: 0 });
    assert_eq!((first.subtask, first.attempt.as_str()), (subtask, "a1"));
    (0..5_000).for_each(|number| play.lines.hear(line(number.to_string())));
    let left_out = play.next(|message| said(message).filter(|line| line.text.contains("left out")));
    assert!(left_out.await.text.starts_with("4"), "all but a few hundred");
    // Control still works, and the status of a subtask does not overtake what was said before it.
    play.lines.hear(line("last words".to_owned()));
    play.say(to::Message::Cancel(v1::Cancel {
        fence: fence(1),
        reason: "a test".to_owned(),
    }))
    .await;
    play.status(0, 0, State::Cancelled).await;
    play.end().await;
}

//! A task manager by script: the test reads what it is told and says what it answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dataflow::contract::Split;
use dataflow::time::{Clock, SystemClock};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use proto::v1::control_client::ControlClient;
use proto::v1::from_task_manager::Message as Said;
use proto::v1::to_task_manager::Message as Told;
use proto::v1::{self, FromTaskManager, Register, ToTaskManager};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

use crate::jobs::JobManager;

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// One scripted task manager.
pub(crate) struct Fake {
    say: mpsc::Sender<FromTaskManager>,
    told: Streaming<ToTaskManager>,
    /// The deployment it was last told to start.
    pub(crate) deploy: v1::Deploy,
    /// Splits its source holds.
    pub(crate) held: Vec<Split>,
}

impl Fake {
    /// Connects over memory and registers; the answer is the caller's to read.
    pub(crate) async fn connect(manager: &JobManager, register: Register) -> Self {
        let (client, server) = tokio::io::duplex(1 << 16);
        manager.serve_control(tokio_stream::once(Ok::<_, std::io::Error>(server)));
        let client = Arc::new(Mutex::new(Some(client)));
        let connector = tower::service_fn(move |_| {
            let client = client.lock().take().map(TokioIo::new);
            async move { client.ok_or_else(|| std::io::Error::other("connected once")) }
        });
        let channel = Endpoint::from_static("http://jobmanager")
            .connect_with_connector(connector)
            .await
            .unwrap();
        let (say, sayings) = mpsc::channel(64);
        say.send(FromTaskManager {
            message: Some(Said::Register(register)),
        })
        .await
        .unwrap();
        let told = ControlClient::new(channel)
            .attach(ReceiverStream::new(sayings))
            .await
            .unwrap()
            .into_inner();
        Self {
            say,
            told,
            deploy: v1::Deploy::default(),
            held: Vec::new(),
        }
    }

    /// Connects and is welcomed.
    pub(crate) async fn join(manager: &JobManager, name: &str, slots: u32) -> Self {
        let mut fake = Self::connect(manager, Self::register(name, slots)).await;
        match fake.next().await {
            Some(Told::Registered(_)) => fake,
            other => panic!("not welcomed: {other:?}"),
        }
    }

    pub(crate) fn register(name: &str, slots: u32) -> Register {
        Register {
            name: name.to_owned(),
            incarnation: uuid::Uuid::new_v4().to_string(),
            data_address: "local".to_owned(),
            slots,
            memory_bytes: 1 << 20,
            build: "test".to_owned(),
            metrics_address: String::new(),
            running: Vec::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Told> {
        let clock = SystemClock::start();
        tokio::select! {
            told = self.told.message() => told.ok().flatten()?.message,
            () = clock.sleep(PATIENCE) => panic!("nothing was said for {PATIENCE:?}"),
        }
    }

    /// Reads on until `wanted` picks something; splits that are assigned meanwhile are kept.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(&Told) -> Option<T>) -> T {
        loop {
            let told = self.next().await.expect("the stream ended");
            if let Some(found) = wanted(&told) {
                return found;
            }
            if let Told::AssignSplits(assigned) = told {
                self.held.extend(
                    assigned
                        .splits
                        .iter()
                        .map(|split| serde_json::from_slice::<Split>(split).unwrap()),
                );
            }
        }
    }

    /// Waits for a deployment; every subtask says that it runs, and the source that it wants splits.
    pub(crate) async fn run(&mut self) {
        self.deploy = self
            .until(|told| {
                if let Told::Deploy(deploy) = told {
                    Some(deploy.clone())
                } else {
                    None
                }
            })
            .await;
        for subtask in self.deploy.subtasks.clone() {
            self.state(&subtask, v1::State::Running).await;
            if subtask.name == "events" {
                self.want(&subtask).await;
            }
        }
    }

    pub(crate) fn subtask(&self, name: &str) -> v1::SubtaskDeployment {
        self.deploy
            .subtasks
            .iter()
            .find(|subtask| subtask.name == name)
            .cloned()
            .expect("it was deployed")
    }

    /// Waits for a trigger and answers for every subtask.
    pub(crate) async fn acknowledge(&mut self) -> v1::Barrier {
        let barrier = self
            .until(|told| {
                if let Told::Trigger(trigger) = told {
                    trigger.barrier
                } else {
                    None
                }
            })
            .await;
        for subtask in self.deploy.subtasks.clone() {
            self.acknowledge_one(&subtask, barrier.counter).await;
        }
        barrier
    }

    /// One subtask's answer; a sink prepares a committable that is named after the barrier.
    pub(crate) async fn acknowledge_one(&self, subtask: &v1::SubtaskDeployment, counter: u64) {
        let snapshot = match subtask.name.as_str() {
            "events" => json!({ "nodes": { "events": self.held } }),
            _ => json!({ "nodes": { "out": { "committables": [format!("file-{counter}")], "state": null } } }),
        };
        let snapshot = Bytes::from(snapshot.to_string());
        let (fence, attempt) = (self.deploy.fence.clone(), subtask.attempt.clone());
        let acknowledge = v1::Acknowledge {
            fence,
            subtask: subtask.subtask,
            attempt,
            counter,
            snapshot,
            ..Default::default()
        };
        self.say(Said::Acknowledge(acknowledge)).await;
    }

    /// Waits for a commit and answers for the sinks; says which epoch.
    pub(crate) async fn commit(&mut self) -> u64 {
        let epoch = self
            .until(|told| {
                if let Told::Commit(commit) = told {
                    Some(commit.epoch)
                } else {
                    None
                }
            })
            .await;
        for subtask in self.deploy.subtasks.clone() {
            let (fence, attempt) = (self.deploy.fence.clone(), subtask.attempt.clone());
            self.say(Said::Committed(v1::Committed {
                fence,
                subtask: subtask.subtask,
                attempt,
                epoch,
            }))
            .await;
        }
        epoch
    }

    /// Waits until every sink's commit is known.
    pub(crate) async fn recorded(&mut self) -> v1::Recorded {
        self.until(|told| {
            if let Told::Recorded(recorded) = told {
                Some(recorded.clone())
            } else {
                None
            }
        })
        .await
    }

    /// One whole checkpoint.
    pub(crate) async fn checkpoint(&mut self) -> v1::Recorded {
        self.acknowledge().await;
        self.commit().await;
        self.recorded().await
    }

    /// Waits to be told to go, and goes.
    pub(crate) async fn go(&mut self) {
        self.until(|told| matches!(told, Told::Cancel(_)).then_some(())).await;
        for subtask in self.deploy.subtasks.clone() {
            self.state(&subtask, v1::State::Cancelled).await;
        }
    }

    pub(crate) async fn state(&self, subtask: &v1::SubtaskDeployment, state: v1::State) {
        let (fence, attempt) = (self.deploy.fence.clone(), subtask.attempt.clone());
        let state = state.into();
        self.say(Said::Status(v1::SubtaskStatus {
            fence,
            subtask: subtask.subtask,
            attempt,
            state,
            failure: None,
        }))
        .await;
    }

    pub(crate) async fn fail(&self, name: &str, disposition: &str, message: &str) {
        let subtask = self.subtask(name);
        let (fence, attempt) = (self.deploy.fence.clone(), subtask.attempt.clone());
        let failure = v1::Failure {
            disposition: disposition.to_owned(),
            message: message.to_owned(),
            help: String::new(),
        };
        let state = v1::State::Failed.into();
        let status = v1::SubtaskStatus {
            fence,
            subtask: subtask.subtask,
            attempt,
            state,
            failure: Some(failure),
        };
        self.say(Said::Status(status)).await;
    }

    pub(crate) async fn want(&self, subtask: &v1::SubtaskDeployment) {
        let (fence, attempt) = (self.deploy.fence.clone(), subtask.attempt.clone());
        self.say(Said::SplitsWanted(v1::SplitsWanted {
            fence,
            subtask: subtask.subtask,
            attempt,
        }))
        .await;
    }

    /// Says a line about a job.
    pub(crate) async fn log(&self, line: v1::LogLine) {
        self.say(Said::Log(line)).await;
    }

    /// Every subtask is at the end of its input.
    pub(crate) async fn end(&mut self) {
        self.held.clear();
        for subtask in self.deploy.subtasks.clone() {
            self.state(&subtask, v1::State::Ended).await;
        }
    }

    pub(crate) async fn say(&self, message: Said) {
        self.say.send(FromTaskManager { message: Some(message) }).await.unwrap();
    }
}

//! The Control service: one session for each task manager, as long as its stream lasts.

use std::pin::Pin;
use std::time::Duration;

use dataflow::Scope;
use futures::{Stream, StreamExt as _};
use proto::v1::control_server::{self, ControlServer};
use proto::v1::{FromTaskManager, Refused, Register, Registered, ToTaskManager, to_task_manager::Message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::wire::{Routed, route};
use super::{Cluster, Refusal};
use crate::job::Event;
use crate::recover::LEASE;

/// How often a task manager says that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a silent task manager counts as living: the backup for connections that break without a sign.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that may wait for a task manager to read them.
const OUTBOX: usize = 4 << 10;

/// A snapshot, or all snapshots of a task manager, travel in one message.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The Control service.
#[derive(Clone)]
pub struct Control {
    cluster: Cluster,
    scope: Scope,
}

impl Control {
    /// A service that runs its sessions in `scope`.
    #[must_use]
    pub fn new(cluster: Cluster, scope: Scope) -> Self {
        Self { cluster, scope }
    }

    /// As a service of a gRPC server.
    #[must_use]
    pub fn into_service(self) -> ControlServer<Self> {
        ControlServer::new(self)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }
}

type Outgoing = Pin<Box<dyn Stream<Item = Result<ToTaskManager, Status>> + Send>>;

#[tonic::async_trait]
impl control_server::Control for Control {
    type AttachStream = Outgoing;

    async fn attach(&self, request: Request<Streaming<FromTaskManager>>) -> Result<Response<Outgoing>, Status> {
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let session = Session {
            cluster: self.cluster.clone(),
            incoming: request.into_inner(),
        };
        self.scope.run(session.run(outbox));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages).map(Ok))))
    }
}

struct Session {
    cluster: Cluster,
    incoming: Streaming<FromTaskManager>,
}

impl Session {
    async fn run(mut self, outbox: mpsc::Sender<ToTaskManager>) {
        let Some(register) = self.registration().await else {
            return;
        };
        let (name, incarnation) = (register.name.clone(), register.incarnation.clone());
        let evicted = match self.cluster.join(register, &outbox) {
            Ok(evicted) => evicted,
            Err(Refusal { reason, help }) => {
                tracing::warn!(task_manager = name, reason, "task manager refused");
                let refused = ToTaskManager {
                    message: Some(Message::Refused(Refused { reason, help })),
                    ..ToTaskManager::default()
                };
                // Who does not wait for the answer has gone already.
                let _ = outbox.send(refused).await;
                return;
            }
        };
        // The roster holds the only sender: to forget a task manager is to end what it reads.
        drop(outbox);
        let reason = self.listen(&name, &evicted).await;
        self.cluster.bury(&name, &incarnation, &reason).await;
    }

    /// The first message; anything else than a registration ends the session.
    async fn registration(&mut self) -> Option<Register> {
        let clock = self.cluster.shared.clock.clone();
        let first = tokio::select! {
            first = self.incoming.message() => first.ok().flatten()?,
            () = clock.sleep(HEARTBEAT_TIMEOUT) => return None,
        };
        match route(first) {
            Routed::Register(register) => Some(register),
            Routed::Report(..)
            | Routed::Heartbeat { .. }
            | Routed::Log(..)
            | Routed::Tapped(..)
            | Routed::Malformed => None,
        }
    }

    /// Hands on what it says, until it is gone; says why.
    async fn listen(&mut self, name: &str, evicted: &CancellationToken) -> String {
        let clock = self.cluster.shared.clock.clone();
        loop {
            let message = tokio::select! {
                message = self.incoming.message() => message,
                () = evicted.cancelled() => return "it did not read what it was sent".to_owned(),
                () = clock.sleep(HEARTBEAT_TIMEOUT) => {
                    return format!("it was not heard for {} s", HEARTBEAT_TIMEOUT.as_secs());
                }
            };
            match message {
                Ok(Some(message)) => self.cluster.hear(name, message).await,
                Ok(None) => return "it closed its connection".to_owned(),
                Err(_) => return "its connection broke".to_owned(),
            }
        }
    }
}

impl Cluster {
    /// Takes a task manager in, if it fits. Cancelled once it is not to be listened to any more.
    pub(crate) fn join(
        &self,
        register: Register,
        outbox: &mpsc::Sender<ToTaskManager>,
    ) -> Result<CancellationToken, Refusal> {
        let shared = &self.shared;
        let evicted = CancellationToken::new();
        let heartbeat_ms = u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX);
        let welcome = Registered {
            term: shared.identity.term,
            heartbeat_ms,
            lease_ms: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
        };
        let name = register.name.clone();
        {
            let mut roster = shared.roster.lock();
            roster.check(&register, &shared.identity.build)?;
            // The queue is new and has room for the first message.
            let _ = outbox.try_send(ToTaskManager {
                message: Some(Message::Registered(welcome)),
                ..ToTaskManager::default()
            });
            tracing::info!(
                task_manager = register.name,
                slots = register.slots,
                address = register.data_address,
                "task manager joined"
            );
            let times = (shared.clock.wall(), shared.clock.now());
            roster.add(register, outbox.clone(), evicted.clone(), times);
        }
        self.dismiss_strangers(&name);
        self.announce();
        Ok(evicted)
    }

    /// Hands on what a task manager says.
    pub(crate) async fn hear(&self, name: &str, message: FromTaskManager) {
        let now = self.shared.clock.now();
        let task_manager = name.to_owned();
        match route(message) {
            Routed::Report(job, reported) => {
                self.shared.roster.lock().heard(name, now, None);
                self.deliver(&job, Event::Reported { task_manager, reported }).await;
            }
            Routed::Heartbeat { vitals, gauges } => {
                self.shared.roster.lock().heard(name, now, Some(vitals));
                let mut by_job = std::collections::BTreeMap::<_, Vec<_>>::new();
                for (job, subtask, gauges) in gauges {
                    by_job.entry(job).or_default().push((subtask, gauges));
                }
                by_job
                    .into_iter()
                    .for_each(|(job, gauges)| self.deliver_if_room(&job, Event::Gauges(gauges)));
            }
            // A job too busy to take a line does without it; it is for people.
            Routed::Log(job, logged) => self.deliver_if_room(&job, Event::Logged { task_manager, logged }),
            // As with a line: who looks at rows is told how many were left out.
            Routed::Tapped(job, tapped) => self.deliver_if_room(&job, Event::Tapped(tapped)),
            // A second registration on one stream means nothing.
            Routed::Register(_) | Routed::Malformed => self.count_dropped(),
        }
    }
}

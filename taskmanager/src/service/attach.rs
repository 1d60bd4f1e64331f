//! The one connection to the job manager: made, kept, and made again.

use std::sync::Arc;
use std::time::Duration;

use dataflow::time::{Clock, Instant};
use parking_lot::Mutex;
use proto::v1::control_client::ControlClient;
use proto::v1::{FromTaskManager, Registered, ToTaskManager, from_task_manager, to_task_manager};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::lines::Outlet;
use super::{Options, Tasks, wire};
use crate::task::{Identity, Report};

/// So many messages may wait for the job manager to take them.
const OUTGOING_MAX: usize = 4096;
/// A deployment of thousands of subtasks is some MiB; anything larger is no deployment.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The first message is answered within this time, or the connection is tried again.
const REGISTRATION: Duration = Duration::from_secs(10);
/// Between two tries, doubling.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
/// The longest time between two tries.
const AGAIN_LONGEST: Duration = Duration::from_secs(5);
/// A job manager cannot ask for beats that would keep this process busy.
const HEARTBEAT_LEAST: Duration = Duration::from_millis(20);
/// A cancelled subtask that has not let go after this long is given up: it is fenced, so it can do no harm.
const LETTING_GO: Duration = Duration::from_secs(5);

/// What the connection works with.
pub(super) struct Connection {
    pub(super) options: Arc<Options>,
    pub(super) incarnation: String,
    pub(super) control: Channel,
    pub(super) tasks: Arc<Mutex<Tasks>>,
    pub(super) reports: mpsc::Receiver<(Identity, Report)>,
    pub(super) lines: Outlet,
    pub(super) clock: Arc<dyn Clock>,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// It could not be made.
    Away(String),
    /// The job manager does not want this task manager.
    Refused { reason: String, help: String },
    /// It was made and then lost.
    Lost(String),
}

type Out = mpsc::Sender<FromTaskManager>;

impl Connection {
    /// Attaches, again and again, until the scope ends.
    pub(super) async fn keep(mut self) {
        let mut pause = AGAIN_FIRST;
        let mut said = None;
        loop {
            let ended = self.attach().await;
            self.let_go().await;
            if matches!(ended, Ended::Lost(_)) {
                pause = AGAIN_FIRST;
            }
            if said.as_ref() != Some(&ended) {
                match &ended {
                    Ended::Away(cause) => tracing::warn!(cause, "the job manager is away; it is waited for"),
                    Ended::Refused { reason, help } => {
                        tracing::error!(reason, help, "the job manager refuses this task manager")
                    }
                    Ended::Lost(cause) => {
                        tracing::warn!(cause, "the job manager was lost; all subtasks were cancelled")
                    }
                }
                said = Some(ended);
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(AGAIN_LONGEST);
        }
    }

    async fn attach(&mut self) -> Ended {
        let (out, outgoing) = mpsc::channel(OUTGOING_MAX);
        let register = wire::register(&self.options, &self.incarnation);
        // The queue is empty and its other end is in this function: there is room.
        let _ = out.try_send(register);
        let mut client = ControlClient::new(self.control.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let begun = async {
            let mut incoming = client
                .attach(ReceiverStream::new(outgoing))
                .await
                .map_err(away)?
                .into_inner();
            let first = incoming.message().await.map_err(away)?;
            Ok::<_, Ended>((incoming, first))
        };
        let begun = tokio::select! {
            begun = begun => begun,
            () = self.clock.sleep(REGISTRATION) => Err(Ended::Away("no answer to the registration".to_owned())),
        };
        let (incoming, first) = match begun {
            Ok(begun) => begun,
            Err(ended) => return ended,
        };
        match first.and_then(|first| first.message) {
            Some(to_task_manager::Message::Registered(registered)) => {
                tracing::info!(term = registered.term, "registered with the job manager");
                self.serve(incoming, &out, &registered).await
            }
            Some(to_task_manager::Message::Refused(refused)) => Ended::Refused {
                reason: refused.reason,
                help: refused.help,
            },
            _ => Ended::Away("the job manager did not answer the registration".to_owned()),
        }
    }

    async fn serve(&mut self, mut incoming: Streaming<ToTaskManager>, out: &Out, registered: &Registered) -> Ended {
        let interval = Duration::from_millis(registered.heartbeat_ms).max(HEARTBEAT_LEAST);
        let clock = Arc::clone(&self.clock);
        let mut beat = clock.now();
        loop {
            let served = tokio::select! {
                message = incoming.message() => match message {
                    Ok(Some(message)) => self.obey(message, out),
                    Ok(None) => Err("it closed the connection".to_owned()),
                    Err(status) => Err(status.message().to_owned()),
                },
                report = self.reports.recv() => match report {
                    Some((identity, report)) => self.tell(&identity, report, out),
                    None => Err("this task manager ends".to_owned()),
                },
                () = self.lines.rung() => self.pass_on(out),
                () = clock.sleep_until(beat) => {
                    beat = clock.now() + interval;
                    self.beat(out)
                }
            };
            if let Err(cause) = served {
                return Ended::Lost(cause);
            }
        }
    }

    fn obey(&self, message: ToTaskManager, out: &Out) -> Result<(), String> {
        let answers = self.tasks.lock().obey(message, self.clock.now());
        answers.into_iter().try_for_each(|answer| send(out, answer))
    }

    fn tell(&self, identity: &Identity, report: Report, out: &Out) -> Result<(), String> {
        match report {
            Report::Left => {
                self.tasks.lock().left(identity);
                Ok(())
            }
            report => {
                match report {
                    // Counts arrive before what may be acted upon: a record, and the end of a job, are told with their rows.
                    Report::Acknowledged(_) => self.beat(out)?,
                    // Lines too: what a job says last is said before it is known to be over.
                    Report::Status(_) => self.pass_on(out)?,
                    Report::Committed(_)
                    | Report::SplitsWanted
                    | Report::SplitFinished(_)
                    | Report::Reached(_)
                    | Report::Left => {}
                }
                wire::report(identity, report).map_or(Ok(()), |message| send(out, message))
            }
        }
    }

    fn beat(&self, out: &Out) -> Result<(), String> {
        if self.reports.len() >= self.reports.max_capacity() {
            return Err("more reports than it takes".to_owned());
        }
        let now = self.clock.now();
        let (given_up, beat) = {
            let mut tasks = self.tasks.lock();
            (tasks.give_up(now, LETTING_GO), wire::heartbeat(&tasks, now))
        };
        for identity in given_up {
            send(out, wire::given_up(&identity))?;
        }
        // A beat is worth nothing late: it does not take the room of what must arrive.
        if out.capacity() > OUTGOING_MAX / 2 {
            send(out, beat)?;
            let left_out = self.lines.left_out();
            left_out
                .into_iter()
                .try_for_each(|line| send(out, wire::log_line(line)))?;
        }
        self.pass_on(out)
    }

    /// Sends lines as long as they take nobody's room; the others wait for the next beat.
    fn pass_on(&self, out: &Out) -> Result<(), String> {
        let room = out.capacity().saturating_sub(OUTGOING_MAX / 2);
        let lines = self.lines.take(room);
        lines.into_iter().try_for_each(|line| send(out, wire::log_line(line)))
    }

    /// Cancels every subtask and waits until its thread has left, as long as is reasonable.
    async fn let_go(&mut self) {
        let now = self.clock.now();
        self.tasks.lock().cancel_all(now);
        let clock = Arc::clone(&self.clock);
        let deadline: Instant = now + LETTING_GO;
        while self.tasks.lock().running().next().is_some() {
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some((identity, Report::Left)) => self.tasks.lock().left(&identity),
                    Some(_) => {}
                    None => return,
                },
                () = clock.sleep_until(deadline) => {
                    let given_up = self.tasks.lock().give_up(clock.now(), Duration::ZERO);
                    tracing::warn!(count = given_up.len(), "subtasks that do not let go are left behind");
                }
            }
        }
        // What the cancelled ones still had to say is for a job manager that is gone.
        while self.reports.try_recv().is_ok() {}
        self.tasks.lock().forget();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn away(status: tonic::Status) -> Ended {
    let mut cause: &(dyn std::error::Error + 'static) = &status;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let innermost = cause.downcast_ref::<tonic::Status>().is_none();
    Ended::Away(match status.code() {
        // The innermost cause: `Connection refused` says more than `tcp connect error`.
        _ if innermost => cause.to_string(),
        tonic::Code::Unavailable | tonic::Code::Cancelled => status.message().to_owned(),
        _ => format!(
            "what answers there is no job manager's control address, which is the one behind `task managers connect to` \
             where `weir jobmanager` says what it listens on: {}",
            status.message()
        ),
    })
}

fn send(out: &Out, message: impl Into<from_task_manager::Message>) -> Result<(), String> {
    let message = FromTaskManager {
        message: Some(message.into()),
    };
    out.try_send(message)
        .map_err(|error| format!("it takes no messages: {error}"))
}

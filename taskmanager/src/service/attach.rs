//! The one connection to the job manager: made, kept, and made again.

use std::sync::Arc;
use std::time::Duration;

use dataflow::time::Clock;
use parking_lot::Mutex;
use proto::v1::control_client::ControlClient;
use proto::v1::{FromTaskManager, Registered, ToTaskManager, from_task_manager, to_task_manager};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::lines::Outlet;
use super::{Options, Tasks, wire};
use crate::tap;
use crate::task::{Identity, Report};

/// So many messages may wait for the job manager to take them.
const OUTGOING_MAX: usize = 4096;
/// Rows that somebody looks at are worth less than a line: they are sent while fewer messages wait than these.
const SHOWN_MAX: usize = 32;
/// A deployment of thousands of subtasks is some MiB; anything larger is no deployment.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The first message is answered within this time, or the connection is tried again.
const REGISTRATION: Duration = Duration::from_secs(10);
/// Between two tries, doubling.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
/// The longest time between two tries.
const AGAIN_LONGEST: Duration = Duration::from_secs(5);
/// The longest where subtasks wait for whoever adopts them.
const AGAIN_ADOPTION: Duration = Duration::from_millis(500);
/// How long subtasks run on where the job manager did not say.
const LEASE: Duration = Duration::from_secs(30);
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
    pub(super) taps: tap::Outlet,
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
                        tracing::warn!(
                            cause,
                            "the job manager was lost; its subtasks run on until their lease ends"
                        )
                    }
                }
                said = Some(ended);
            }
            let clock = Arc::clone(&self.clock);
            self.meanwhile(clock.sleep(pause)).await;
            let longest = if self.waits() { AGAIN_ADOPTION } else { AGAIN_LONGEST };
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether something runs that nobody has claimed.
    fn waits(&self) -> bool {
        self.tasks.lock().lease_end().is_some()
    }

    /// Takes what subtasks say while there is nobody to tell it to, and ends leases, until the work is done.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let clock = Arc::clone(&self.clock);
        let mut work = std::pin::pin!(work);
        let mut look = clock.now() + LETTING_GO;
        loop {
            let due = self.tasks.lock().lease_end().map_or(look, |end| end.min(look));
            tokio::select! {
                done = &mut work => return done,
                report = self.reports.recv() => match report {
                    Some((identity, report)) => self.note(&identity, &report),
                    // This task manager ends, and the work with it.
                    None => return work.await,
                },
                () = clock.sleep_until(due) => {
                    look = clock.now() + LETTING_GO;
                    for identity in self.end_leases() {
                        drop(wire::given_up(&identity));
                    }
                }
            }
        }
    }

    /// Cancels what nobody has claimed in time, and gives up what does not let go.
    fn end_leases(&self) -> Vec<Identity> {
        let now = self.clock.now();
        let mut tasks = self.tasks.lock();
        let count = tasks.end_leases(now);
        if count > 0 {
            tracing::warn!(
                count,
                "no job manager has adopted what runs here within its lease; it is cancelled"
            );
        }
        tasks.give_up(now, LETTING_GO)
    }

    /// What this task manager has to know of a report, whoever else is told.
    fn note(&self, identity: &Identity, report: &Report) {
        self.tasks.lock().heard(identity, report);
        match report {
            Report::Left => self.tasks.lock().left(identity),
            Report::Status(status) => self.tasks.lock().moved(identity, status),
            // Whoever adopts the subtask asks how it stands.
            Report::Acknowledged(_)
            | Report::Committed(_)
            | Report::SplitsWanted
            | Report::SplitFinished(_)
            | Report::Reached(_)
            | Report::Adopted(_) => {}
        }
    }

    async fn attach(&mut self) -> Ended {
        let (out, outgoing) = mpsc::channel(OUTGOING_MAX);
        // What has been said up to here is in what is told of them.
        while let Ok((identity, report)) = self.reports.try_recv() {
            self.note(&identity, &report);
        }
        let register = wire::register(&self.options, &self.incarnation, wire::standings(&self.tasks.lock()));
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
        let clock = Arc::clone(&self.clock);
        let begun = async {
            tokio::select! {
                begun = begun => begun,
                () = clock.sleep(REGISTRATION) => Err(Ended::Away("no answer to the registration".to_owned())),
            }
        };
        let mut kept = Vec::new();
        let begun = self.registering(begun, &mut kept).await;
        let (incoming, first) = match begun {
            Ok(begun) => begun,
            Err(ended) => return ended,
        };
        match first.and_then(|first| first.message) {
            Some(to_task_manager::Message::Registered(registered)) => {
                if !self.tasks.lock().serves(registered.term) {
                    return Ended::Away(format!(
                        "a job manager of an earlier term, {}, answers",
                        registered.term
                    ));
                }
                tracing::info!(term = registered.term, "registered with the job manager");
                let ended = self.serve((incoming, kept), &out, &registered).await;
                let lease = Duration::from_millis(registered.lease_ms);
                let lease = if lease.is_zero() { LEASE } else { lease };
                self.tasks.lock().run_on(self.clock.now() + lease);
                ended
            }
            Some(to_task_manager::Message::Refused(refused)) => Ended::Refused {
                reason: refused.reason,
                help: refused.help,
            },
            _ => Ended::Away("the job manager did not answer the registration".to_owned()),
        }
    }

    /// As [`Connection::meanwhile`]; but what was said since the registration is kept, for whoever answers it.
    async fn registering<T>(&mut self, work: impl Future<Output = T>, kept: &mut Vec<(Identity, Report)>) -> T {
        let clock = Arc::clone(&self.clock);
        let mut work = std::pin::pin!(work);
        loop {
            let due = self
                .tasks
                .lock()
                .lease_end()
                .unwrap_or_else(|| clock.now() + REGISTRATION);
            tokio::select! {
                done = &mut work => return done,
                Some((identity, report)) = self.reports.recv() => {
                    self.note(&identity, &report);
                    if kept.len() < OUTGOING_MAX / 4 {
                        kept.push((identity, report));
                    }
                }
                () = clock.sleep_until(due) => drop(self.end_leases()),
            }
        }
    }

    async fn serve(
        &mut self,
        (mut incoming, kept): (Streaming<ToTaskManager>, Vec<(Identity, Report)>),
        out: &Out,
        registered: &Registered,
    ) -> Ended {
        for (identity, report) in kept {
            if let Err(cause) = self.tell(&identity, report, out) {
                return Ended::Lost(cause);
            }
        }
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
                () = self.taps.rung() => self.show(out),
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
        self.note(identity, &report);
        match report {
            Report::Left => Ok(()),
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
                    | Report::Adopted(_)
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
        let given_up = self.end_leases();
        let beat = wire::heartbeat(&self.tasks.lock(), self.clock.now());
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
        self.show(out)?;
        self.pass_on(out)
    }

    /// Sends rows that somebody looks at as long as next to nothing else waits; the others wait for the next beat.
    fn show(&self, out: &Out) -> Result<(), String> {
        while out.capacity() > OUTGOING_MAX - SHOWN_MAX {
            let Some(shown) = self.taps.take() else { return Ok(()) };
            send(out, wire::shown(shown))?;
        }
        Ok(())
    }

    /// Sends lines as long as they take nobody's room; the others wait for the next beat.
    fn pass_on(&self, out: &Out) -> Result<(), String> {
        let room = out.capacity().saturating_sub(OUTGOING_MAX / 2);
        let lines = self.lines.take(room);
        lines.into_iter().try_for_each(|line| send(out, wire::log_line(line)))
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

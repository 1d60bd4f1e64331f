//! What a job hears, and the handle by which it is reached.

use dataflow::Failure;
use dataflow::id::{Epoch, JobId, SubtaskId};
use planner::tap::Refusal;
use tokio::sync::{mpsc, oneshot, watch};

use super::changing::{Change, Reply};
use super::measure::Measured;
use super::saving::When;
use crate::cluster::{Gauges, Logged, Reported};
use crate::gc::{Garbage, Plot};
use crate::jobs::Kept;
use crate::rest::types::{Datastream, Lag, LogLine, Series, Summary};
use crate::store::{Appended, Document, Entry, Error, Record};
use crate::tap::{Piece, Request, Tapped};

/// Who is told what comes of the wish to look at rows: the tap's number and its pieces; or why not, where too many look
/// without words.
pub(super) type Looking = oneshot::Sender<Result<(u64, mpsc::Receiver<Piece>), Option<Refusal>>>;

/// What a job hears.
#[derive(Debug)]
pub enum Event {
    /// A task manager says something about a subtask.
    Reported {
        /// Who.
        task_manager: String,
        /// What.
        reported: Reported,
    },
    /// Counts of subtasks; the next ones outdate them.
    Gauges(Vec<(SubtaskId, Gauges)>),
    /// A line for people.
    Logged {
        /// Who says it.
        task_manager: String,
        /// What, and when.
        logged: Logged,
    },
    /// Rows that somebody looks at.
    Tapped(Tapped),
    /// A task manager is gone.
    TaskManagerLost {
        /// Its name.
        task_manager: String,
        /// Which start of its process.
        incarnation: String,
        /// How that is known.
        reason: String,
    },
    /// It is known what came of a record.
    Recorded {
        /// The record that was to be made.
        record: Box<Record>,
        /// What came of it.
        outcome: Result<Appended, Error>,
    },
    /// It is known what came of a record with another document.
    Amended {
        /// The record that was to be made.
        record: Box<Record>,
        /// What came of it.
        outcome: Result<Appended, Error>,
    },
    /// It is known what came of a savepoint.
    Saved {
        /// The number of its operation.
        operation: u64,
        /// Where it is, or why it is not.
        outcome: Result<String, Failure>,
    },
    /// Garbage was taken away, or could not be.
    Swept(Result<Garbage, Failure>),
    /// A try at a record failed; it is tried again.
    RecordTrouble(Epoch, Failure),
    /// The end of the job is written down, or cannot be.
    Concluded(Result<Entry, Error>),
    /// A person asks.
    Asked(Ask),
}

/// What people ask of a job.
#[derive(Debug)]
pub enum Ask {
    /// Cancel it.
    Cancel,
    /// Take a last checkpoint and stop.
    Stop,
    /// End the input and finish.
    Drain,
    /// Go on with another document.
    Change(Box<Change>, Reply),
    /// Keep a checkpoint by this name.
    Savepoint(String, When, super::saving::Reply),
    /// Say what of its folder must stay.
    Plot(oneshot::Sender<Plot>),
    /// Say which document is in force.
    InForce(oneshot::Sender<Option<Box<Document>>>),
    /// Say everything that is known.
    Describe(oneshot::Sender<Box<Datastream>>),
    /// How it did lately.
    Series(oneshot::Sender<Series>),
    /// How old its rows were, and what became of them.
    Lag(super::counting::LagAsked, oneshot::Sender<Box<Lag>>),
    /// What metrics show of it.
    Measure(oneshot::Sender<Measured>),
    /// The lines of its log after this number.
    Logs(u64, oneshot::Sender<Vec<LogLine>>),
    /// Say where its dead letters are.
    Kept(oneshot::Sender<Kept>),
    /// Show rows of a step.
    Tap(Request, Looking),
    /// Show none any more.
    Untap(u64),
}

/// How a job is reached.
#[derive(Clone, Debug)]
pub struct Handle {
    /// The job.
    pub job: JobId,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// How it is.
    pub summary: watch::Receiver<Summary>,
}

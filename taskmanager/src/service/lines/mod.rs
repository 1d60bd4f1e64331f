//! What is logged in this process about a job, on its way to the job manager.
//!
//! ```text
//!   subtask ── tracing ──> cli's layer ── hear ──> [ Lines ] ── take ──> attach ──> job manager, `weir logs`
//! ```
//!
//! Enters: a [`Line`], from whatever thread. Leaves: lines with their time, in their order. Who calls: `cli`, which has the
//! subscriber, and attach. Must stay true: hearing never waits and never logs; of each job at most so many lines wait, and
//! at most so many a second are taken, and what is left out is counted and said; a job that does not run here is not heard.
//! Not here: which events are lines (cli), and what becomes of them (job manager).

mod allowance;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use dataflow::id::JobId;
use dataflow::time::{Clock, WallTime};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::Level;

use self::allowance::{Allowance, PER_SECOND};

/// So many lines of a job may wait for the connection.
const WAITING_MAX: usize = 256;
/// A line is cut behind so many bytes: it is for people.
const TEXT_BYTES_MAX: usize = 2 << 10;

/// One line about a job, as somebody in this process has logged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The job: `<datastream name>@<life>`.
    pub job: String,
    /// The subtask that says it, `sub-<vertex>.<index>`, where one does.
    pub subtask: Option<String>,
    /// The attempt of that subtask.
    pub attempt: Option<String>,
    /// How bad it is.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// Takes the lines of every job that runs in this process; shared by its task managers and its subscriber.
#[derive(Clone)]
pub struct Lines {
    clock: Arc<dyn Clock>,
    books: Arc<Mutex<BTreeMap<String, Book>>>,
}

/// A line that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) line: Line,
    pub(super) at: WallTime,
}

/// What waits of one job.
struct Book {
    waiting: VecDeque<Taken>,
    allowance: Allowance,
    left_out: u64,
    /// Whether the job still runs here.
    open: bool,
    bell: Arc<Notify>,
}

impl Lines {
    /// Hears of no job yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            books: Arc::default(),
        }
    }

    /// Takes a line of a job that runs here; where there are too many of them, only counts it.
    pub fn hear(&self, mut line: Line) {
        let (now, at) = (self.clock.now(), self.clock.wall());
        let mut books = self.books.lock();
        let Some(book) = books.get_mut(&line.job) else { return };
        if book.waiting.len() >= WAITING_MAX || !book.allowance.grants(now) {
            book.left_out += 1;
            return;
        }
        if line.text.len() > TEXT_BYTES_MAX {
            line.text.truncate(line.text.floor_char_boundary(TEXT_BYTES_MAX));
            line.text.push('…');
        }
        book.waiting.push_back(Taken { line, at });
        let bell = Arc::clone(&book.bell);
        drop(books);
        bell.notify_one();
    }

    /// The way out, for one task manager.
    pub(super) fn outlet(&self) -> Outlet {
        Outlet {
            lines: self.clone(),
            bell: Arc::default(),
        }
    }
}

/// Where one task manager takes the lines of its jobs.
#[derive(Clone)]
pub(super) struct Outlet {
    lines: Lines,
    bell: Arc<Notify>,
}

impl Outlet {
    /// The job runs here from now on.
    pub(super) fn open(&self, job: &JobId) {
        let mut books = self.lines.books.lock();
        let book = books.entry(job.to_string()).or_insert_with(|| Book {
            waiting: VecDeque::new(),
            allowance: Allowance::default(),
            left_out: 0,
            open: true,
            bell: Arc::clone(&self.bell),
        });
        book.open = true;
    }

    /// Nothing of the job runs here any more; what was said is still taken.
    pub(super) fn close(&self, job: &JobId) {
        if let Some(book) = self.lines.books.lock().get_mut(&job.to_string()) {
            book.open = false;
        }
    }

    /// Waits until there is something to take. Cancel-safe.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// At most `room` lines, those of each job in their order.
    pub(super) fn take(&self, mut room: usize) -> Vec<Taken> {
        let mut taken = Vec::new();
        for (_, book) in self.own(&mut self.lines.books.lock()) {
            let some = book.waiting.len().min(room);
            taken.extend(book.waiting.drain(..some));
            room -= some;
        }
        taken
    }

    /// A line for each job that says how many were left out since it was last asked; forgets jobs that are over.
    pub(super) fn left_out(&self) -> Vec<Taken> {
        let at = self.lines.clock.wall();
        let mut books = self.lines.books.lock();
        let mut said = Vec::new();
        for (job, book) in self.own(&mut books).filter(|(_, book)| book.left_out > 0) {
            let count = std::mem::take(&mut book.left_out);
            let line = Line {
                job: job.clone(),
                subtask: None,
                attempt: None,
                level: Level::WARN,
                text: format!("{count} lines were left out: a task manager passes on {PER_SECOND} a second of a job"),
            };
            said.push(Taken { line, at });
        }
        books.retain(|_, book| book.open || !book.waiting.is_empty() || !Arc::ptr_eq(&book.bell, &self.bell));
        said
    }

    fn own<'a>(&self, books: &'a mut BTreeMap<String, Book>) -> impl Iterator<Item = (&'a String, &'a mut Book)> {
        let bell = Arc::clone(&self.bell);
        books.iter_mut().filter(move |(_, book)| Arc::ptr_eq(&book.bell, &bell))
    }
}

//! What a task manager measures, as samples of the one list (`dataflow::metric`).
//!
//! ```text
//!   gauges of subtasks that run ─┐
//!   sums of those that have left ┴─> counted (by vertex) ──> page: vertices, then steps, then subtasks
//!   memory, state, the process ────────────────────────────┘
//! ```
//!
//! Enters: the subtasks that run here. Leaves: a [`Page`]. Who calls: `/metrics`, and whoever pushes. Must stay true: counters
//! go on over attempts; what is wide stands before what is narrow, which is left out where there is too much.

mod counted;
mod steps;

pub(crate) use counted::Retired;

use std::sync::Arc;

use dataflow::metric::{
    BUILD_INFO, Bounds, CHANNEL_BACKLOG, CHANNEL_CREDIT, CHANNEL_QUEUED, MEMORY_BUDGET, MEMORY_LIMIT, MESSAGES_DROPPED,
    PER_VERTEX_OF_TASKMANAGER, Page, SPILL_LIMIT, STATE_MEMORY, SUBTASK_BACKPRESSURED, SUBTASK_BUSY, SUBTASK_IDLE,
    SUBTASK_IN, SUBTASK_OUT, SUBTASKS, Subtasks, VERTEX_SUBTASKS, WATERMARK_LAG, Wanted, process,
};
use dataflow::time::Clock;
use parking_lot::Mutex;

use crate::memory::Budget;
use crate::service::Tasks;
use counted::{Counted, Now};

/// What pages are made of.
pub(crate) struct Source {
    pub(crate) tasks: Arc<Mutex<Tasks>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wanted: Wanted,
    pub(crate) build: String,
    pub(crate) memory_bytes: u64,
}

impl Source {
    /// How everything is now.
    pub(crate) fn page(&self) -> Page {
        let mut page = Page::new(Bounds {
            per_vertex: PER_VERTEX_OF_TASKMANAGER,
            series: self.wanted.series,
        });
        page.number(BUILD_INFO, &[&self.build, "taskmanager"], 1.0);
        process::measure(&mut page);
        let now = Now {
            steady: self.clock.now(),
            wall_ms: self.clock.wall().0,
        };
        let tasks = self.tasks.lock();
        self.of_memory(&mut page, &tasks);
        page.count(SUBTASKS, &[], tasks.running().count() as u64);
        page.count(MESSAGES_DROPPED, &[], tasks.dropped());
        let counted = Counted::look(&tasks, now);
        of_vertices(&mut page, &counted);
        steps::show(&mut page, &counted);
        if self.wanted.subtasks == Subtasks::Each {
            of_subtasks(&mut page, &tasks, now);
        }
        drop(tasks);
        page.finished()
    }

    fn of_memory(&self, page: &mut Page, tasks: &Tasks) {
        page.count(MEMORY_LIMIT, &[], self.memory_bytes);
        let budgets = tasks.budgets();
        let sum = |of: fn(&Budget) -> u64| budgets.iter().map(|(_, budget)| of(budget)).sum();
        let users: [(&str, u64); 5] = [
            ("network", sum(|budget| budget.network)),
            ("state", sum(|budget| budget.state)),
            ("sinks", sum(|budget| budget.sinks)),
            ("readers", sum(|budget| budget.readers)),
            ("chains", sum(|budget| budget.chains)),
        ];
        for (user, bytes) in users {
            page.count(MEMORY_BUDGET, &[user], bytes);
        }
        for (user, bytes) in tasks.state_memory() {
            page.count(STATE_MEMORY, &[user], bytes as u64);
        }
        page.count(SPILL_LIMIT, &[], tasks.spill_limit() as u64);
    }
}

fn of_vertices(page: &mut Page, counted: &Counted) {
    for ((datastream, vertex), counts) in counted.vertices() {
        let labels = [datastream.as_str(), vertex.as_str()];
        counts.each(|metric, value| page.number(metric, &labels, value));
        page.count(VERTEX_SUBTASKS, &labels, counts.subtasks);
        if let Some(lag) = counts.lag {
            page.number(WATERMARK_LAG, &labels, lag);
        }
        if let Some(fill) = counts.fill {
            page.count(CHANNEL_QUEUED, &labels, fill.queued);
            page.count(CHANNEL_BACKLOG, &labels, fill.backlog);
            page.count(CHANNEL_CREDIT, &labels, fill.credit);
        }
    }
}

fn of_subtasks(page: &mut Page, tasks: &Tasks, now: Now) {
    for running in tasks.running() {
        let handle = &running.handle;
        let subtask = handle.identity.subtask.to_string();
        let labels = [
            handle.identity.job.name.as_str(),
            handle.name.as_str(),
            subtask.as_str(),
        ];
        page.count(SUBTASK_IN, &labels, handle.gauges.records_in.get());
        page.count(SUBTASK_OUT, &labels, handle.gauges.records_out.get());
        let spent = handle.gauges.spent(now.steady).map(counted::seconds);
        for (metric, seconds) in [SUBTASK_BUSY, SUBTASK_BACKPRESSURED, SUBTASK_IDLE]
            .into_iter()
            .zip(spent)
        {
            page.number(metric, &labels, seconds);
        }
    }
}

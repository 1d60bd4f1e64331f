//! Who owns a running task: the one way to start tasks and threads.
//!
//! Scopes nest (process, job, subtask). A scope carries the cancel signal down, waits for its children,
//! and turns the panic of a child into a [`Failure`] instead of a lost thread.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::error::Failure;

/// A named life that owns tasks and threads.
#[derive(Clone, Debug)]
pub struct Scope {
    name: String,
    runtime: Handle,
    cancel: CancellationToken,
    children: TaskTracker,
    span: Span,
}

impl Scope {
    /// A scope without a parent, on `runtime`.
    #[must_use]
    pub fn root(name: impl Into<String>, runtime: Handle) -> Self {
        Self {
            name: name.into(),
            runtime,
            cancel: CancellationToken::new(),
            children: TaskTracker::new(),
            span: Span::none(),
        }
    }

    /// A scope that is cancelled with this one, and may be cancelled alone.
    #[must_use]
    pub fn child(&self, name: impl Into<String>) -> Self {
        Self {
            name: format!("{}/{}", self.name, name.into()),
            runtime: self.runtime.clone(),
            cancel: self.cancel.child_token(),
            children: TaskTracker::new(),
            span: self.span.clone(),
        }
    }

    /// The same scope for tasks on another runtime.
    #[must_use]
    pub fn on(&self, runtime: Handle) -> Self {
        Self {
            runtime,
            ..self.clone()
        }
    }

    /// The same scope for tasks and threads that log within `span`.
    #[must_use]
    pub fn within(&self, span: Span) -> Self {
        Self { span, ..self.clone() }
    }

    /// The name, with the names of the parents before it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The runtime that tasks of this scope run on.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Asks everything in this scope to stop now. Tasks are dropped at their next await.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether the scope was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Resolves when the scope is asked to stop.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Runs `work` as a task until it ends or the scope is cancelled; a panic becomes a [`Failure`] handed to `done`.
    ///
    /// `done` gets `Ok(None)` where the scope was cancelled first.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        done: impl FnOnce(Result<Option<T>, Failure>) + Send + 'static,
    ) {
        let cancel = self.cancel.clone();
        let name = self.name.clone();
        let guarded = async move {
            let outcome = AssertUnwindSafe(cancel.run_until_cancelled(work)).catch_unwind().await;
            done(outcome.map_err(|panic| panicked(&name, panic.as_ref())));
        };
        self.runtime
            .spawn(self.children.track_future(guarded.instrument(self.span.clone())));
    }

    /// Runs `work` as a task that ends by itself or with the scope; a panic is logged.
    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn(work, |outcome| {
            if let Err(failure) = outcome {
                tracing::error!(%failure, "task panicked");
            }
        });
    }

    /// Runs `work` on a thread of its own, named after the scope; `done` is called on that thread at its end.
    ///
    /// The thread must end by itself once the scope is cancelled; nothing can interrupt it.
    ///
    /// # Errors
    /// When the operating system grants no thread.
    pub fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(Result<T, Failure>) + Send + 'static,
    ) -> Result<(), Failure> {
        let name = self.name.clone();
        let child = self.children.token();
        let span = self.span.clone();
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                let _within = span.entered();
                let outcome = catch_unwind(AssertUnwindSafe(work));
                done(outcome.map_err(|panic| panicked(&name, panic.as_ref())));
                drop(child);
            })
            .map(drop)
            .map_err(|error| Failure::retry("no thread for a subtask").because(&error))
    }

    /// Runs blocking or long CPU work off the async threads.
    ///
    /// # Errors
    /// A [`Failure`] where `work` panicked.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let name = self.name.clone();
        let span = self.span.clone();
        self.runtime
            .spawn_blocking(move || span.in_scope(work))
            .await
            .map_err(|error| Failure::bug(format!("blocking work in {name} ended early")).because(&error))
    }

    /// Cancels and waits until every task and thread of this scope has ended.
    pub async fn shut_down(&self) {
        self.cancel();
        self.join().await;
    }

    /// Waits until every task and thread of this scope has ended by itself.
    pub async fn join(&self) {
        self.children.close();
        self.children.wait().await;
    }
}

fn panicked(name: &str, panic: &(dyn Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Failure::bug(format!("{name} panicked: {text}"))
}

//! Traces: to which one a piece of work belongs, over processes, as W3C writes it.
//!
//! ```text
//!   weir submit ── traceparent: ──> request ──> deployment ── traceparent ──> restore, of each subtask
//!                                   checkpoint ── traceparent ──> barrier, commit, of each subtask
//!                                   recovery ──> deployment ──> …
//! ```
//!
//! Work begins by [`Traced::begin`] with a span of `tracing` and the context it was asked in, and ends when that is dropped;
//! its own context goes along with what it asks of others. Who exports spans says so once ([`export_by`]); where nobody does,
//! contexts are only handed on, so that logs can name the trace. Nothing here waits. Not here: OpenTelemetry.

mod context;

pub use context::{Context, Garbled, Sampled};

use std::fmt;
use std::sync::OnceLock;

use tracing::Span;

/// The target of spans that are parts of traces. Of the highest level, so that no filter of logs takes them away.
pub const TARGET: &str = "weir::trace";

/// Whoever exports spans.
pub trait Exporter: Send + Sync {
    /// Makes a span that has just begun a part of its parent's trace, or of a new one; its own context.
    fn adopt(&self, span: &Span, parent: Option<Context>) -> Option<Context>;
}

static EXPORTER: OnceLock<Box<dyn Exporter>> = OnceLock::new();

/// Names who exports spans; the first time counts.
pub fn export_by(exporter: Box<dyn Exporter>) {
    // One process has one log and one way out for its spans.
    let _ = EXPORTER.set(exporter);
}

/// A piece of work that is a part of a trace; it ends when this is dropped.
#[derive(Default)]
pub struct Traced {
    span: Option<Span>,
    context: Option<Context>,
}

impl Traced {
    /// Begins with a span that has an empty field `traceparent`, as a part of the trace it was asked in.
    #[must_use]
    pub fn begin(span: Span, parent: Option<Context>) -> Self {
        let context = match EXPORTER.get() {
            Some(exporter) => exporter.adopt(&span, parent),
            None => parent,
        };
        if let Some(context) = context {
            span.record("traceparent", tracing::field::display(context));
        }
        Self {
            span: Some(span),
            context,
        }
    }

    /// What goes along with whatever this work asks of others.
    #[must_use]
    pub fn context(&self) -> Option<Context> {
        self.context
    }

    /// As it goes over the wire: empty for none.
    #[must_use]
    pub fn traceparent(&self) -> String {
        written(self.context)
    }

    /// The span, to log and work within.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone().unwrap_or_else(Span::none)
    }

    /// Says something of the work: a field that its span has.
    pub fn say(&self, field: &'static str, value: impl fmt::Display) {
        if let Some(span) = &self.span {
            span.record(field, tracing::field::display(value));
        }
    }

    /// Says that it came to nothing.
    pub fn fail(&self, why: impl fmt::Display) {
        self.say("otel.status_code", "ERROR");
        self.say("otel.status_description", why);
    }
}

/// As it goes over the wire: empty for none.
#[must_use]
pub fn written(context: Option<Context>) -> String {
    context.map(|context| context.to_string()).unwrap_or_default()
}

/// A span of a trace with these fields, beside those that every one has.
#[macro_export]
macro_rules! traced {
    ($parent:expr, $name:literal $(, $($fields:tt)*)?) => {
        $crate::trace::Traced::begin(
            ::tracing::error_span!(
                target: "weir::trace",
                parent: None::<::tracing::Id>,
                $name,
                traceparent = ::tracing::field::Empty,
                otel.status_code = ::tracing::field::Empty,
                otel.status_description = ::tracing::field::Empty
                $(, $($fields)*)?
            ),
            $parent,
        )
    };
}

tokio::task_local! {
    static CURRENT: Option<Context>;
}

/// Does work within a context, which [`current`] gives to whatever it calls.
pub async fn within<T>(context: Option<Context>, work: impl Future<Output = T>) -> T {
    CURRENT.scope(context, work).await
}

/// The context that this task works in.
#[must_use]
pub fn current() -> Option<Context> {
    CURRENT.try_with(|context| *context).ok().flatten()
}

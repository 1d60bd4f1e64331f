//! The text form of what one operator does.

use std::time::Duration;

use dataflow::expr::{Expression, Path};
use dataflow::quantity;
use dataflow::recipe::{
    Aggregate, Clocked, Direction, Emission, EventTime, Excess, Format, Function, Measure, Origin, Phase, Recipe, Role,
    Sink, Spans, Ties, TopN, Window,
};

use super::line;

pub(super) fn recipe(out: &mut String, depth: usize, recipe: &Recipe) {
    match recipe {
        Recipe::Source(source) => {
            line(out, depth, &format!("source {} {}", source.connector, source.options));
            source
                .format
                .iter()
                .for_each(|format| line(out, depth, &formatted(format)));
            if let Some(columns) = &source.columns {
                line(out, depth, &format!("reads {}", listed(columns)));
            }
        }
        Recipe::Decode(decode) => line(out, depth, &format!("decode {}", formatted(&decode.format))),
        Recipe::EventTime(time) => event_time(out, depth, time),
        Recipe::Dedup(dedup) => {
            let (keys, within) = (paths(&dedup.keys), span(dedup.within_ms));
            let clock = clock(dedup.clock);
            line(out, depth, &format!("dedup by {keys} within {within} by {clock} time"));
        }
        Recipe::Aggregate(of) => aggregate(out, depth, of),
        Recipe::TopN(of) => top_n(out, depth, of),
        Recipe::Delay(delay) => {
            let (by, clock) = (span(delay.by_ms), clock(delay.clock));
            line(out, depth, &format!("delay by {by} of {clock} time"));
        }
        Recipe::RateLimit(limit) => {
            let by = if limit.keys.is_empty() {
                String::new()
            } else {
                format!(" for each {}", paths(&limit.keys))
            };
            let excess = match limit.excess {
                Excess::Wait => "others wait",
                Excess::Drop => "others are dropped",
            };
            let (rate, burst) = (limit.rows_per_second, limit.burst);
            line(
                out,
                depth,
                &format!("{rate} rows a second{by}, {burst} at once, {excess}"),
            );
        }
        Recipe::Filter(filter) => line(out, depth, &format!("filter {}", filter.predicate.sql)),
        Recipe::Select(select) => {
            for projection in &select.projections {
                line(
                    out,
                    depth,
                    &format!("select {} = {}", projection.name, projection.expression.sql),
                );
            }
        }
        Recipe::Drop(drop) => {
            line(out, depth, &format!("drop {}", paths(&drop.paths)));
        }
        Recipe::Unnest(unnest) => line(out, depth, &format!("unnest {}", unnest.path)),
        Recipe::Sample(sample) => {
            let by = sample.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            line(
                out,
                depth,
                &format!("sample {}{by}, seed {}", sample.share, sample.seed),
            );
        }
        Recipe::Sink(of) => sink(out, depth, of),
    }
}

pub(super) fn sink(out: &mut String, depth: usize, sink: &Sink) {
    let role = match sink.role {
        Role::Sink => "sink",
        Role::Archive => "archive",
        Role::DeadLetter => "dead letters to",
    };
    line(out, depth, &format!("{role} {} {}", sink.connector, sink.options));
    sink.format
        .iter()
        .for_each(|format| line(out, depth, &formatted(format)));
}

fn formatted(format: &Format) -> String {
    let options = if format.options.as_object().is_none_or(serde_json::Map::is_empty) {
        String::new()
    } else {
        format!(" {}", format.options)
    };
    format!("format {}{options}", format.name)
}

fn event_time(out: &mut String, depth: usize, time: &EventTime) {
    let field = time
        .field
        .as_ref()
        .map_or_else(|| "of the source".to_owned(), ToString::to_string);
    let idle = time
        .idle_timeout_ms
        .map(|ms| format!(", idle after {}", span(ms)))
        .unwrap_or_default();
    let drift = time
        .max_drift_ms
        .map(|ms| format!(", at most {} ahead", span(ms)))
        .unwrap_or_default();
    let disorder = span(time.max_out_of_orderness_ms);
    line(
        out,
        depth,
        &format!("event time {field}, up to {disorder} out of order{idle}{drift}"),
    );
}

fn aggregate(out: &mut String, depth: usize, aggregate: &Aggregate) {
    let phase = match aggregate.phase {
        Phase::Whole => "",
        Phase::Partial => ", the first half",
        Phase::Final => ", the second half",
    };
    let keys: Vec<String> = aggregate
        .keys
        .iter()
        .map(|key| {
            let (name, path) = (&key.name, key.path.to_string());
            if *name == path {
                path
            } else {
                format!("{name} = {path}")
            }
        })
        .collect();
    let by = if keys.is_empty() {
        "of all rows".to_owned()
    } else {
        format!("by {}", keys.join(", "))
    };
    let over = match &aggregate.window {
        Some(of) => window(of),
        None => "as changes".to_owned(),
    };
    line(out, depth, &format!("aggregate {by}, {over}{phase}"));
    for one in &aggregate.measures {
        line(out, depth, &format!("fold {} = {}", one.name, measure(one)));
    }
}

fn window(window: &Window) -> String {
    let spans = spans(&window.spans);
    let clock = clock(window.clock);
    let late = match window.allowed_lateness_ms {
        0 => String::new(),
        ms => format!(", again for rows up to {} late", span(ms)),
    };
    let early = window
        .emit_every_ms
        .map(|ms| format!(", early every {}", span(ms)))
        .unwrap_or_default();
    format!("{spans} by {clock} time{late}{early}")
}

/// The spans of time of windows.
pub(crate) fn spans(spans: &Spans) -> String {
    match spans {
        Spans::Tumbling { size_ms, origin: from } => format!("windows of {}{}", span(*size_ms), origin(from)),
        Spans::Sliding {
            size_ms,
            slide_ms,
            origin: from,
        } => {
            format!(
                "windows of {} every {}{}",
                span(*size_ms),
                span(*slide_ms),
                origin(from)
            )
        }
        Spans::Cumulative {
            size_ms,
            step_ms,
            origin: from,
        } => {
            let (size, step) = (span(*size_ms), span(*step_ms));
            format!("windows that grow by {step} to {size}{}", origin(from))
        }
        Spans::Session { gap_ms } => format!("sessions that end after {}", span(*gap_ms)),
        Spans::Global => "all of time".to_owned(),
    }
}

fn origin(origin: &Origin) -> String {
    let offset = match origin.offset_ms {
        0 => String::new(),
        ms => format!(" from {ms}ms"),
    };
    let zone = origin
        .zone
        .as_ref()
        .map(|zone| format!(" of {zone}"))
        .unwrap_or_default();
    format!("{offset}{zone}")
}

/// How a measure is folded.
pub(crate) fn measure(measure: &Measure) -> String {
    let argument = measure.argument.as_ref().map_or("*", |argument| argument.sql.as_str());
    let call = match measure.function {
        Function::Count => format!("count({argument})"),
        Function::CountDistinct => format!("count(DISTINCT {argument})"),
        Function::Sum => format!("sum({argument})"),
        Function::Min => format!("min({argument})"),
        Function::Max => format!("max({argument})"),
        Function::Avg => format!("avg({argument})"),
        Function::First => format!("first({argument})"),
        Function::Last => format!("last({argument})"),
        Function::Stddev => format!("stddev({argument})"),
        Function::StddevPop => format!("stddev_pop({argument})"),
        Function::Variance => format!("var({argument})"),
        Function::VariancePop => format!("var_pop({argument})"),
        Function::ApproxDistinct => format!("approx_distinct({argument})"),
        Function::ApproxPercentile(share) => format!("approx_percentile({argument}, {share})"),
    };
    match &measure.filter {
        Some(Expression { sql }) => format!("{call} where {sql}"),
        None => call,
    }
}

fn top_n(out: &mut String, depth: usize, top_n: &TopN) {
    let order: Vec<String> = top_n
        .order
        .iter()
        .map(|order| {
            let word = match order.direction {
                Direction::Ascending => "up",
                Direction::Descending => "down",
            };
            format!("{} {word}", order.path)
        })
        .collect();
    let by = if top_n.keys.is_empty() {
        "of all rows".to_owned()
    } else {
        format!("of each {}", paths(&top_n.keys))
    };
    let ties = match top_n.ties {
        Ties::Cut => "",
        Ties::Kept => ", and those equal to the last",
    };
    let emission = match (top_n.emission, &top_n.window) {
        (Emission::Window, Some(of)) => window(of),
        (Emission::Window, None) => "by window".to_owned(),
        (Emission::Changes, _) => "as changes".to_owned(),
    };
    let rank = top_n
        .rank
        .as_ref()
        .map(|rank| format!(", their place as {rank}"))
        .unwrap_or_default();
    let limit = top_n.limit;
    line(
        out,
        depth,
        &format!(
            "top {limit} {by} in the order {}{ties}, {emission}{rank}",
            order.join(", ")
        ),
    );
}

fn clock(clock: Clocked) -> &'static str {
    match clock {
        Clocked::Event => "event",
        Clocked::Processing => "processing",
    }
}

fn paths(paths: &[Path]) -> String {
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    paths.join(", ")
}

/// A length of time as a document writes it.
fn span(milliseconds: u64) -> String {
    quantity::Span(Duration::from_millis(milliseconds)).to_string()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "no columns".to_owned()
    } else {
        names.join(", ")
    }
}

//! `weir describe`: everything about one datastream, the most important first.

use std::fmt::Write as _;

use dataflow::time::{Clock, SystemClock, WallTime};
use jobmanager::rest::types::{
    Ages, Checkpoint, Checkpoints, Datastream, DeadLetters, Exception, Finding, Holder, Lag, Loss, Operation, Outlook,
    Summary, Vertex, Where,
};

use crate::args::{Named, OutputForm};
use crate::client::Client;
use crate::exit::Stop;
use crate::output::{Table, age, ago, bytes, count, plain, rate, show, stamp};

/// How many checkpoints and failures are shown to people; JSON has all of them.
const SHOWN: usize = 5;

pub(crate) async fn describe(named: &Named, form: OutputForm) -> Result<(), Stop> {
    let client = Client::new(&named.cluster.cluster)?;
    let datastream = client.describe(&named.name).await?;
    let ages = client.lag(&named.name).await?;
    let now = SystemClock::start().wall();
    show(form, &datastream, |datastream| text(datastream, now) + &lag(&ages))
}

/// The page for people.
pub(crate) fn text(datastream: &Datastream, now: WallTime) -> String {
    let mut page = head(datastream, now);
    if datastream.vertices.is_empty() {
        page.push_str("it ended before this job manager began, which does not know its counts any more\n");
        return page;
    }
    page.push_str(&findings(&datastream.findings, now));
    page.push_str(&progress(&datastream.summary));
    page.push_str(&watermark(datastream.watermark.as_ref(), now));
    page.push_str(&losses(&datastream.losses));
    for vertex in &datastream.vertices {
        page.push('\n');
        page.push_str(&vertex_text(vertex));
    }
    page.push_str(&checkpoints(&datastream.checkpoints));
    page.push_str(&exceptions(&datastream.exceptions, now));
    page.push_str(&operations(&datastream.operations, now));
    page.push_str(&dead_letters(&datastream.dead_letters));
    page
}

fn head(datastream: &Datastream, now: WallTime) -> String {
    let summary = &datastream.summary;
    let mut lines = format!("{}: {}", summary.name, summary.state);
    if let Some(reason) = &summary.reason {
        let _ = write!(lines, ": {}", plain(reason));
    }
    lines.push('\n');
    if let Some(help) = &summary.help {
        let _ = writeln!(lines, "  help: {help}");
    }
    let _ = write!(
        lines,
        "job {}, {} for {}",
        summary.job,
        summary.state,
        ago(summary.since_ms, now)
    );
    let parts = [
        ("", Some(datastream.generation.as_str())),
        ("contact ", datastream.contact.as_deref()),
    ];
    for (what, part) in parts {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            let _ = write!(lines, ", {what}{part}");
        }
    }
    lines.push('\n');
    lines
}

/// What holds it up, the worst first; what the rest of the page says anyway is left to it.
fn findings(findings: &[Finding], now: WallTime) -> String {
    const HOLDING_UP: &[&str] = &[
        "backpressure",
        "pace",
        "checkpoint",
        "checkpoints",
        "watermark",
        "held",
        "loss",
        "surplus",
    ];
    let mut text = String::new();
    for finding in findings.iter().filter(|one| HOLDING_UP.contains(&one.code.as_str())) {
        let since = finding.since_ms.map(|since| format!(", for {}", ago(since, now)));
        let _ = writeln!(text, "{}{}", plain(&finding.text), since.unwrap_or_default());
        if let Some(help) = &finding.help {
            let _ = writeln!(text, "  help: {}", plain(help));
        }
    }
    text
}

fn progress(summary: &Summary) -> String {
    let progress = &summary.progress;
    let mut lines = String::new();
    let _ = write!(
        lines,
        "{} rows in ({}), {} rows out ({}), {} read",
        count(progress.rows_in),
        rate(progress.rows_in_rate),
        count(progress.rows_out),
        rate(progress.rows_out_rate),
        bytes(progress.bytes_read),
    );
    if let (Some(total), Some(share)) = (progress.bytes_total, progress.share) {
        let _ = write!(lines, " of {} ({:.0} %)", bytes(total), share * 100.0);
    }
    let _ = writeln!(
        lines,
        ", {} dead letters, {} restarts",
        count(progress.dead_letters),
        count(summary.restarts)
    );
    lines
}

fn vertex_text(vertex: &Vertex) -> String {
    let mut subtasks = Table::new(&[
        "subtask",
        "on",
        "state",
        "#in",
        "#out",
        "#rate",
        "#busy",
        "#pressed",
        "#idle",
        "waits for",
    ]);
    for subtask in &vertex.subtasks {
        let waits = match subtask.waits_for.as_str() {
            "" => String::new(),
            what => format!("{what} ({:.1}s)", subtask.waits_seconds),
        };
        let share = |share: f64| format!("{:.0} %", share * 100.0);
        subtasks.row(vec![
            subtask.id.clone(),
            subtask.task_manager.clone().unwrap_or_else(|| "-".to_owned()),
            subtask.state.clone(),
            count(subtask.records_in),
            count(subtask.records_out),
            rate(subtask.records_in_rate.max(subtask.records_out_rate)),
            share(subtask.busy),
            share(subtask.backpressured),
            share(subtask.idle),
            waits,
        ]);
    }
    let mut steps = Table::new(&[
        "step",
        "#in",
        "#out",
        "#dropped",
        "#late",
        "#dead",
        "watermark",
        "held by",
    ]);
    for step in &vertex.steps {
        steps.row(vec![
            step.name.clone(),
            count(step.records_in),
            count(step.records_out),
            count(step.dropped),
            count(step.late),
            count(step.dead),
            step.watermark_ms.map_or_else(|| "-".to_owned(), stamp),
            step.held_by.clone().unwrap_or_default(),
        ]);
    }
    format!(
        "{} {}\n{}{}",
        vertex.id,
        vertex.name,
        indent(&subtasks.to_string()),
        indent(&steps.to_string())
    )
}

fn checkpoints(checkpoints: &Checkpoints) -> String {
    let mut text = format!(
        "\ncheckpoints: {} committed, {} aborted\n",
        checkpoints.completed, checkpoints.aborted
    );
    if let Some(current) = &checkpoints.current {
        let waits = if current.waits_for.is_empty() {
            String::new()
        } else {
            format!(", waits for {}", current.waits_for.join(", "))
        };
        let _ = writeln!(
            text,
            "  {} is {} for {}{waits}",
            current.barrier,
            current.phase,
            age(current.age_ms)
        );
    }
    if checkpoints.history.is_empty() {
        return text;
    }
    let mut table = Table::new(&[
        "#epoch", "barrier", "#took", "#collect", "#aligned", "#record", "#commit", "#size", "",
    ]);
    for checkpoint in checkpoints.history.iter().take(SHOWN) {
        table.row(vec![
            checkpoint.epoch.map_or_else(|| "-".to_owned(), count),
            checkpoint.barrier.clone(),
            age(checkpoint.duration_ms),
            age(checkpoint.collect_ms),
            age(checkpoint.alignment_ms),
            age(checkpoint.record_ms),
            age(checkpoint.commit_ms),
            bytes(checkpoint.bytes),
            how(checkpoint),
        ]);
    }
    text + &indent(&table.to_string())
}

/// What is worth knowing of a checkpoint beside its times.
fn how(checkpoint: &Checkpoint) -> String {
    match (&checkpoint.aborted, checkpoint.overtook_bytes) {
        (Some(reason), _) => reason.clone(),
        (None, Some(overtook)) => format!("unaligned, {} in flight", bytes(overtook)),
        (None, None) => String::new(),
    }
}

/// Who holds time back.
fn watermark(holder: Option<&Holder>, now: WallTime) -> String {
    let Some(holder) = holder else { return String::new() };
    let place = holder
        .task_manager
        .as_deref()
        .map_or_else(String::new, |on| format!(" on {on}"));
    let who = format!("{} of {}{place}", holder.subtask, holder.step);
    match holder.watermark_ms {
        None => format!("watermark: none yet; {who} has not said how far time has come\n"),
        Some(at) => {
            let ahead = match u64::try_from(holder.ahead_ms) {
                Ok(ahead) if ahead > 0 => format!(", others are up to {} ahead", age(ahead)),
                Ok(_) | Err(_) => String::new(),
            };
            format!(
                "watermark: {} ({} ago), held by {who}{ahead}\n",
                stamp(at),
                ago(at, now)
            )
        }
    }
}

/// Rows that are missing, at the cut of the newest checkpoint.
fn losses(losses: &[Loss]) -> String {
    let mut text = String::new();
    for loss in losses {
        let place = match loss.at {
            Where::Step => format!("in {}", loss.step),
            Where::Before => format!("on the way to {}", loss.step),
        };
        let (rows, what) = (
            loss.lost.unsigned_abs(),
            if loss.lost < 0 { "more than came" } else { "missing" },
        );
        let _ = writeln!(text, "rows {place}: {} of {} {what}", count(rows), count(loss.rows));
    }
    text
}

/// How old rows were lately, and what became of them, by step; from the newest line that says anything.
pub(super) fn lag(lag: &Lag) -> String {
    let mut table = Table::new(&[
        "step",
        "#lag in p50",
        "#p95",
        "#p99",
        "#lag out p50",
        "#p95",
        "#p99",
        "#missing",
    ]);
    let mut known = false;
    for step in &lag.steps {
        let Some(ages) = &step.ages else { continue };
        known = true;
        let missing = lag.loss.points.iter().filter(|point| point.step == step.name);
        let mut row = vec![step.name.clone()];
        row.extend([&ages.came, &ages.left].into_iter().flat_map(newest));
        row.push(missing.map(|point| point.lost).sum::<i64>().to_string());
        table.row(row);
    }
    if !known {
        return String::new();
    }
    format!(
        "\nlag: the clock less the time of rows, by step\n{}",
        indent(&table.to_string())
    )
}

/// The newest percentiles that there are.
fn newest(ages: &Ages) -> [String; 3] {
    [&ages.p50_ms, &ages.p95_ms, &ages.p99_ms].map(|column| {
        let last = column.iter().rev().find_map(|one| *one);
        last.map_or_else(|| "-".to_owned(), |ms| age(u64::try_from(ms).unwrap_or(0)))
    })
}

/// Long work that is under way, and the last that was done.
fn operations(operations: &[Operation], now: WallTime) -> String {
    let mut text = String::new();
    for operation in operations.iter().take(SHOWN) {
        let since = ago(operation.since_ms, now);
        let _ = match operation.state {
            Outlook::UnderWay => writeln!(text, "\n{}: under way for {since}", operation.what),
            Outlook::Done => {
                let (epoch, took) = (
                    operation.epoch.unwrap_or_default(),
                    operation.took_ms.unwrap_or_default(),
                );
                let result = operation
                    .result
                    .as_deref()
                    .map_or_else(String::new, |place| format!(", {place}"));
                writeln!(
                    text,
                    "\n{}: done {since} ago at epoch {epoch}, took {}{result}",
                    operation.what,
                    age(took)
                )
            }
            Outlook::Failed => {
                let reason = operation.reason.as_deref().unwrap_or_default();
                writeln!(text, "\n{}: failed {since} ago: {}", operation.what, plain(reason))
            }
        };
        if let Some(help) = &operation.help {
            let _ = writeln!(text, "  help: {help}");
        }
    }
    text
}

fn exceptions(exceptions: &[Exception], now: WallTime) -> String {
    let mut text = String::new();
    for exception in exceptions.iter().take(SHOWN) {
        let places = [&exception.subtask, &exception.task_manager];
        let places: Vec<&str> = places.into_iter().filter_map(|place| place.as_deref()).collect();
        let place = if places.is_empty() {
            String::new()
        } else {
            format!("{}: ", places.join(" on "))
        };
        let _ = write!(
            text,
            "\nfailure {} ago at epoch {}: {place}{}\n  answer: {}",
            ago(exception.at_ms, now),
            exception.epoch,
            plain(
                exception
                    .message
                    .strip_prefix(place.as_str())
                    .unwrap_or(&exception.message)
            ),
            plain(&exception.answer)
        );
        if let Some(recovered) = exception.recovered_ms {
            let _ = write!(text, ", all running again after {}", age(recovered));
        }
        text.push('\n');
        if let Some(vertex) = &exception.vertex {
            let _ = writeln!(text, "  steps: {vertex}");
        }
        if let Some(cause) = &exception.cause {
            let _ = writeln!(text, "  root cause: {}", plain(cause));
        }
        if let Some(help) = &exception.help {
            let _ = writeln!(text, "  help: {help}");
        }
    }
    text
}

fn dead_letters(letters: &[DeadLetters]) -> String {
    let mut text = String::new();
    for letter in letters.iter().filter(|letter| letter.count > 0) {
        let _ = writeln!(text, "\ndead letters of {}: {}", letter.step, count(letter.count));
        for sample in &letter.samples {
            let _ = writeln!(text, "  {}", plain(sample));
        }
    }
    text
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

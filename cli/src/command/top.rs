//! `weir top`: the datastreams of a cluster, or the vertices of one, as they change; redrawn in place on a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use dataflow::time::{Clock, SystemClock, WallTime};
use jobmanager::rest::types::{Datastream, Live, Overview, Severity, State, Subtask, Summary, Vertex};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::{OutputForm, Top};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{Table, age, ago, bytes, count, plain, print, rate, show};

/// The stream says something every ten seconds; who hears nothing for so long connects again.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn top(top: &Top, form: OutputForm) -> Result<Exit, Stop> {
    let client = Client::new(&top.cluster.cluster)?;
    match &top.name {
        None => watch(&client, &["stream"], form, overview).await,
        Some(name) => watch(&client, &["datastreams", name, "stream"], form, one).await,
    }
}

/// Shows views as they come; one, where nobody sits at a terminal.
async fn watch<T: Serialize + DeserializeOwned>(
    client: &Client,
    path: &[&str],
    form: OutputForm,
    page: fn(&T) -> String,
) -> Result<Exit, Stop> {
    if form != OutputForm::Table || !std::io::stdout().is_terminal() {
        let mut listener = client.listen(path, &[], PATIENCE).await?;
        while let Some(event) = listener.next().await? {
            // The first view may still be made.
            if let Some(view) = listener.read::<Option<T>>(&event)? {
                return show(form, &view, page).map(|()| Exit::Success);
            }
        }
        return Err(Stop::new(Exit::Unreachable, "the job manager has ended"));
    }
    // Known to be there before anything is drawn.
    let mut listener = Some(client.listen(path, &[], PATIENCE).await?);
    let screen = Screen::begin()?;
    let redraw = async {
        let (clock, mut last) = (SystemClock::start(), String::new());
        loop {
            let heard = match &mut listener {
                Some(open) => open.next().await,
                None => Ok(None),
            };
            match (heard, &listener) {
                (Ok(Some(event)), Some(open)) => {
                    if let Some(view) = open.read::<Option<T>>(&event)? {
                        last = page(&view);
                        screen.draw(&last)?;
                    }
                }
                _ => {
                    screen.draw(&format!(
                        "the job manager does not answer; what it said last:\n\n{last}"
                    ))?;
                    clock.sleep(AGAIN).await;
                    listener = client.listen(path, &[], PATIENCE).await.ok();
                }
            }
        }
    };
    tokio::select! {
        outcome = redraw => outcome,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Success),
    }
}

/// A page of its own on the terminal; what stood there before comes back at the end.
struct Screen;

impl Screen {
    fn begin() -> Result<Self, Stop> {
        // A page of its own, without a cursor, on which long lines are cut and not wrapped.
        print("\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[2J")?;
        Ok(Self)
    }

    /// Line by line, each at its place: nothing flickers, and what is below the last line of the terminal scrolls nothing.
    fn draw(&self, page: &str) -> Result<(), Stop> {
        let lines = page.lines().enumerate();
        let mut text: String = lines
            .map(|(row, line)| format!("\u{1b}[{};1H{line}\u{1b}[K", row + 1))
            .collect();
        text.push_str(&format!("\u{1b}[{};1H\u{1b}[J\u{1b}[H", page.lines().count() + 1));
        print(&text)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left to be told where the terminal has gone.
        let _ = print("\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l");
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn overview(view: &Overview) -> String {
    let now = WallTime(view.now_ms);
    let cluster = &view.cluster;
    let rows: f64 = view.datastreams.iter().map(|one| one.progress.rows_in_rate).sum();
    let head = format!(
        "{} datastreams, {} in; {} task managers, {} of {} slots taken\n\n",
        view.datastreams.len(),
        rate(rows),
        cluster.task_managers.len(),
        cluster.slots - cluster.slots_free,
        cluster.slots
    );
    let mut all: Vec<&Summary> = view.datastreams.iter().collect();
    all.sort_by(|one, other| {
        let rank = |summary: &Summary| (needs_nobody(summary), summary.state.is_over());
        let busier = other.progress.rows_in_rate.total_cmp(&one.progress.rows_in_rate);
        rank(one).cmp(&rank(other)).then(busier).then(one.name.cmp(&other.name))
    });
    let mut table = Table::new(&[
        "datastream",
        "state",
        "#in",
        "#out",
        "#freshness",
        "#backlog",
        "#dead",
        "#checkpoint",
        "#took",
        "#restarts",
    ]);
    for summary in all {
        let (progress, last) = (&summary.progress, summary.last_checkpoint.as_ref());
        let dash = || "-".to_owned();
        table.row(vec![
            summary.name.clone(),
            summary.state.to_string(),
            rate(progress.rows_in_rate),
            rate(progress.rows_out_rate),
            freshness(summary, now),
            backlog(summary),
            count(progress.dead_letters),
            last.map_or_else(dash, |last| format!("{} ago", ago(last.triggered_ms, now))),
            last.map_or_else(dash, |last| age(last.duration_ms)),
            count(summary.restarts),
        ]);
    }
    head + &table.to_string()
}

fn needs_nobody(summary: &Summary) -> bool {
    !matches!(summary.state, State::Failed | State::Failing | State::Restarting)
}

/// How old the lowest event time at the sinks is.
fn freshness(summary: &Summary, now: WallTime) -> String {
    let at = summary.watermark_ms.filter(|_| !summary.state.is_over());
    at.map_or_else(|| "-".to_owned(), |at| ago(at, now))
}

/// What of its input was not read yet, where that ends.
fn backlog(summary: &Summary) -> String {
    let total = summary.progress.bytes_total;
    total.map_or_else(
        || "-".to_owned(),
        |total| bytes(total.saturating_sub(summary.progress.bytes_read)),
    )
}

fn one(view: &Live) -> String {
    let Datastream {
        summary,
        vertices,
        findings,
        checkpoints,
        ..
    } = &view.datastream;
    let now = WallTime(view.now_ms);
    let mut text = format!(
        "{}: {} for {}, {} in, {} out, freshness {}, backlog {}, {} dead letters, {} restarts\n",
        summary.name,
        summary.state,
        ago(summary.since_ms, now),
        rate(summary.progress.rows_in_rate),
        rate(summary.progress.rows_out_rate),
        freshness(summary, now),
        backlog(summary),
        count(summary.progress.dead_letters),
        count(summary.restarts)
    );
    if let Some(last) = &summary.last_checkpoint {
        let aborted = checkpoints.aborted;
        text.push_str(&format!(
            "checkpoint {} {} ago, took {}, {}; {aborted} given up\n",
            last.epoch,
            ago(last.triggered_ms, now),
            age(last.duration_ms),
            bytes(last.bytes)
        ));
    }
    if let Some(finding) = findings.iter().find(|finding| finding.severity != Severity::Note) {
        text.push_str(&format!("! {}\n", plain(&finding.text)));
    }
    let mut table = Table::new(&[
        "vertex",
        "steps",
        "#subtasks",
        "#in",
        "#out",
        "#busy",
        "#held up",
        "#idle",
        "#watermark",
        "waits for",
    ]);
    for vertex in vertices {
        table.row(row(vertex, now));
    }
    format!("{text}\n{table}")
}

/// Rates of all subtasks together; the shares of the one that works most, and what one waits for that is held up.
fn row(vertex: &Vertex, now: WallTime) -> Vec<String> {
    let sum = |of: fn(&Subtask) -> f64| vertex.subtasks.iter().map(of).sum::<f64>();
    let most = |of: fn(&Subtask) -> f64| vertex.subtasks.iter().map(of).fold(0.0, f64::max);
    let least = |of: fn(&Subtask) -> f64| vertex.subtasks.iter().map(of).fold(1.0, f64::min);
    let waits = vertex
        .subtasks
        .iter()
        .max_by(|one, other| one.backpressured.total_cmp(&other.backpressured))
        .filter(|subtask| !subtask.waits_for.is_empty())
        .map_or_else(String::new, |subtask| {
            format!("{} ({:.1}s)", plain(&subtask.waits_for), subtask.waits_seconds)
        });
    let watermark = vertex.steps.iter().filter_map(|step| step.watermark_ms).min();
    vec![
        vertex.id.clone(),
        vertex.name.clone(),
        count(u64::from(vertex.parallelism)),
        rate(sum(|one| one.records_in_rate)),
        rate(sum(|one| one.records_out_rate)),
        percent(most(|one| one.busy)),
        percent(most(|one| one.backpressured)),
        percent(least(|one| one.idle)),
        watermark.map_or_else(|| "-".to_owned(), |at| format!("{} ago", ago(at, now))),
        waits,
    ]
}

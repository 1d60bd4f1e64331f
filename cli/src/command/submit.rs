//! `weir submit`: creates datastreams on a cluster, and waits for their end where that is wanted.

use std::time::Duration;

use dataflow::time::{Clock, SystemClock};
use jobmanager::rest::types::{Outcome, State, Submitted, Summary};

use super::documents::read;
use crate::args::{OutputForm, Submit};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{Progress, Reading, count, say, show};
use crate::sheet::Sheet;

/// How often a waiting command asks.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// A job manager that was started a moment ago is waited for so long.
const COMING_MAX: Duration = Duration::from_secs(10);

/// A job manager that is being restarted is waited for so long.
const AWAY_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn submit(submit: &Submit, form: OutputForm) -> Result<Exit, Stop> {
    let client = Client::new(&submit.cluster.cluster)?;
    if submit.wait {
        come(&client).await?;
    }
    let (fresh, dropping) = (submit.fresh.to_string(), submit.allow_dropped_state.to_string());
    let mut options = vec![("fresh", fresh.as_str()), ("allowDroppedState", dropping.as_str())];
    options.extend(submit.from_savepoint.as_deref().map(|place| ("fromSavepoint", place)));
    options.extend(submit.from_checkpoint.as_deref().map(|place| ("fromCheckpoint", place)));
    let mut submitted = Vec::new();
    for file in &submit.files.files {
        submitted.extend(client.submit(&Sheet::new(file, read(file)?), &options).await?);
    }
    if !submit.wait {
        show(form, &submitted, |all| all.iter().map(|one| said(one) + "\n").collect())?;
        return Ok(Exit::Success);
    }
    let mut ended = Vec::new();
    for one in &submitted {
        say(&said(one));
        if matches!(one.outcome, Outcome::Started | Outcome::Resumed) {
            ended.push(follow(&client, &one.name).await?);
        }
    }
    let exit = if ended.iter().any(|summary| summary.state == State::Failed) {
        Exit::Failed
    } else {
        Exit::Success
    };
    show(form, &ended, |all| {
        all.iter().map(|summary| end(summary) + "\n").collect()
    })?;
    Ok(exit)
}

/// Waits for a job manager that is about to answer.
async fn come(client: &Client) -> Result<(), Stop> {
    let clock = SystemClock::start();
    let begin = clock.now();
    let mut told = false;
    loop {
        match client.list().await {
            Err(stop) if stop.exit == Exit::Unreachable && clock.now().since(begin) < COMING_MAX => {
                if !told {
                    say(&format!("{}; it is waited for", stop.message));
                    told = true;
                }
            }
            answered => return answered.map(drop),
        }
        clock.sleep(ASK_EVERY).await;
    }
}

/// What became of a document.
pub(crate) fn said(submitted: &Submitted) -> String {
    let Submitted {
        name,
        job,
        epoch,
        outcome,
        operation: _,
    } = submitted;
    match outcome {
        Outcome::Started => format!("{name}: started as {job}"),
        Outcome::Resumed => format!("{name}: goes on where it was, from epoch {epoch} of {job}"),
        Outcome::AlreadyFinished => {
            format!("{name}: has finished, at epoch {epoch} of {job}; `--fresh` starts it anew")
        }
        Outcome::Off => format!("{name}: is off, as its document says"),
        Outcome::Changing => format!("{name}: is changed to what its document says"),
        Outcome::Unchanged => format!("{name}: is what its document says"),
        Outcome::Stopping => format!("{name}: stops, as its document says"),
    }
}

/// How a job ended.
pub(crate) fn end(summary: &Summary) -> String {
    let progress = &summary.progress;
    let mut text = format!("{}: {}", summary.name, summary.state);
    if let Some(reason) = &summary.reason {
        text.push_str(&format!(": {reason}"));
    }
    if let Some(help) = &summary.help {
        text.push_str(&format!("\n  help: {help}"));
    }
    let dead = match progress.dead_letters {
        0 => String::new(),
        dead => format!(", {} dead letters", count(dead)),
    };
    let restarts = match summary.restarts {
        0 => String::new(),
        restarts => format!(", {restarts} restarts"),
    };
    text + &format!(
        "\n  {} rows in, {} rows out{dead}{restarts}",
        count(progress.rows_in),
        count(progress.rows_out)
    )
}

/// Shows progress until a job is over.
async fn follow(client: &Client, name: &str) -> Result<Summary, Stop> {
    let clock = SystemClock::start();
    let mut progress = Progress::begin(clock.now());
    let mut heard = clock.now();
    loop {
        match client.describe(name).await {
            Ok(described) if described.summary.state.is_over() => {
                progress.end();
                return Ok(described.summary);
            }
            Ok(described) => {
                heard = clock.now();
                progress.show(heard, reading(&described.summary));
            }
            Err(stop) if stop.exit == Exit::Unreachable && clock.now().since(heard) < AWAY_MAX => {}
            Err(stop) => return Err(stop),
        }
        clock.sleep(ASK_EVERY).await;
    }
}

/// What a summary says of progress.
pub(crate) fn reading(summary: &Summary) -> Reading {
    let progress = &summary.progress;
    Reading {
        rows: progress.rows_in,
        bytes_read: progress.bytes_read,
        bytes_total: progress.bytes_total,
    }
}

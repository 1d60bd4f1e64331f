//! `weir logs`: what the job manager and the task managers say about a datastream, in the order of its time.

use std::time::Duration;

use dataflow::time::{Clock, SystemClock};
use jobmanager::rest::types::LogLine;

use crate::args::{Logs, OutputForm};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{plain, show, show_line, stamp};

/// How often further lines are asked for.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A job manager that is being restarted is waited for so long.
const AWAY_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn logs(logs: &Logs, form: OutputForm) -> Result<(), Stop> {
    let (client, name) = (Client::new(&logs.named.cluster.cluster)?, &logs.named.name);
    if logs.follow {
        return follow(&client, name, form).await;
    }
    let lines = client.logs(name, 0).await?;
    show(form, &lines, |lines| match lines.is_empty() {
        true => {
            format!("nothing was said about {name} since its job manager began; `weir describe {name}` shows how it is")
        }
        false => lines.iter().map(|line| text(line) + "\n").collect(),
    })
}

/// Prints lines until the datastream has ended and all of them are printed.
async fn follow(client: &Client, name: &str, form: OutputForm) -> Result<(), Stop> {
    let clock = SystemClock::start();
    let (mut after, mut heard) = (0, clock.now());
    loop {
        // Asked before the lines: what is said at the end is there once the end is.
        match said(client, name, after).await {
            Ok((over, lines)) => {
                heard = clock.now();
                for line in &lines {
                    show_line(form, line, text)?;
                    after = after.max(line.number);
                }
                if over {
                    return Ok(());
                }
            }
            Err(stop) if stop.exit == Exit::Unreachable && clock.now().since(heard) < AWAY_MAX => {}
            Err(stop) => return Err(stop),
        }
        clock.sleep(ASK_EVERY).await;
    }
}

/// Whether it is over, and the lines after a number.
async fn said(client: &Client, name: &str, after: u64) -> Result<(bool, Vec<LogLine>), Stop> {
    let over = client.describe(name).await?.summary.state.is_over();
    Ok((over, client.logs(name, after).await?))
}

/// `2026-01-31T23:59:59.999Z WARN  tm-1 filter… sub-1.0: a record went to the dead letters`.
fn text(line: &LogLine) -> String {
    let mut place = line.origin.clone();
    for part in [line.vertex.as_deref().map(short), line.subtask.clone()]
        .into_iter()
        .flatten()
    {
        place.push(' ');
        place.push_str(&part);
    }
    if line.over {
        place.push_str(" (over)");
    }
    let (at, level) = (stamp(line.at_ms), &line.level);
    format!("{at} {level:<5} {}: {}", plain(&place), plain(&line.text))
}

/// The first step of a vertex stands for it: the names of a long chain would fill the line, and JSON has them all.
fn short(vertex: &str) -> String {
    match vertex.split_once(" -> ") {
        Some((first, _)) => format!("{first}…"),
        None => vertex.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_how_bad_where_and_what_and_stays_one_line() {
        let line = LogLine {
            number: 7,
            at_ms: 0,
            level: "WARN".to_owned(),
            origin: "tm-1".to_owned(),
            vertex: Some("filter -> select -> out".to_owned()),
            subtask: Some("sub-1.0".to_owned()),
            attempt: Some("att-1.1.1.0".to_owned()),
            over: true,
            text: "a record\n\u{1b}[31mred ä".to_owned(),
        };
        assert_eq!(
            text(&line),
            "1970-01-01T00:00:00.000Z WARN  tm-1 filter… sub-1.0 (over): a record\\n\\u{1b}[31mred ä"
        );
        let own = LogLine {
            origin: "jobmanager".to_owned(),
            level: "INFO".to_owned(),
            vertex: None,
            subtask: None,
            attempt: None,
            over: false,
            text: "begins".to_owned(),
            ..line
        };
        assert_eq!(text(&own), "1970-01-01T00:00:00.000Z INFO  jobmanager: begins");
    }
}

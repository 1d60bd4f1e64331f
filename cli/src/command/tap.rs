//! `weir tap`: some rows behind a step of a running datastream, as they go by.

use std::time::Duration;

use dataflow::time::{Clock, Instant, SystemClock};
use jobmanager::rest::types::{TapCount, TapEnd, TapOpened, TapRow};

use crate::args::{OutputForm, Tap};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{count, plain, say, show_line, stamp};

/// One tap of the job manager lasts so long; then the next one is opened.
const SECONDS: u32 = 600;
/// A job manager that is being restarted is waited for so long.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// What was seen so far.
#[derive(Default)]
struct Seen {
    rows: u32,
    /// Of taps that are over, and of the one that is open.
    before: TapCount,
    now: TapCount,
    opened: bool,
}

pub(crate) async fn tap(tap: &Tap, form: OutputForm) -> Result<Exit, Stop> {
    let client = Client::new(&tap.cluster.cluster)?;
    let mut seen = Seen::default();
    let outcome = tokio::select! {
        outcome = follow(&client, tap, form, &mut seen) => outcome,
        // Whoever has seen enough says so.
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    if seen.opened {
        say(&seen.text());
    }
    outcome.map(|()| Exit::Success)
}

/// One tap after the other, until there are rows enough or the datastream is over.
async fn follow(client: &Client, tap: &Tap, form: OutputForm, seen: &mut Seen) -> Result<(), Stop> {
    let clock = SystemClock::start();
    let mut heard = clock.now();
    loop {
        match once(client, tap, form, (seen, &mut heard, &clock)).await {
            Ok(Some(TapEnd { code, .. })) if matches!(code.as_str(), "time" | "stalled") => {}
            Ok(Some(TapEnd { code, reason })) => {
                return match code.as_str() {
                    "rows" => Ok(()),
                    "trouble" => Err(Stop::new(Exit::Failed, reason)),
                    _ => {
                        say(&format!("{}: {}", tap.name, plain(&reason)));
                        Ok(())
                    }
                };
            }
            // The job manager has gone in the middle.
            Ok(None) => clock.sleep(AGAIN).await,
            Err(stop) if stop.exit == Exit::Unreachable && seen.opened && clock.now().since(heard) < AWAY_MAX => {
                clock.sleep(AGAIN).await;
            }
            Err(stop) => return Err(stop),
        }
        seen.turn();
    }
}

/// One tap to its end; none where that did not come.
async fn once(
    client: &Client,
    tap: &Tap,
    form: OutputForm,
    (seen, heard, clock): (&mut Seen, &mut Instant, &SystemClock),
) -> Result<Option<TapEnd>, Stop> {
    let mut options = vec![("step", tap.step.clone()), ("seconds", SECONDS.to_string())];
    options.extend(tap.condition.clone().map(|sql| ("where", sql)));
    let left = tap.rows.map_or(u32::MAX, |rows| rows.saturating_sub(seen.rows));
    options.push(("limit", left.min(10_000).to_string()));
    let patience = Duration::from_secs(u64::from(SECONDS) + 30);
    let mut listener = client
        .listen(&["datastreams", &tap.name, "tap"], &options, patience)
        .await?;
    while let Some(event) = listener.next().await? {
        *heard = clock.now();
        match event.name.as_str() {
            "open" if !seen.opened => {
                seen.opened = true;
                let opened: TapOpened = listener.read(&event)?;
                if form == OutputForm::Table {
                    say(&about(tap, &opened));
                }
            }
            "row" => {
                seen.rows += 1;
                let row: TapRow = listener.read(&event)?;
                print(form, &row)?;
            }
            "count" => seen.now = listener.read(&event)?,
            "end" => {
                let end: TapEnd = listener.read(&event)?;
                let more = end.code == "rows" && tap.rows.is_none_or(|rows| seen.rows < rows);
                return Ok(Some(TapEnd {
                    code: if more { "time".to_owned() } else { end.code },
                    ..end
                }));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn print(form: OutputForm, row: &TapRow) -> Result<(), Stop> {
    match form {
        OutputForm::Table | OutputForm::Json => show_line(form, row, line),
        // YAML knows no text that is JSON already.
        OutputForm::Yaml => show_line(form, &serde_json::to_value(row).unwrap_or_default(), |_| String::new()),
    }
}

fn about(tap: &Tap, opened: &TapOpened) -> String {
    let mut text = format!("rows of {} behind {}", tap.name, opened.step);
    if opened.subtasks < opened.parallelism {
        text.push_str(&format!(
            ", in {} of its {} subtasks",
            opened.subtasks, opened.parallelism
        ));
    }
    if !opened.hidden.is_empty() {
        text.push_str(&format!("; hidden: {}", opened.hidden.join(", ")));
    }
    text.push_str("; Ctrl-C ends it");
    text
}

/// `2026-01-31T23:59:59.999Z sub-1.0 {"total":1}`: the time is the row's, where it has one.
fn line(row: &TapRow) -> String {
    let time = row.event_time_ms.map_or_else(|| "-".to_owned(), stamp);
    let kind = row.kind.as_ref().map(|kind| format!(" {kind}")).unwrap_or_default();
    let value = match (&row.row, &row.text, &row.base64) {
        (Some(row), ..) => plain(row.get()).into_owned(),
        (None, Some(text), _) => plain(text).into_owned(),
        (None, None, Some(base64)) => format!("base64 {base64}"),
        (None, None, None) => String::new(),
    };
    let more = if row.cut {
        format!("… ({} bytes)", count(row.bytes))
    } else {
        String::new()
    };
    format!("{time} {}{kind} {value}{more}", row.subtask)
}

impl Seen {
    /// The tap is over; what it counted stays.
    fn turn(&mut self) {
        self.before = self.all();
        self.now = TapCount::default();
    }

    fn all(&self) -> TapCount {
        let (one, other) = (&self.before, &self.now);
        TapCount {
            passed: one.passed + other.passed,
            looked_at: one.looked_at + other.looked_at,
            failed: one.failed + other.failed,
            failure: one.failure.clone().or_else(|| other.failure.clone()),
            matched: one.matched + other.matched,
            shown: one.shown + other.shown,
            dropped: one.dropped + other.dropped,
        }
    }

    fn text(&self) -> String {
        let all = self.all();
        let (shown, left_out) = (u64::from(self.rows), all.matched.saturating_sub(u64::from(self.rows)));
        let mut text = format!(
            "{} rows shown; {} went by, {} of them were looked at, and {} more would have been worth it",
            count(shown),
            count(all.passed.max(shown)),
            count(all.looked_at.max(shown)),
            count(left_out)
        );
        if let Some(failure) = all.failure.filter(|_| all.failed > 0) {
            let failed = count(all.failed);
            text.push_str(&format!(
                "\nthe condition could not be computed for {failed} rows; of the first: {}",
                plain(&failure)
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_whatever_it_holds() {
        let row: TapRow = serde_json::from_str(
            r#"{"subtask":"sub-1.0","eventTimeMs":0,"kind":"after","row":{"n": 1.50},"text":null,"base64":null,"bytes":9,"cut":false}"#,
        )
        .unwrap();
        assert_eq!(line(&row), "1970-01-01T00:00:00.000Z sub-1.0 after {\"n\": 1.50}");
        let text = TapRow {
            row: None,
            text: Some("a\nb".to_owned()),
            event_time_ms: None,
            kind: None,
            bytes: 1_000,
            cut: true,
            ..row
        };
        assert_eq!(line(&text), "- sub-1.0 a\\nb… (1,000 bytes)");
    }
}

//! Progress of a running job: one moving line on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use dataflow::time::Instant;
use indicatif::{ProgressBar, ProgressStyle};

use super::{age, bytes, count, rate, say};

/// Elsewhere than on a terminal, a line this often.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// What is known of a job at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Rows that entered.
    pub(crate) rows: u64,
    /// Bytes of input that were read.
    pub(crate) bytes_read: u64,
    /// Bytes of input there are, if that is known and the input ends.
    pub(crate) bytes_total: Option<u64>,
}

/// Shows how a job goes on.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    began: Instant,
    last: (Instant, Reading),
    next_line: Instant,
}

impl Progress {
    /// Begins to show.
    pub(crate) fn begin(now: Instant) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        Self {
            bar,
            began: now,
            last: (now, Reading::default()),
            next_line: now + PLAIN_EVERY,
        }
    }

    /// Shows a reading. Call about twice a second.
    pub(crate) fn show(&mut self, now: Instant, reading: Reading) {
        let text = self.text(now, reading);
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.tick();
                self.last = (now, reading);
            }
            None if now >= self.next_line => {
                say(&text);
                self.next_line = now + PLAIN_EVERY;
                self.last = (now, reading);
            }
            None => {}
        }
    }

    /// Takes the moving line away; what follows is the result.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn text(&self, now: Instant, reading: Reading) -> String {
        let span = now.since(self.last.0).as_secs_f64().max(0.001);
        let rows_rate = reading.rows.saturating_sub(self.last.1.rows) as f64 / span;
        let read = format!(
            "{} rows, {}, {}",
            count(reading.rows),
            rate(rows_rate),
            bytes(reading.bytes_read)
        );
        let Some(total) = reading.bytes_total.filter(|total| *total > 0) else {
            return read;
        };
        let share = (reading.bytes_read as f64 / total as f64).min(1.0);
        let elapsed = now.since(self.began).as_secs_f64();
        // The mean rate since the beginning: steadier than the last moment's.
        let left = if share > 0.0 { elapsed / share - elapsed } else { 0.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; shown to people"
        )]
        let left = age((left.max(0.0) * 1000.0) as u64);
        format!("{read} of {} ({:.0} %), {left} left", bytes(total), share * 100.0)
    }
}

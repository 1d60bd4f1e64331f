//! What is logged about jobs, as lines for `weir logs`.

use taskmanager::Line;
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::speaker::{Speaker, Words};

/// Whose events become lines of a job. Other people's crates are not among them: nobody knows what they would tell. Nor is
/// the job manager, which writes its own lines.
const SPEAKERS: [&str; 3] = ["taskmanager", "connectors", "dataflow"];

/// Hands every event about a job, of level info and above, to `hear`.
pub(super) fn listener<S>(hear: impl Fn(Line) + Send + Sync + 'static) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let speakers = SPEAKERS.map(|crate_name| (crate_name, LevelFilter::INFO));
    Listener { hear }.with_filter(Targets::new().with_targets(speakers))
}

struct Listener<F> {
    hear: F,
}

/// Who speaks, for this layer: another one may keep more of the same span.
struct Heard(Speaker);

impl<S, F> Layer<S> for Listener<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Fn(Line) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut speaker = Speaker::default();
        attributes.record(&mut speaker);
        if let Some(span) = context.span(id).filter(|_| speaker.job.is_some()) {
            span.extensions_mut().insert(Heard(speaker));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let mut around = context.event_scope(event).into_iter().flatten();
        let speaker = match words.speaker.job {
            Some(_) => Some(std::mem::take(&mut words.speaker)),
            None => around.find_map(|span| span.extensions().get().map(|Heard(speaker)| speaker.clone())),
        };
        let Some(Speaker {
            job: Some(job),
            subtask,
            attempt,
            ..
        }) = speaker
        else {
            return;
        };
        (self.hear)(Line {
            job,
            subtask,
            attempt,
            level: *event.metadata().level(),
            text: words.line(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use tracing::Level;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;

    use super::*;

    /// What becomes lines of what `logs` logs.
    fn heard(logs: impl FnOnce()) -> Vec<Line> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (own, book) = (Arc::clone(&lines), registry());
        let subscriber = book.with(listener(move |line| own.lock().unwrap().push(line)));
        tracing::subscriber::with_default(subscriber, logs);
        std::mem::take(&mut *lines.lock().unwrap())
    }

    #[test]
    fn what_is_said_within_the_span_of_a_subtask_is_a_line_of_it() {
        let lines = heard(|| {
            let span = tracing::error_span!(
                target: "taskmanager", "subtask", job = %"orders@1", vertex = "filter", subtask = %"sub-1.0", attempt = "att-1"
            );
            let _within = span.entered();
            let _deeper = tracing::info_span!(target: "connectors::file", "reading").entered();
            tracing::warn!(target: "connectors::file", position = 7, path = "in.json", "a record is too long");
        });
        let expected = Line {
            job: "orders@1".to_owned(),
            subtask: Some("sub-1.0".to_owned()),
            attempt: Some("att-1".to_owned()),
            level: Level::WARN,
            text: "a record is too long position=7 path=in.json".to_owned(),
        };
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn an_event_may_name_its_job_itself() {
        let lines =
            heard(|| tracing::info!(target: "taskmanager::service", job = %"orders@1", subtasks = 3, "deployed"));
        assert_eq!(
            (lines[0].job.as_str(), lines[0].text.as_str(), &lines[0].subtask),
            ("orders@1", "deployed subtasks=3", &None)
        );
    }

    #[test]
    fn other_crates_the_job_manager_low_levels_and_what_is_about_no_job_are_not_heard() {
        let lines = heard(|| {
            let _within = tracing::error_span!(target: "taskmanager", "subtask", job = %"orders@1").entered();
            tracing::error!(target: "hyper", "a header with a secret");
            tracing::error!(target: "jobmanager::job", job = %"orders@1", "written by itself");
            tracing::debug!(target: "taskmanager", "once a checkpoint");
            drop(_within);
            tracing::warn!(target: "taskmanager", "about no job");
        });
        assert_eq!(lines, []);
    }

    /// Logs while it is being logged.
    struct Talkative;

    impl fmt::Display for Talkative {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            tracing::info!(target: "taskmanager", "inside");
            f.write_str("talkative")
        }
    }

    #[test]
    fn a_value_that_logs_while_it_is_logged_makes_two_lines_and_no_deadlock() {
        let lines = heard(|| {
            let _within = tracing::error_span!(target: "taskmanager", "subtask", job = %"orders@1").entered();
            tracing::info!(target: "taskmanager", value = %Talkative, "outside");
        });
        assert!(
            lines.iter().any(|line| line.text == "outside value=talkative"),
            "{lines:?}"
        );
        assert!(lines.len() <= 2, "{lines:?}");
    }
}

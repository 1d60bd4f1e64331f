//! Lines of JSON, for whoever collects logs: time, level, message, who speaks as far as that is known, and facts.
//!
//! ```json
//! {"time":"2026-05-04T10:00:00.123Z","level":"INFO","message":"subtask starts","job":"orders@1","vertex":"filter",
//!  "subtask":"sub-1.0","attempt":"att-1.1.1.0","traceId":"…","target":"taskmanager::deploy","restored_from":"epoch-3"}
//! ```

use std::io::Write as _;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use dataflow::time::{Clock, SystemClock};
use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::speaker::{Speaker, Words};

/// What every line may have, which no fact takes the place of.
const OWN: [&str; 10] = [
    "time", "level", "message", "job", "vertex", "subtask", "attempt", "epoch", "traceId", "target",
];

/// Writes every event to `writer`.
pub(super) fn to<W>(writer: W) -> Json<W> {
    Json {
        writer,
        clock: Arc::new(SystemClock::start()),
    }
}

pub(super) struct Json<W> {
    writer: W,
    clock: Arc<dyn Clock>,
}

impl<S, W> Layer<S> for Json<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut speaker = Speaker::default();
        attributes.record(&mut speaker);
        if let Some(span) = context.span(id).filter(|_| speaker.is_somebody()) {
            span.extensions_mut().replace(speaker);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut speaker = Speaker::default();
        values.record(&mut speaker);
        let mut extensions = span.extensions_mut();
        let known = extensions.get_mut::<Speaker>().map(std::mem::take).unwrap_or_default();
        extensions.replace(speaker.or(&known));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let around = context.event_scope(event).into_iter().flatten();
        let speaker = around.fold(std::mem::take(&mut words.speaker), |speaker, span| {
            match span.extensions().get::<Speaker>() {
                Some(around) => speaker.or(around),
                None => speaker,
            }
        });
        let line = line(event, self.clock.wall().0, speaker, words);
        // Whoever reads the log may have gone.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

fn line(event: &Event<'_>, now_ms: i64, speaker: Speaker, words: Words) -> String {
    let time = DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
    let metadata = event.metadata();
    let mut line = Map::new();
    let mut say = |name: &str, value: Value| line.insert(name.to_owned(), value);
    say("time", time.to_rfc3339_opts(SecondsFormat::Millis, true).into());
    say("level", metadata.level().as_str().into());
    say("message", words.message.into());
    let trace = speaker.traceparent.as_ref().and_then(|parent| parent.split('-').nth(1));
    let trace = trace.map(str::to_owned);
    for (name, value) in [
        ("job", speaker.job),
        ("vertex", speaker.vertex),
        ("subtask", speaker.subtask),
        ("attempt", speaker.attempt),
        ("traceId", trace),
    ] {
        if let Some(value) = value {
            say(name, value.into());
        }
    }
    if let Some(epoch) = speaker.epoch {
        let number = epoch.strip_prefix("epoch-").unwrap_or(&epoch).parse::<u64>();
        say("epoch", number.map_or_else(|_| epoch.clone().into(), Value::from));
    }
    say("target", metadata.target().into());
    for (name, value) in words.facts {
        match OWN.contains(&name.as_str()) {
            true => say(&format!("{name}_"), value),
            false => say(&name, value),
        };
    }
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines of what `logs` logs.
    fn written(logs: impl FnOnce()) -> Vec<Value> {
        let text = Shared::default();
        let own = text.clone();
        tracing::subscriber::with_default(registry().with(to(move || own.clone())), logs);
        let text = text.0.lock().unwrap().clone();
        let lines = String::from_utf8(text).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_who_speaks_by_all_spans_around_it() {
        let lines = written(|| {
            let span = tracing::error_span!(
                "subtask", job = %"orders@1", vertex = "filter", subtask = %"sub-1.0", attempt = "att-1",
                traceparent = tracing::field::Empty
            );
            span.record("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
            let _within = span.entered();
            let _deeper = tracing::info_span!("checkpoint", epoch = %"epoch-7").entered();
            tracing::warn!(position = 7, path = "in.json", late = true, "a \"record\"\nis too long");
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let expected = serde_json::json!({
            "level": "WARN", "message": "a \"record\"\nis too long", "job": "orders@1", "vertex": "filter",
            "subtask": "sub-1.0", "attempt": "att-1", "traceId": "0af7651916cd43dd8448eb211c80319c", "epoch": 7,
            "target": "cli::logging::json::tests", "position": 7, "path": "in.json", "late": true, "time": line["time"],
        });
        assert_eq!(*line, expected);
        let time = line["time"].as_str().unwrap();
        assert!(
            DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z'),
            "{time}"
        );
    }

    #[test]
    fn what_is_not_known_is_not_there_and_no_fact_takes_the_place_of_what_is() {
        let lines = written(|| tracing::info!(level = "high", epoch = 3, "about nobody"));
        let line = lines[0].as_object().unwrap();
        let names: Vec<_> = line.keys().map(String::as_str).collect();
        assert_eq!(names, ["time", "level", "message", "epoch", "target", "level_"]);
        assert_eq!(
            (&line["level"], &line["epoch"], &line["level_"]),
            (&"INFO".into(), &3.into(), &"high".into())
        );
    }
}

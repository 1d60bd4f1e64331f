//! What a process measures at one moment: samples within bounds, and their text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Buckets, Kind, Metric, Of, SERIES, SERIES_LEFT_OUT};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Series of one vertex.
    pub per_vertex: usize,
    /// Series of the page.
    pub series: usize,
}

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is of.
    pub labels: Vec<(&'static str, String)>,
    /// How it is.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Buckets(Buckets),
}

impl Value {
    fn series(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Buckets(buckets) => buckets.up_to.len() + 3,
        }
    }
}

/// All samples of one moment. What is added first stays where there are too many: the wide before the narrow.
#[derive(Clone, Debug)]
pub struct Page {
    bounds: Bounds,
    families: BTreeMap<&'static str, (&'static Metric, Vec<Sample>)>,
    by_vertex: BTreeMap<(String, String), usize>,
    series: usize,
    left_out: usize,
}

impl Page {
    /// Nothing yet, and room for so much.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            families: BTreeMap::new(),
            by_vertex: BTreeMap::new(),
            // The two about the page itself.
            series: 2,
            left_out: 0,
        }
    }

    /// Adds a number, if there is room; `labels` are values in the order of the metric's labels.
    pub fn number(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        self.add(metric, labels, Value::Number(value));
    }

    /// Adds a count, if there is room.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
    pub fn count(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        self.number(metric, labels, value as f64);
    }

    /// Adds counts by size, if there is room.
    pub fn buckets(&mut self, metric: &'static Metric, labels: &[&str], buckets: Buckets) {
        self.add(metric, labels, Value::Buckets(buckets));
    }

    fn add(&mut self, metric: &'static Metric, labels: &[&str], value: Value) {
        debug_assert_eq!(labels.len(), metric.label_names().count(), "{}", metric.name);
        debug_assert_eq!(metric.kind == Kind::Histogram, matches!(value, Value::Buckets(_)));
        let series = value.series();
        if self.series + series > self.bounds.series || !self.vertex_has_room(metric, labels, series) {
            self.left_out += series;
            return;
        }
        self.series += series;
        let labels = metric.label_names().zip(labels.iter().map(|&value| value.to_owned()));
        let sample = Sample {
            labels: labels.collect(),
            value,
        };
        let (_, samples) = self.families.entry(metric.name).or_insert((metric, Vec::new()));
        samples.push(sample);
    }

    /// Takes the room where there is some.
    fn vertex_has_room(&mut self, metric: &Metric, labels: &[&str], series: usize) -> bool {
        let ([datastream, vertex, ..], Of::Vertex | Of::Step) = (labels, metric.of) else {
            return true;
        };
        let vertex = ((*datastream).to_owned(), (*vertex).to_owned());
        let taken = self.by_vertex.entry(vertex).or_default();
        let has_room = *taken + series <= self.bounds.per_vertex;
        if has_room {
            *taken += series;
        }
        has_room
    }

    /// Every metric that has samples, by name, with them.
    pub fn families(&self) -> impl Iterator<Item = (&'static Metric, &[Sample])> {
        self.families.values().map(|(metric, samples)| (*metric, &samples[..]))
    }

    /// The page with what is to be said about itself.
    #[must_use]
    pub fn finished(mut self) -> Self {
        // Their room was kept.
        let own = [(SERIES, self.series), (SERIES_LEFT_OUT, self.left_out)];
        for (metric, value) in own {
            #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
            let value = Value::Number(value as f64);
            let sample = Sample {
                labels: Vec::new(),
                value,
            };
            self.families.insert(metric.name, (metric, vec![sample]));
        }
        self
    }

    /// In Prometheus' text form, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.series * 100);
        for (metric, samples) in self.families() {
            let Metric { name, kind, help, .. } = metric;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
            for sample in samples {
                write(&mut text, name, sample);
            }
        }
        text
    }
}

fn write(text: &mut String, name: &str, Sample { labels, value }: &Sample) {
    let mut line = |suffix: &str, bound: Option<&str>, number: f64| {
        let all = labels.iter().map(|(name, value)| (*name, value.as_str()));
        let all = all.chain(bound.map(|bound| ("le", bound)));
        let all: Vec<String> = all
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let _ = match all.is_empty() {
            true => writeln!(text, "{name}{suffix} {}", written(number)),
            false => writeln!(text, "{name}{suffix}{{{}}} {}", all.join(","), written(number)),
        };
    };
    match value {
        Value::Number(number) => line("", None, *number),
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
        Value::Buckets(Buckets { up_to, count, sum }) => {
            for (bound, below) in up_to {
                line("_bucket", Some(&written(*bound)), *below as f64);
            }
            line("_bucket", Some("+Inf"), *count as f64);
            line("_sum", None, *sum);
            line("_count", None, *count as f64);
        }
    }
}

fn written(number: f64) -> String {
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => number.to_string(),
    }
}

/// As the text form wants it in label values.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

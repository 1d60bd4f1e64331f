//! Every metric of the job manager, with unit and labels, in Prometheus' text form.
//!
//! What subtasks do is told by their task managers; here is what only the job manager knows. Labels: `datastream`.

use std::fmt::Write as _;

use crate::rest::types::{Cluster, State, Summary};

const STATES: [State; 14] = [
    State::Created,
    State::Scheduling,
    State::Deploying,
    State::Running,
    State::Restarting,
    State::Changing,
    State::Finishing,
    State::Finished,
    State::Stopping,
    State::Stopped,
    State::Cancelling,
    State::Cancelled,
    State::Failing,
    State::Failed,
];

/// All metrics.
#[must_use]
pub fn render(datastreams: &[Summary], cluster: &Cluster, dropped: u64) -> String {
    let mut text = String::new();
    of_the_cluster(&mut text, cluster, dropped);
    of_datastreams(&mut text, datastreams);
    text
}

fn of_the_cluster(text: &mut String, cluster: &Cluster, dropped: u64) {
    let bare = |value| [(String::new(), value)];
    family(
        text,
        ("weir_leader_term", "gauge", "The term of this leader."),
        bare(cluster.term as f64),
    );
    let count = cluster.task_managers.len() as f64;
    family(
        text,
        ("weir_taskmanagers", "gauge", "Living task managers."),
        bare(count),
    );
    let slots = [("all", cluster.slots), ("free", cluster.slots_free)];
    let slots = slots.map(|(kind, count)| (label("kind", kind), f64::from(count)));
    family(text, ("weir_slots", "gauge", "Slots of the task managers."), slots);
    let silent = cluster
        .task_managers
        .iter()
        .map(|one| (label("taskmanager", &one.name), one.silent_ms as f64 / 1e3));
    family(
        text,
        (
            "weir_taskmanager_silent_seconds",
            "gauge",
            "Since a task manager was last heard.",
        ),
        silent,
    );
    let about = (
        "weir_messages_dropped_total",
        "counter",
        "Messages that did not match a living attempt.",
    );
    family(text, about, bare(dropped as f64));
}

/// A metric of every datastream: name, kind, help, value.
type OfDatastream = (&'static str, &'static str, &'static str, fn(&Summary) -> f64);

const OF_DATASTREAMS: &[OfDatastream] = &[
    ("weir_restarts_total", "counter", "Restarts after failures.", |one| {
        one.restarts as f64
    }),
    (
        "weir_datastream_records_in_total",
        "counter",
        "Rows that its sources gave, in this life.",
        |one| one.progress.rows_in as f64,
    ),
    (
        "weir_datastream_records_out_total",
        "counter",
        "Rows that reached its sinks, in this life.",
        |one| one.progress.rows_out as f64,
    ),
    (
        "weir_datastream_read_bytes_total",
        "counter",
        "Bytes of input read, in this life.",
        |one| one.progress.bytes_read as f64,
    ),
    (
        "weir_datastream_dead_letters_total",
        "counter",
        "Records that went to the dead letters.",
        |one| one.progress.dead_letters as f64,
    ),
    (
        "weir_checkpoint_epoch",
        "gauge",
        "The newest epoch of the chain.",
        |one| one.epoch as f64,
    ),
    (
        "weir_datastream_subtasks_running",
        "gauge",
        "Subtasks at work.",
        |one| f64::from(one.subtasks_running),
    ),
];

fn of_datastreams(text: &mut String, datastreams: &[Summary]) {
    let states = datastreams.iter().flat_map(|one| {
        let name = escaped(&one.name);
        STATES.map(|state| {
            let labels = format!("{{datastream=\"{name}\",state=\"{state}\"}}");
            (labels, f64::from(u8::from(one.state == state)))
        })
    });
    family(
        text,
        (
            "weir_datastream_state",
            "gauge",
            "1 for the state a datastream is in, else 0.",
        ),
        states,
    );
    for (name, kind, help, value) in OF_DATASTREAMS {
        let samples = datastreams
            .iter()
            .map(|one| (label("datastream", &one.name), value(one)));
        family(text, (name, kind, help), samples);
    }
}

fn family(text: &mut String, (name, kind, help): (&str, &str, &str), samples: impl IntoIterator<Item = (String, f64)>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{}\"}}", escaped(value))
}

/// As the text form wants it in label values.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_every_family_says_what_it_is() {
        let cluster = Cluster {
            term: 2,
            state: String::new(),
            build: String::new(),
            task_managers: Vec::new(),
            slots: 4,
            slots_free: 3,
        };
        let text = render(&[], &cluster, 5);
        assert!(text.contains("# TYPE weir_slots gauge\nweir_slots{kind=\"all\"} 4\nweir_slots{kind=\"free\"} 3\n"));
        assert!(text.contains("weir_messages_dropped_total 5\n"));
        assert_eq!(label("datastream", "a\"b\\c\nd"), "{datastream=\"a\\\"b\\\\c\\nd\"}");
    }
}

//! Every metric of the job manager, with unit and labels, in Prometheus' text form.
//!
//! What subtasks do is told by their task managers; here is what only the job manager knows. Labels: `datastream`.

use std::fmt::Write as _;

use crate::rest::types::{Cluster, State, Summary};

const STATES: [State; 13] = [
    State::Created,
    State::Scheduling,
    State::Deploying,
    State::Running,
    State::Restarting,
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
    family(
        &mut text,
        "weir_leader_term",
        "gauge",
        "The term of this leader.",
        [(String::new(), cluster.term as f64)],
    );
    family(
        &mut text,
        "weir_taskmanagers",
        "gauge",
        "Living task managers.",
        [(String::new(), cluster.task_managers.len() as f64)],
    );
    let slots = [("all", cluster.slots), ("free", cluster.slots_free)];
    let slots = slots.map(|(kind, count)| (format!("{{kind=\"{kind}\"}}"), f64::from(count)));
    family(&mut text, "weir_slots", "gauge", "Slots of the task managers.", slots);
    let silent = cluster
        .task_managers
        .iter()
        .map(|one| (label("taskmanager", &one.name), one.silent_ms as f64 / 1e3));
    family(
        &mut text,
        "weir_taskmanager_silent_seconds",
        "gauge",
        "Since a task manager was last heard.",
        silent,
    );
    let help = "Messages that did not match a living attempt.";
    family(
        &mut text,
        "weir_messages_dropped_total",
        "counter",
        help,
        [(String::new(), dropped as f64)],
    );
    let states = datastreams.iter().flat_map(|one| {
        STATES.map(|state| {
            let labels = format!("{{datastream=\"{}\",state=\"{state}\"}}", escaped(&one.name));
            (labels, f64::from(u8::from(one.state == state)))
        })
    });
    family(
        &mut text,
        "weir_datastream_state",
        "gauge",
        "1 for the state a datastream is in, else 0.",
        states,
    );
    let each = |value: fn(&Summary) -> f64| {
        datastreams
            .iter()
            .map(move |one| (label("datastream", &one.name), value(one)))
    };
    let mut count =
        |name: &str, help: &str, value: fn(&Summary) -> f64| family(&mut text, name, "counter", help, each(value));
    count("weir_restarts_total", "Restarts after failures.", |one| {
        one.restarts as f64
    });
    count(
        "weir_datastream_records_in_total",
        "Rows that its sources gave, in this life.",
        |one| one.progress.rows_in as f64,
    );
    count(
        "weir_datastream_records_out_total",
        "Rows that reached its sinks, in this life.",
        |one| one.progress.rows_out as f64,
    );
    count(
        "weir_datastream_read_bytes_total",
        "Bytes of input read, in this life.",
        |one| one.progress.bytes_read as f64,
    );
    count(
        "weir_datastream_dead_letters_total",
        "Records that went to the dead letters.",
        |one| one.progress.dead_letters as f64,
    );
    let gauges: [(&str, &str, fn(&Summary) -> f64); 2] = [
        ("weir_checkpoint_epoch", "The newest epoch of the chain.", |one| {
            one.epoch as f64
        }),
        ("weir_datastream_subtasks_running", "Subtasks at work.", |one| {
            f64::from(one.subtasks_running)
        }),
    ];
    for (name, help, value) in gauges {
        family(&mut text, name, "gauge", help, each(value));
    }
    text
}

fn family(text: &mut String, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (String, f64)>) {
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

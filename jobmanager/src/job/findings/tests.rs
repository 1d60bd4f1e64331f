//! Each rule on a datastream of numbers, and that one who is well gets no word.

use dataflow::time::WallTime;

use super::find;
use crate::rest::types::{
    Checkpoint, Checkpoints, CurrentCheckpoint, Datastream, DeadLetters, Edge, Exception, Holder, Loss, LossMinute,
    Severity, State, Step, Subtask, Summary, Vertex, Where,
};

const NOW: WallTime = WallTime(1_000_000);

/// One without a past: it does nothing and waits for nothing.
pub(in crate::job) fn subtask(id: &str) -> Subtask {
    Subtask {
        id: id.to_owned(),
        task_manager: Some("tm-1".to_owned()),
        state: "running".to_owned(),
        records_in: 0,
        records_out: 0,
        bytes_in: 0,
        bytes_out: 0,
        records_in_rate: 0.0,
        records_out_rate: 0.0,
        busy: 0.0,
        backpressured: 0.0,
        idle: 1.0,
        waits_for: "input".to_owned(),
        waits_seconds: 0.1,
    }
}

/// A chain of vertices of these widths.
pub(in crate::job) fn datastream(widths: &[u32]) -> Datastream {
    let vertex = |(number, width): (usize, &u32)| Vertex {
        id: format!("vtx-{number}"),
        name: format!("step-{number}"),
        parallelism: *width,
        subtasks: (0..*width)
            .map(|index| subtask(&format!("sub-{number}.{index}")))
            .collect(),
        steps: vec![Step {
            name: format!("step-{number}"),
            ..Step::default()
        }],
    };
    let edge = |to: usize| Edge {
        id: format!("edge-{to}"),
        from: format!("vtx-{}", to - 1),
        to: format!("vtx-{to}"),
        partition: "hash".to_owned(),
        rows_rate: None,
        backlog_bytes: 0,
    };
    Datastream {
        summary: Summary::begin("orders", "orders@1".to_owned(), (State::Running, 0)),
        moved_ms: std::collections::BTreeMap::new(),
        contact: None,
        document: String::new(),
        generation: String::new(),
        vertices: widths.iter().enumerate().map(vertex).collect(),
        edges: (1..widths.len()).map(edge).collect(),
        checkpoints: Checkpoints::default(),
        exceptions: Vec::new(),
        watermark: None,
        operations: Vec::new(),
        dead_letters: Vec::new(),
        losses: Vec::new(),
        resources: None,
        findings: Vec::new(),
    }
}

/// Code, severity and text of each finding.
fn told(datastream: &Datastream) -> Vec<(String, Severity, String)> {
    let all = find(datastream, NOW).into_iter();
    all.map(|one| (one.code, one.severity, one.text)).collect()
}

#[test]
fn nothing_is_said_of_one_that_is_well() {
    let mut well = datastream(&[1, 2, 1]);
    well.vertices[1].subtasks[0].busy = 0.9;
    well.vertices[0].subtasks[0].backpressured = 0.3;
    assert_eq!(told(&well), []);
    well.vertices[1].subtasks[0].busy = 0.99;
    assert_eq!(
        told(&well),
        [(
            "pace".to_owned(),
            Severity::Note,
            "`step-1` sets the pace: sub-1.0 works all the time".to_owned()
        )]
    );
}

#[test]
fn a_slow_sink_is_named_with_who_waits_for_it_and_since_when() {
    let mut slow = datastream(&[1, 1]);
    for (vertex, waits) in [(0, "credit of edge-1 to sub-1.0"), (1, "sink out")] {
        let one = &mut slow.vertices[vertex].subtasks[0];
        (one.backpressured, one.waits_for, one.waits_seconds) = (0.97, waits.to_owned(), 20.0);
    }
    let found = find(&slow, NOW);
    assert_eq!(
        (
            found.len(),
            found[0].text.as_str(),
            found[0].subtask.as_deref(),
            found[0].since_ms
        ),
        (
            1,
            "sink `out` takes rows more slowly than they come: sub-1.0 waits for it",
            Some("sub-1.0"),
            Some(980_000)
        )
    );
}

#[test]
fn the_last_busy_vertex_with_somebody_waiting_before_it_is_the_bottleneck_and_uneven_keys_are_told() {
    let mut slow = datastream(&[2, 4, 1]);
    slow.vertices[0].subtasks[1].backpressured = 0.9;
    slow.vertices[1].subtasks[2].busy = 0.97;
    slow.vertices[2].subtasks[0].busy = 0.95;
    let text = &told(&slow)[0].2;
    assert_eq!(
        text,
        "`step-1` is the bottleneck: sub-1.2 is 97 % busy, the others 0 %: keys are uneven"
    );
    slow.vertices[1].subtasks.iter_mut().for_each(|one| one.busy = 0.9);
    assert_eq!(told(&slow)[0].2, "`step-1` is the bottleneck: sub-1.3 is 90 % busy");
}

#[test]
fn a_failure_comes_first_and_what_is_over_is_not_asked_for_its_pressure() {
    let mut failed = datastream(&[1, 1]);
    failed.summary.state = State::Failed;
    failed.summary.reason = Some("no space left on device".to_owned());
    failed.vertices[0].subtasks[0].backpressured = 1.0;
    failed.dead_letters = vec![DeadLetters {
        step: "decode".to_owned(),
        count: 3,
        samples: vec!["{".to_owned()],
    }];
    let codes: Vec<_> = told(&failed)
        .into_iter()
        .map(|(code, severity, _)| (code, severity))
        .collect();
    assert_eq!(
        codes,
        [
            ("failed".to_owned(), Severity::Bad),
            ("deadLetters".to_owned(), Severity::Warning)
        ]
    );
}

#[test]
fn checkpoints_that_wait_or_are_given_up_are_told() {
    let mut stuck = datastream(&[1]);
    stuck.checkpoints.current = Some(CurrentCheckpoint {
        barrier: "chk-1.1.9".to_owned(),
        phase: "collecting".to_owned(),
        waits_for: vec!["sub-0.0".to_owned()],
        age_ms: 12_000,
    });
    let aborted = Checkpoint {
        barrier: "chk-1.1.8".to_owned(),
        epoch: None,
        triggered_ms: 0,
        duration_ms: 1,
        collect_ms: 1,
        record_ms: 0,
        commit_ms: 0,
        alignment_ms: 0,
        overtook_bytes: None,
        split: None,
        bytes: 0,
        state_bytes: 0,
        written_bytes: 0,
        aborted: Some("tm-1 is gone".to_owned()),
    };
    stuck.checkpoints.history = vec![aborted.clone(), aborted.clone()];
    assert_eq!(
        told(&stuck)[0].2,
        "the checkpoint under way is collecting and waits for sub-0.0"
    );
    assert_eq!(told(&stuck).len(), 1, "two that were given up are no row yet");
    stuck.checkpoints.history.push(aborted);
    assert_eq!(told(&stuck)[1].2, "the last 3 checkpoints were given up: tm-1 is gone");
}

#[test]
fn time_that_is_held_back_rows_that_are_late_and_a_recovery_are_told() {
    let mut one = datastream(&[2]);
    one.watermark = Some(Holder {
        step: "events".to_owned(),
        subtask: "sub-0.1".to_owned(),
        task_manager: None,
        watermark_ms: None,
        ahead_ms: 61_000,
    });
    one.vertices[0].steps[0].late = 7;
    one.exceptions = vec![Exception {
        at_ms: NOW.0 - 120_000,
        epoch: 41,
        restarts: 1,
        subtask: None,
        vertex: None,
        cause: None,
        task_manager: Some("tm-2".to_owned()),
        disposition: "retry".to_owned(),
        message: "task manager tm-2 is gone: its connection broke".to_owned(),
        help: None,
        answer: "restart 1".to_owned(),
        recovered_ms: Some(900),
    }];
    let codes: Vec<_> = told(&one).into_iter().map(|(code, ..)| code).collect();
    assert_eq!(codes, ["watermark", "recovered", "late"]);
    one.exceptions[0].at_ms = NOW.0 - 700_000;
    assert!(
        told(&one).iter().all(|(code, ..)| code != "recovered"),
        "that was long ago"
    );
}

fn lost(at: Where, rows: u64, lost: i64) -> Loss {
    let minute = |minute: i64| LossMinute {
        minute_ms: minute * 60_000,
        rows,
        lost,
    };
    Loss {
        step: "out".to_owned(),
        at,
        rows: rows * 2,
        lost: lost * 2,
        minutes: vec![minute(724), minute(726)],
        alarm: true,
    }
}

#[test]
fn rows_that_are_missing_are_told_with_the_step_and_the_minutes_and_those_that_never_came_too() {
    let mut leaky = datastream(&[1]);
    let below = Loss {
        alarm: false,
        ..lost(Where::Step, 100, 50)
    };
    leaky.losses = vec![below, lost(Where::Before, 1_000, 25), lost(Where::Step, 1_000, -3)];
    let told = told(&leaky);
    assert_eq!(
        told,
        [
            (
                "loss".to_owned(),
                Severity::Bad,
                "50 rows are missing on the way to `out`, 2.5 % of 2000, in the minutes 12:04 to 12:06 UTC".to_owned()
            ),
            (
                "surplus".to_owned(),
                Severity::Bad,
                "6 rows are there that never came in `out`, 0.3 % of 2000, in the minutes 12:04 to 12:06 UTC"
                    .to_owned()
            ),
        ]
    );
}

#[test]
fn keys_that_two_subtasks_keep_are_told() {
    let mut wrong = datastream(&[1]);
    wrong.vertices[0].steps[0].strangers = 2;
    assert_eq!(
        (told(&wrong)[0].0.as_str(), told(&wrong)[0].1),
        ("strangers", Severity::Bad)
    );
}

#[test]
fn who_is_behind_it_and_who_waits_is_seen_of_it() {
    let mut slow = datastream(&[2, 1]);
    for (vertex, index, waits, seconds) in [(0, 0, "credit of edge-1 to sub-1.0", 5.0), (1, 0, "sink out", 20.0)] {
        let one = &mut slow.vertices[vertex].subtasks[index];
        (one.backpressured, one.waits_for, one.waits_seconds) = (0.97, waits.to_owned(), seconds);
    }
    slow.checkpoints.current = Some(CurrentCheckpoint {
        barrier: "chk-1.1.9".to_owned(),
        phase: "collecting".to_owned(),
        waits_for: vec!["sub-1.0".to_owned()],
        age_ms: 12_000,
    });
    let found = find(&slow, NOW);
    let behind = "sub-1.0 on tm-1 waits for sink out for 20.0 s; 0 % at work, 97 % held up, 0 rows/s in";
    let waits =
        "sub-0.0 on tm-1 waits for credit of edge-1 to sub-1.0 for 5.0 s; 0 % at work, 97 % held up, 0 rows/s in";
    assert_eq!(found[0].evidence, [behind, waits]);
    assert_eq!(
        (found[1].code.as_str(), found[1].evidence.as_slice()),
        ("checkpoint", [behind.to_owned()].as_slice())
    );
}

#[test]
fn a_subtask_with_most_of_the_rows_is_told_unless_it_is_the_bottleneck() {
    let mut uneven = datastream(&[1, 4]);
    for (index, rate) in [(0, 100.0), (1, 110.0), (2, 700.0), (3, 90.0)] {
        uneven.vertices[1].subtasks[index].records_in_rate = rate;
    }
    assert_eq!(told(&uneven), [], "nobody works much for it");
    uneven.vertices[1].subtasks[2].busy = 0.6;
    let found = find(&uneven, NOW);
    assert_eq!(
        found[0].text,
        "sub-1.2 gets 70 % of the rows of `step-1`, which has 4 subtasks: keys are uneven"
    );
    assert_eq!((found[0].severity, found[0].evidence.len()), (Severity::Note, 4));
    uneven.vertices[1].subtasks[2].busy = 0.97;
    uneven.vertices[0].subtasks[0].backpressured = 0.9;
    assert!(told(&uneven).iter().all(|(code, ..)| code != "skew"));
}

#[test]
fn readers_without_anything_to_read_are_told_after_a_while() {
    let mut quiet = datastream(&[2, 1]);
    quiet.vertices[0].steps[0].kind = "source".to_owned();
    assert_eq!(told(&quiet), [], "a moment is nothing");
    quiet.vertices[0].subtasks[1].waits_seconds = 40.0;
    let found = find(&quiet, NOW);
    assert_eq!(found[0].text, "1 of 2 readers have nothing to read, such as sub-0.1");
    assert_eq!(found[0].since_ms, Some(NOW.0 - 40_000));
    quiet.vertices[0].subtasks[0].waits_seconds = 31.0;
    assert_eq!(told(&quiet)[0].2, "nothing comes in: its sources have nothing to read");
}

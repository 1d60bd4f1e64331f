//! Lines under a clock that stands still, from a flood, and from many threads.

use std::sync::Arc;
use std::time::Duration;

use dataflow::id::JobId;
use dataflow::time::ManualClock;
use tracing::Level;

use super::{Line, Lines, TEXT_BYTES_MAX, WAITING_MAX};

fn job(name: &str) -> JobId {
    JobId {
        name: name.to_owned(),
        life: 1,
    }
}

fn line(job: &str, text: impl Into<String>) -> Line {
    Line {
        job: job.to_owned(),
        subtask: None,
        attempt: None,
        level: Level::INFO,
        text: text.into(),
    }
}

fn texts(taken: Vec<super::Taken>) -> Vec<String> {
    taken.into_iter().map(|taken| taken.line.text).collect()
}

fn lines() -> (ManualClock, Lines) {
    let clock = ManualClock::new();
    (clock.clone(), Lines::new(Arc::new(clock)))
}

#[test]
fn lines_of_a_job_come_out_in_their_order_and_those_of_strangers_do_not() {
    let (_, lines) = lines();
    let outlet = lines.outlet();
    outlet.open(&job("orders"));
    lines.hear(line("orders@1", "first"));
    lines.hear(line("orders@2", "of another life"));
    lines.hear(line("orders@1", "second"));
    assert_eq!(texts(outlet.take(1)), ["first"]);
    assert_eq!(texts(outlet.take(9)), ["second"]);
    assert_eq!(texts(outlet.left_out()), Vec::<String>::new());
}

#[test]
fn a_flood_is_bounded_and_what_is_left_out_is_said_once() {
    let (clock, lines) = lines();
    let outlet = lines.outlet();
    outlet.open(&job("noisy"));
    outlet.open(&job("quiet"));
    for number in 0..10_000 {
        lines.hear(line("noisy@1", number.to_string()));
    }
    lines.hear(line("quiet@1", "heard all the same"));
    assert_eq!(outlet.take(WAITING_MAX).len(), WAITING_MAX);
    assert_eq!(texts(outlet.take(9)), ["heard all the same"]);
    let said = texts(outlet.left_out());
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with(&format!("{} lines were left out", 10_000 - WAITING_MAX)),
        "{said:?}"
    );
    assert!(outlet.left_out().is_empty(), "it is said once");
    clock.advance(Duration::from_secs(1));
    for number in 0..1_000 {
        lines.hear(line("noisy@1", number.to_string()));
    }
    assert_eq!(
        outlet.take(1_000).len(),
        50,
        "a second pays for so many, however much room there is"
    );
}

#[test]
fn a_queue_that_nobody_empties_stays_bounded_however_long_it_takes() {
    let (clock, lines) = lines();
    let outlet = lines.outlet();
    outlet.open(&job("orders"));
    for number in 0..2_000 {
        clock.advance(Duration::from_millis(100));
        lines.hear(line("orders@1", number.to_string()));
    }
    let taken = texts(outlet.take(usize::MAX));
    assert_eq!(taken.len(), WAITING_MAX);
    assert_eq!(taken[0], "0", "the beginning of trouble says more than its middle");
}

#[test]
fn a_long_line_is_cut_between_two_characters() {
    let (_, lines) = lines();
    let outlet = lines.outlet();
    outlet.open(&job("orders"));
    lines.hear(line("orders@1", format!("a{}", "ä".repeat(TEXT_BYTES_MAX))));
    let text = texts(outlet.take(1)).remove(0);
    assert!(
        text.len() < TEXT_BYTES_MAX + 4 && text.ends_with("ä…"),
        "{} bytes",
        text.len()
    );
}

#[test]
fn what_a_job_said_at_its_end_is_taken_and_then_the_job_is_forgotten() {
    let (_, lines) = lines();
    let (outlet, other) = (lines.outlet(), lines.outlet());
    outlet.open(&job("orders"));
    lines.hear(line("orders@1", "last words"));
    outlet.close(&job("orders"));
    assert!(
        other.take(9).is_empty() && other.left_out().is_empty(),
        "each task manager takes its own"
    );
    assert!(outlet.left_out().is_empty());
    assert_eq!(texts(outlet.take(9)), ["last words"]);
    assert!(outlet.left_out().is_empty());
    assert!(lines.books.lock().is_empty());
    lines.hear(line("orders@1", "from the grave"));
    assert!(outlet.take(9).is_empty());
}

#[test]
fn many_threads_lose_no_count() {
    let (_, lines) = lines();
    let outlet = lines.outlet();
    outlet.open(&job("orders"));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| (0..500).for_each(|number| lines.hear(line("orders@1", number.to_string()))));
        }
    });
    let taken = outlet.take(usize::MAX).len();
    let said = texts(outlet.left_out()).remove(0);
    let left_out: usize = said
        .split(' ')
        .next()
        .and_then(|count| count.parse().ok())
        .expect("a count");
    assert_eq!(taken + left_out, 2_000);
}

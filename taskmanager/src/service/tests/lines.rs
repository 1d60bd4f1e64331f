//! What is logged about a job, on its way to the job manager.

use std::collections::BTreeMap;

use dataflow::time::Clock as _;
use proto::v1::{self, State, from_task_manager as from, to_task_manager as to};

use super::play::{JOB, Play, fence};
use crate::service::Line;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_about_a_job_reaches_the_job_manager_and_a_flood_of_it_harms_nothing() {
    let mut play = Play::begin().await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    let line = |text: String| Line {
        job: JOB.to_owned(),
        subtask: Some("sub-1.0".to_owned()),
        attempt: Some("a1".to_owned()),
        level: tracing::Level::WARN,
        text,
    };
    let said = |message: &from::Message| match message {
        from::Message::Log(line) => Some(line.clone()),
        _ => None,
    };
    play.lines.hear(line("a disk is slow".to_owned()));
    let first = play.next(said).await;
    assert_eq!(
        (first.job.as_str(), first.level.as_str(), first.text.as_str()),
        (JOB, "WARN", "a disk is slow")
    );
    let subtask = Some(v1::Subtask { vertex: 1, index: 0 });
    assert_eq!((first.subtask, first.attempt.as_str()), (subtask, "a1"));
    let began = play.clock.now();
    (0..5_000).for_each(|number| play.lines.hear(line(number.to_string())));
    // Each line comes, or is counted; a heartbeat in the middle of the flood makes two counts of them.
    let (mut passed, mut left_out) = (0, 0);
    while passed + left_out < 5_000 {
        let text = play.next(said).await.text;
        match text.split_once(" lines were left out") {
            Some((count, _)) => left_out += count.parse::<u64>().unwrap(),
            None => passed += 1,
        }
    }
    assert_eq!(passed + left_out, 5_000, "no line is counted twice");
    let allowed = 256 + 50 * (play.clock.now().since(began).as_secs() + 1);
    assert!(passed <= allowed, "{passed} lines passed, and {allowed} may");
    // Control still works, and the status of a subtask does not overtake what was said before it.
    play.lines.hear(line("last words".to_owned()));
    play.say(to::Message::Cancel(v1::Cancel {
        fence: fence(1),
        reason: "a test".to_owned(),
        subtasks: Vec::new(),
    }))
    .await;
    play.status(0, 0, State::Cancelled).await;
    play.end().await;
}

//! What is logged about a job, on its way to the job manager.

use std::collections::BTreeMap;

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
    (0..5_000).for_each(|number| play.lines.hear(line(number.to_string())));
    let left_out = play.next(|message| said(message).filter(|line| line.text.contains("left out")));
    assert!(left_out.await.text.starts_with("4"), "all but a few hundred");
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

//! Somebody looks at a running step, through the whole task manager.

use std::collections::BTreeMap;

use proto::v1::{self, from_task_manager as from, to_task_manager as to};

use super::play::{Play, fence};
use crate::testing::Toys;

fn tap(deployment: u32, number: u64, step: &str, condition: &str) -> to::Message {
    to::Message::Tap(v1::Tap {
        fence: fence(deployment),
        tap: number,
        vertex: 1,
        step: step.to_owned(),
        condition: condition.to_owned(),
        rows_per_second: 100,
        row_bytes_max: 1_000,
        duration_ms: 60_000,
        ..v1::Tap::default()
    })
}

fn tapped(message: &from::Message) -> Option<v1::Tapped> {
    match message {
        from::Message::Tapped(tapped) => Some(tapped.clone()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_behind_a_step_are_shown_as_long_as_somebody_looks() {
    let mut play = Play::begin().await;
    play.deploy(1, &BTreeMap::new()).await;
    play.running().await;
    play.say(tap(2, 1, "even", "")).await;
    play.say(tap(1, 1, "even", "n > 10")).await;
    let counts = play.next(tapped).await;
    assert_eq!(
        (counts.tap, counts.subtask.unwrap().vertex, counts.rows.len()),
        (1, 1, 0),
        "nothing goes by yet"
    );
    play.say(tap(1, 2, "even", "m > 10")).await;
    play.toys.hold_at(1_000);
    for index in [0, 1] {
        play.splits_wanted(index).await;
        play.assign(
            index,
            &[Toys::split(
                i64::from(index) * 10_000,
                i64::from(index) * 10_000 + 9_000,
                None,
            )],
        )
        .await;
    }
    let shown = play
        .next(|message| tapped(message).filter(|tapped| !tapped.rows.is_empty()))
        .await;
    let rows: Vec<&str> = shown.rows.iter().map(|row| row.row.as_str()).collect();
    let number = |row: &&str| {
        row.trim_start_matches("{\"n\":")
            .trim_end_matches('}')
            .parse::<i64>()
            .unwrap()
    };
    assert!(rows.iter().map(number).all(|n| n % 2 == 0 && n > 10), "{rows:?}");
    assert!(
        shown.passed >= shown.looked_at && shown.looked_at >= shown.matched,
        "{shown:?}"
    );
    // One that cannot work says why.
    let trouble = play
        .next(|message| tapped(message).filter(|tapped| tapped.tap == 2 && !tapped.trouble.is_empty()))
        .await;
    assert!(
        trouble.trouble.contains("no field `m`") || trouble.trouble.contains("does not fit"),
        "{trouble:?}"
    );
    play.say(to::Message::Untap(v1::Untap {
        fence: fence(1),
        tap: 1,
    }))
    .await;
    play.say(to::Message::Untap(v1::Untap {
        fence: fence(1),
        tap: 1,
    }))
    .await;
    let dropped = "weir_control_messages_dropped_total 2";
    play.until(
        "one of another deployment and one that is closed already are counted",
        |task_manager, _| task_manager.metrics().text().contains(dropped),
    )
    .await;
    play.end().await;
}

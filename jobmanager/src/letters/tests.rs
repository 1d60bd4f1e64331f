//! Letters in files of a folder: found from the end, by what is asked for, in parts, and never outside it.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::Hidden;
use dataflow::store::{Local, Store};

use super::back::{BLOCK, Back};
use super::{Error, Query, list, show};
use crate::rest::types::DeadLetterPage;

fn line(datastream: &str, step: &str, number: i64) -> String {
    format!(
        r#"{{"datastream":"{datastream}","step":"{step}","error":"no number `x{number}`","split":"s","position":{number},"attempt":"a","failedAt":{number},"record":"{{\"email\":\"x{number}\",\"n\":1}}"}}"#
    ) + "\n"
}

/// Three files, the middle one by name the newest by time.
async fn folder() -> (tempfile::TempDir, Arc<dyn Store>) {
    let place = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(place.path()));
    let some = |step: &str, from: i64, to: i64| {
        (from..to)
            .map(|number| line("orders", step, number))
            .collect::<String>()
    };
    for (name, text) in [
        ("part-sub-3.0-20260101T000000000-aa.jsonl", some("old", 0, 40)),
        (
            "part-sub-2.0-20260301T000000000-bb.jsonl",
            some("new", 80, 120) + "no json\n",
        ),
        (
            "part-sub-4.0-20260201T000000000-cc.jsonl",
            some("mid", 40, 80) + &line("others", "mid", 99),
        ),
        ("part-sub-4.0-20260201T000000000-dd.jsonl.gz", String::new()),
        ("_weir/pending/x.jsonl", some("hidden", 0, 3)),
    ] {
        store.create(name, Bytes::from(text)).await.unwrap();
    }
    (place, store)
}

fn numbers(page: &DeadLetterPage) -> Vec<i64> {
    page.letters.iter().map(|letter| letter.failed_at_ms).collect()
}

#[test]
fn lines_come_from_the_end_with_their_places_however_they_are_cut_into_blocks() {
    let text: String = (0..50_000).map(|number| format!("line {number}\n\n")).collect();
    assert!(text.len() as u64 > BLOCK / 2);
    for missing in [0, 1, 5] {
        let text = &text.as_bytes()[..text.len() - missing];
        let mut back = Back::from(text.len() as u64);
        let mut found = Vec::new();
        while let Some(wanted) = back.wanted() {
            let some = usize::try_from(wanted.start).unwrap()..usize::try_from(wanted.end).unwrap();
            found.extend(back.take(&text[some]));
        }
        assert_eq!(found.len(), 50_000);
        for (place, line) in &found {
            let rest = &text[usize::try_from(*place).unwrap()..];
            assert!(rest.starts_with(line) && rest.get(line.len()).is_none_or(|next| *next == b'\n'));
        }
        assert_eq!(found[49_999], (0, b"line 0".to_vec()));
    }
}

#[tokio::test]
async fn all_letters_of_a_datastream_are_found_the_newest_first_and_in_parts() {
    let (_place, store) = folder().await;
    let hidden = Hidden::default();
    let mut query = Query {
        limit: 7,
        ..Query::default()
    };
    let mut all = Vec::new();
    loop {
        let page = list(&store, ("orders", &hidden), &query).await.unwrap();
        assert_eq!(page.unread, ["part-sub-4.0-20260201T000000000-dd.jsonl.gz"]);
        all.extend(numbers(&page));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(all, (0..120).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn letters_are_found_by_step_error_and_time() {
    let (_place, store) = folder().await;
    let hidden = Hidden::default();
    let ask = |query: Query| {
        let (store, hidden) = (store.clone(), hidden.clone());
        async move { numbers(&list(&store, ("orders", &hidden), &query).await.unwrap()) }
    };
    let most = Query {
        limit: 1_000,
        ..Query::default()
    };
    let mid = Query {
        step: Some("mid".to_owned()),
        ..most.clone()
    };
    assert_eq!(ask(mid).await.len(), 40);
    let text = Query {
        error: Some("NO NUMBER `X11".to_owned()),
        ..most.clone()
    };
    assert_eq!(ask(text).await, [119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 11]);
    let time = Query {
        since_ms: Some(38),
        until_ms: Some(42),
        ..most
    };
    assert_eq!(ask(time).await, [41, 40, 39, 38]);
}

#[tokio::test]
async fn one_letter_is_shown_whole_and_hidden_fields_are_covered() {
    let (_place, store) = folder().await;
    let open = Hidden::default();
    let query = Query {
        limit: 2,
        ..Query::default()
    };
    let page = list(&store, ("orders", &open), &query).await.unwrap();
    let id = page.letters[1].id.clone();
    let letter = show(&store, ("orders", &open), &id).await.unwrap();
    assert_eq!(
        (letter.position, letter.record.as_deref()),
        (Some(118), Some(r#"{"email":"x118","n":1}"#))
    );
    let hidden = Hidden::new(vec!["email".parse().unwrap()]);
    let letter = show(&store, ("orders", &hidden), &id).await.unwrap();
    assert_eq!(letter.record.as_deref(), Some(r#"{"email":"•••","n":1}"#));
    assert_eq!(letter.error, "no number `•••`");
}

#[tokio::test]
async fn a_name_that_is_asked_for_never_leaves_the_letters_of_the_datastream() {
    let (place, store) = folder().await;
    std::fs::write(
        place.path().parent().unwrap().join("outside.jsonl"),
        line("orders", "s", 1),
    )
    .unwrap();
    let hidden = Hidden::default();
    for id in [
        "../outside.jsonl:0",
        "/etc/passwd:0",
        "_weir/pending/x.jsonl:0",
        "part-sub-4.0-20260201T000000000-dd.jsonl.gz:0",
        "part-sub-9.0-20260201T000000000-dd.jsonl:0",
        "part-sub-2.0-20260301T000000000-bb.jsonl:3",
        "part-sub-2.0-20260301T000000000-bb.jsonl:99999999999999999999",
        "part-sub-2.0-20260301T000000000-bb.jsonl:18446744073709551615",
        "nonsense",
        "",
    ] {
        let found = show(&store, ("orders", &hidden), id).await;
        assert!(matches!(found, Err(Error::Unknown(_))), "{id}: {found:?}");
        let after = Query {
            after: Some(id.to_owned()),
            limit: 1,
            ..Query::default()
        };
        if !id.starts_with("part-sub-2.0") {
            assert!(
                matches!(list(&store, ("orders", &hidden), &after).await, Err(Error::Unknown(_))),
                "{id}"
            );
        }
    }
    std::fs::remove_file(place.path().parent().unwrap().join("outside.jsonl")).unwrap();
}

//! However rows are cut into batches, dealt to subtasks and interrupted, the sums are those of a naive count.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NOW: i64 = 10_000;

/// A count that knows nothing of batches: every row, and at the end what is old enough to stand together.
fn naive(rows: &[(i64, Fate)]) -> Tally {
    let mut minutes: BTreeMap<i64, Account> = BTreeMap::new();
    let mut tally = Tally::default();
    for (minute, fate) in rows {
        if *minute > NOW + MINUTES_AHEAD {
            tally.ahead.add(*fate, 1);
        } else {
            minutes.entry(*minute).or_default().add(*fate, 1);
        }
    }
    let newest = minutes.last_key_value().map_or(0, |(minute, _)| *minute);
    for (minute, account) in minutes {
        if minute > newest - MINUTES_KEPT {
            *tally.account(minute) = account;
        } else {
            tally.older = tally.older.and(account);
        }
    }
    tally
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::In),
        Just(Fate::Out),
        Just(Fate::Filtered),
        Just(Fate::Late),
        Just(Fate::Dead)
    ]
}

fn rows() -> impl Strategy<Value = Vec<(i64, Fate)>> {
    let minute = prop_oneof![5 => 9_000..9_020_i64, 3 => 8_500..9_400_i64, 1 => 11_300..11_700_i64, 1 => -500..0_i64];
    prop::collection::vec((minute, fate()), 0..200)
}

fn count(tally: &mut Tally, rows: &[(i64, Fate)]) {
    for (minute, fate) in rows {
        tally.add(*minute, NOW, *fate, 1);
    }
}

proptest! {
    /// Rows of a batch come minute by minute, as a subtask counts them; a subtask dies behind a snapshot, and what came
    /// since is read again; then there are other subtasks.
    #[test]
    fn sums_do_not_depend_on_batches_subtasks_or_failures(
        rows in rows(),
        cuts in prop::collection::vec(1..30_usize, 1..10),
        widths in prop::collection::vec(1..5_usize, 1..4),
    ) {
        let mut base = Tally::default();
        let mut left = rows.as_slice();
        for (round, cut) in cuts.iter().cycle().enumerate() {
            if left.is_empty() {
                break;
            }
            let width = widths[round % widths.len()];
            let (taken, rest) = left.split_at((*cut).min(left.len()));
            let mut subtasks = vec![Tally::default(); width];
            for (index, batch) in taken.chunks(3).enumerate() {
                let mut sums: BTreeMap<(i64, u8), (Fate, u64)> = BTreeMap::new();
                for (minute, fate) in batch {
                    sums.entry((*minute, *fate as u8)).or_insert((*fate, 0)).1 += 1;
                }
                for ((minute, _), (fate, rows)) in sums {
                    subtasks[index % width].add(minute, NOW, fate, rows);
                }
            }
            // The snapshot goes through its text, and into the record.
            for subtask in &subtasks {
                let snapshot: Tally = subtask.to_string().parse().unwrap();
                prop_assert_eq!(&snapshot, subtask);
                base.merge(&snapshot);
            }
            // What is counted behind it is lost with the attempt.
            count(&mut subtasks[0], &rest[..rest.len().min(4)]);
            left = rest;
        }
        prop_assert_eq!(base, naive(&rows));
    }

    /// Who is adopted goes on counting: what was there before it is the sum without its own.
    #[test]
    fn what_is_taken_away_and_added_again_was_always_there(one in rows(), other in rows(), more in rows()) {
        let (mut mine, mut base) = (Tally::default(), Tally::default());
        count(&mut base, &one);
        count(&mut mine, &other);
        let mut head = base.clone();
        head.merge(&mine);
        head.take_away(&mine);
        count(&mut mine, &more);
        head.merge(&mine);
        let all: Vec<_> = one.into_iter().chain(other).chain(more).collect();
        prop_assert_eq!(head, naive(&all));
    }

    /// Only what has changed is said, and whoever hears it knows all.
    #[test]
    fn who_hears_the_changes_knows_the_tally(rows in rows(), cut in 1..20_usize) {
        let (mut tally, mut heard) = (Tally::default(), Tally::default());
        for some in rows.chunks(cut) {
            let told = tally.clone();
            count(&mut tally, some);
            heard.hear(&tally.said(&told));
            prop_assert_eq!(&heard, &tally);
        }
        let mut late = Tally::default();
        late.hear(&tally.said(&Tally::default()));
        prop_assert_eq!(late, tally);
    }
}

#[test]
fn a_text_is_short_where_all_went_on() {
    let mut tally = Tally::default();
    for minute in [100, 101] {
        tally.add(minute, 101, Fate::In, 50);
        tally.add(minute, 101, Fate::Out, 50);
    }
    tally.add(101, 101, Fate::In, 3);
    tally.add(101, 101, Fate::Late, 3);
    tally.add(-80, 101, Fate::In, 7);
    assert_eq!(tally.to_string(), "o 7,0;100 50;1 53,50,0,3");
    for unreadable in [
        "x",
        "1",
        "1 x",
        "1 1,2,3,4,5,6",
        "9223372036854775807 1;9223372036854775807 1",
    ] {
        assert_eq!(unreadable.parse::<Tally>(), Err(Unreadable), "{unreadable}");
    }
}

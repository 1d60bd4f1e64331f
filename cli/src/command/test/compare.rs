//! What was expected against what came: which rows are missing, and which nobody expects.

use dataflow::quantity::Time;
use planner::spec::{Letter, Order, Span, Spanned};
use serde_json::{Map, Value, json};

/// An expectation that was not met.
#[derive(Debug, PartialEq)]
pub(super) struct Mismatch {
    /// What it is about: ``rows of `out` ``.
    pub(super) what: String,
    /// Where it stands.
    pub(super) span: Span,
    /// How many rows are as expected.
    pub(super) met: usize,
    /// Expected rows that did not come.
    pub(super) missing: Vec<Spanned<Value>>,
    /// Rows that nobody expects.
    pub(super) unexpected: Vec<Value>,
    /// The fields that the expectation names, in order.
    pub(super) fields: Vec<String>,
    /// Whether the order counts.
    pub(super) order: Order,
}

/// Rows of a sink.
pub(super) fn rows(
    what: &str,
    (span, expected): (Span, &[Spanned<Value>]),
    came: Vec<Value>,
    order: Order,
) -> Option<Mismatch> {
    let fits = |wanted: usize, row: usize| holds(&expected[wanted].value, &came[row]);
    let pairs = match order {
        Order::Any => pair(expected.len(), came.len(), fits),
        Order::AsWritten => (0..expected.len().min(came.len()))
            .map(|place| (place, place))
            .filter(|(wanted, row)| fits(*wanted, *row))
            .collect(),
    };
    let mut fields = Vec::new();
    for name in expected
        .iter()
        .filter_map(|row| row.value.as_object())
        .flat_map(Map::keys)
    {
        if !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    settled(
        Mismatch {
            what: what.to_owned(),
            span,
            met: pairs.len(),
            missing: expected.to_vec(),
            unexpected: came,
            fields,
            order,
        },
        &pairs,
    )
}

/// Dead letters, in any order.
pub(super) fn letters(span: Span, expected: &[Letter], came: Vec<Value>) -> Option<Mismatch> {
    let pairs = pair(expected.len(), came.len(), |wanted, row| {
        is_letter(&expected[wanted], &came[row])
    });
    let wanted = |letter: &Letter| {
        let mut shown = Map::new();
        let mut show = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                shown.insert(name.to_owned(), value);
            }
        };
        show("step", letter.step.as_ref().map(|step| json!(step.value)));
        show(
            "error",
            letter.error.as_ref().map(|error| json!(format!("… {} …", error.value))),
        );
        show("record", letter.record.as_ref().map(|record| record.value.clone()));
        Spanned::new(Value::Object(shown), letter.span)
    };
    settled(
        Mismatch {
            what: "dead letters".to_owned(),
            span,
            met: pairs.len(),
            missing: expected.iter().map(wanted).collect(),
            unexpected: came,
            fields: ["step", "error", "record"].map(str::to_owned).to_vec(),
            order: Order::Any,
        },
        &pairs,
    )
}

/// Takes away what was met; none where nothing is left.
fn settled(mut mismatch: Mismatch, pairs: &[(usize, usize)]) -> Option<Mismatch> {
    let (mut met, mut expected) = (
        vec![false; mismatch.missing.len()],
        vec![false; mismatch.unexpected.len()],
    );
    for (wanted, row) in pairs {
        met[*wanted] = true;
        expected[*row] = true;
    }
    let mut met = met.into_iter();
    mismatch.missing.retain(|_| met.next() == Some(false));
    let mut expected = expected.into_iter();
    mismatch.unexpected.retain(|_| expected.next() == Some(false));
    (!mismatch.missing.is_empty() || !mismatch.unexpected.is_empty()).then_some(mismatch)
}

fn is_letter(expected: &Letter, came: &Value) -> bool {
    let text = |name: &str| came[name].as_str().unwrap_or_default();
    // A source is several operators, such as `orders` and `orders.decode`.
    let part_of = |step: &str| {
        text("step")
            .strip_prefix(step)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let step = expected.step.as_ref().is_none_or(|step| part_of(&step.value));
    let error = expected
        .error
        .as_ref()
        .is_none_or(|error| text("error").contains(&error.value));
    let record = expected
        .record
        .as_ref()
        .is_none_or(|record| holds(&record.value, &came["record"]));
    step && error && record
}

/// As many pairs as there can be of what is wanted and a row that fits it, each in one pair at most.
fn pair(wanted: usize, rows: usize, fits: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    // Kuhn's augmenting paths, breadth first: a row that fits several wants may have to change hands.
    let mut taken_by: Vec<Option<usize>> = vec![None; rows];
    for start in 0..wanted {
        let mut reached_from: Vec<Option<usize>> = vec![None; rows];
        let mut waiting = std::collections::VecDeque::from([start]);
        while let Some(want) = waiting.pop_front() {
            let mut free = None;
            for row in 0..rows {
                if reached_from[row].is_some() || !fits(want, row) {
                    continue;
                }
                reached_from[row] = Some(want);
                match taken_by[row] {
                    Some(owner) => waiting.push_back(owner),
                    None => {
                        free = Some(row);
                        break;
                    }
                }
            }
            let Some(row) = free else { continue };
            hand_over(row, start, &reached_from, &mut taken_by);
            break;
        }
    }
    let pairs = taken_by.iter().enumerate();
    pairs.filter_map(|(row, want)| Some(((*want)?, row))).collect()
}

/// Gives the free row to who found it, who leaves its own to the one before, back to the start.
fn hand_over(free: usize, start: usize, reached_from: &[Option<usize>], taken_by: &mut [Option<usize>]) {
    let mut row = free;
    while let Some(want) = reached_from[row] {
        let before = taken_by.iter().position(|owner| *owner == Some(want));
        taken_by[row] = Some(want);
        match before.filter(|_| want != start) {
            Some(before) => row = before,
            None => return,
        }
    }
}

/// Whether what came holds what was expected: of a map the fields that are named, of everything else all of it.
fn holds(expected: &Value, came: &Value) -> bool {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => expected
            .iter()
            .all(|(name, value)| holds(value, came.get(name).unwrap_or(&Value::Null))),
        (Value::Array(expected), Value::Array(came)) => {
            expected.len() == came.len() && expected.iter().zip(came).all(|(expected, came)| holds(expected, came))
        }
        (Value::Number(expected), Value::Number(came)) => expected == came || expected.as_f64() == came.as_f64(),
        (Value::String(expected), Value::String(came)) => expected == came || same_time(expected, came),
        // JSON has no times: they are written as milliseconds.
        (Value::String(expected), Value::Number(came)) => {
            let time = expected.parse::<Time>().ok();
            time.is_some_and(|time| came.as_i64() == Some(time.0))
        }
        // A record that is shown as text, and a line that was expected as text.
        (Value::Object(_) | Value::Array(_), Value::String(came)) => {
            serde_json::from_str(came).is_ok_and(|came: Value| !came.is_string() && holds(expected, &came))
        }
        (Value::String(expected), Value::Object(_) | Value::Array(_)) => {
            serde_json::from_str::<Value>(expected).is_ok_and(|expected| expected == *came)
        }
        (expected, came) => expected == came,
    }
}

fn same_time(expected: &str, came: &str) -> bool {
    let time = |text: &str| text.parse::<Time>().ok();
    time(expected).is_some_and(|expected| time(came) == Some(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(rows: &[Value]) -> Vec<Spanned<Value>> {
        rows.iter()
            .map(|row| Spanned::new(row.clone(), Span::default()))
            .collect()
    }

    fn compared(wanted: &[Value], came: &[Value], order: Order) -> Option<(usize, Vec<Value>, Vec<Value>)> {
        let wanted = expected(wanted);
        let mismatch = rows("rows", (Span::default(), &wanted), came.to_vec(), order)?;
        let missing = mismatch.missing.into_iter().map(|row| row.value).collect();
        Some((mismatch.met, missing, mismatch.unexpected))
    }

    #[test]
    fn a_row_holds_what_is_named_and_may_hold_more() {
        for (expected, came, fits) in [
            (json!({"a": 1}), json!({"a": 1, "b": 2}), true),
            (json!({"a": 1.0}), json!({"a": 1}), true),
            (json!({"a": {"b": "x"}}), json!({"a": {"b": "x", "c": 0}}), true),
            (json!({"a": null}), json!({"b": 1}), true),
            (json!({"a": null}), json!({"a": 1}), false),
            (json!({"a": "1"}), json!({"a": 1}), false),
            (json!({"a": [1]}), json!({"a": [1, 2]}), false),
            (
                json!({"at": "2026-01-01T01:00:00+01:00"}),
                json!({"at": "2026-01-01T00:00:00.000Z"}),
                true,
            ),
            (
                json!({"at": "2026-01-01T00:00:01Z"}),
                json!({"at": "2026-01-01T00:00:00Z"}),
                false,
            ),
            (
                json!({"at": "2026-01-01T00:00:01Z"}),
                json!({"at": 1_767_225_601_000_i64}),
                true,
            ),
            (json!({"a": 1}), json!("{\"a\":1,\"b\":2}"), true),
            (json!("{\"a\": 1}"), json!({"a": 1}), true),
            (json!("{\"a\": 1}"), json!({"a": 1, "b": 2}), false),
        ] {
            assert_eq!(holds(&expected, &came), fits, "{expected} and {came}");
        }
    }

    #[test]
    fn rows_in_any_order_are_paired_so_that_as_many_as_can_be_are_met() {
        let (any, exact) = (json!({"a": 1}), json!({"a": 1, "b": 2}));
        let (one, two) = (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3}));
        // What is less exact is offered the row first that the other one needs.
        assert_eq!(
            compared(&[any.clone(), exact.clone()], &[one.clone(), two.clone()], Order::Any),
            None
        );
        assert_eq!(
            compared(&[exact.clone(), any.clone()], &[two.clone(), one], Order::Any),
            None
        );
        let found = compared(&[any, exact.clone()], &[two.clone(), two.clone()], Order::Any);
        assert_eq!(found, Some((1, vec![exact], vec![two])));
    }

    #[test]
    fn long_chains_of_wants_change_hands() {
        // Want n takes rows n and n + 1, and the last one only the first row: all have to move by one.
        let fits = |want: usize, row: usize| {
            if want == 9 {
                row == 0
            } else {
                row == want || row == want + 1
            }
        };
        let mut pairs = pair(10, 10, fits);
        pairs.sort_unstable();
        assert_eq!(pairs.len(), 10);
        assert!(pairs.iter().all(|(want, row)| fits(*want, *row)), "{pairs:?}");
    }

    #[test]
    fn rows_in_order_are_met_only_in_their_places() {
        let (a, b) = (json!({"n": 1}), json!({"n": 2}));
        assert_eq!(
            compared(&[a.clone(), b.clone()], &[a.clone(), b.clone()], Order::AsWritten),
            None
        );
        let found = compared(&[a.clone(), b.clone()], &[b.clone(), a.clone()], Order::AsWritten);
        assert_eq!(found, Some((0, vec![a.clone(), b.clone()], vec![b, a])));
    }

    #[test]
    fn a_dead_letter_is_known_by_a_part_of_its_error() {
        let letter = |error: &str| Letter {
            step: Some(Spanned::new("s".to_owned(), Span::default())),
            error: Some(Spanned::new(error.to_owned(), Span::default())),
            record: Some(Spanned::new(json!({"id": 1}), Span::default())),
            span: Span::default(),
        };
        let came = json!({"step": "s.decode", "error": "came 5 ms after its window", "record": "{\"id\":1,\"x\":2}"});
        assert_eq!(
            letters(Span::default(), &[letter("after its window")], vec![came.clone()]),
            None
        );
        let found = letters(Span::default(), &[letter("not JSON")], vec![came]).unwrap();
        assert_eq!((found.met, found.missing.len(), found.unexpected.len()), (0, 1, 1));
    }
}

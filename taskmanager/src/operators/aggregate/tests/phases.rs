//! Half the work in front of a shuffle and half behind it comes to what is done at once.

use arrow::array::RecordBatch;
use dataflow::Registry;
use dataflow::element::{Batch, Watermark};
use dataflow::time::ManualClock;

use super::*;
use crate::chain::dead::Origin as Letters;
use crate::operators::{Emitted, Ground, Operator, build};
use crate::state::{KeyGroups, Restored};
use crate::task::gauges::NodeGauges;
use crate::testing::{Trial, typed};

fn alive(node: &Node) -> Box<dyn Operator> {
    let registry = Registry::new(vec![], vec![]);
    let gauges = Arc::new(NodeGauges::new(node.name.clone()));
    let origin = Letters {
        job: "orders@1".parse().unwrap(),
        attempt: "a1".to_owned(),
        clock: Arc::new(ManualClock::new()),
    };
    let ground = Ground {
        buffer_timeout: std::time::Duration::from_millis(5),
        registry: &registry,
        origin: &origin,
        gauges: &gauges,
        writer: None,
        groups: KeyGroups::of(0, 1, 64),
        restored: &Restored::default(),
        spill: None,
    };
    build(node, &ground).unwrap()
}

fn pulled(operator: &mut dyn Operator) -> Vec<RecordBatch> {
    let mut all = Vec::new();
    while let Some(emitted) = operator.pull().unwrap() {
        if let Emitted::Rows(Port::Main, batch) = emitted {
            all.push(batch.into_records());
        }
    }
    all
}

fn measures() -> Vec<Measure> {
    let all = [
        Function::CountDistinct,
        Function::Sum,
        Function::Min,
        Function::Max,
        Function::Avg,
        Function::First,
        Function::Last,
        Function::Stddev,
        Function::ApproxDistinct,
        Function::ApproxPercentile(0.5),
    ];
    let named = all.into_iter().enumerate();
    let mut measures: Vec<Measure> = named
        .map(|(index, function)| measure(&format!("m{index}"), function, Some("n")))
        .collect();
    measures[1].filter = Some(Expression::new("n > 1"));
    measures.push(measure("rows", Function::Count, None));
    measures
}

fn phase(window: Option<Window>, phase: Phase) -> Node {
    let mut node = node_of(recipe::Aggregate {
        keys: by_key(),
        window,
        measures: measures(),
        phase,
    });
    if phase == Phase::Final {
        let partial = recipe::Aggregate {
            keys: by_key(),
            window: None,
            measures: measures(),
            phase: Phase::Partial,
        };
        node.input = output(&partial);
        let wanted = node.output.fields().iter().filter(|field| {
            field.name() != columns::TIME
                || matches!(&node.recipe, Recipe::Aggregate(aggregate) if aggregate.window.is_some())
        });
        node.output = Arc::new(Schema::new(wanted.cloned().collect::<Vec<_>>()));
    }
    node
}

const LINES: [&str; 6] = [
    r#"{"$time": 1, "k": "a", "n": 1}"#,
    r#"{"$time": 12, "k": "a", "n": 2}"#,
    r#"{"$time": 2, "k": "b"}"#,
    r#"{"$time": 3, "k": "a", "n": 4}"#,
    r#"{"$time": 13, "k": "a", "n": 8}"#,
    r#"{"$time": 4, "n": 16}"#,
];

#[test]
fn two_phases_come_to_what_one_does() {
    let sliding = Spans::Sliding {
        size_ms: 20,
        slide_ms: 10,
        origin: Origin::default(),
    };
    for window in [tumbling(10), windows(sliding), windows(Spans::Global)] {
        let window = Some(window);
        let whole = Trial::new(
            &phase(window.clone(), Phase::Whole),
            &format!("{}\nend", LINES.join("\n")),
        )
        .run();
        let mut fore = alive(&phase(window.clone(), Phase::Partial));
        let last = phase(window.clone(), Phase::Final);
        let mut back = alive(&last);
        for lines in LINES.chunks(3) {
            fore.push(Batch::new(typed(&input(), lines))).unwrap();
            for states in pulled(fore.as_mut()) {
                assert_eq!(states.schema(), last.input);
                back.push(Batch::new(states)).unwrap();
            }
        }
        back.advance(Watermark::MAX).unwrap();
        let rows = pulled(back.as_mut());
        let mut found: Vec<String> = rows.iter().flat_map(crate::testing::picture).collect();
        let mut expected = whole.lines();
        if window.is_some_and(|window| window.spans == Spans::Global) {
            // Of all time, half-folded rows know no time.
            expected
                .iter_mut()
                .chain(&mut found)
                .for_each(|line| line.replace_range(..line.find('{').unwrap(), ""));
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_hot_key_is_one_row_of_a_batch() {
    let mut fore = alive(&phase(None, Phase::Partial));
    let lines = vec![r#"{"$time": 1, "k": "a", "n": 1}"#; 5000];
    fore.push(Batch::new(typed(&input(), &lines))).unwrap();
    assert_eq!(
        pulled(fore.as_mut())
            .iter()
            .map(RecordBatch::num_rows)
            .collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn two_phases_without_windows_tell_the_same_changes() {
    let mut fore = alive(&phase(None, Phase::Partial));
    let mut back = alive(&phase(None, Phase::Final));
    let mut found = Vec::new();
    for lines in [&LINES[..2], &LINES[3..4]] {
        fore.push(Batch::new(typed(&input(), lines))).unwrap();
        for states in pulled(fore.as_mut()) {
            back.push(Batch::new(states)).unwrap();
            found.extend(pulled(back.as_mut()).iter().flat_map(crate::testing::picture));
        }
    }
    assert_eq!(found.len(), 3);
    assert!(
        found[0].contains(r#""rows":2"#) && found[1] == found[0] && found[2].contains(r#""rows":3"#),
        "{found:?}"
    );
}

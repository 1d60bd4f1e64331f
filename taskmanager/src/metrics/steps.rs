//! The steps of vertices, so many of each: a long chain names its first steps and its last, and sums up those between.

use dataflow::metric::{Page, WATERMARK};

use super::counted::{Counted, OF_NODES, Step};

/// So many rows of steps has a vertex.
const STEPS_MAX: usize = 7;
/// What the steps are called that have no row of their own. No step of a document has parentheses in its name.
const OTHERS: &str = "(others)";
/// Of the counts of a step, those that every step has.
const ALWAYS: usize = 2;

/// Adds what every step has, of all vertices, and then what few have.
pub(super) fn show(page: &mut Page, counted: &Counted) {
    let rows: Vec<_> = counted
        .vertices()
        .map(|(vertex, counts)| (vertex, named(&counts.steps)))
        .collect();
    for ((datastream, vertex), steps) in &rows {
        for step in steps {
            let labels = [datastream.as_str(), vertex.as_str(), step.name.as_str()];
            for (index, (metric, _)) in OF_NODES[..ALWAYS].iter().enumerate() {
                page.count(metric, &labels, step.sums[index]);
            }
            if let Some(time) = step.watermark_ms {
                #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
                page.number(WATERMARK, &labels, time as f64 / 1e3);
            }
        }
    }
    for ((datastream, vertex), steps) in &rows {
        for step in steps {
            let labels = [datastream.as_str(), vertex.as_str(), step.name.as_str()];
            for (index, (metric, _)) in OF_NODES.iter().enumerate().skip(ALWAYS) {
                if step.sums[index] > 0 {
                    page.count(metric, &labels, step.sums[index]);
                }
            }
        }
    }
}

/// The rows of a chain.
fn named(steps: &[Step]) -> Vec<Step> {
    if steps.len() <= STEPS_MAX {
        return steps.to_vec();
    }
    let (first, rest) = steps.split_at(STEPS_MAX - 2);
    let (between, last) = rest.split_at(rest.len() - 1);
    let mut others = Step {
        name: OTHERS.to_owned(),
        ..Step::default()
    };
    between.iter().for_each(|step| others.add(step));
    first
        .iter()
        .cloned()
        .chain([others])
        .chain(last.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(count: u64) -> Vec<Step> {
        let step = |number: u64| Step {
            name: format!("step-{number}"),
            sums: [number; OF_NODES.len()],
            watermark_ms: number.is_multiple_of(2).then_some(i64::try_from(number).unwrap()),
        };
        (0..count).map(step).collect()
    }

    #[test]
    fn a_long_chain_names_its_first_steps_and_its_last_and_sums_up_the_others() {
        assert_eq!(named(&chain(7)), chain(7));
        let rows = named(&chain(20));
        let names: Vec<_> = rows.iter().map(|step| step.name.as_str()).collect();
        let expected = ["step-0", "step-1", "step-2", "step-3", "step-4", "(others)", "step-19"];
        assert_eq!(names, expected);
        assert_eq!((rows[5].sums[0], rows[5].watermark_ms), ((5..19).sum(), Some(6)));
    }
}

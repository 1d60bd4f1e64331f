//! What becomes of the state of one step, by what it was and what it is.

use arrow_schema::{Field, Schema};
use dataflow::expr::{Path, field_type_name, find};
use dataflow::recipe::{Aggregate, EventTime, Function, Measure, Node, Recipe, TopN};

use super::State;
use super::rows::{Difference, of_rows, of_values, widens};

/// What becomes of the state of a step that is there before and after.
pub(super) fn step(old: &Node, new: &Node) -> State {
    let refused = |why: String| State::Refused(why);
    match (&old.recipe, &new.recipe) {
        (Recipe::Source(one), Recipe::Source(other)) if one.connector != other.connector => refused(format!(
            "it read `{}` and reads `{}`: its positions mean nothing there",
            one.connector, other.connector
        )),
        (Recipe::Source(one), Recipe::Source(other)) if one.options != other.options => refused(format!(
            "it read {} and reads {}: its positions may mean nothing there",
            one.options, other.options
        )),
        (Recipe::Sink(one), Recipe::Sink(other)) if one != other => State::Migrates(vec![
            "what it has prepared is published where it was meant to go, before it writes otherwise".to_owned(),
        ]),
        (Recipe::Source(_), Recipe::Source(_)) | (Recipe::Sink(_), Recipe::Sink(_)) => State::Keeps,
        (Recipe::EventTime(one), Recipe::EventTime(other)) => {
            let said = |time: &EventTime| time.field.as_ref().map(ToString::to_string).unwrap_or_default();
            let changed = first_change(&[("event time", said(one), said(other))]);
            changed.map_or(State::Keeps, State::Refused)
        }
        (Recipe::RateLimit(_), Recipe::RateLimit(_)) => settled(of_rows(&old.output, &new.output)),
        (Recipe::Dedup(one), Recipe::Dedup(other)) => {
            let keys = (keys(&one.keys, &old.input), keys(&other.keys, &new.input));
            let changed = first_change(&[
                ("key", keys.0, keys.1),
                ("clock", format!("{:?}", one.clock), format!("{:?}", other.clock)),
            ]);
            changed.map_or(State::Keeps, State::Refused)
        }
        (Recipe::Delay(one), Recipe::Delay(other)) => {
            let clocks = (format!("{:?}", one.clock), format!("{:?}", other.clock));
            match first_change(&[("clock", clocks.0, clocks.1)]) {
                Some(why) => State::Refused(why),
                None => settled(of_rows(&old.input, &new.input)),
            }
        }
        (Recipe::TopN(one), Recipe::TopN(other)) => top_n((one, old), (other, new)),
        (Recipe::Aggregate(one), Recipe::Aggregate(other)) => aggregate((one, old), (other, new)),
        (one, other) => refused(format!("it was a `{}` and is a `{}`", one.name(), other.name())),
    }
}

/// Keys with their types, as they would be said.
fn keys(paths: &[Path], input: &Schema) -> String {
    let key = |path: &Path| {
        let found = find(path, input);
        let data_type = found.map_or_else(|| "nothing".to_owned(), |field| field_type_name(&field));
        format!("{path} ({data_type})")
    };
    paths.iter().map(key).collect::<Vec<_>>().join(", ")
}

/// The first of these that is not what it was, in words.
fn first_change(parts: &[(&str, String, String)]) -> Option<String> {
    let changed = parts.iter().find(|(_, before, after)| before != after);
    changed.map(|(part, before, after)| {
        let said = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_lowercase()
            }
        };
        match *part {
            "clock" => format!("it went by {} time and goes by {} time", said(before), said(after)),
            _ => format!("its {part} was {} and is {}", quoted(before), quoted(after)),
        }
    })
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        format!("`{text}`")
    }
}

fn settled(difference: Difference) -> State {
    match difference {
        Difference::Wrong(why) => State::Refused(why),
        Difference::Migrates(how) if how.is_empty() => State::Keeps,
        Difference::Migrates(how) => State::Migrates(how),
    }
}

fn top_n((one, old): (&TopN, &Node), (other, new): (&TopN, &Node)) -> State {
    let order = |top_n: &TopN| {
        let parts = top_n
            .order
            .iter()
            .map(|order| format!("{} {:?}", order.path, order.direction));
        parts.collect::<Vec<_>>().join(", ")
    };
    let window = |top_n: &TopN| {
        let window = top_n.window.as_ref();
        window
            .map(|window| crate::explain::spans(&window.spans))
            .unwrap_or_default()
    };
    let given = |top_n: &TopN| format!("{:?}", top_n.emission);
    let changed = first_change(&[
        ("key", keys(&one.keys, &old.input), keys(&other.keys, &new.input)),
        ("order", order(one), order(other)),
        ("window", window(one), window(other)),
        ("way to give results", given(one), given(other)),
    ]);
    if let Some(why) = changed {
        return State::Refused(why);
    }
    let mut difference = of_rows(&old.input, &new.input);
    if let (Difference::Migrates(how), true) = (&mut difference, one.limit < other.limit) {
        how.push(format!(
            "only {} rows of a key were kept so far, not {}",
            one.limit, other.limit
        ));
    }
    settled(difference)
}

fn aggregate((one, old): (&Aggregate, &Node), (other, new): (&Aggregate, &Node)) -> State {
    let named_keys = |aggregate: &Aggregate, node: &Node| {
        let paths = aggregate
            .keys
            .iter()
            .filter_map(|key| Path::new(vec![key.name.clone()]).ok());
        keys(&paths.collect::<Vec<_>>(), &node.output)
    };
    let spans = |aggregate: &Aggregate| {
        let window = aggregate.window.as_ref();
        window
            .map(|window| crate::explain::spans(&window.spans))
            .unwrap_or_default()
    };
    let clock = |aggregate: &Aggregate| {
        let window = aggregate.window.as_ref();
        window.map(|window| format!("{:?}", window.clock)).unwrap_or_default()
    };
    let changed = first_change(&[
        ("key", named_keys(one, old), named_keys(other, new)),
        ("window", spans(one), spans(other)),
        ("clock", clock(one), clock(other)),
    ]);
    if let Some(why) = changed {
        return State::Refused(why);
    }
    let named = |measures: &[Measure], name: &str| measures.iter().find(|one| one.name == name).cloned();
    for measure in &other.measures {
        let Some(before) = named(&one.measures, &measure.name) else {
            continue;
        };
        if let Some(why) = folded_otherwise(&before, measure) {
            return State::Refused(why);
        }
    }
    let folded = |aggregate: &Aggregate, node: &Node| {
        let names: Vec<String> = aggregate.measures.iter().map(|measure| measure.name.clone()).collect();
        let fields = node.output.fields().iter().filter(|field| names.contains(field.name()));
        Schema::new(fields.cloned().collect::<Vec<_>>())
    };
    settled(of_values(&folded(one, old), &folded(other, new)))
}

/// Why what one measure has folded is of no use to the other.
fn folded_otherwise(before: &Measure, after: &Measure) -> Option<String> {
    let name = &after.name;
    let words = (crate::explain::measure(before), crate::explain::measure(after));
    if words.0 != words.1 {
        return Some(format!(
            "`{name}` was `{}` and is `{}`: a column that is folded otherwise needs another name",
            words.0, words.1
        ));
    }
    let field = |measure: &Measure| Some(Field::new(name, measure.argument_type.clone()?, true));
    let (Some(from), Some(to)) = (field(before), field(after)) else {
        return None;
    };
    let goes_on = match after.function {
        Function::Count => true,
        // These fold doubles, whatever they are given.
        Function::Stddev
        | Function::StddevPop
        | Function::Variance
        | Function::VariancePop
        | Function::ApproxPercentile(_) => to.data_type().is_numeric(),
        Function::CountDistinct
        | Function::Sum
        | Function::Min
        | Function::Max
        | Function::Avg
        | Function::First
        | Function::Last
        | Function::ApproxDistinct => widens(&from, &to),
    };
    let (from, to) = (field_type_name(&from), field_type_name(&to));
    (!goes_on).then(|| format!("`{name}` was {} of {from} and is of {to}", words.0))
}

//! The steps, from the schema that editors have of them; and for each a line to begin with.

use serde_json::Value;

use super::option::options;
use super::{Component, ComponentKind, Sample, Usage};
use crate::schema::steps;

/// A step of each kind, behind a source of events with `eventTime` in streams that have fields.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "filter",
        "Purchases that cost something",
        "- filter: \"payload.total > 0 AND eventType IN ('PURCHASE', 'CHECKOUT')\"\n",
    ),
    (
        "select",
        "Two columns, one of them computed",
        "- select: { id: eventId, cents: \"CAST(payload.total * 100 AS BIGINT)\" }\n",
    ),
    ("drop", "Without what nobody should see", "- drop: [payload.cart]\n"),
    (
        "unnest",
        "A record for each item of a cart",
        "- unnest: payload.items\n",
    ),
    (
        "route",
        "Purchases one way, all else another",
        "- name: kinds\n  route: { bought: \"eventType = 'PURCHASE'\", else: other }\n",
    ),
    (
        "union",
        "Two branches again as one",
        "- union: [kinds.bought, kinds.other]\n",
    ),
    (
        "sample",
        "A tenth of the subscribers, whole",
        "- sample: { share: 0.1, by: subscriberId }\n",
    ),
    (
        "dedup",
        "Each event once a day",
        "- dedup: { key: [eventId], within: 24h }\n",
    ),
    (
        "aggregate",
        "Orders and revenue of each company and minute",
        "- name: perMinute\n  keyBy: [companyId]\n  window: { tumbling: 1m, allowedLateness: 30s }\n  aggregate: { orders: count(*), revenue: sum(payload.total) }\n",
    ),
    (
        "topN",
        "The ten dearest orders of each company",
        "- keyBy: [companyId]\n  topN: { orderBy: [\"payload.total DESC\"], limit: 10 }\n",
    ),
    ("delay", "Ten minutes later", "- delay: 10m\n"),
    (
        "rateLimit",
        "A thousand rows a second, bursts of five thousand",
        "- rateLimit: { perSecond: 1000, burst: 5000 }\n",
    ),
];

pub(super) fn all() -> Vec<Component> {
    let forms = steps();
    forms["anyOf"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(step)
        .collect()
}

fn step(form: &Value) -> Option<Component> {
    let name = form["required"][0].as_str()?;
    let own = &form["properties"][name];
    let mut choices = options(own, own);
    // What says when results come stands beside it.
    if !form["properties"]["window"].is_null() {
        let window = serde_json::json!({ "properties": { "window": form["properties"]["window"] } });
        choices.extend(options(&window, &window));
    }
    let examples = EXAMPLES.iter().filter(|(step, _, _)| *step == name);
    let sample = |(_, title, document): &(&str, &str, &str)| Sample {
        title: (*title).to_owned(),
        document: (*document).to_owned(),
    };
    let summary = own["description"].as_str().unwrap_or_default();
    Some(Component {
        name: name.to_owned(),
        kind: ComponentKind::Step,
        summary: summary.to_owned(),
        guarantee: None,
        uses: vec![Usage {
            place: "step".to_owned(),
            about: String::new(),
            short: short(own),
            options: choices,
        }],
        examples: examples.map(sample).collect(),
    })
}

/// What may stand behind the key without options.
fn short(own: &Value) -> Option<String> {
    let form = &own["allOf"][0];
    let plain = |form: &Value| -> Option<String> {
        let text = form["description"].as_str()?;
        let scalar = form["type"] != "object" && form["properties"].is_null();
        scalar.then(|| text.trim_end_matches('.').to_owned())
    };
    plain(form).or_else(|| form["anyOf"].as_array()?.iter().find_map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_says_what_it_is_for_and_has_an_example() {
        let all = all();
        assert_eq!(all.len(), EXAMPLES.len());
        for step in all {
            assert!(step.summary.len() > 5 && step.examples.len() == 1, "{}", step.name);
            for option in &step.uses[0].options {
                assert!(
                    !option.about.is_empty() && !option.kind.is_empty(),
                    "{}.{}",
                    step.name,
                    option.name
                );
            }
        }
    }

    #[test]
    fn a_step_that_takes_a_value_says_which_and_one_with_options_lists_them() {
        let all = all();
        let of = |name: &str| all.iter().find(|one| one.name == name).unwrap();
        assert_eq!(of("filter").uses[0].short.as_deref(), Some("An SQL expression"));
        let names = |name: &str| {
            of(name).uses[0]
                .options
                .iter()
                .map(|one| one.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("dedup"), ["key", "within", "time"]);
        assert_eq!(names("rateLimit"), ["perSecond", "burst", "excess"]);
        assert_eq!(names("aggregate"), ["window"]);
    }
}

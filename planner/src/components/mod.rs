//! What a document can be made of, told to people: every connector, format and step, with its options, generated from the
//! JSON Schemas and documentation of their structs.
//!
//! Enters: a registry. Leaves: a list, the same for the same registry. Who calls: REST's `/v1/connectors`, which the page shows.
//! Must stay true: nothing is said here that the schemas do not say, but for the examples of steps, which a test plans.

mod option;
mod steps;

use dataflow::Registry;
use dataflow::contract::{Connector, Format, Guarantee};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use option::options;

/// Something that a document can be made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its key in the document.
    pub name: String,
    /// What it is.
    pub kind: ComponentKind,
    /// What it is for.
    pub summary: String,
    /// What its sink promises after a crash at any point: `exactlyOnce` or `atLeastOnce`; none without a sink.
    pub guarantee: Option<String>,
    /// How it is used: as a source, as a sink, as a format or a step.
    pub uses: Vec<Usage>,
    /// Documents, or steps of one, that use it.
    pub examples: Vec<Sample>,
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ComponentKind {
    /// Where streams begin or end.
    Connector,
    /// How bytes become records.
    Format,
    /// What happens to records.
    Step,
}

/// One way to use a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// `source`, `sink`, `format` or `step`.
    pub place: String,
    /// What that does.
    pub about: String,
    /// What may stand behind its key in place of options: `an SQL expression`.
    pub short: Option<String>,
    /// Its options, in order.
    pub options: Vec<Choice>,
}

/// One option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// Its key.
    pub name: String,
    /// What it means.
    pub about: String,
    /// What kind of value it takes: `text`, `number`, `size`, `duration` …
    #[serde(rename = "type")]
    pub kind: String,
    /// What its value is measured in, where it has a measure.
    pub unit: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is unless given, as it is written.
    pub default: Option<String>,
    /// Which values are possible, where it is a number.
    pub range: Option<String>,
    /// How a value may look.
    pub example: Option<String>,
    /// The values there are, where they are few.
    pub values: Vec<Meaning>,
    /// Its own options, where it has some.
    pub options: Vec<Self>,
}

/// One of few values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Meaning {
    /// The value, as it is written.
    pub value: String,
    /// What it means.
    pub about: String,
}

/// Something to begin with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// What it shows.
    pub title: String,
    /// The YAML: a whole document, or a step of one.
    pub document: String,
}

/// Every connector, format and step, in the order of their lists.
#[must_use]
pub fn list(registry: &Registry) -> Vec<Component> {
    let connectors = registry.connectors().iter().map(|one| connector(one.as_ref()));
    let formats = registry.formats().iter().map(|one| format(one.as_ref()));
    connectors.chain(formats).chain(steps::all()).collect()
}

fn connector(connector: &dyn Connector) -> Component {
    let described = connector.describe();
    let source = connector.source().map(|source| usage("source", &source.schema()));
    let sink = connector.sink().map(|sink| usage("sink", &sink.schema()));
    let sample = |example: &dataflow::contract::Example| Sample {
        title: example.title.to_owned(),
        document: example.document.to_owned(),
    };
    let guarantee = described.guarantee.map(|guarantee| match guarantee {
        Guarantee::ExactlyOnce => "exactlyOnce",
        Guarantee::AtLeastOnce => "atLeastOnce",
    });
    Component {
        name: connector.name().to_owned(),
        kind: ComponentKind::Connector,
        summary: described.summary.to_owned(),
        guarantee: guarantee.map(str::to_owned),
        uses: source.into_iter().chain(sink).collect(),
        examples: described.examples.iter().map(sample).collect(),
    }
}

fn format(format: &dyn Format) -> Component {
    let usage = usage("format", &format.schema());
    let name = format.name();
    Component {
        name: name.to_owned(),
        kind: ComponentKind::Format,
        summary: usage.about.clone(),
        guarantee: None,
        examples: vec![Sample {
            title: "Beside a source or a sink".to_owned(),
            document: format!("format: {name}\n"),
        }],
        uses: vec![usage],
    }
}

fn usage(place: &str, schema: &Value) -> Usage {
    Usage {
        place: place.to_owned(),
        about: schema["description"].as_str().unwrap_or_default().to_owned(),
        short: None,
        options: options(schema, schema),
    }
}

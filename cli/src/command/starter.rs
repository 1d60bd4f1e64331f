//! `weir new`: a document to begin with, that runs as it is.

use planner::Catalog;

use crate::args::New;
use crate::exit::{Exit, Stop};
use crate::output::print;

const HEAD: &str = "\
# A datastream: where events come from, what happens to them, where they go.
# Try it:  weir validate FILE   then   weir run FILE
datastreamName: my-stream          # its identity: state and positions belong to this name
contactName: me                    # who is asked when something is wrong
desiredState: ON
";

/// For each source that can be begun with: its item, with whatever belongs to it.
const SOURCES: &[(&str, &str)] = &[
    (
        "generator",
        "\
sources:
  - generator: { events: shop, count: 10000, malformed: 0.001 }   # made-up events of a shop, some of them broken
    eventTime: { field: eventTime }
eventTypeFilters: [ADD_TO_CART, CHECKOUT, PURCHASE]
",
    ),
    (
        "file",
        "\
sources:
  - file: { path: ./input }        # a file, a folder, a glob or s3://bucket/prefix; JSON lines, plain or compressed
steps:
  - filter: \"eventType = 'PURCHASE' AND payload.total > 100\"
",
    ),
    (
        "archive",
        "\
sources:
  - archive: { path: ./archive, from: \"2023-11-14T22:00:00Z\", to: \"2023-11-15T00:00:00Z\", eventTypes: [PURCHASE] }
",
    ),
];

const SINKS: &[(&str, &str)] = &[
    ("stdout", "sinks:\n  - stdout: {}\n"),
    (
        "file",
        "sinks:\n  - file: { path: ./output }       # whole files appear when their checkpoint is committed\n",
    ),
    (
        "parquet",
        "sinks:\n  - parquet: { path: ./archive, partitionBy: [eventType] }\n",
    ),
    (
        "blackhole",
        "sinks:\n  - blackhole: {}                  # counts, and keeps nothing\n",
    ),
];

const TAIL: &str = "deadLetter: { path: ./dead-letters }   # records that a step could not take, with the reason\n";

pub(crate) fn new(new: &New, catalog: &Catalog) -> Result<(), Stop> {
    let document = document(&new.shape).ok_or_else(|| unknown(&new.shape, catalog))?;
    print(&document)
}

/// The document of a shape such as `file/parquet`.
pub(crate) fn document(shape: &str) -> Option<String> {
    let (source, sink) = shape.split_once('/')?;
    let find = |list: &[(&str, &'static str)], name: &str| {
        list.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    };
    Some([HEAD, find(SOURCES, source)?, find(SINKS, sink)?, TAIL].concat())
}

fn unknown(shape: &str, catalog: &Catalog) -> Stop {
    let names = |list: &[(&str, &str)]| list.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let parts = || shape.split('/');
    let listed = |name: &str| SOURCES.iter().chain(SINKS).any(|(known, _)| *known == name);
    let built = parts().find(|name| catalog.connector(name).is_some() && !listed(name));
    let message = match built {
        Some(name) => format!("there is no template with `{name}` yet"),
        None => format!("`{shape}` is not a shape of a datastream"),
    };
    Stop::new(Exit::Refused, message).help(format!(
        "write SOURCE/SINK with a source of {}, and a sink of {}",
        names(SOURCES),
        names(SINKS)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_a_document_that_plans() {
        let catalog = Catalog::new(connectors::registry());
        for (source, _) in SOURCES.iter().filter(|(source, _)| *source != "archive") {
            for (sink, _) in SINKS {
                let text = document(&format!("{source}/{sink}")).unwrap();
                let parsed = planner::spec::parse(&text, &catalog);
                assert!(
                    parsed.diagnostics.is_empty(),
                    "{source}/{sink}:\n{}",
                    parsed
                        .diagnostics
                        .render(source, &text, planner::diagnostic::Look::Plain)
                );
            }
        }
    }
}

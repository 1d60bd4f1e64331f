//! The one list of connectors and formats.

use std::sync::Arc;

use dataflow::Registry;
use dataflow::contract::Connector;

use crate::archive::Archive;
use crate::blackhole::Blackhole;
use crate::file::File;
use crate::format;
use crate::generator::Generator;
use crate::parquet::Parquet;
use crate::stdout::Stdout;

/// Every connector and format that this build knows.
#[must_use]
pub fn registry() -> Registry {
    let connectors: Vec<Arc<dyn Connector>> = vec![
        Arc::new(Generator),
        Arc::new(File),
        Arc::new(Archive),
        Arc::new(Parquet),
        Arc::new(Stdout),
        Arc::new(Blackhole),
    ];
    Registry::new(connectors, format::all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connector_says_what_it_is_and_shows_an_example() {
        for connector in registry().connectors() {
            let description = connector.describe();
            assert!(
                !description.summary.is_empty() && !description.examples.is_empty(),
                "{}",
                connector.name()
            );
            assert!(
                connector.source().is_some() || connector.sink().is_some(),
                "{}",
                connector.name()
            );
            assert_eq!(
                description.guarantee.is_some(),
                connector.sink().is_some(),
                "{}",
                connector.name()
            );
            let schemas = connector.source().map(|source| source.schema()).into_iter();
            for schema in schemas.chain(connector.sink().map(|sink| sink.schema())) {
                assert_eq!(
                    schema["additionalProperties"],
                    false,
                    "{} takes options that nobody knows",
                    connector.name()
                );
            }
        }
    }
}

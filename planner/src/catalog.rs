//! What the planner is told about connectors and formats: names, options with their JSON Schemas, guarantees.

use std::fmt;
use std::sync::Arc;

use dataflow::Registry;
use dataflow::contract::{Connector, Format};
use jsonschema::Validator;
use serde_json::Value;

/// The connector that `archive:` is short for. An alias of the document's language: the catalog may lack it.
pub const ARCHIVE: &str = "parquet";
/// The connector that `deadLetter:` is short for. An alias of the document's language: the catalog may lack it.
pub const DEAD_LETTER: &str = "file";

/// Connectors that later versions bring: asking for one is no slip of the pen.
pub const PLANNED_CONNECTORS: &[&str] = &["kinesisStream", "kafka", "postgres", "http", "iceberg"];

/// Connectors and formats, with their options' schemas compiled.
pub struct Catalog {
    registry: Registry,
    sources: Vec<Options>,
    sinks: Vec<Options>,
    formats: Vec<Options>,
}

/// The options of one connector's side or of one format.
pub struct Options {
    /// Its key in the document.
    pub name: &'static str,
    /// Their JSON Schema.
    pub schema: Value,
    /// The schema, compiled.
    pub validator: Validator,
}

impl Catalog {
    /// The catalog of a registry.
    ///
    /// # Panics
    /// When a connector gives a schema that is none: a mistake in the connector, seen at every start.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        let sides = |side: fn(&dyn Connector) -> Option<Value>| {
            registry
                .connectors()
                .iter()
                .filter_map(|connector| side(connector.as_ref()).map(|schema| Options::new(connector.name(), schema)))
                .collect()
        };
        Self {
            sources: sides(|connector| connector.source().map(|source| source.schema())),
            sinks: sides(|connector| connector.sink().map(|sink| sink.schema())),
            formats: registry
                .formats()
                .iter()
                .map(|format| Options::new(format.name(), format.schema()))
                .collect(),
            registry,
        }
    }

    /// The connectors and formats themselves.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The connector of this name.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<&Arc<dyn Connector>> {
        self.registry.connector(name)
    }

    /// The format of this name.
    #[must_use]
    pub fn format(&self, name: &str) -> Option<&Arc<dyn Format>> {
        self.registry.format(name)
    }

    /// The options of all connectors that can be sources.
    #[must_use]
    pub fn sources(&self) -> &[Options] {
        &self.sources
    }

    /// The options of all connectors that can be sinks.
    #[must_use]
    pub fn sinks(&self) -> &[Options] {
        &self.sinks
    }

    /// The options of all formats.
    #[must_use]
    pub fn formats(&self) -> &[Options] {
        &self.formats
    }
}

impl Options {
    fn new(name: &'static str, schema: Value) -> Self {
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .unwrap_or_else(|error| panic!("the JSON Schema of the options of `{name}` is none: {error}"));
        Self {
            name,
            schema,
            validator,
        }
    }

    /// The names of the options.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|keys| keys.keys().map(String::as_str))
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |options: &[Options]| options.iter().map(|one| one.name).collect::<Vec<_>>();
        f.debug_struct("Catalog")
            .field("sources", &names(&self.sources))
            .field("sinks", &names(&self.sinks))
            .field("formats", &names(&self.formats))
            .finish()
    }
}

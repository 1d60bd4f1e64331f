//! The list of connectors and formats that a process knows, handed from `cli` to the planner and the two planes.

use std::sync::Arc;

use crate::contract::{Connector, Format};

/// Connectors and formats by name, in the order in which they were listed.
#[derive(Clone, Default)]
pub struct Registry {
    connectors: Vec<Arc<dyn Connector>>,
    formats: Vec<Arc<dyn Format>>,
}

impl Registry {
    /// A registry of these.
    ///
    /// # Panics
    /// When two connectors or two formats have one name: a mistake in the list, seen at every start.
    #[must_use]
    pub fn new(connectors: Vec<Arc<dyn Connector>>, formats: Vec<Arc<dyn Format>>) -> Self {
        let twice = |names: Vec<&str>| {
            names
                .iter()
                .enumerate()
                .any(|(index, name)| names[..index].contains(name))
        };
        assert!(
            !twice(connectors.iter().map(|connector| connector.name()).collect()),
            "two connectors of one name"
        );
        assert!(
            !twice(formats.iter().map(|format| format.name()).collect()),
            "two formats of one name"
        );
        Self { connectors, formats }
    }

    /// All connectors.
    #[must_use]
    pub fn connectors(&self) -> &[Arc<dyn Connector>] {
        &self.connectors
    }

    /// All formats.
    #[must_use]
    pub fn formats(&self) -> &[Arc<dyn Format>] {
        &self.formats
    }

    /// The connector of this name.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<&Arc<dyn Connector>> {
        self.connectors.iter().find(|connector| connector.name() == name)
    }

    /// The format of this name.
    #[must_use]
    pub fn format(&self, name: &str) -> Option<&Arc<dyn Format>> {
        self.formats.iter().find(|format| format.name() == name)
    }
}

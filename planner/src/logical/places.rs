//! Where the items of one document stand in its text.

use std::collections::BTreeMap;

use crate::spec::Span;

/// Where a document stands, and each of its sources, steps and sinks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The name of the datastream: stands for what is said of the whole document.
    pub name: Span,
    /// Each item, by its name.
    pub items: BTreeMap<String, Span>,
}

impl Places {
    /// Where an operator stands: it has the name of its item, or that and a suffix. What has no place of its own stands where
    /// the name of the datastream does.
    #[must_use]
    pub fn of(&self, operator: Option<&str>) -> Span {
        let found = operator.and_then(|operator| {
            let item = operator.split('.').next().unwrap_or_default();
            self.items.get(operator).or_else(|| self.items.get(item))
        });
        found.copied().unwrap_or(self.name)
    }
}

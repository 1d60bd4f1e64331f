//! `generator`: a source of events that look real and are the same for the same seed.
//!
//! Enters: nothing. Leaves: JSON records as bytes, dealt out over splits. Must stay true: event i is a pure function of
//! the options and i, byte for byte (golden vectors in `tests.rs`), so a restored split goes on exactly.
//! Not here: pacing by event time; `throughput` paces by real time, without sleeping.

mod draw;
mod events;
mod keys;
mod nexmark;
mod options;
mod shop;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod text;

pub use options::{Kind, Layout, Options, TimeFormat};
pub use source::GeneratorSource;

use dataflow::contract::{Connector, Description, Example, SourceConnector};

/// The connector.
#[derive(Clone, Copy, Debug)]
pub struct Generator;

impl Connector for Generator {
    fn name(&self) -> &'static str {
        "generator"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "makes events that look real, the same for the same seed",
            guarantee: None,
            examples: &[
                Example {
                    title: "A million shop events as fast as they are taken",
                    document: SHOP,
                },
                Example {
                    title: "Nexmark events at a steady pace, without end",
                    document: NEXMARK,
                },
            ],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(&GeneratorSource)
    }
}

const SHOP: &str = "\
datastreamName: shop-purchases
contactName: eng-analytics
desiredState: ON
sources:
  - generator: { events: shop, count: 1000000, malformed: 0.001, duplicates: 0.02 }
eventTypeFilters: [CHECKOUT, PURCHASE]
sinks:
  - blackhole: {}
";

const NEXMARK: &str = "\
datastreamName: auction-house
contactName: eng-analytics
desiredState: ON
sources:
  - generator: { events: nexmark, throughput: 1000 }
steps:
  - filter: event_type = 2
sinks:
  - blackhole: {}
";

//! `socket`: lines in and out over TCP, for the measurement of latency only. Nothing that came over a socket can be asked for
//! again, so no product of ours has it: after a failure rows are missing.
//!
//! ```text
//!   feeder ──lines──> Source ──> job ──> Sink ──{"sent":…}──> feeder, which knows the time
//! ```

mod sink;
mod source;

use dataflow::contract::{Connector, Description, Guarantee, SinkConnector, SourceConnector};

/// The connector `socket`.
#[derive(Clone, Copy, Debug)]
pub struct Socket;

/// What both ends need to know.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The feeder's port on this machine.
    port: u16,
}

fn schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "properties": { "port": { "type": "integer", "minimum": 1, "maximum": 65535 } },
        "required": ["port"],
        "additionalProperties": false,
    })
}

impl Connector for Socket {
    fn name(&self) -> &'static str {
        "socket"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "lines over TCP, to measure latency with",
            guarantee: Some(Guarantee::AtLeastOnce),
            examples: &[],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(self)
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(self)
    }
}

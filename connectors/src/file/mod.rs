//! `file`: lines, CSV and Parquet in files of this machine or of an object store.
//!
//! Source: finds files, reads each as it was found. Sink: lines, visible once their epoch is committed.

pub(crate) mod sink;
pub mod source;

use dataflow::contract::{Connector, Description, Example, Guarantee, SinkConnector, SourceConnector};

use sink::FileSink;
use source::FileSource;

/// The connector.
#[derive(Clone, Copy, Debug)]
pub struct File;

impl Connector for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "reads and writes files: lines of JSON, CSV or text, local or in an object store; reads Parquet too",
            guarantee: Some(Guarantee::ExactlyOnce),
            examples: &[
                Example {
                    title: "Keep two event types of a folder of compressed JSON lines",
                    document: LINES,
                },
                Example {
                    title: "Read Parquet from S3",
                    document: PARQUET,
                },
                Example {
                    title: "Read files as they are moved into a folder",
                    document: WATCH,
                },
            ],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(&FileSource)
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(&FileSink)
    }
}

const LINES: &str = "\
datastreamName: purchases
contactName: eng-analytics
desiredState: ON
sources:
  - file: { path: \"input/**/*.json.gz\" }
eventTypeFilters: [CHECKOUT, PURCHASE]
sinks:
  - file: { path: output }
";

const PARQUET: &str = "\
datastreamName: orders-of-the-lake
contactName: eng-analytics
desiredState: ON
sources:
  - file: { path: \"s3://lake/orders/*.parquet\" }
    format: { json: { schema: { orderId: string, total: double } } }
sinks:
  - blackhole: {}
";

const WATCH: &str = "\
datastreamName: inbox
contactName: eng-analytics
desiredState: ON
sources:
  - file: { path: inbox, watch: { every: 2s } }
sinks:
  - blackhole: {}
";

//! Lines for people: `name=value`, without the ids of traces.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        writer.write_str(&written(fields))
    }

    fn add_fields(&self, known: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let more = written(fields);
        if !more.is_empty() && !known.fields.is_empty() {
            known.fields.push(' ');
        }
        known.fields.push_str(&more);
        Ok(())
    }
}

fn written(fields: impl RecordFields) -> String {
    let mut line = Line(String::new());
    fields.record(&mut line);
    line.0
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = field.name();
        if name == "traceparent" {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        // Nothing can go wrong in writing to a string.
        let _ = match name {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{name}={value:?}"),
        };
    }
}

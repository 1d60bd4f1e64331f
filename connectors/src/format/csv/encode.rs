//! Rows of columns into CSV.

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{BadRecord, Encoder, Lines};
use dataflow::element::columns;

use super::{CsvOptions, Dialect, flat, invalid};
use crate::format::json::Written;

/// Writes the columns in their order.
pub(super) struct CsvEncoder {
    dialect: Dialect,
    header: Option<Vec<u8>>,
    written: Written,
}

impl CsvEncoder {
    pub(super) fn new(dialect: Dialect, options: &CsvOptions, columns: &SchemaRef) -> Result<Self, InvalidOptions> {
        flat(columns)?;
        let names: Vec<&str> = columns
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| !columns::is_reserved(name))
            .collect();
        if names.is_empty() {
            return Err(invalid(
                "/schema",
                "`format: csv` writes columns, but these rows have none: give the source a `schema`",
            ));
        }
        let header = options.header.then(|| {
            let mut line = dialect.header(names.into_iter());
            line.push(b'\n');
            line
        });
        Ok(Self {
            dialect,
            header,
            written: Written::new(columns)?,
        })
    }
}

impl Encoder for CsvEncoder {
    fn header(&self) -> Option<Vec<u8>> {
        self.header.clone()
    }

    fn encode(&mut self, rows: &RecordBatch, out: &mut Lines) -> Vec<BadRecord> {
        let mut field = Vec::new();
        self.written.each_row(rows, out, |members, row, out| {
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(self.dialect.delimiter);
                }
                if member.is_null(row) {
                    out.extend_from_slice(&self.dialect.null_text);
                } else if let Some(text) = member.text(row) {
                    self.dialect.write(text.as_ref(), out);
                } else {
                    field.clear();
                    member
                        .value(row, &mut field)
                        .map_err(|error| format!("{}: {error}", member.name()))?;
                    // Dates and base64 stand in quotes in JSON; neither has an escape in it.
                    let plain = field
                        .strip_prefix(b"\"")
                        .and_then(|plain| plain.strip_suffix(b"\""))
                        .unwrap_or(&field);
                    self.dialect.write(plain, out);
                }
            }
            Ok(())
        })
    }
}

//! The decoder: batches of records into columns.

use arrow::array::BinaryViewArray;
use arrow_schema::SchemaRef;
use dataflow::contract::InvalidOptions;
use dataflow::contract::format::{BadRecord, Decoded, Decoder};

use super::fault::{Fault, Result, kind};
use super::names::Names;
use super::read;
use super::record::Records;
use super::tokens::Tokens;
use super::walk::Walk;
use crate::format::column::{Column, columns};

/// Checks each record as one JSON value and takes the wanted paths out of it.
pub(super) struct JsonDecoder {
    columns: Vec<Column>,
    names: Names,
    tokens: Tokens,
    /// A record that cannot be read where it lies.
    copy: Vec<u8>,
}

impl JsonDecoder {
    pub(super) fn new(schema: &SchemaRef) -> std::result::Result<Self, InvalidOptions> {
        let columns = columns(schema.fields())?;
        let names = Names::new(&columns);
        Ok(Self {
            columns,
            names,
            tokens: Tokens::default(),
            copy: Vec::new(),
        })
    }

    fn record(&mut self, records: &Records<'_>, row: usize) -> Result<()> {
        let (bytes, len, place) = records.padded(row, &mut self.copy);
        self.tokens.find(bytes, len)?;
        let mut walk = Walk::new(bytes, len, &self.tokens);
        if self.columns.is_empty() {
            walk.skip()?;
            return walk.end();
        }
        match walk.peek() {
            (_, b'{') => read::members(&mut walk, &mut self.columns, &self.names, row, place)?,
            (_, byte) => {
                walk.skip()?;
                walk.end()?;
                return Err(Fault::value(format!("expected an object, found {}", kind(byte))));
            }
        }
        walk.end()
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, records: &BinaryViewArray) -> Decoded {
        let shared = records.data_buffers();
        let records = Records::new(records);
        let mut bad = Vec::new();
        for row in 0..records.len() {
            if let Err(fault) = self.record(&records, row) {
                bad.push(BadRecord {
                    row,
                    error: fault.to_string(),
                });
            }
            for column in &mut self.columns {
                if column.len() <= row {
                    column.fill(row + 1);
                }
            }
        }
        Decoded {
            columns: self.columns.iter_mut().map(|column| column.finish(shared)).collect(),
            bad,
        }
    }
}

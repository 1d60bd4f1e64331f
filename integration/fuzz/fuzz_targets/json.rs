//! The JSON scanner takes just the records that `serde_json` takes, whatever is read of them, and never panics.
#![no_main]

use std::sync::Arc;

use arrow::array::{Array, BinaryViewArray, BinaryViewBuilder};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use connectors::format::json::Json;
use dataflow::contract::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let good = match serde_json::from_slice::<Value>(data) {
        Ok(_) => true,
        // A number that nobody reads may be of any size.
        Err(error) if error.to_string().starts_with("number out of range") => {
            serde_json::from_slice::<&serde_json::value::RawValue>(data).is_ok()
        }
        Err(_) => false,
    };
    for records in [alone(data), among(data)] {
        assert_eq!(bad(vec![], &records), !good);
        assert!(good || bad(fields(), &records));
        if let Some(splicer) = Json.splicer() {
            let path = "payload.items".parse().expect("a path");
            let spliced = splicer.remove_fields(&records, std::slice::from_ref(&path));
            assert_eq!(bad(vec![], &spliced), !good);
            let unnested = splicer.unnest(&records, &path);
            assert!(unnested.records.is_empty() || !bad(vec![], &unnested.records));
        }
    }
});

fn bad(fields: Vec<Field>, records: &BinaryViewArray) -> bool {
    let mut decoder = Json
        .decoder(&Value::Null, Arc::new(Schema::new(fields)))
        .expect("types of a schema");
    !decoder.decode(records).bad.is_empty()
}

/// The record with nothing behind it.
fn alone(data: &[u8]) -> BinaryViewArray {
    BinaryViewArray::from_iter_values([data])
}

/// The record in a read buffer, with another behind it.
fn among(data: &[u8]) -> BinaryViewArray {
    let mut text = data.to_vec();
    text.extend_from_slice(b"\n{\"eventType\":\"NEXT\"}\n");
    text.resize(text.len() + 64, b' ');
    let mut builder = BinaryViewBuilder::new();
    let block = builder.append_block(Buffer::from_vec(text));
    builder
        .try_append_view(block, 0, u32::try_from(data.len()).expect("inputs are small"))
        .expect("in the buffer");
    builder.finish()
}

fn fields() -> Vec<Field> {
    let item = Fields::from(vec![
        Field::new("sku", DataType::Utf8View, true),
        Field::new("price", DataType::Decimal128(18, 2), true),
    ]);
    let items = DataType::new_list(DataType::Struct(item), true);
    let payload = Fields::from(vec![
        Field::new("total", DataType::Float64, true),
        Field::new("items", items, true),
    ]);
    vec![
        Field::new("eventType", DataType::Utf8View, true),
        Field::new("id", DataType::Int64, true),
        Field::new("eventTime", dataflow::element::columns::timestamp(), true),
        Field::new("payload", DataType::Struct(payload), true),
    ]
}

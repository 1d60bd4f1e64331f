//! Frames and bodies: what is written is read, and what is not a frame is refused without a panic.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, Date32Array, Decimal128Array, DictionaryArray, Int64Array, ListArray, StringViewArray,
    StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::record_batch::RecordBatch;
use dataflow::element::{Barrier, Element, Roll, Watermark};
use dataflow::id::BarrierId;
use proptest::prelude::*;
use proto::v1::{ChannelName, Hello, Sent};

use super::super::body::{Reader, Writer};
use super::super::frame::{self, Content, Frame, Outgoing};
use super::id;

fn bytes(frame: &Outgoing) -> Vec<u8> {
    let mut out = Vec::new();
    frame.write(&mut out);
    assert_eq!(out.len(), frame.len());
    out
}

fn batch_frame(body: &[u8]) -> Vec<u8> {
    let header = Sent {
        channel: 7,
        row_bytes: 99,
        backlog_bytes: 5,
        ..Sent::default()
    };
    bytes(&Outgoing::batch(header, vec![body.to_vec().into()]).numbered(3))
}

#[test]
fn every_kind_of_frame_is_read_as_it_was_written() {
    let hello = Hello {
        task_manager: "tm-1".to_owned(),
        ..Hello::default()
    };
    assert_eq!(
        frame::decode(&bytes(&Outgoing::hello(hello.clone()))).unwrap(),
        Frame::Hello(hello)
    );
    let name = ChannelName {
        job: "j@1".to_owned(),
        term: 3,
        ..ChannelName::default()
    };
    let open = frame::decode(&bytes(&Outgoing::open(7, name.clone()))).unwrap();
    assert_eq!(open, Frame::Open { channel: 7, name });
    assert_eq!(
        frame::decode(&bytes(&Outgoing::close(7))).unwrap(),
        Frame::Close { channel: 7 }
    );
    let content = Content::Batch {
        body: b"rows".into(),
        cost: 99,
        backlog: 5,
    };
    assert_eq!(
        frame::decode(&batch_frame(b"rows")).unwrap(),
        Frame::Content {
            channel: 7,
            sequence: 3,
            content
        }
    );
    // A later leader than the channel's may have adopted both ends.
    let mut generation = id().generation;
    generation.term += 1;
    let barrier = Barrier {
        id: BarrierId { generation, counter: 9 },
        roll: Roll::All,
    };
    for element in [
        Element::Watermark(Watermark(-5)),
        Element::Barrier(barrier),
        Element::Idle,
        Element::End,
    ] {
        let frame = frame::decode(&bytes(&Outgoing::signal(7, 3, &element).unwrap())).unwrap();
        let Frame::Content { content, .. } = frame else {
            panic!("a signal is an element")
        };
        assert_eq!(format!("{:?}", content.into_element().unwrap()), format!("{element:?}"));
    }
}

#[test]
fn a_body_is_aligned_whatever_stands_before_it() {
    let Frame::Content {
        content: Content::Batch { body, .. },
        ..
    } = frame::decode(&batch_frame(b"rows")).unwrap()
    else {
        panic!("a batch was written");
    };
    assert_eq!(body.as_ptr().align_offset(64), 0);
}

/// One column of every type that a document can name, and the reserved ones, sliced and with nulls.
fn every_type(base: i64) -> RecordBatch {
    let text = |i: i64| format!("a text of more than twelve bytes, {i}");
    let strings = StringViewArray::from_iter((base..base + 100).map(|i| (i % 7 != 0).then(|| text(i))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter(
        (base..base + 100).map(|i| (i % 5 != 0).then_some(i)),
    ));
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("text", DataType::Utf8View, true)),
            Arc::new(strings.clone()) as ArrayRef,
        ),
        (
            Arc::new(Field::new("number", DataType::Int64, true)),
            Arc::clone(&numbers),
        ),
    ]);
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..100).map(|i| (i % 3 != 0).then(|| (0..i % 4).map(Some).collect::<Vec<_>>())),
    );
    let names: Vec<String> = (0..100).map(|i| format!("split-{}", base + i % 3)).collect();
    let splits: DictionaryArray<Int32Type> = names.iter().map(|name| Some(name.as_str())).collect();
    let decimals = Decimal128Array::from_iter_values((0..100).map(i128::from))
        .with_precision_and_scale(20, 2)
        .unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("strings", Arc::new(strings)),
        ("numbers", numbers),
        ("inner", Arc::new(inner)),
        ("lists", Arc::new(lists)),
        ("decimals", Arc::new(decimals)),
        ("dates", Arc::new(Date32Array::from_iter_values(0..100))),
        (
            "times",
            Arc::new(TimestampMillisecondArray::from_iter_values(0..100).with_timezone("UTC")),
        ),
        ("$raw", Arc::new(BinaryViewArray::from_iter_values((0..100).map(text)))),
        ("$split", Arc::new(splits)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn batches_of_all_types_and_changing_dictionaries_are_read_as_they_were_written() {
    let (mut writer, mut reader) = (Writer::default(), Reader::default());
    for base in [0, 0, 10, 0, 20] {
        for slice in [(0, 100), (13, 40), (99, 1)] {
            let records = every_type(base).slice(slice.0, slice.1);
            let body: Vec<u8> = writer
                .write(&records)
                .unwrap()
                .iter()
                .flat_map(|part| part.iter().copied())
                .collect();
            assert_eq!(reader.read(body.into()).unwrap(), records);
        }
    }
}

#[test]
fn only_the_bytes_that_rows_reach_travel() {
    let records = every_type(0);
    let mut writer = Writer::default();
    writer.write(&records).unwrap();
    let size = |writer: &mut Writer, records: &RecordBatch| {
        writer
            .write(records)
            .unwrap()
            .iter()
            .map(arrow::buffer::Buffer::len)
            .sum::<usize>()
    };
    let whole = size(&mut writer, &records);
    let one = size(&mut writer, &records.slice(50, 1));
    assert!(one < whole / 4, "{one} of {whole} bytes for one row of a hundred");
}

/// What coverage-guided fuzzing begins with and has found; the bytes were written by another implementation.
#[test]
fn every_frame_of_the_corpus_is_read_or_refused_as_it_says() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/fuzz/corpus/frame");
    let read = |name: &str| std::fs::read(corpus.join(name)).unwrap();
    for good in ["hello", "open", "batch", "watermark", "barrier", "end"] {
        frame::decode(&read(good)).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    assert_eq!(frame::decode_receipt(&read("receipt")).unwrap().credit_bytes, 65_536);
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let (_, _) = (frame::decode(&bytes), frame::decode_receipt(&bytes));
    }
    let refused = |name: &str| frame::decode(&read(name)).unwrap_err().to_string();
    assert_eq!(refused("open_without_name"), "frame 0 of channel 7 contradicts itself");
    assert_eq!(refused("batch_without_rows"), "frame 1 of channel 7 contradicts itself");
    assert_eq!(refused("kind_of_nobody"), "a frame is of unknown kind 99");
    assert!(refused("damaged").contains("does not match"));
    assert!(refused("cut").contains("is cut off"));
    assert!(refused("header_longer_than_frame").contains("does not match"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = frame::decode(&bytes);
        let _ = frame::decode_receipt(&bytes);
    }

    /// A checksum that fits opens the way to the header and what it says.
    #[test]
    fn arbitrary_headers_with_a_right_checksum_are_read_or_refused(
        kind in 0u8..5,
        length in prop_oneof![0u32..200, any::<u32>()],
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let covered: Vec<u8> = length.to_le_bytes().into_iter().chain(rest).collect();
        let crc = crc32fast::hash(&covered).to_le_bytes();
        let bytes: Vec<u8> = [kind].into_iter().chain(crc).chain(covered).collect();
        let _ = frame::decode(&bytes);
        let _ = frame::decode_receipt(&bytes);
    }

    #[test]
    fn every_flipped_bit_behind_the_kind_is_found(body in prop::collection::vec(any::<u8>(), 1..100), bit in 8usize..2000) {
        let mut bytes = batch_frame(&body);
        let bit = 8 + bit % (bytes.len() * 8 - 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(frame::decode(&bytes).is_err());
    }

    #[test]
    fn every_truncation_is_found(body in prop::collection::vec(any::<u8>(), 1..100), cut in 0usize..200) {
        let bytes = batch_frame(&body);
        prop_assert!(frame::decode(&bytes[..cut.min(bytes.len() - 1)]).is_err());
    }

    #[test]
    fn bodies_with_a_right_checksum_that_are_not_arrow_are_refused(body in prop::collection::vec(any::<u8>(), 1..200)) {
        prop_assert!(Reader::default().read(body.into()).is_err());
    }
}

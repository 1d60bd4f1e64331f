//! The object: a head that says what stood where, and one Arrow IPC stream for each place that has rows.
//!
//! ```text
//!   version (4 bytes) | length of the head (4) | head (JSON) | stream of the first place | stream of the second …
//! ```
//! Numbers are little-endian. The snapshot has the checksum of the whole; so what is read here is what was written.

use std::io::Cursor;

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use dataflow::Failure;
use dataflow::element::{Batch, Element, Watermark};
use serde::{Deserialize, Serialize};

use super::{Passed, Place};
use crate::channel::compact_for_wire;

const VERSION: u32 = 1;

/// Version and length of the head.
const PREFIX: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    places: Vec<Section>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Section {
    place: Place,
    marks: Vec<Mark>,
    /// The length of its stream; 0 where it has no rows.
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Mark {
    /// The next batch of the stream.
    Rows,
    Watermark(i64),
    Idle,
}

/// The object's bytes, and how many rows it holds.
pub(super) fn encode(passed: &[Passed]) -> Result<(Vec<u8>, u64), Failure> {
    let unwritable = |error: &(dyn std::error::Error + 'static)| {
        Failure::bug("rows that a barrier overtook cannot be written").because(error)
    };
    let (mut places, mut streams, mut rows) = (Vec::new(), Vec::new(), 0_u64);
    for Passed { place, elements } in passed {
        let mut marks = Vec::with_capacity(elements.len());
        let mut stream: Option<StreamWriter<Vec<u8>>> = None;
        for element in elements {
            match element {
                Element::Batch(batch) => {
                    let records = compact_for_wire(batch.records());
                    let writer = match &mut stream {
                        Some(writer) => writer,
                        empty @ None => {
                            let writer = StreamWriter::try_new(Vec::new(), &records.schema());
                            empty.insert(writer.map_err(|error| unwritable(&error))?)
                        }
                    };
                    writer.write(&records).map_err(|error| unwritable(&error))?;
                    rows += batch.row_count() as u64;
                    marks.push(Mark::Rows);
                }
                Element::Watermark(watermark) => marks.push(Mark::Watermark(watermark.0)),
                Element::Idle => marks.push(Mark::Idle),
                // Barriers are over with this one, and an end comes again from whoever is restored.
                Element::Barrier(_) | Element::End => {}
            }
        }
        let stream = stream.map(StreamWriter::into_inner).transpose();
        let stream = stream.map_err(|error| unwritable(&error))?.unwrap_or_default();
        places.push(Section {
            place: place.clone(),
            marks,
            bytes: stream.len(),
        });
        streams.push(stream);
    }
    let head = serde_json::to_vec(&Head { places }).map_err(|error| unwritable(&error))?;
    let length = u32::try_from(head.len()).map_err(|error| unwritable(&error))?;
    let mut bytes = Vec::with_capacity(PREFIX + head.len() + streams.iter().map(Vec::len).sum::<usize>());
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&head);
    streams.iter().for_each(|stream| bytes.extend_from_slice(stream));
    Ok((bytes, rows))
}

/// What stood where.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Passed>, Failure> {
    let (head, mut streams) = head(bytes)?;
    let mut passed = Vec::with_capacity(head.places.len());
    for Section { place, marks, bytes } in head.places {
        let (stream, rest) = streams
            .split_at_checked(bytes)
            .ok_or_else(|| unreadable("it is cut off"))?;
        streams = rest;
        let mut batches = match stream {
            [] => None,
            stream => Some(
                StreamReader::try_new(Cursor::new(stream), None)
                    .map_err(|error| unreadable("its rows are no Arrow IPC stream").because(&error))?,
            ),
        };
        let mut elements = Vec::with_capacity(marks.len());
        for mark in marks {
            elements.push(match mark {
                Mark::Watermark(time) => Element::Watermark(Watermark(time)),
                Mark::Idle => Element::Idle,
                Mark::Rows => {
                    let next = batches.as_mut().and_then(Iterator::next);
                    let records = next.ok_or_else(|| unreadable("a batch is missing"))?;
                    let records = records.map_err(|error| unreadable("a batch cannot be read").because(&error))?;
                    Element::Batch(Batch::new(records))
                }
            });
        }
        passed.push(Passed { place, elements });
    }
    Ok(passed)
}

fn head(bytes: &[u8]) -> Result<(Head, &[u8]), Failure> {
    let (prefix, rest) = bytes
        .split_first_chunk::<PREFIX>()
        .ok_or_else(|| unreadable("it is cut off"))?;
    let [v0, v1, v2, v3, length @ ..] = *prefix;
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if version != VERSION {
        return Err(unreadable(&format!(
            "it is of version {version}, and this build reads {VERSION}"
        )));
    }
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    let (head, streams) = rest
        .split_at_checked(length)
        .ok_or_else(|| unreadable("it is cut off"))?;
    let head = serde_json::from_slice(head).map_err(|error| unreadable("its head is no JSON").because(&error))?;
    Ok((head, streams))
}

fn unreadable(what: &str) -> Failure {
    Failure::fail(format!("rows that a barrier overtook cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use dataflow::id::EdgeId;

    use super::*;
    use crate::channel::tests::{numbers, rows};

    fn shown(passed: &[Passed]) -> Vec<(Place, Vec<String>)> {
        let text = |element: &Element| match element {
            Element::Batch(batch) => format!("{:?}", numbers(batch)),
            other => format!("{other:?}"),
        };
        let one = |passed: &Passed| (passed.place.clone(), passed.elements.iter().map(text).collect());
        passed.iter().map(one).collect()
    }

    fn some() -> Vec<Passed> {
        vec![
            Passed {
                place: Place::Inlet {
                    edge: EdgeId(3),
                    from: 1,
                },
                elements: vec![
                    Element::Batch(rows(0..3, 8)),
                    Element::Watermark(Watermark(-5)),
                    Element::Batch(rows(3..4, 100)),
                    Element::Idle,
                ],
            },
            Passed {
                place: Place::Outlet { edge: EdgeId(4), to: 0 },
                elements: vec![Element::Watermark(Watermark(7))],
            },
            Passed {
                place: Place::Sink { step: "out".to_owned() },
                elements: vec![Element::Batch(rows(9..11, 8))],
            },
        ]
    }

    #[test]
    fn what_was_passed_comes_back_at_its_place_and_in_its_order() {
        let (bytes, rows) = encode(&some()).unwrap();
        assert_eq!(rows, 6);
        assert_eq!(shown(&decode(&bytes).unwrap()), shown(&some()));
    }

    #[test]
    fn bytes_that_are_cut_off_or_of_another_version_are_refused_and_panic_nowhere() {
        let (bytes, _) = encode(&some()).unwrap();
        for length in 0..bytes.len() - 1 {
            let _ = decode(&bytes[..length]);
        }
        assert!(decode(&bytes[..20]).unwrap_err().message.contains("cut off"));
        let mut newer = bytes;
        newer[0] = 9;
        assert!(decode(&newer).unwrap_err().message.contains("version 9"));
    }
}

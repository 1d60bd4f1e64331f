//! Records where they lie: views over read buffers, with enough bytes behind each for whole loads.

use arrow::array::BinaryViewArray;
use arrow::buffer::Buffer;

use super::read::Place;
use super::tokens::PADDING;
use crate::format::lines::parts;

/// A batch of records.
pub(super) struct Records<'a> {
    array: &'a BinaryViewArray,
    views: &'a [u128],
    buffers: &'a [Buffer],
    own: usize,
}

impl<'a> Records<'a> {
    pub(super) fn new(array: &'a BinaryViewArray) -> Self {
        let buffers = array.data_buffers();
        Self {
            array,
            views: array.views(),
            buffers,
            own: buffers.len(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    /// The record, its length and where it lies. At least [`PADDING`] bytes follow it, the first of them a line end: where
    /// that is so in the buffer (in all records of a stream of lines but the last few), nothing is copied.
    #[inline]
    pub(super) fn padded<'b>(&self, row: usize, copy: &'b mut Vec<u8>) -> (&'b [u8], usize, Place)
    where
        'a: 'b,
    {
        let [len, _, buffer, offset] = parts(self.views[row]);
        let place = Place {
            buffer,
            offset,
            own: self.own,
        };
        if len > 12 {
            let bytes = &self.buffers[buffer].as_slice()[offset..];
            if bytes.len() >= len + PADDING && matches!(bytes[len], b'\n' | b'\r') {
                return (bytes, len, place);
            }
        }
        copy.clear();
        copy.extend_from_slice(self.array.value(row));
        copy.resize(len + PADDING, b'\n');
        (copy, len, place)
    }
}

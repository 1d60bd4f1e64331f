//! When the row of each key passed, and how long that is remembered.

use std::array::TryFromSliceError;

use dataflow::Failure;

use crate::state::{Values, reserve};

/// A key's slot is made before it is known whether its row passes.
pub(super) const NEVER: i64 = i64::MIN;

/// When the row of each key passed.
#[derive(Debug, Default)]
pub(super) struct Passed(pub(super) Vec<i64>);

impl Values for Passed {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.0, slots);
        self.0.resize(slots.max(self.0.len()), NEVER);
    }

    fn reset(&mut self, slot: u32) {
        self.0[slot as usize] = NEVER;
    }

    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        out.extend(self.0[slot as usize].to_le_bytes());
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.0[slot as usize] = passed(bytes)?;
        Ok(())
    }

    fn clear(&mut self) {
        self.0 = Vec::new();
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }
}

/// The time of a row that passed, as it is in a snapshot.
pub(super) fn passed(value: &[u8]) -> Result<i64, Failure> {
    let time = value.try_into().map_err(|error: TryFromSliceError| {
        Failure::fail("a part of the state cannot be read: its bytes are no time").because(&error)
    })?;
    Ok(i64::from_le_bytes(time))
}

/// Whether a row that passed keeps out one of the same key: they are less than the span apart, and time has not come
/// to where it is forgotten.
pub(super) fn remembers(passed: i64, time: i64, within: i64, reached: i64) -> bool {
    passed != NEVER && passed.abs_diff(time) < within.unsigned_abs() && passed.saturating_add(within) > reached
}

//! Small keyed records: `{"k":…,"v":…}`, keys uniform over a range.

use super::draw::Draw;
use super::events::Events;
use super::options::Options;
use super::text;

/// The stream of draws of these records.
const STREAM: u64 = 31;
/// Values lie from 0 up to this.
const VALUES: u64 = 1000;

/// Records of a key and a value.
#[derive(Debug)]
pub(super) struct Keys {
    seed: u64,
    keys: u64,
}

impl Keys {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            keys: options.keys.unwrap_or(10_000_000),
        }
    }
}

impl Events for Keys {
    fn write(&self, index: u64, out: &mut Vec<u8>) -> bool {
        let mut draw = Draw::new(self.seed, STREAM, index);
        out.extend_from_slice(b"{\"k\":");
        text::number(out, draw.below(self.keys));
        out.extend_from_slice(b",\"v\":");
        text::number(out, draw.below(VALUES));
        out.push(b'}');
        true
    }

    fn group(&self) -> u64 {
        1
    }
}

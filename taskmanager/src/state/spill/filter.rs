//! Says of most keys that are not on disk that they are not, without asking the disk.
//!
//! Blocks of eight words, one bit in each for a key: one cache line is looked at. About 10 bits a key give about one wrong
//! "perhaps" in a hundred. It grows by filters of twice the size: what is on disk cannot be counted before it is there.

/// The first filter has room for so many keys.
const FIRST_KEYS: usize = 64 * 1024;
const BITS_PER_KEY: usize = 10;
const WORDS: usize = 8;

/// Odd numbers, one for each word of a block: which bit of it a hash sets.
const SALTS: [u32; WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// The keys of one table that have ever gone to disk.
#[derive(Debug, Default)]
pub(super) struct Filter {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    blocks: Vec<[u32; WORDS]>,
    room: usize,
}

impl Part {
    fn new(keys: usize) -> Self {
        Self {
            blocks: vec![[0; WORDS]; (keys * BITS_PER_KEY).div_ceil(WORDS * 32)],
            room: keys,
        }
    }

    /// The high bits give the block, the low ones the bits in it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of a hash are what is used"
    )]
    fn place(&self, hash: u64) -> (usize, [u32; WORDS]) {
        let block = ((hash >> 32) * self.blocks.len() as u64) >> 32;
        let low = hash as u32;
        (block as usize, SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 27)))
    }

    fn may_hold(&self, hash: u64) -> bool {
        let (block, bits) = self.place(hash);
        self.blocks[block].iter().zip(bits).all(|(word, bit)| word & bit != 0)
    }
}

impl Filter {
    /// Whether a key with this hash may have been added.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        self.parts.iter().rev().any(|part| part.may_hold(hash))
    }

    /// Adds one. Those that it may hold already need no room.
    pub(super) fn add(&mut self, hash: u64) {
        if self.may_hold(hash) {
            return;
        }
        if self.parts.last().is_none_or(|part| part.room == 0) {
            let keys = self
                .parts
                .last()
                .map_or(FIRST_KEYS, |part| part.blocks.len() * WORDS * 32 / BITS_PER_KEY * 2);
            self.parts.push(Part::new(keys));
        }
        let part = self.parts.last_mut().expect("there is one, or it was made just now");
        part.room -= 1;
        let (block, bits) = part.place(hash);
        for (word, bit) in part.blocks[block].iter_mut().zip(bits) {
            *word |= bit;
        }
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.parts.iter().map(|part| part.blocks.len());
        blocks.sum::<usize>() * WORDS * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_held_and_little_else() {
        let mut filter = Filter::default();
        let hash = |number: u64| dataflow::key::hash(&number.to_be_bytes());
        (0..300_000).for_each(|number| filter.add(hash(number)));
        assert!((0..300_000).all(|number| filter.may_hold(hash(number))));
        let wrong = (300_000..400_000)
            .filter(|number| filter.may_hold(hash(*number)))
            .count();
        assert!(wrong < 5_000, "{wrong} of 100000");
        assert!(filter.bytes() < 300_000 * 3, "{}", filter.bytes());
    }
}

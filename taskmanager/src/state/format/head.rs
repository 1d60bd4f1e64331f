//! The head of a file, and what of a file does not agree with it.

use std::ops::Range;

use crc32fast::Hasher;

use super::entry::{Cleared, Entries, Item};
use super::{GROUPS, Reference, bucket};

const MAGIC: [u8; 8] = *b"weircut\x01";
const VERSION: u32 = 1;
const FIXED: usize = 48;
const BLOCK: usize = 16;
const CLEARED: usize = 9;
const CRC: usize = 4;

/// One block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which key groups it holds: [`GROUPS`] from [`GROUPS`] times this.
    pub bucket: u32,
    /// Its length.
    pub bytes: u32,
    /// How many entries it holds.
    pub entries: u32,
    /// Their checksum.
    pub crc: u32,
}

/// The head of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its blocks, in their order; buckets never fall.
    pub blocks: Vec<Block>,
    /// Tables of which nothing in older cuts counts.
    pub cleared: Vec<Cleared>,
}

/// What is wrong with the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// It is not such a file at all.
    #[error("it does not begin as a state file does")]
    Magic,
    /// It was written by another version of Weir.
    #[error("it is of version {found}, and this build reads version {VERSION}")]
    Version {
        /// Which.
        found: u32,
    },
    /// There is more or less of it than was written.
    #[error("{what} has {found} bytes, and {expected} were written")]
    Length {
        /// Of what.
        what: String,
        /// As it should be.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// Other bytes than were written.
    #[error("{what} has the checksum {found:08x}, and {expected:08x} was written")]
    Checksum {
        /// Of what.
        what: String,
        /// As it should be.
        expected: u32,
        /// As it is.
        found: u32,
    },
    /// Other entries than were written.
    #[error("{what} has {found} entries, and {expected} were written")]
    Entries {
        /// Of what.
        what: String,
        /// As it should be.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// Checksums agree, and yet it makes no sense: who wrote it was wrong.
    #[error("{what} makes no sense: {why}")]
    Senseless {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

impl Head {
    /// Its length in the file.
    #[must_use]
    pub fn length(&self) -> usize {
        FIXED + BLOCK * self.blocks.len() + CLEARED * self.cleared.len() + CRC
    }

    /// How many entries the file holds.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.entries)).sum()
    }

    /// The length of the whole file.
    #[must_use]
    pub fn file_length(&self) -> u64 {
        self.length() as u64 + self.blocks.iter().map(|block| u64::from(block.bytes)).sum::<u64>()
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = Vec::with_capacity(self.length());
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(number(self.length()));
        out.extend(self.file_length().to_le_bytes());
        out.extend(self.entries().to_le_bytes());
        out.extend(number(self.blocks.len()));
        out.extend(number(self.cleared.len()));
        out.extend(GROUPS.to_le_bytes());
        out.extend([0; 4]);
        for block in &self.blocks {
            for part in [block.bucket, block.bytes, block.entries, block.crc] {
                out.extend(part.to_le_bytes());
            }
        }
        for cleared in &self.cleared {
            out.push(cleared.state);
            out.extend(cleared.namespace.to_le_bytes());
        }
        out.extend(crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// The checksum of the whole file, of which `head` is the encoded head.
    #[must_use]
    pub fn file_crc(&self, head: &[u8]) -> u32 {
        let mut all = Hasher::new();
        all.update(head);
        for block in &self.blocks {
            all.combine(&Hasher::new_with_initial_len(block.crc, u64::from(block.bytes)));
        }
        all.finalize()
    }

    /// Reads the head of the file that `reference` names.
    ///
    /// # Errors
    /// Bytes that are not what was written.
    pub fn decode(bytes: &[u8], reference: &Reference) -> Result<Self, Corrupt> {
        let what = || "the head".to_owned();
        if bytes.get(..MAGIC.len()).is_some_and(|magic| magic != MAGIC) {
            return Err(Corrupt::Magic);
        }
        let expected = u64::from(reference.head);
        if bytes.len() as u64 != expected || bytes.len() < FIXED + CRC {
            let found = bytes.len() as u64;
            let what = what();
            return Err(Corrupt::Length { what, expected, found });
        }
        let (content, crc) = bytes.split_at(bytes.len() - CRC);
        let (expected, found) = (u32_at(crc, 0), crc32fast::hash(content));
        if expected != found {
            let what = what();
            return Err(Corrupt::Checksum { what, expected, found });
        }
        match u32_at(content, 8) {
            VERSION => {}
            found => return Err(Corrupt::Version { found }),
        }
        let head = Self::content(content).ok_or_else(|| Corrupt::Senseless {
            what: what(),
            why: "its parts do not fit together".to_owned(),
        })?;
        head.agrees(bytes, reference)?;
        Ok(head)
    }

    fn content(content: &[u8]) -> Option<Self> {
        let blocks = usize::try_from(u32_at(content, 32)).ok()?;
        let cleared = usize::try_from(u32_at(content, 36)).ok()?;
        let (blocks_length, cleared_length) = (blocks.checked_mul(BLOCK)?, cleared.checked_mul(CLEARED)?);
        let rest = &content[FIXED..];
        if blocks_length.checked_add(cleared_length)? != rest.len() || u32_at(content, 40) != GROUPS {
            return None;
        }
        let (blocks, cleared) = rest.split_at(blocks_length);
        let block = |bytes: &[u8]| Block {
            bucket: u32_at(bytes, 0),
            bytes: u32_at(bytes, 4),
            entries: u32_at(bytes, 8),
            crc: u32_at(bytes, 12),
        };
        let gone = |bytes: &[u8]| {
            Some(Cleared {
                state: bytes[0],
                namespace: i64::from_le_bytes(bytes[1..].try_into().ok()?),
            })
        };
        let head = Self {
            blocks: blocks.chunks_exact(BLOCK).map(block).collect(),
            cleared: cleared.chunks_exact(CLEARED).map(gone).collect::<Option<_>>()?,
        };
        let ordered = head.blocks.is_sorted_by_key(|block| block.bucket);
        let file_length = u64::from_le_bytes(content[16..24].try_into().ok()?);
        let entries = u64::from_le_bytes(content[24..32].try_into().ok()?);
        (ordered && file_length == head.file_length() && entries == head.entries()).then_some(head)
    }

    /// The snapshot is right; the file may be another one, or a part of it.
    fn agrees(&self, bytes: &[u8], reference: &Reference) -> Result<(), Corrupt> {
        let what = || "the file".to_owned();
        let (expected, found) = (reference.bytes, self.file_length());
        if expected != found {
            let what = what();
            return Err(Corrupt::Length { what, expected, found });
        }
        let (expected, found) = (reference.entries, self.entries());
        if expected != found {
            let what = what();
            return Err(Corrupt::Entries { what, expected, found });
        }
        let (expected, found) = (reference.crc, self.file_crc(bytes));
        if expected != found {
            let what = what();
            return Err(Corrupt::Checksum { what, expected, found });
        }
        Ok(())
    }

    /// The blocks that hold key groups of this range: their places in the list, and their bytes in the file.
    pub fn blocks_of(&self, groups: Range<u32>) -> impl Iterator<Item = (usize, Range<u64>)> {
        let mut at = self.length() as u64;
        let places = self.blocks.iter().enumerate().map(move |(index, block)| {
            let begin = at;
            at += u64::from(block.bytes);
            (index, block.bucket, begin..at)
        });
        places
            .filter(move |(_, bucket, _)| {
                let first = u64::from(*bucket) * u64::from(GROUPS);
                first < u64::from(groups.end) && first + u64::from(GROUPS) > u64::from(groups.start)
            })
            .map(|(index, _, bytes)| (index, bytes))
    }

    /// Checks the bytes of a block against the head, and that its entries are what they should be.
    ///
    /// # Errors
    /// Bytes that are not what was written.
    pub fn check(&self, index: usize, bytes: &[u8]) -> Result<(), Corrupt> {
        let what = || format!("block {} of {}", index + 1, self.blocks.len());
        let block = self.blocks[index];
        if u64::from(block.bytes) != bytes.len() as u64 {
            return Err(Corrupt::Length {
                what: what(),
                expected: u64::from(block.bytes),
                found: bytes.len() as u64,
            });
        }
        let (expected, found) = (block.crc, crc32fast::hash(bytes));
        if expected != found {
            let what = what();
            return Err(Corrupt::Checksum { what, expected, found });
        }
        let mut found = 0;
        for item in Entries::new(bytes) {
            found += 1;
            let why = match item {
                Ok(Item::Entry(entry)) if bucket(entry.place.group) == block.bucket => continue,
                Ok(_) => format!("its entry {found} is not of its key groups"),
                Err(error) => error.to_string(),
            };
            return Err(Corrupt::Senseless { what: what(), why });
        }
        let expected = u64::from(block.entries);
        if expected != found {
            let what = what();
            return Err(Corrupt::Entries { what, expected, found });
        }
        Ok(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_le_bytes(word.unwrap_or_default())
}

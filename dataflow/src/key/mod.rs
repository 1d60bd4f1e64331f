//! Keys: their canonical bytes, their hash, and key groups. Ours and written down, so that state outlives every library.
//!
//! A key is the values of one or more paths. Its canonical bytes ([`KeyReader::encode`]) compare as the values do, null
//! first; its hash is [`hash`](hash()) of those bytes; its key group is the hash modulo `maxParallelism`; each subtask owns a
//! contiguous range of groups. State is stored by these bytes: none of this may ever change, and golden vectors in the
//! tests hold it fast.
//!
//! | value | bytes |
//! |---|---|
//! | null | `00` |
//! | boolean | `08`, `00` or `01` |
//! | whole number of any width | `10`, 8 bytes big-endian, sign bit flipped; above the signed range: `11`, 8 bytes |
//! | float, double | `20`, 8 bytes of the double: all bits flipped if negative, else the sign bit; -0 is 0, one NaN, last |
//! | decimal | `28`, scale with its sign bit flipped, 16 bytes big-endian, sign bit flipped |
//! | string | `30`, its bytes with `00` written `00 ff`, `00` |
//! | binary | `38`, as for strings |
//! | date | `40`, 4 bytes big-endian, sign bit flipped |
//! | timestamp in s, ms, µs, ns | `48` `49` `4a` `4b`, 8 bytes big-endian, sign bit flipped |
//! | record | `50`, its fields |
//! | list | `58`, each element behind `01`, `00` |
//!
//! Integers of different widths, strings in different layouts and dictionaries give the same bytes for the same value, so
//! a column may be widened without moving its keys.

mod decode;
mod encode;
mod error;
mod groups;
mod hash;
mod reader;
#[cfg(test)]
mod tests;

pub use decode::KeyDecoder;
pub use error::KeyError;
pub use groups::{key_group, owner, range};
pub use hash::hash;
pub use reader::{KeyReader, Keys};

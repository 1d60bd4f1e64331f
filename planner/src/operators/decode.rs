//! Decoding: not written in a document, but part of every source of bytes, and of `unnest` in open streams.

use dataflow::element::columns;
use dataflow::recipe::{self, Decode, Recipe};

use crate::logical::{Bound, Input, Reads};

/// The format that carries bytes as they are, unchecked.
pub(crate) const UNCHECKED: &str = "raw";

/// Makes columns of the bytes that reach it. What of them is read in the end is found when columns are pruned.
pub(crate) fn bound(format: recipe::Format, output: Input) -> Bound {
    let recipe = Recipe::Decode(Decode { format });
    Bound {
        suffix: ".decode",
        recipe,
        reads: Reads::default().and(&[columns::RAW]),
        output,
        key_by: None,
    }
}

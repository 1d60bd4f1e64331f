//! The hash of a key's canonical bytes: 64 bits, folded multiplications, two words at a time.
//!
//! ```text
//!   fold(a, b)  = low(a*b) xor high(a*b)               (64 x 64 -> 128 bits)
//!   h           = fold(SEED xor length, A)
//!   each 16     : h = fold(word0 xor B, word1 xor h)   (words are little-endian; the last 16 are padded with zeros)
//!   end         : fold(h xor C, length xor D)
//! ```
//! No bytes: no round. The constants are odd and have as many ones as zeros, more or less;
//! nothing depends on where they come from.

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const A: u64 = 0xc13f_a9a9_02a6_328f;
const B: u64 = 0x91e1_0da5_c79e_7b1d;
const C: u64 = 0xd1b5_4a32_d192_ed03;
const D: u64 = 0xabc9_8388_fb8f_ac03;

/// The hash of `bytes`.
#[must_use]
#[inline]
pub fn hash(bytes: &[u8]) -> u64 {
    let length = bytes.len() as u64;
    let mut state = fold(SEED ^ length, A);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        state = fold(word(&block[..8]) ^ B, word(&block[8..]) ^ state);
    }
    let rest = blocks.remainder();
    if !rest.is_empty() {
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        state = fold(word(&last[..8]) ^ B, word(&last[8..]) ^ state);
    }
    fold(state ^ C, length ^ D)
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("words are cut eight bytes long"))
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves of a product are what is folded"
)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

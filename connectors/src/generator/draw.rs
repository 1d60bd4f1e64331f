//! Random draws that are a pure function of (seed, stream, index), and the distributions over them.
//!
//! Golden vectors pin every byte that follows from this file: the sequence of floating-point operations is a part of the contract.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a generator of random bits narrows and widens on purpose"
)]

/// The increment of SplitMix64, the odd number next to 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// Letters for five random bits each; six letters are twice as likely.
const LETTERS: &[u8; 32] = b"aabcdeefghiijklmnnopqrrstuvvwxyz";

/// Scrambles all bits of a word, one to one.
pub(super) fn scramble(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The draws of one event, in order.
#[derive(Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// The draws of event `index`; `stream` keeps draws for different purposes apart.
    pub(super) fn new(seed: u64, stream: u64, index: u64) -> Self {
        let place = stream.wrapping_mul(0xa076_1d64_78bd_642f) ^ scramble(index.wrapping_add(GOLDEN));
        Self(scramble(seed ^ scramble(place)))
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        scramble(self.0)
    }

    /// A number from 0 up to and without `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from 0 up to and without 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// One of a few.
    pub(super) fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Appends `count` lower-case letters, twelve from each draw.
    pub(super) fn letters(&mut self, out: &mut Vec<u8>, count: usize) {
        let mut left = count;
        while left > 0 {
            let mut bits = self.bits();
            let mut dozen = [0; 12];
            for letter in &mut dozen {
                *letter = LETTERS[(bits & 31) as usize];
                bits >>= 5;
            }
            let taken = left.min(dozen.len());
            out.extend_from_slice(&dozen[..taken]);
            left -= taken;
        }
    }
}

/// Ranks 1 to `count`, of which rank k is drawn in proportion to k^-exponent.
///
/// Rejection-inversion after W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from monotone
/// discrete distributions", ACM TOMACS 6(3), 1996: constant time whatever the number of ranks.
#[derive(Debug)]
pub(super) struct Zipf {
    count: f64,
    exponent: f64,
    low: f64,
    high: f64,
    squeeze: f64,
}

impl Zipf {
    /// The distribution over ranks 1 to `count`.
    pub(super) fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            count: count as f64,
            exponent,
            low: 0.0,
            high: 0.0,
            squeeze: 0.0,
        };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.count + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    fn density(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of the density up to `x`, up to a constant; the series keeps exponents near 1 exact.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        let scaled = log * (1.0 - self.exponent);
        let ratio = if scaled.abs() > 1e-8 {
            scaled.exp_m1() / scaled
        } else {
            1.0 + scaled / 2.0 * (1.0 + scaled / 3.0)
        };
        log * ratio
    }

    fn inverse(&self, area: f64) -> f64 {
        // Rounding may step over the pole at -1.
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        let ratio = if scaled.abs() > 1e-8 {
            scaled.ln_1p() / scaled
        } else {
            1.0 - scaled / 2.0 + scaled * scaled / 3.0
        };
        (ratio * area).exp()
    }

    /// Draws a rank, from 1.
    pub(super) fn rank(&self, draw: &mut Draw) -> u64 {
        loop {
            let area = self.high + draw.unit() * (self.low - self.high);
            let x = self.inverse(area);
            let rank = (x + 0.5).floor().clamp(1.0, self.count);
            if rank - x <= self.squeeze || area >= self.integral(rank + 0.5) - self.density(rank) {
                return rank as u64;
            }
        }
    }
}

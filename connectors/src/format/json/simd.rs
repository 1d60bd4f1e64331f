//! The vector instructions of the JSON scanner, and the one place of this crate that is `unsafe`: everything else is built on these few functions.
//!
//! Each has a plain form for processors without AVX2 and PCLMUL, and a test that both say the same.
#![expect(
    unsafe_code,
    reason = "vector loads and views over checked text; each block says why it is sound"
)]

use arrow::array::StringViewArray;
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

/// How many bytes are looked at in one go.
pub(super) const BLOCK: usize = 64;

/// Of 64 bytes, which are what: bit i says it of byte i.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masks {
    /// Double quotes.
    pub(super) quote: u64,
    /// Backslashes.
    pub(super) backslash: u64,
    /// `{ } [ ] : ,`
    pub(super) operator: u64,
    /// Space, tab, line feed, carriage return.
    pub(super) space: u64,
    /// Below 0x20; the white space among them too.
    pub(super) control: u64,
    /// Above 0x7f.
    pub(super) high: u64,
}

/// Classifies 64 bytes.
#[inline]
pub(super) fn classify(block: &[u8; BLOCK]) -> Masks {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        // SAFETY: this is compiled only where the target has AVX2.
        unsafe { vector::classify(block) }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    plain::classify(block)
}

/// Bit i of the result is the parity of the bits 0..=i: set from each opening quote up to, but not with, its closing one.
#[inline]
pub(super) fn parity(bits: u64) -> u64 {
    #[cfg(all(target_arch = "x86_64", target_feature = "pclmulqdq"))]
    {
        // SAFETY: this is compiled only where the target has PCLMUL.
        unsafe { vector::parity(bits) }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "pclmulqdq")))]
    plain::parity(bits)
}

/// Which of 32 bytes are decimal digits.
#[inline]
pub(super) fn digits(text: &[u8; 32]) -> u32 {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        // SAFETY: this is compiled only where the target has AVX2.
        unsafe { vector::digits(text) }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    plain::digits(text)
}

/// An array of views into these buffers.
///
/// Each view must be of text that was checked to be UTF-8 and lies in its buffer; debug builds check it again.
pub(in crate::format) fn views(views: Vec<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> StringViewArray {
    let views = ScalarBuffer::from(views);
    if cfg!(debug_assertions) {
        return StringViewArray::try_new(views, buffers, nulls).expect("the caller made views of checked text");
    }
    // SAFETY: the caller made each view of text within `buffers` that the scanner found to be UTF-8 and cut at quotes,
    // which are ASCII; the checks of `try_new` would read every string a second time.
    unsafe { StringViewArray::new_unchecked(views, buffers, nulls) }
}

#[cfg(target_arch = "x86_64")]
#[cfg(any(target_feature = "avx2", target_feature = "pclmulqdq"))]
mod vector {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_add_epi8,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_setr_epi8, _mm256_shuffle_epi8,
    };

    use super::{BLOCK, Masks};

    /// Loads 32 bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: the load has no alignment and reads the 32 bytes of the array, no more.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// One bit of each byte.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn bits(low: __m256i, high: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(low).cast_unsigned();
        let high = _mm256_movemask_epi8(high).cast_unsigned();
        u64::from(low) | (u64::from(high) << 32)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn classify(block: &[u8; BLOCK]) -> Masks {
        let (low, high) = block.split_at(32);
        let low = load(low.first_chunk().expect("half of a block"));
        let high = load(high.first_chunk().expect("half of a block"));
        let equal = |byte: u8| {
            let wanted = _mm256_set1_epi8(byte.cast_signed());
            bits(_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted))
        };
        // A byte is white space or an operator when the table has it at the place of its low half. Bytes above 0x7f find 0
        // there, which they are not; no byte but 0 is 0, and that one finds 32.
        #[rustfmt::skip]
        let spaces = _mm256_setr_epi8(
            32, 0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 0, 0, 13, 0, 0,
            32, 0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 0, 0, 13, 0, 0,
        );
        // `[` and `]` become `{` and `}` by 0x20; `,` and `:` have it already. Two control characters become `,` and `:` too.
        #[rustfmt::skip]
        let operators = _mm256_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 123, 44, 125, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 123, 44, 125, 0, 0,
        );
        let case = _mm256_set1_epi8(0x20);
        let space = |bytes| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, bytes), bytes);
        let operator = |bytes| {
            let bytes = _mm256_or_si256(bytes, case);
            _mm256_cmpeq_epi8(_mm256_shuffle_epi8(operators, bytes), bytes)
        };
        let last = _mm256_set1_epi8(0x1f);
        let control = |bytes| _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, last), bytes);
        let control = bits(control(low), control(high));
        Masks {
            quote: equal(b'"'),
            backslash: equal(b'\\'),
            operator: bits(operator(low), operator(high)) & !control,
            space: bits(space(low), space(high)),
            control,
            high: bits(low, high),
        }
    }

    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    pub(super) fn parity(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn digits(text: &[u8; 32]) -> u32 {
        // '0'..='9' become 0..=9, everything else is more.
        let value = _mm256_add_epi8(load(text), _mm256_set1_epi8(-0x30));
        let digit = _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value);
        _mm256_movemask_epi8(digit).cast_unsigned()
    }
}

#[cfg(any(
    test,
    not(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "pclmulqdq"))
))]
#[cfg_attr(not(test), expect(dead_code, reason = "a processor may have one of the two"))]
mod plain {
    use super::{BLOCK, Masks};

    pub(super) fn classify(block: &[u8; BLOCK]) -> Masks {
        let mask = |is: fn(u8) -> bool| (0..BLOCK).fold(0, |bits, at| bits | (u64::from(is(block[at])) << at));
        Masks {
            quote: mask(|byte| byte == b'"'),
            backslash: mask(|byte| byte == b'\\'),
            operator: mask(|byte| matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',')),
            space: mask(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')),
            control: mask(|byte| byte < 0x20),
            high: mask(|byte| byte > 0x7f),
        }
    }

    pub(super) fn parity(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }

    pub(super) fn digits(text: &[u8; 32]) -> u32 {
        (0..32).fold(0, |bits, at| bits | (u32::from(text[at].is_ascii_digit()) << at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_plain_code_classify_every_byte_alike() {
        for byte in 0..=255_u8 {
            for place in [0, 1, 31, 32, 63] {
                let mut block = [b'a'; BLOCK];
                block[place] = byte;
                assert_eq!(classify(&block), plain::classify(&block), "byte {byte} at {place}");
            }
            let mut text = [b'x'; 32];
            text[7] = byte;
            assert_eq!(digits(&text), plain::digits(&text), "byte {byte}");
        }
    }

    #[test]
    fn parity_is_set_between_quotes() {
        assert_eq!(parity(0b10010), 0b01110);
        let mut bits = 1_u64;
        for _ in 0..1000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            assert_eq!(parity(bits), plain::parity(bits));
        }
    }
}

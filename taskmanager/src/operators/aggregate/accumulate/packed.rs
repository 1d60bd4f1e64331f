//! Numbers in few bytes: most counts and sums are small.

/// Appends a whole number, seven bits a byte, small ones of either sign in few.
pub(in super::super) fn put_int(value: i128, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 127)).cast_unsigned();
    loop {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Takes one from the front.
pub(in super::super) fn take_int(bytes: &mut &[u8]) -> Option<i128> {
    let mut value = 0_u128;
    for shift in (0..128).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u128::from(first & 0x7f);
        let shifted = part << shift;
        if shifted >> shift != part {
            return None;
        }
        value |= shifted;
        if first & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// Appends a count.
pub(in super::super) fn put_count(value: u64, out: &mut Vec<u8>) {
    put_int(i128::from(value), out);
}

/// Takes one.
pub(in super::super) fn take_count(bytes: &mut &[u8]) -> Option<u64> {
    u64::try_from(take_int(bytes)?).ok()
}

/// Appends a float, exactly.
pub(in super::super) fn put_float(value: f64, out: &mut Vec<u8>) {
    out.extend(value.to_bits().to_le_bytes());
}

/// Takes one.
pub(in super::super) fn take_float(bytes: &mut &[u8]) -> Option<f64> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(f64::from_bits(u64::from_le_bytes(*first)))
}

/// Appends bytes of any length.
pub(in super::super) fn put_bytes(value: &[u8], out: &mut Vec<u8>) {
    put_count(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Takes some.
pub(in super::super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_count(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Appends whether there is a value.
#[expect(clippy::fn_params_excessive_bools, reason = "it writes one")]
pub(in super::super) fn put_there(there: bool, out: &mut Vec<u8>) {
    out.push(u8::from(there));
}

/// Takes it.
pub(in super::super) fn take_there(bytes: &mut &[u8]) -> Option<bool> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    match first {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_take_few_bytes_and_no_number_too_many() {
        for (value, length) in [
            (0, 1),
            (-1, 1),
            (63, 1),
            (64, 2),
            (i128::from(i64::MAX), 10),
            (i128::MAX, 19),
            (i128::MIN, 19),
        ] {
            let mut out = Vec::new();
            put_int(value, &mut out);
            assert_eq!(out.len(), length, "{value}");
            assert_eq!(take_int(&mut &out[..]), Some(value));
        }
        assert_eq!(take_int(&mut &[0xff; 40][..]), None);
        assert_eq!(take_count(&mut &[1][..]), None, "a count is not negative");
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<i128>(), 0..10)) {
            let mut out = Vec::new();
            values.iter().for_each(|value| put_int(*value, &mut out));
            let mut rest = &out[..];
            let back: Vec<i128> = values.iter().map(|_| take_int(&mut rest).unwrap()).collect();
            prop_assert_eq!(back, values);
            prop_assert!(rest.is_empty());
        }
    }
}

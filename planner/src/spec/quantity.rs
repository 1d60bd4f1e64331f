//! How durations and amounts of bytes are written: `1m30s`, `64KiB`.

use std::time::Duration;

/// The longest duration a document may ask for: a hundred years, so that sums of instants never overflow.
const MILLIS_MAX: u64 = 100 * 366 * 24 * 3_600_000;

/// Reads `250ms`, `5s`, `1m30s`, `24h`, `90d`: whole numbers with units, from large to small.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let (mut rest, mut millis, mut last) = (text, 0_u64, None);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let unit_end = rest[digits..].find(|character: char| character.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let count = rest[..digits].parse::<u64>().ok()?;
        let unit = UNITS.iter().position(|(unit, _)| *unit == &rest[digits..unit_end])?;
        if last.is_some_and(|last| last >= unit) {
            return None;
        }
        millis = millis.checked_add(count.checked_mul(UNITS[unit].1)?)?;
        last = Some(unit);
        rest = &rest[unit_end..];
    }
    (last.is_some() && millis <= MILLIS_MAX).then(|| Duration::from_millis(millis))
}

/// Reads `64KiB`, `4GiB`, `128MB`, `512B`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let unit = text[digits..].trim_start();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let total = text[..digits].parse::<u64>().ok()?.checked_mul(*factor)?;
    i64::try_from(total).is_ok().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units_from_large_to_small() {
        for (text, millis) in [("5s", 5_000), ("1m30s", 90_000), ("250ms", 250), ("24h", 86_400_000), ("1d1ms", 86_400_001), ("0s", 0)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "5 s", "1.5s", "-1s", "1s1m", "1s1s", "99999999999d", "18446744073709551616s", "5sec", "é"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_of_bytes_have_units() {
        for (text, expected) in [("64KiB", 65_536), ("4GiB", 4 << 30), ("128MB", 128_000_000), ("512 B", 512)] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "5", "GiB", "4Gib", "4G", "1.5GiB", "-1B", "99999999999TiB", "é"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}

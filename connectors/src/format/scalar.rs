//! Scalars as text: numbers, decimals, dates and instants, as JSON strings, CSV fields and messages write them.

use chrono::{DateTime, NaiveDate};

/// The text of a whole number, if it fits.
#[inline]
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (digits, is_negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 digits are below 2^64.
        value = value * 10 + u64::from(digit);
    }
    if is_negative {
        0_i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// The number that is nearest to this text; none if it is too great.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    if let Some(value) = short_double(text) {
        return Some(value);
    }
    std::str::from_utf8(text)
        .ok()?
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

/// A number of few digits without an exponent: both the digits and the power of ten are exact, so their quotient is the
/// nearest number.
fn short_double(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    // 15 digits and a point: below 2^53.
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut value, mut places) = (0_u64, None);
    for byte in digits {
        match (byte, places) {
            (b'0'..=b'9', _) => {
                value = value * 10 + u64::from(byte - b'0');
                places = places.map(|places: usize| places + 1);
            }
            (b'.', None) => places = Some(0),
            _ => return None,
        }
    }
    if places.is_none() && digits.len() > 15 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 15 digits, which a double holds exactly"
    )]
    let value = value as f64 / POWERS[places.unwrap_or(0)];
    Some(if digits.len() < text.len() { -value } else { value })
}

/// The decimal of exactly this text, as an integer of `scale` places; none if it has more digits than there is room for.
pub(super) fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (text, is_negative) = match text {
        [b'-', rest @ ..] => (rest, true),
        rest => (rest, false),
    };
    let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i64>()),
        None => (text, Ok(0)),
    };
    let point = digits.iter().position(|byte| *byte == b'.');
    let places = point.map_or(0, |at| digits.len() - at - 1);
    let mut value = 0_i128;
    // Zeros at the end are held back: `1.500` fits in two places.
    let mut zeros = 0_i64;
    let mut is_number = false;
    for byte in digits.iter().filter(|byte| **byte != b'.') {
        is_number = true;
        match byte {
            b'0' => zeros += 1,
            b'1'..=b'9' => {
                value = shifted(value, zeros + 1)?.checked_add(i128::from(byte - b'0'))?;
                zeros = 0;
            }
            _ => return None,
        }
    }
    if !is_number || digits.iter().filter(|byte| **byte == b'.').count() > 1 {
        return None;
    }
    if value == 0 {
        return Some(0);
    }
    let shift = i64::try_from(places).ok().and_then(|places| {
        i64::from(scale)
            .checked_add(exponent.ok()?)?
            .checked_add(zeros)?
            .checked_sub(places)
    })?;
    let value = shifted(value, shift)?;
    (value < 10_i128.checked_pow(u32::from(precision))?).then_some(if is_negative { -value } else { value })
}

/// `value` with so many zeros more.
fn shifted(value: i128, zeros: i64) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)
}

/// The day of `YYYY-MM-DD`, counted from 1970.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else {
        return None;
    };
    let day = NaiveDate::from_ymd_opt(
        i32::try_from(number(&[*y0, *y1, *y2, *y3])?).ok()?,
        number(&[*m0, *m1])?,
        number(&[*d0, *d1])?,
    )?;
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// The instant of an RFC 3339 text, in milliseconds since 1970; what is finer is cut off.
pub(super) fn instant(text: &[u8]) -> Option<i64> {
    if let Some(instant) = plain_instant(text) {
        return Some(instant);
    }
    DateTime::parse_from_rfc3339(std::str::from_utf8(text).ok()?)
        .ok()
        .map(|instant| instant.timestamp_millis())
}

/// The form that nearly all have, `2026-01-31T12:30:00.250Z`, without the general parser.
fn plain_instant(text: &[u8]) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let [b'T', h0, h1, b':', m0, m1, b':', s0, s1, rest @ ..] = time else {
        return None;
    };
    let (hour, minute, second) = (number(&[*h0, *h1])?, number(&[*m0, *m1])?, number(&[*s0, *s1])?);
    let millis = match rest {
        [b'Z'] => 0,
        [b'.', digits @ .., b'Z'] if digits.len() == 3 => number(digits)?,
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(date(day)?) * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * 1000 + i64::from(millis))
}

/// A few digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'))
    })
}

/// Writes a decimal: its text with all its places.
pub(super) fn write_decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let scale = usize::from(scale.unsigned_abs());
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    if value < 0 {
        out.push(b'-');
    }
    let (whole, places) = digits.split_at(digits.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    if scale > 0 {
        out.push(b'.');
        out.extend_from_slice(places.as_bytes());
    }
}

/// Writes a day as `YYYY-MM-DD`; false if the calendar does not reach there.
pub(super) fn write_date(days: i32, out: &mut Vec<u8>) -> bool {
    let day =
        chrono::TimeDelta::try_days(i64::from(days)).and_then(|days| NaiveDate::default().checked_add_signed(days));
    // Years of other than four digits could not be read again.
    let Some(day) = day.filter(|day| (0..10_000).contains(&chrono::Datelike::year(day))) else {
        return false;
    };
    out.extend_from_slice(day.format("%Y-%m-%d").to_string().as_bytes());
    true
}

/// So much of a text as a message can take.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_to_their_limits() {
        for value in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }
        for text in [
            "",
            "-",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "1.5",
            "1e3",
            "+1",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0.000", Some(0)),
            ("12.34", Some(1234)),
            ("12.3400", Some(1234)),
            ("-0.01", Some(-1)),
            ("1e2", Some(10000)),
            ("1200e-3", Some(120)),
            ("999.99", Some(99_999)),
            ("0e99999999999999999999", Some(0)),
            ("1000", None),
            ("0.001", None),
            ("1e99", None),
            ("1e-99", None),
            ("1e99999999999999999999", None),
            ("", None),
            ("1.2.3", None),
            ("abc", None),
        ] {
            assert_eq!(decimal(text.as_bytes(), 5, 2), value, "{text}");
        }
        let long = "9".repeat(38);
        assert_eq!(decimal(long.as_bytes(), 38, 0), long.parse().ok());
    }

    #[test]
    fn instants_and_days_are_read() {
        assert_eq!(instant(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(instant(b"2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(instant(b"2023-11-14T23:13:20.123456+01:00"), Some(1_700_000_000_123));
        assert_eq!(instant(b"1969-12-31T23:59:59.999Z"), Some(-1));
        for text in [
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-02-30T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "",
            "x",
        ] {
            assert_eq!(instant(text.as_bytes()), None, "{text}");
        }
        assert_eq!(date(b"1970-01-02"), Some(1));
        assert_eq!(date(b"1970-1-2"), None);
        assert_eq!(date(b"2023-02-29"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in [0, 5, -5, 12_345, -99_999] {
            let mut out = Vec::new();
            write_decimal(value, 3, &mut out);
            assert_eq!(decimal(&out, 8, 3), Some(value), "{}", String::from_utf8_lossy(&out));
        }
        for days in [0, -1, 19_000, -700_000] {
            let mut out = Vec::new();
            assert!(write_date(days, &mut out));
            assert_eq!(date(&out), Some(days));
        }
        assert!(!write_date(i32::MAX, &mut Vec::new()));
    }
}

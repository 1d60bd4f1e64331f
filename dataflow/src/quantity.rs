//! Quantities as people write them: `128MiB`, `500ms`, `1h30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A number of bytes, written with its unit: `512B`, `64KiB`, `128MiB`, `4GiB`, or by thousands as `10MB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ByteCount(pub u64);

/// A length of time, written with its units, largest first: `500ms`, `5s`, `1m`, `1h30m`, `90d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Span(pub Duration);

/// A point in time, written as RFC 3339: `2026-01-31T12:00:00Z`. Milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl FromStr for Time {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(chrono::DateTime::parse_from_rfc3339(text)?.timestamp_millis()))
    }
}

/// From the largest to the smallest, so that a count is printed in the largest unit that divides it.
const BYTE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// In milliseconds, the smallest step of time that a document can name; from the largest to the smallest.
const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is no number of bytes.
    #[error("`{0}` is not a size: it is written as a number with its unit, such as `64KiB` or `128MiB`")]
    ByteCount(String),
    /// It is no length of time.
    #[error(
        "`{0}` is not a length of time: it is written as a number with its unit, such as `500ms`, `5s`, `1m` or `24h`"
    )]
    Span(String),
}

/// The digits at the beginning, and what stands behind them.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The letters at the beginning, and what stands behind them.
fn unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}

fn factor(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|(unit, _)| *unit == name).map(|(_, factor)| *factor)
}

fn bytes(text: &str) -> Option<u64> {
    let (count, name) = number(text)?;
    count.checked_mul(factor(&BYTE_UNITS, name)?)
}

fn milliseconds(text: &str) -> Option<u64> {
    let (mut rest, mut total, mut smallest) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let (count, after) = number(rest)?;
        let (name, after) = unit(after);
        let factor = factor(&TIME_UNITS, name)?;
        if factor >= smallest {
            return None;
        }
        total = total.checked_add(count.checked_mul(factor)?)?;
        (rest, smallest) = (after, factor);
    }
    (smallest < u64::MAX).then_some(total)
}

impl ByteCount {
    /// As a length in memory.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteCount {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        bytes(text).map(Self).ok_or_else(|| Invalid::ByteCount(text.to_owned()))
    }
}

impl FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let milliseconds = milliseconds(text).ok_or_else(|| Invalid::Span(text.to_owned()))?;
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        let (unit, factor) = BYTE_UNITS.iter().find(divides).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in TIME_UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

/// The text form both ways, and what an editor is told of it.
macro_rules! written_as_text {
    ($type:ident, $pattern:literal, $description:literal) => {
        impl From<$type> for String {
            fn from(quantity: $type) -> Self {
                quantity.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

written_as_text!(
    ByteCount,
    "^[0-9]+(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$",
    "A number of bytes with its unit, such as `64KiB` or `128MiB`."
);
written_as_text!(
    Span,
    "^(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?$",
    "A length of time with its unit, such as `500ms`, `5s`, `1m` or `1h30m`."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_in_their_largest_unit() {
        for (text, count) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("128MiB", 128 << 20),
            ("4GiB", 4 << 30),
            ("10MB", 10_000_000),
        ] {
            let size: ByteCount = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (count, text));
        }
        assert_eq!("2048KiB".parse::<ByteCount>().unwrap().to_string(), "2MiB");
    }

    #[test]
    fn spans_are_read_and_written_in_their_largest_units() {
        for (text, milliseconds) in [
            ("0s", 0),
            ("500ms", 500),
            ("5s", 5_000),
            ("1m", 60_000),
            ("1h30m", 5_400_000),
            ("90d", 7_776_000_000),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0.as_millis(), span.to_string().as_str()), (milliseconds, text));
        }
        assert_eq!("1500ms".parse::<Span>().unwrap().to_string(), "1s500ms");
        assert_eq!("24h".parse::<Span>().unwrap().to_string(), "1d");
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            "12",
            "MiB",
            "1.5GiB",
            "-1B",
            " 1B",
            "1 B",
            "1mib",
            "99999999999TiB",
            "१B",
        ] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "1M",
            "1s1s",
            "1s1m",
            "-1s",
            "1.5s",
            "1 s",
            "999999999999999999999d",
            "1w",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}

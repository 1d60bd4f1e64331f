//! The context of a trace, in the one form that everybody reads: W3C Trace Context, version 00.

use std::fmt;
use std::str::FromStr;

/// Which trace, and which span of it asks: `00-<32 hex>-<16 hex>-<flags>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: u128,
    /// The span.
    pub span: u64,
    /// Whether somebody keeps it.
    pub sampled: Sampled,
}

/// Whether spans of a trace are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// What is no traceparent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl Context {
    /// The beginning of a new trace.
    #[must_use]
    pub fn begin() -> Self {
        let (trace, span) = (uuid::Uuid::new_v4().as_u128(), uuid::Uuid::new_v4().as_u64_pair().1);
        Self {
            trace,
            // An id of zero is none; the version of a UUID lies in the other half.
            span: span.max(1),
            sampled: Sampled::Yes,
        }
    }
}

impl FromStr for Context {
    type Err = Garbled;

    /// Whatever does not fit is no context: who sends it is not refused for it.
    fn from_str(text: &str) -> Result<Self, Garbled> {
        let fits = text.len() >= 55 && text.len() <= 512 && text.is_ascii();
        let mut parts = text.split('-');
        let (Some(version), Some(trace), Some(span), Some(flags), true) =
            (parts.next(), parts.next(), parts.next(), parts.next(), fits)
        else {
            return Err(Garbled);
        };
        let of_version_00 = text.len() == 55;
        let known = version.len() == 2 && version != "ff" && (version != "00" || of_version_00);
        let sized = trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        let lower = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !known || !sized || ![version, trace, span, flags].into_iter().all(lower) {
            return Err(Garbled);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_number| Garbled)?;
        let span = u64::from_str_radix(span, 16).map_err(|_number| Garbled)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_number| Garbled)?;
        if trace == 0 || span == 0 {
            return Err(Garbled);
        }
        Ok(Self {
            trace,
            span,
            sampled: if flags & 1 == 1 { Sampled::Yes } else { Sampled::No },
        })
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, sampled } = self;
        let flags = u8::from(*sampled == Sampled::Yes);
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_read_as_w3c_writes_it() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context: Context = text.parse().unwrap();
        assert_eq!((context.to_string(), context.sampled), (text.to_owned(), Sampled::Yes));
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what-comes";
        assert_eq!(later.parse::<Context>().map(|context| context.sampled), Ok(Sampled::No));
        let own = Context::begin();
        assert_eq!(own.to_string().parse(), Ok(own));
        assert_ne!(own.trace, Context::begin().trace);
    }

    #[test]
    fn what_is_not_one_is_none() {
        for garbled in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c8031-9cb7ad6b71692033-31-01",
            "00-0äf7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert_eq!(garbled.parse::<Context>(), Err(Garbled), "{garbled}");
        }
    }
}

//! A path names a field of a record: a column, and fields inside it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One or more field names, outermost first; case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Path(Vec<String>);

impl Path {
    /// A path of these parts.
    ///
    /// # Errors
    /// No parts, or an empty one.
    pub fn new(parts: Vec<String>) -> Result<Self, InvalidPath> {
        if parts.is_empty() || parts.iter().any(String::is_empty) {
            return Err(InvalidPath(parts.join(".")));
        }
        Ok(Self(parts))
    }

    /// The names, outermost first; never empty.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// The column it begins with.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.0[0]
    }
}

impl fmt::Display for Path {
    /// Parts that are not plain words stand in double quotes, as in SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '@');
            if part.chars().all(plain) {
                f.write_str(part)?;
            } else {
                write!(f, "\"{}\"", part.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = InvalidPath;

    /// Reads `a.b.c`; a part in double quotes may hold anything, a doubled quote stands for one.
    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = part(rest).ok_or_else(|| InvalidPath(text.to_owned()))?;
            parts.push(part);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Self::new(parts),
                None => return Err(InvalidPath(text.to_owned())),
            }
        }
    }
}

/// One part and what stands behind it.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['.', '"']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, rest)),
        }
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for Path {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        text.parse()
    }
}

/// Text that is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path: it is written `field` or `field.inner.innermost`")]
pub struct InvalidPath(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_written() {
        for (text, parts) in [
            ("eventType", vec!["eventType"]),
            ("payload.total", vec!["payload", "total"]),
            (r#"a."b.c"."d""e""#, vec!["a", "b.c", "d\"e"]),
        ] {
            let path: Path = text.parse().unwrap();
            assert_eq!(path.parts(), parts);
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "\"a", "a\"b\""] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }
}

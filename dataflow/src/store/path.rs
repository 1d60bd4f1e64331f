//! Which paths a store takes: relative, `/`-separated, and never out of the store.

use super::Error;

/// The longest path, the limit of S3 for a key.
const LENGTH_MAX: usize = 1_024;

/// Checks the path of an object.
///
/// # Errors
/// A path that is empty, absolute, too long, or has parts that are empty, `.`, `..`, or hold what no store can name.
pub(super) fn object(url: &str, path: &str) -> Result<(), Error> {
    let refused = |reason: &str| Error::Refused {
        url: format!("{url}/{path}"),
        reason: reason.to_owned(),
    };
    if path.len() > LENGTH_MAX {
        return Err(refused("the path is longer than 1024 bytes"));
    }
    if path.bytes().any(|byte| byte < b' ' || byte == b'\\' || byte == 0x7f) {
        return Err(refused("a path holds no control characters and no backslash"));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refused("a path is relative, and no part of it is empty, `.` or `..`"));
    }
    Ok(())
}

/// Checks the prefix of a list: a path, or empty for everything. A slash at its end says nothing.
///
/// # Errors
/// As for [`object`].
pub(super) fn prefix<'path>(url: &str, path: &'path str) -> Result<&'path str, Error> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if !path.is_empty() {
        object(url, path)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_store_are_taken() {
        for path in ["a", "a/b.txt", "date=2026-01-01/hour=03/x", "a..b", ".hidden", "ü"] {
            assert!(object("u", path).is_ok(), "{path}");
        }
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a\\b",
            "a\0b",
            "a\nb",
            &"x".repeat(2_000),
        ] {
            assert!(object("u", path).is_err(), "{path}");
        }
        assert_eq!(prefix("u", "").unwrap(), "");
        assert_eq!(prefix("u", "a/").unwrap(), "a");
        assert!(prefix("u", "a/../").is_err());
    }
}

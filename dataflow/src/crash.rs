//! Crash points: places in the way of a checkpoint where a test has a whole process die.
//!
//! `WEIR_DIE_AT` names a file. Who comes to a point that the file names takes the file away and dies there, as by `kill -9`:
//! nothing is flushed, nothing is dropped, nobody is told. So a test may load any process at any time, also one that it
//! has yet to start. Without the feature `testing` a point is nothing; with it and without the variable, one look at a
//! static. No point lies on the way of a batch.

/// Dies here, if that was asked for.
#[inline]
pub fn point(name: &str) {
    #[cfg(any(test, feature = "testing"))]
    loaded::pass(name);
    #[cfg(not(any(test, feature = "testing")))]
    let _ = name;
}

#[cfg(any(test, feature = "testing"))]
mod loaded {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;

    /// The variable that names the file.
    const VARIABLE: &str = "WEIR_DIE_AT";

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

    pub(super) fn pass(name: &str) {
        let file = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        if file.as_deref().is_some_and(|file| is_meant(file, name)) {
            std::process::abort();
        }
    }

    /// Whether the file names this point; only one who asks is told so.
    pub(super) fn is_meant(file: &Path, name: &str) -> bool {
        let named = fs::read_to_string(file).is_ok_and(|named| named.trim() == name);
        named && fs::remove_file(file).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::loaded::is_meant;

    #[test]
    fn a_point_is_meant_once_and_only_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("die-at");
        assert!(!is_meant(&file, "align.before"), "nobody asked");
        fs::write(&file, "align.before\n").unwrap();
        assert!(!is_meant(&file, "align.after"));
        assert!(is_meant(&file, "align.before"));
        assert!(!is_meant(&file, "align.before"));
    }
}

//! Crash points: places in the way of a checkpoint where a test has a whole process die.
//!
//! `WEIR_DIE_AT` names a file. Who comes to a point that the file names takes the file away and dies there, as by `kill -9`:
//! nothing is flushed, nothing is dropped, nobody is told. So a test may load any process at any time, also one that it
//! has yet to start. Without the feature `testing` a point is nothing; with it and without the variable, one look at a
//! static. No point lies on the way of a batch; [`loses`] does, and is one
//! look at a static there.

/// Dies here, if that was asked for.
#[inline]
pub fn point(name: &str) {
    #[cfg(any(test, feature = "testing"))]
    loaded::pass(name);
    #[cfg(not(any(test, feature = "testing")))]
    let _ = name;
}

/// Whether the next batch for this step is to vanish: `WEIR_LOSES` says `<step> <n>`, and every n-th one does. It shows that a
/// loss is seen. Nothing without the feature `testing`.
#[inline]
#[must_use]
pub fn loses(step: &str) -> bool {
    #[cfg(any(test, feature = "testing"))]
    return loaded::loses(step);
    #[cfg(not(any(test, feature = "testing")))]
    {
        let _ = step;
        false
    }
}

#[cfg(any(test, feature = "testing"))]
mod loaded {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The variable that names the file.
    const VARIABLE: &str = "WEIR_DIE_AT";

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

    static LOSES: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static BATCHES: AtomicU64 = AtomicU64::new(0);

    /// The variable that names the step, and which of its batches.
    const LOSS: &str = "WEIR_LOSES";

    pub(super) fn loses(step: &str) -> bool {
        let loses = LOSES.get_or_init(|| {
            let text = std::env::var_os(LOSS)?;
            let (step, every) = text.to_str()?.split_once(' ')?;
            Some((step.to_owned(), every.parse().ok()?))
        });
        match loses {
            Some((named, every)) if named == step => {
                let batch = BATCHES.fetch_add(1, Ordering::Relaxed) + 1;
                batch.is_multiple_of(*every)
            }
            _ => false,
        }
    }

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

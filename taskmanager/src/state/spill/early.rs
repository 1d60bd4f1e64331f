//! What was cut before a barrier, for want of memory: a file that waits on this machine until the barrier comes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use dataflow::Failure;

use super::super::Cut;
use super::super::format::Head;
use super::super::keeper::file;

/// A cut in a file of this machine, which goes with it.
#[derive(Debug)]
pub(crate) struct Early {
    path: PathBuf,
    head: Head,
    encoded: Vec<u8>,
}

impl Early {
    /// Writes it. It is not synced: what a crash of the machine leaves of it is not read again.
    pub(super) fn write(cut: Cut, path: PathBuf) -> Result<Self, Failure> {
        let (head, encoded, blocks) = file(cut);
        let write = || {
            let mut out = BufWriter::new(File::create(&path)?);
            out.write_all(&encoded)?;
            blocks.iter().try_for_each(|block| out.write_all(block))?;
            out.flush()
        };
        match write() {
            Ok(()) => Ok(Self { path, head, encoded }),
            Err(error) => Err(Failure::retry(format!("state cannot be spilled to {}", path.display()))
                .because(&error)
                .help("free some space there, or name another folder with `--state-dir`")),
        }
    }

    /// Where it is.
    pub(in crate::state) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything in it as one stream of entries.
    #[cfg(test)]
    pub(in crate::state) fn stream(&self) -> Vec<u8> {
        let whole = std::fs::read(&self.path).unwrap();
        let mut stream = Vec::new();
        for cleared in &self.head.cleared {
            super::super::format::write_cleared(&mut stream, *cleared);
        }
        stream.extend_from_slice(&whole[self.encoded.len()..]);
        stream
    }

    /// Its head, and the bytes of that.
    pub(in crate::state) fn head(&self) -> (&Head, &[u8]) {
        (&self.head, &self.encoded)
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a spilled cut stays until its folder goes");
        }
    }
}

//! The lines of a file from its end to its beginning, with the places where they begin. Pure.

/// So many bytes are read at a time.
pub(super) const BLOCK: u64 = 1 << 20;

/// A line is not looked at beyond this: nothing that Weir writes is so long.
const LINE_MAX: usize = 16 << 20;

/// Goes through a file that ends at some place.
#[derive(Debug)]
pub(super) struct Back {
    /// Where what was not read yet ends.
    end: u64,
    /// The end of a line whose beginning was not read yet.
    rest: Vec<u8>,
}

impl Back {
    pub(super) fn from(end: u64) -> Self {
        Self { end, rest: Vec::new() }
    }

    /// Which bytes are wanted next; none at the beginning of the file.
    pub(super) fn wanted(&self) -> Option<std::ops::Range<u64>> {
        (self.end > 0).then(|| self.end.saturating_sub(BLOCK)..self.end)
    }

    /// The lines that these bytes complete, the last one first, each with its place. Empty ones are left out.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let start = self.end.saturating_sub(bytes.len() as u64);
        let mut all = bytes.to_vec();
        all.append(&mut self.rest);
        let mut lines = Vec::new();
        let mut end = all.len();
        while let Some(feed) = all[..end].iter().rposition(|byte| *byte == b'\n') {
            if feed + 1 < end {
                lines.push((start + feed as u64 + 1, all[feed + 1..end].to_vec()));
            }
            end = feed;
        }
        all.truncate(end);
        if start == 0 {
            if !all.is_empty() {
                lines.push((0, all));
            }
        } else if all.len() <= LINE_MAX {
            self.rest = all;
        }
        // A store may give fewer bytes than it was asked for where the file has shrunk: what is missing is passed over.
        self.end = start.min(self.wanted().map_or(0, |wanted| wanted.start));
        lines
    }
}

//! What happened in a world: always as one number, as lines only for whoever replays a seed.

/// The events of a run.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

/// Whether the lines are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Only the number.
    Hash,
    /// The lines too.
    Lines,
}

impl Trace {
    pub(super) fn new(telling: Telling) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: (telling == Telling::Lines).then(Vec::new),
        }
    }

    /// Something happened.
    pub(super) fn note(&mut self, now: u64, what: &str, details: &[u64]) {
        let numbers = std::iter::once(&now)
            .chain(details)
            .flat_map(|number| number.to_le_bytes());
        for byte in what.bytes().chain(numbers) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The same for people.
    pub(super) fn say(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12.3} ms  {}", now as f64 / 1000.0, line()));
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

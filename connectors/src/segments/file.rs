//! One file of a sink, from its first row to its committable.

use std::time::Duration;

use async_trait::async_trait;
use dataflow::Failure;
use dataflow::time::Clock;

use super::roll::Age;
use super::{OpenFile, Publish, Roll, Segment};

/// Writes one segment.
#[async_trait]
pub(crate) trait Writer: Send {
    /// The size of the segment so far, about.
    fn bytes(&self) -> u64;

    /// Makes the segment durable.
    ///
    /// # Errors
    /// When the store refuses.
    async fn seal(self) -> Result<Segment, Failure>;
}

/// A file that is being written.
pub(crate) struct File<W> {
    root: String,
    name: String,
    kind: String,
    segments: Vec<Segment>,
    age: Age,
    /// The segment that is being written, if any row came since the last was sealed.
    pub(crate) writer: Option<W>,
}

impl<W: Writer> File<W> {
    /// A file without rows.
    pub(crate) fn begin(root: &str, name: String, kind: &str, clock: &dyn Clock) -> Self {
        Self {
            root: root.to_owned(),
            name,
            kind: kind.to_owned(),
            segments: Vec::new(),
            age: Age::from(Duration::ZERO, clock),
            writer: None,
        }
    }

    /// A file that another attempt began.
    pub(crate) fn resume(file: OpenFile, clock: &dyn Clock) -> Self {
        let age = Age::from(Duration::from_millis(file.age_ms), clock);
        Self {
            root: file.root,
            name: file.name,
            kind: file.kind,
            segments: file.segments,
            age,
            writer: None,
        }
    }

    /// Whether nothing was sealed yet: the segment being written is its first.
    pub(crate) fn is_new(&self) -> bool {
        self.segments.is_empty()
    }

    fn bytes(&self) -> u64 {
        let sealed: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        sealed + self.writer.as_ref().map_or(0, Writer::bytes)
    }

    /// Whether it is finished.
    pub(crate) fn is_due(&self, roll: &Roll, clock: &dyn Clock) -> bool {
        roll.is_due(self.bytes(), self.age.get(clock))
    }

    /// Whether it has reached the size of a file.
    pub(crate) fn is_full(&self, roll: &Roll) -> bool {
        roll.is_due(self.bytes(), Duration::ZERO)
    }

    /// Makes durable what was written.
    pub(crate) async fn seal(&mut self) -> Result<(), Failure> {
        if let Some(writer) = self.writer.take() {
            self.segments.push(writer.seal().await?);
        }
        Ok(())
    }

    /// What the state says of it, once it is sealed.
    pub(crate) fn state(&self, clock: &dyn Clock) -> OpenFile {
        OpenFile {
            root: self.root.clone(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            segments: self.segments.clone(),
            age_ms: self.age.millis(clock),
        }
    }

    /// Seals and finishes it.
    pub(crate) async fn finish(mut self) -> Result<Publish, Failure> {
        self.seal().await?;
        Ok(Publish {
            root: self.root,
            name: self.name,
            segments: self.segments,
        })
    }
}

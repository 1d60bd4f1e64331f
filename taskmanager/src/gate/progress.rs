//! Event time over many channels: the minimum over those that are active. A pure machine.
//!
//! ```text
//!   Active(watermark) <── rows, watermark ── Idle        any ── end ──> Ended
//!          └────────────────  idle  ──────────^
//! ```

use dataflow::element::Watermark;

/// How far the channels of one gate have come in time.
#[derive(Clone, Debug)]
pub struct Progress {
    channels: Vec<Channel>,
    /// What was handed out last; never falls.
    passed: Option<Watermark>,
    /// `Idle` was handed out last.
    idle: bool,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    watermark: Option<Watermark>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Idle,
    Ended,
}

/// What a channel says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressEvent {
    /// Rows: it is active.
    Rows {
        /// Which channel.
        channel: usize,
    },
    /// A watermark: it is active.
    Watermark {
        /// Which channel.
        channel: usize,
        /// Its time.
        watermark: Watermark,
    },
    /// Nothing, until its next element.
    Idle {
        /// Which channel.
        channel: usize,
    },
    /// Nothing any more.
    End {
        /// Which channel.
        channel: usize,
    },
}

/// What follows for the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressAction {
    /// The minimum rose to here.
    Advance(Watermark),
    /// The last active channel became idle.
    Idle,
    /// Nothing.
    None,
}

impl Progress {
    /// The progress of so many channels: active, without a watermark.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        let channel = Channel {
            watermark: None,
            state: State::Active,
        };
        Self {
            channels: vec![channel; channels],
            passed: None,
            idle: false,
        }
    }

    /// Takes an event.
    pub fn on(&mut self, event: ProgressEvent) -> ProgressAction {
        match event {
            ProgressEvent::Rows { channel } => {
                self.channels[channel].state = State::Active;
                self.idle = false;
                // Being active again can only lower the minimum.
                return ProgressAction::None;
            }
            ProgressEvent::Watermark { channel, watermark } => {
                let channel = &mut self.channels[channel];
                channel.state = State::Active;
                channel.watermark = channel.watermark.max(Some(watermark));
                self.idle = false;
            }
            ProgressEvent::Idle { channel } => self.channels[channel].state = State::Idle,
            ProgressEvent::End { channel } => self.channels[channel].state = State::Ended,
        }
        self.settle()
    }

    fn settle(&mut self) -> ProgressAction {
        let active = || self.channels.iter().filter(|channel| channel.state == State::Active);
        if active().next().is_none() {
            let some_idle = self.channels.iter().any(|channel| channel.state == State::Idle);
            if some_idle && !std::mem::replace(&mut self.idle, true) {
                return ProgressAction::Idle;
            }
            return ProgressAction::None;
        }
        // `None`, which is below every watermark, stands for a channel that has said nothing yet.
        let minimum = active().map(|channel| channel.watermark).min().flatten();
        match minimum {
            Some(watermark) if self.passed < Some(watermark) => {
                self.passed = Some(watermark);
                ProgressAction::Advance(watermark)
            }
            Some(_) | None => ProgressAction::None,
        }
    }
}

//! What every kind of event has in common: it is a pure function of its index, and carries an event time.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "event time is whole milliseconds after the base; the fraction is dropped on purpose"
)]

use super::draw::Draw;
use super::keys::Keys;
use super::nexmark::Nexmark;
use super::options::{Kind, Options};
use super::shop::Shop;

/// The event time of the first event: 2023-11-14T22:13:20Z.
const BASE_MS: u64 = 1_700_000_000_000;

/// A stream of events, each a pure function of its index.
pub(super) trait Events: Send + Sync {
    /// Appends event `index`, without a line feed; false, with nothing appended, where this stream has no event of that index.
    fn write(&self, index: u64, out: &mut Vec<u8>) -> bool;

    /// How many events in a row go to one split before the next split has its turn.
    fn group(&self) -> u64;
}

/// The events that `options` ask for.
pub(super) fn events(options: &Options) -> Box<dyn Events> {
    match options.events {
        Kind::Shop => Box::new(Shop::new(options)),
        Kind::Nexmark => Box::new(Nexmark::new(options)),
        Kind::Keys => Box::new(Keys::new(options)),
    }
}

/// When events happen: at a steady rate, some of them out of order.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventTime {
    start_ms: u64,
    rate: f64,
    out_of_order_ms: u64,
}

impl EventTime {
    /// At so many a second, where the options do not say.
    pub(super) fn new(options: &Options, rate: f64) -> Self {
        Self {
            start_ms: options.start_ms.unwrap_or(BASE_MS),
            rate: options.rate.unwrap_or(rate),
            out_of_order_ms: options.out_of_order_ms,
        }
    }

    pub(super) fn out_of_order_ms(self) -> u64 {
        self.out_of_order_ms
    }

    /// The time of event `index`, in milliseconds since 1970, were it in order.
    pub(super) fn in_order(self, index: u64) -> u64 {
        self.start_ms
            .saturating_add(self.out_of_order_ms)
            .saturating_add((index as f64 * 1000.0 / self.rate) as u64)
    }

    /// The time of event `index`, one in ten of them behind; `stream` is that of the draws.
    pub(super) fn drawn(self, seed: u64, stream: u64, index: u64) -> u64 {
        let instant = self.in_order(index);
        if self.out_of_order_ms == 0 {
            return instant;
        }
        let mut draw = Draw::new(seed, stream, index);
        if draw.below(10) == 0 {
            instant - draw.below(self.out_of_order_ms)
        } else {
            instant
        }
    }

    /// How many milliseconds `events` events take.
    pub(super) fn span_of(self, events: f64) -> u64 {
        (events * 1000.0 / self.rate) as u64
    }
}

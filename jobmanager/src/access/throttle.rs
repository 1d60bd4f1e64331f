//! Slows down whoever guesses tokens. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use dataflow::time::Instant;

/// So many wrong tokens in a window are mistakes; more are guesses.
const MISTAKES: u32 = 20;
/// The window, and how long a guesser waits.
const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses are remembered; of more, the one that has been quiet for longest is forgotten.
const ADDRESSES_MAX: usize = 4_096;

/// Wrong tokens by the address that they came from.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: BTreeMap<IpAddr, (u32, Instant)>,
}

impl Throttle {
    /// How long this address has still to wait.
    pub(super) fn wait(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        let (count, first) = *self.failures.get(&address)?;
        let left = WINDOW.saturating_sub(now.since(first));
        if left.is_zero() {
            self.failures.remove(&address);
            return None;
        }
        (count >= MISTAKES).then_some(left)
    }

    /// A wrong token came from this address.
    pub(super) fn failed(&mut self, address: IpAddr, now: Instant) {
        if self.failures.len() >= ADDRESSES_MAX && !self.failures.contains_key(&address) {
            let oldest = self.failures.iter().min_by_key(|(_, (_, first))| *first);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.failures.remove(&oldest);
            }
        }
        let known = self.failures.entry(address).or_insert((0, now));
        known.0 = known.0.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn many_wrong_tokens_make_their_address_wait_and_no_other() {
        let mut throttle = Throttle::default();
        let (guesser, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..MISTAKES {
            assert_eq!(throttle.wait(guesser, at(1)), None);
            throttle.failed(guesser, at(1));
        }
        assert_eq!(throttle.wait(guesser, at(2)), Some(Duration::from_secs(59)));
        assert_eq!(throttle.wait(other, at(2)), None);
        assert_eq!(throttle.wait(guesser, at(61)), None, "the window is over");
    }

    #[test]
    fn addresses_are_bounded() {
        let mut throttle = Throttle::default();
        for number in 0..10_000_u32 {
            throttle.failed(IpAddr::V4(Ipv4Addr::from(number)), at(u64::from(number)));
        }
        assert_eq!(throttle.failures.len(), ADDRESSES_MAX);
        assert!(throttle.failures.contains_key(&IpAddr::V4(Ipv4Addr::from(9_999))));
    }
}

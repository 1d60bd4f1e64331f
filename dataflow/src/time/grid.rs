//! A line of time cut into steps of equal length, from midnight of a time zone: where windows begin.
//!
//! Steps have numbers, and each begins where the one before it ends. In a time zone the beginnings are times of day there:
//! a step of a day has 23 or 25 hours when the clocks change, a step that the clocks jump over is empty, and an hour that
//! comes twice is one step.

use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Instants beyond this, some 70 million years from now, are taken for it.
const FAR: i64 = i64::MAX / 4;
/// Any two clocks of the world are less apart.
const CLOCKS_APART_MS: i64 = 26 * 3_600_000;

/// Steps of time.
#[derive(Clone, Debug)]
pub struct Grid {
    step: i64,
    offset: i64,
    zone: Option<Tz>,
}

/// A grid that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrid {
    /// Steps without a length, or longer than time.
    #[error("a window of {0} ms")]
    Step(u64),
    /// No such time zone.
    #[error("there is no time zone `{0}`; zones are named as `Europe/Berlin`")]
    Zone(String),
}

impl Grid {
    /// Steps of `step_ms`, of which one begins `offset_ms` after midnight of 1970-01-01 in `zone`, or in UTC.
    ///
    /// # Errors
    /// A step of no length, a zone that does not exist.
    pub fn new(step_ms: u64, offset_ms: i64, zone: Option<&str>) -> Result<Self, InvalidGrid> {
        let step = i64::try_from(step_ms).ok().filter(|step| *step > 0);
        let zone = zone.map(|zone| {
            Tz::from_str(zone)
                .ok()
                .ok_or_else(|| InvalidGrid::Zone(zone.to_owned()))
        });
        Ok(Self {
            step: step.ok_or(InvalidGrid::Step(step_ms))?,
            offset: offset_ms,
            zone: zone.transpose()?,
        })
    }

    /// The number of the step that holds an instant.
    #[must_use]
    pub fn index(&self, time: i64) -> i64 {
        let time = time.clamp(-FAR, FAR);
        let Some(zone) = self.zone else {
            return time.saturating_sub(self.offset).div_euclid(self.step);
        };
        let local = time.saturating_add(offset_at(zone, time));
        let index = local.saturating_sub(self.offset).div_euclid(self.step);
        if self.start(index.saturating_add(1)) > time {
            return index;
        }
        // An hour that comes twice: by the clock it is early again, but the steps behind have begun.
        let (mut begun, mut ahead) = (index + 1, 1);
        while self.start(begun + ahead) <= time {
            begun += ahead;
            ahead *= 2;
        }
        while ahead > 1 {
            ahead /= 2;
            if self.start(begun + ahead) <= time {
                begun += ahead;
            }
        }
        begun
    }

    /// When a step begins.
    #[must_use]
    pub fn start(&self, index: i64) -> i64 {
        let local = index.saturating_mul(self.step).saturating_add(self.offset);
        match self.zone {
            None => local,
            Some(zone) => instant_of(zone, local),
        }
    }
}

/// How far the clocks of a zone are ahead of UTC, in milliseconds.
fn offset_at(zone: Tz, time: i64) -> i64 {
    let offset = DateTime::from_timestamp_millis(time).map_or(0, |time| {
        zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc()
    });
    i64::from(offset) * 1000
}

/// The first instant at which the clocks of a zone show at least this time.
fn instant_of(zone: Tz, local: i64) -> i64 {
    let Some(clock) = DateTime::from_timestamp_millis(local).map(|clock| clock.naive_utc()) else {
        return local;
    };
    match zone.from_local_datetime(&clock) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => time.timestamp_millis(),
        MappedLocalTime::None => {
            // The clocks jump over it: the instant at which they do.
            let (mut before, mut after) = (local - CLOCKS_APART_MS, local + CLOCKS_APART_MS);
            while after - before > 1 {
                let middle = before.midpoint(after);
                if middle + offset_at(zone, middle) > local {
                    after = middle;
                } else {
                    before = middle;
                }
            }
            after
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: u64 = 86_400_000;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn berlin(step: u64) -> Grid {
        Grid::new(step, 0, Some("Europe/Berlin")).unwrap()
    }

    #[test]
    fn days_of_a_zone_have_23_and_25_hours_when_the_clocks_change() {
        let days = berlin(DAY);
        for (noon, start, hours) in [
            ("2026-03-28T12:00:00+01:00", "2026-03-28T00:00:00+01:00", 24),
            ("2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00", 23),
            ("2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00", 25),
        ] {
            let index = days.index(at(noon));
            assert_eq!(days.start(index), at(start));
            assert_eq!(days.start(index + 1) - days.start(index), hours * HOUR, "{noon}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_one_step_and_one_that_never_comes_is_empty() {
        let hours = berlin(3_600_000);
        let (first, second) = (at("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:30:00+01:00"));
        assert_eq!(hours.index(first), hours.index(second));
        let gap = hours.index(at("2026-03-29T03:00:00+02:00")) - 1;
        assert_eq!(hours.start(gap), hours.start(gap + 1));
        // Half hours: all of the second time belongs to the step that has begun before the clocks went back.
        let halves = berlin(1_800_000);
        let last = halves.index(at("2026-10-25T02:59:00+02:00"));
        for text in ["2026-10-25T02:01:00+01:00", "2026-10-25T02:59:00+01:00"] {
            assert_eq!(halves.index(at(text)), last, "{text}");
        }
        assert_eq!(halves.index(at("2026-10-25T03:00:00+01:00")), last + 1);
    }

    #[test]
    fn offsets_move_the_beginnings() {
        let grid = Grid::new(60_000, 15_000, None).unwrap();
        assert_eq!((grid.index(14_999), grid.index(15_000), grid.start(0)), (-1, 0, 15_000));
        let work = Grid::new(DAY, 6 * HOUR, Some("America/New_York")).unwrap();
        assert_eq!(
            work.start(work.index(at("2026-07-01T05:00:00-04:00"))),
            at("2026-06-30T06:00:00-04:00")
        );
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        assert_eq!(Grid::new(0, 0, None).unwrap_err(), InvalidGrid::Step(0));
        let refused = Grid::new(1, 0, Some("Berlin")).unwrap_err().to_string();
        assert!(refused.contains("no time zone `Berlin`"), "{refused}");
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        for grid in [Grid::new(60_000, 1, None).unwrap(), berlin(60_000)] {
            for time in [i64::MIN, i64::MAX, 0] {
                let index = grid.index(time);
                assert!(grid.start(index) <= grid.start(index + 1));
                assert!(grid.start(index) <= time.max(-FAR));
            }
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_in_the_step_that_begins_before_it_and_ends_behind_it(
            // From 2000 to 2040, clocks that change by a day, an hour, half an hour, and not at all.
            time in 946_684_800_000_i64..2_208_988_800_000,
            step in prop::sample::select(vec![60_000, 900_000, 3_600_000, 7 * 3_600_000, DAY, 7 * DAY]),
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata"]),
            offset in prop::sample::select(vec![0, 1_800_000, -60_000]),
        ) {
            let grid = Grid::new(step, offset, Some(zone)).unwrap();
            let index = grid.index(time);
            prop_assert!(grid.start(index) <= time && time < grid.start(index + 1));
            prop_assert_eq!(grid.index(grid.start(index)), index);
        }
    }
}

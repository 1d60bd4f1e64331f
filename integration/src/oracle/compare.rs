//! Two bags of events: what is missing, what is there twice, what should not be there.

use super::Event;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many events must be there.
    pub expected: usize,
    /// How many are there.
    pub actual: usize,
    /// Expected ids that are not there.
    pub missing: usize,
    /// Ids that are there more often than once.
    pub duplicated: usize,
    /// Ids that nobody expects.
    pub foreign: usize,
    /// Records with an expected id and other bytes.
    pub altered: usize,
}

impl Verdict {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missing + self.duplicated + self.foreign + self.altered == 0
    }
}

/// Compares by id. `expected` must have unique ids; the order of neither matters.
#[must_use]
pub fn compare(mut expected: Vec<Event>, mut actual: Vec<Event>) -> Verdict {
    expected.sort_unstable();
    actual.sort_unstable();
    let mut verdict = Verdict {
        expected: expected.len(),
        actual: actual.len(),
        ..Verdict::default()
    };
    let mut rest = actual.as_slice();
    for event in &expected {
        let before = rest.iter().take_while(|other| other.id < event.id).count();
        verdict.foreign += before;
        let same = rest[before..].iter().take_while(|other| other.id == event.id).count();
        match &rest[before..before + same] {
            [] => verdict.missing += 1,
            [found, again @ ..] => {
                verdict.duplicated += again.len();
                verdict.altered += usize::from(found.digest != event.digest);
            }
        }
        rest = &rest[before + same..];
    }
    verdict.foreign += rest.len();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(ids: &[u128]) -> Vec<Event> {
        ids.iter()
            .map(|id| Event {
                id: *id,
                time: 0,
                digest: 1,
            })
            .collect()
    }

    #[test]
    fn each_kind_of_difference_is_counted() {
        let found = compare(events(&[1, 2, 3, 5]), events(&[5, 2, 2, 4, 3, 9, 2]));
        let wanted = Verdict {
            expected: 4,
            actual: 7,
            missing: 1,
            duplicated: 2,
            foreign: 2,
            altered: 0,
        };
        assert_eq!(found, wanted);
        assert!(!found.is_exact());
    }

    #[test]
    fn equal_bags_are_exact_in_any_order() {
        assert!(compare(events(&[3, 1, 2]), events(&[2, 3, 1])).is_exact());
    }

    #[test]
    fn other_bytes_under_an_expected_id_are_found() {
        let mut actual = events(&[1, 2]);
        actual[1].digest = 7;
        assert_eq!(compare(events(&[1, 2]), actual).altered, 1);
    }
}

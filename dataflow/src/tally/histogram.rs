//! How old rows were: so many of each age, in cells that grow with it. Two of them are added cell by cell.

/// Cells: one for each millisecond below eight, then eight for each doubling, up to 139 years.
pub const CELLS: usize = 8 + 8 * (MAX_BITS - 3);

/// Ages of more bits than this are in the last cell.
const MAX_BITS: usize = 42;

/// Ages in milliseconds. What it says of one is at most a sixteenth off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    cells: Box<[u64; CELLS]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            cells: Box::new([0; CELLS]),
            count: 0,
        }
    }
}

impl Histogram {
    /// So many rows of this age; one from the future has none.
    pub fn add(&mut self, age_ms: i64, rows: u64) {
        self.put(cell(age_ms), rows);
    }

    /// So many rows in one of the cells; one that does not exist is the last.
    pub fn put(&mut self, cell: usize, rows: u64) {
        let cell = &mut self.cells[cell.min(CELLS - 1)];
        *cell = cell.saturating_add(rows);
        self.count = self.count.saturating_add(rows);
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        other.filled().for_each(|(cell, rows)| self.put(cell, rows));
    }

    /// Cells with rows, in order.
    pub fn filled(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let cells = self.cells.iter().copied().enumerate();
        cells.filter(|(_, rows)| *rows > 0)
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The age that this share of the rows, out of a hundred, does not exceed; none where there are no rows.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<i64> {
        if self.count == 0 {
            return None;
        }
        let wanted = u128::from(self.count) * u128::from(percent.min(100));
        let mut below = 0_u128;
        let found = self.filled().find(|(_, rows)| {
            below += u128::from(*rows) * 100;
            below >= wanted
        });
        found.map(|(cell, _)| middle(cell))
    }
}

fn cell(age_ms: i64) -> usize {
    let age = u64::try_from(age_ms).unwrap_or(0);
    let bits = (u64::BITS - age.leading_zeros()) as usize;
    if bits <= 3 {
        return usize::try_from(age).unwrap_or(0);
    }
    if bits > MAX_BITS {
        return CELLS - 1;
    }
    let eighth = usize::try_from((age >> (bits - 4)) & 7).unwrap_or(0);
    8 + (bits - 4) * 8 + eighth
}

/// The middle of a cell.
fn middle(cell: usize) -> i64 {
    if cell < 8 {
        return i64::try_from(cell).unwrap_or(0);
    }
    let (shift, eighth) = ((cell - 8) / 8, (cell - 8) % 8);
    let low = (8 + i64::try_from(eighth).unwrap_or(0)) << shift;
    low + (1_i64 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_to_within_a_sixteenth() {
        for bits in 0..42 {
            for age in [1_i64 << bits, (1 << bits) + (1 << bits) / 3, (2 << bits) - 1] {
                let mut one = Histogram::default();
                one.add(age, 1);
                let told = one.percentile(50).unwrap();
                assert!((told - age).abs() * 16 <= age, "{age} is told as {told}");
            }
        }
    }

    #[test]
    fn cells_are_in_the_order_of_ages_and_every_age_has_one() {
        let mut last = 0;
        for age in (0..100_000).chain((100_000..5_000_000_000_000).step_by(1_000_000_007)) {
            let here = cell(age);
            assert!(here >= last && here < CELLS, "{age}");
            last = here;
        }
        assert_eq!(last, CELLS - 1);
        assert_eq!((cell(-5), cell(i64::MAX)), (0, CELLS - 1));
    }

    #[test]
    fn percentiles_of_a_sum_are_those_of_all_rows() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        one.add(1, 98);
        other.add(1_000, 2);
        assert_eq!(Histogram::default().percentile(99), None);
        one.merge(&other);
        assert_eq!((one.percentile(50), one.percentile(98)), (Some(1), Some(1)));
        assert!((one.percentile(99).unwrap() - 1_000).abs() <= 62);
        assert_eq!(one.count(), 100);
    }
}

//! A t-digest: the spread of many numbers in few centroids, fine at both ends. Mergeable, and the same for the same input.
//!
//! Values are gathered in a buffer; when it is full, buffer and centroids are sorted and drawn together as far as the
//! scale function k1 allows. (Dunning, Ertl: Computing extremely accurate quantiles using t-digests.)

use std::f64::consts::PI;

/// How fine: about so many centroids at most.
const COMPRESSION: f64 = 100.0;
/// So many values are gathered before they are drawn together.
const BUFFER: usize = 256;

/// The spread of the numbers it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Digest {
    /// Mean and weight, in order of the mean.
    centroids: Vec<(f64, u64)>,
    buffer: Vec<(f64, u64)>,
    least: f64,
    greatest: f64,
}

impl Digest {
    /// One more number.
    pub(super) fn add(&mut self, value: f64) {
        self.widen(value, value);
        self.buffer.push((value, 1));
        if self.buffer.len() >= BUFFER {
            self.draw_together();
        }
    }

    /// All numbers of another.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.widen(other.least, other.greatest);
        self.buffer.extend(&other.centroids);
        self.buffer.extend(&other.buffer);
        if self.buffer.len() >= BUFFER {
            self.draw_together();
        }
    }

    fn widen(&mut self, least: f64, greatest: f64) {
        if self.is_empty() {
            (self.least, self.greatest) = (least, greatest);
        }
        self.least = self.least.min(least);
        self.greatest = self.greatest.max(greatest);
    }

    fn is_empty(&self) -> bool {
        self.centroids.is_empty() && self.buffer.is_empty()
    }

    fn draw_together(&mut self) {
        let mut all = std::mem::take(&mut self.centroids);
        all.append(&mut self.buffer);
        all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let total = all.iter().map(|(_, weight)| *weight).sum::<u64>() as f64;
        let mut below = 0.0;
        let mut limit = total * limit(0.0);
        for (mean, weight) in all {
            let reached = below + weight as f64;
            match self.centroids.last_mut() {
                Some(last) if reached <= limit => {
                    last.1 += weight;
                    last.0 += (mean - last.0) * weight as f64 / last.1 as f64;
                }
                _ => {
                    limit = total * self::limit(below / total);
                    self.centroids.push((mean, weight));
                }
            }
            below = reached;
        }
    }

    /// The value below which so large a share of the numbers is.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        if self.is_empty() {
            return None;
        }
        let mut all = self.clone();
        all.draw_together();
        let total = all.centroids.iter().map(|(_, weight)| *weight).sum::<u64>() as f64;
        // Each centroid stands in the middle of its numbers; the ends are known exactly.
        let wanted = share * total;
        let mut at = (0.0, self.least);
        let mut below = 0.0;
        for (mean, weight) in &all.centroids {
            let middle = below + *weight as f64 / 2.0;
            if wanted <= middle {
                return Some(between(at, (middle, *mean), wanted));
            }
            at = (middle, *mean);
            below += *weight as f64;
        }
        Some(between(at, (total, self.greatest), wanted))
    }

    /// Memory held, roughly.
    pub(super) fn heap(&self) -> usize {
        (self.centroids.capacity() + self.buffer.capacity()) * size_of::<(f64, u64)>()
    }

    /// Least and greatest, and centroids drawn together: all there is to it.
    pub(super) fn parts(&self) -> ((f64, f64), Vec<(f64, u64)>) {
        let mut all = self.clone();
        if !all.buffer.is_empty() {
            all.draw_together();
        }
        ((all.least, all.greatest), all.centroids)
    }

    /// Of its parts.
    pub(super) fn of((least, greatest): (f64, f64), centroids: Vec<(f64, u64)>) -> Self {
        Self {
            centroids,
            buffer: Vec::new(),
            least,
            greatest,
        }
    }
}

fn between((from, low): (f64, f64), (to, high): (f64, f64), at: f64) -> f64 {
    if to <= from {
        return high;
    }
    low + (high - low) * (at - from) / (to - from)
}

/// Up to which share a centroid that begins at this share may reach.
fn limit(share: f64) -> f64 {
    let k = COMPRESSION / (2.0 * PI) * (2.0 * share - 1.0).asin() + 1.0;
    let angle = k * 2.0 * PI / COMPRESSION;
    if angle >= PI / 2.0 {
        1.0
    } else {
        f64::midpoint(angle.sin(), 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in no order, the same every time.
    fn numbers(count: u64) -> Vec<f64> {
        (0..count)
            .map(|number| (dataflow::key::hash(&number.to_be_bytes()) % 1_000_000) as f64)
            .collect()
    }

    fn digest(numbers: &[f64]) -> Digest {
        let mut digest = Digest::default();
        numbers.iter().for_each(|number| digest.add(*number));
        digest
    }

    #[test]
    fn percentiles_are_near_the_exact_ones_in_one_and_in_many_parts() {
        let numbers = numbers(50_000);
        let mut parts = Digest::default();
        numbers.chunks(777).for_each(|part| parts.merge(&digest(part)));
        let mut sorted = numbers.clone();
        sorted.sort_by(f64::total_cmp);
        for digest in [digest(&numbers), parts] {
            assert!(digest.parts().1.len() <= 110, "{}", digest.parts().1.len());
            for (share, tolerance) in [
                (0.001, 0.001),
                (0.01, 0.003),
                (0.5, 0.01),
                (0.9, 0.008),
                (0.99, 0.003),
                (0.999, 0.001),
            ] {
                let found = digest.quantile(share).unwrap();
                let rank = sorted.partition_point(|number| *number < found) as f64 / 50_000.0;
                assert!((rank - share).abs() < tolerance, "{share}: {rank}");
            }
        }
    }

    #[test]
    fn few_numbers_are_exact_enough_and_the_ends_always_are() {
        assert_eq!(Digest::default().quantile(0.5), None);
        assert_eq!(digest(&[7.0]).quantile(0.5), Some(7.0));
        assert_eq!(digest(&[1.0, 2.0, 3.0]).quantile(0.5), Some(2.0));
        let many = digest(&numbers(10_000));
        let (least, greatest) = many.parts().0;
        assert_eq!((many.quantile(0.0), many.quantile(1.0)), (Some(least), Some(greatest)));
    }
}

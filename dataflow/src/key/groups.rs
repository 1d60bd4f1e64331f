//! Key groups and who owns them: contiguous ranges, so that rescaling moves ranges and not keys.

use std::ops::Range;

/// The key group of a key's hash.
#[must_use]
pub fn key_group(hash: u64, max_parallelism: u32) -> u32 {
    debug_assert!(max_parallelism > 0, "a job has at least one key group");
    u32::try_from(hash % u64::from(max_parallelism)).expect("a remainder is less than its 32-bit divisor")
}

/// The subtask that owns a key group.
#[must_use]
pub fn owner(group: u32, parallelism: u32, max_parallelism: u32) -> u32 {
    let subtask = u64::from(group) * u64::from(parallelism) / u64::from(max_parallelism);
    u32::try_from(subtask).expect("a group below the maximum has an owner below the parallelism")
}

/// The key groups that a subtask owns.
#[must_use]
pub fn range(subtask: u32, parallelism: u32, max_parallelism: u32) -> Range<u32> {
    let begin = |subtask: u64| (subtask * u64::from(max_parallelism)).div_ceil(u64::from(parallelism));
    let bound = |group: u64| u32::try_from(group).expect("a bound is at most the number of groups");
    bound(begin(u64::from(subtask)))..bound(begin(u64::from(subtask) + 1))
}

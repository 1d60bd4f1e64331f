//! The one memory number, and how it is split: what flows and waits never holds more than this.
//!
//! `memory:` of the task manager is shared by its slots; a deployment gets `memory / slots` for each slot it takes, or the
//! job's own `memory:` where the document names one. Of a deployment's share:
//!
//! | part | share | who holds it |
//! |---|--:|---|
//! | channels | 4/16 | what is granted to the senders of its input gates: [`EXCLUSIVE`] a channel, the rest a floating pool |
//! | outputs | 2/16 | batches that wait for company or credit at its outputs |
//! | sinks | 4/16 | rows in the queues of its sinks, at most 4 MiB each |
//! | readers | 4/16 | bytes in the buffers of its readers, at most 16 MiB each |
//! | chains | 2/16 | the batches that its operators work on |
//!
//! Within a part every user of it gets the same. Below 64 KiB a part is of no use, and the deployment is
//! refused with the number it needs. Must stay true: the sum of what is handed out never exceeds the number
//! (one row that is larger than its budget may overdraw, once for each queue).

use dataflow::Failure;

use crate::channel::credit::EXCLUSIVE;

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// The longest queue of one sink.
const SINK_MAX: u64 = 4 * MIB;
/// The largest buffer of one reader.
const READER_MAX: u64 = 16 * MIB;
/// A queue or buffer below this makes every batch wait for the one before.
const SMALLEST: u64 = 64 * KIB;

/// Who wants a part of a deployment's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Channels into its subtasks.
    pub(crate) channels: u64,
    /// Sinks of all its subtasks.
    pub(crate) sinks: u64,
    /// Sources of all its subtasks.
    pub(crate) readers: u64,
}

/// What each of them gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The floating pool of all channels, beside [`EXCLUSIVE`] for each.
    pub(crate) pool: u64,
    /// The queue of one sink.
    pub(crate) sink: u64,
    /// The buffer of one reader.
    pub(crate) reader: u64,
}

impl Share {
    /// Splits `memory` bytes.
    ///
    /// # Errors
    /// Where it is too little for what is to run.
    pub(crate) fn split(memory: u64, demand: Demand) -> Result<Self, Failure> {
        let part = memory / 16;
        let each = |parts: u64, users: u64, most: u64| (parts * part / users.max(1)).min(most);
        let share = Self {
            pool: (4 * part).saturating_sub(demand.channels * EXCLUSIVE),
            sink: each(4, demand.sinks, SINK_MAX),
            reader: each(4, demand.readers, READER_MAX),
        };
        let exclusive = demand.channels * EXCLUSIVE;
        let needed = 4 * exclusive.max(demand.sinks * SMALLEST).max(demand.readers * SMALLEST);
        if memory < needed {
            let text = format!(
                "{} MiB of memory are too little for this job here",
                memory.div_ceil(MIB)
            );
            return Err(Failure::fail(text).help(format!("give it `memory: {}MiB` or more", needed.div_ceil(MIB))));
        }
        Ok(share)
    }
}

/// What deployments hold of a task manager's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    total: u64,
    slots: u64,
}

impl Memory {
    /// Of a task manager with so many slots.
    pub(crate) fn new(total: u64, slots: u32) -> Self {
        Self {
            total,
            slots: u64::from(slots.max(1)),
        }
    }

    /// What a deployment that takes so many slots may use; `wanted` is the document's own number.
    pub(crate) fn of_deployment(self, slots: u64, wanted: Option<u64>) -> u64 {
        let fair = self.total / self.slots * slots.min(self.slots);
        // A document may ask for less than its slots are worth; more would be another job's.
        wanted.map_or(fair, |wanted| wanted.min(fair))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_defaults_are_ample() {
        let memory = Memory::new(1024 * MIB, 4).of_deployment(1, None);
        let share = Share::split(
            memory,
            Demand {
                channels: 4,
                sinks: 1,
                readers: 1,
            },
        )
        .unwrap();
        assert_eq!(
            share,
            Share {
                pool: 64 * MIB - 4 * EXCLUSIVE,
                sink: 4 * MIB,
                reader: 16 * MIB
            }
        );
    }

    #[test]
    fn too_little_is_refused_with_the_number_that_would_do() {
        let demand = Demand {
            channels: 100,
            sinks: 1,
            readers: 0,
        };
        let failure = Share::split(MIB, demand).unwrap_err();
        assert_eq!(failure.help.as_deref(), Some("give it `memory: 25MiB` or more"));
        assert!(Share::split(25 * MIB, demand).is_ok());
    }

    proptest! {
        #[test]
        fn the_parts_never_exceed_the_whole(memory in 0..64 * 1024 * MIB, channels in 0..2000_u64, sinks in 0..50_u64, readers in 0..50_u64) {
            let demand = Demand { channels, sinks, readers };
            if let Ok(share) = Share::split(memory, demand) {
                let sum = channels * EXCLUSIVE + share.pool + sinks * share.sink + readers * share.reader;
                prop_assert!(sum <= memory);
                prop_assert!(sinks == 0 || share.sink >= SMALLEST);
                prop_assert!(readers == 0 || share.reader >= SMALLEST);
            }
        }

        #[test]
        fn slots_never_get_more_than_there_is(total in 0..1024 * MIB, slots in 1..64_u32, wanted in prop::option::of(0..4096 * MIB)) {
            let memory = Memory::new(total, slots);
            let sum: u64 = (0..slots).map(|_| memory.of_deployment(1, wanted)).sum();
            prop_assert!(sum <= total);
        }
    }
}

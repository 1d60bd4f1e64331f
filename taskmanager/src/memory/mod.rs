//! The one memory number, and how it is split: what flows and waits never holds more than this.
//!
//! `memory:` of the task manager is shared by its slots; a deployment gets `memory / slots` for each slot it takes, or the
//! job's own `memory:` where the document names one. Of a deployment's share:
//!
//! | part | share | with state | who holds it |
//! |---|--:|--:|---|
//! | channels | 4/16 | 3/16 | what is granted to the senders of its input gates: [`EXCLUSIVE`] a channel, the rest a floating pool |
//! | outputs | 2/16 | 1/16 | batches that wait for company or credit at its outputs |
//! | sinks | 4/16 | 2/16 | rows in the queues of its sinks, at most 4 MiB each |
//! | readers | 4/16 | 2/16 | bytes in the buffers of its readers, at most 16 MiB each |
//! | chains | 2/16 | 2/16 | the batches that its operators work on |
//! | state | 0 | 6/16 | tables, and what sinks and readers leave over of theirs |
//!
//! Of the state of one step, 8/16 are its tables, 6/16 what it has cut and what is not written yet, 2/16 the cache and the
//! filters of what was spilled to disk.
//!
//! Within a part every user of it gets the same. Below 64 KiB a part is of no use, and the deployment is
//! refused with the number it needs. Must stay true: the sum of what is handed out never exceeds the number
//! (one row that is larger than its budget may overdraw, once for each queue; so may, by 4 MiB, a chain that makes way for a
//! barrier that overtakes).

use dataflow::Failure;
use dataflow::quantity::ByteCount;

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
    /// Steps of all its subtasks that have tables of keys.
    pub(crate) tables: u64,
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
    /// The state of one step of one subtask.
    pub(crate) state: u64,
}

/// What a deployment may hold, by who holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Channels and outputs.
    pub(crate) network: u64,
    /// Tables, cuts, caches.
    pub(crate) state: u64,
    /// Queues of sinks.
    pub(crate) sinks: u64,
    /// Buffers of readers.
    pub(crate) readers: u64,
    /// Batches that operators work on.
    pub(crate) chains: u64,
}

/// How many sixteenths each part gets.
struct Parts {
    channels: u64,
    sinks: u64,
    readers: u64,
    state: u64,
}

const WITHOUT_STATE: Parts = Parts {
    channels: 4,
    sinks: 4,
    readers: 4,
    state: 0,
};

const WITH_STATE: Parts = Parts {
    channels: 3,
    sinks: 2,
    readers: 2,
    state: 6,
};

impl Share {
    /// Splits `memory` bytes.
    ///
    /// # Errors
    /// Where it is too little for what is to run.
    pub(crate) fn split(memory: u64, demand: Demand) -> Result<Self, Failure> {
        let part = memory / 16;
        let parts = if demand.tables > 0 { WITH_STATE } else { WITHOUT_STATE };
        let each = |parts: u64, users: u64, most: u64| (parts * part / users.max(1)).min(most);
        let sink = each(parts.sinks, demand.sinks, SINK_MAX);
        let reader = each(parts.readers, demand.readers, READER_MAX);
        let left = (parts.sinks + parts.readers) * part - sink * demand.sinks - reader * demand.readers;
        let share = Self {
            pool: (parts.channels * part).saturating_sub(demand.channels * EXCLUSIVE),
            sink,
            reader,
            state: (parts.state * part + left).checked_div(demand.tables).unwrap_or(0),
        };
        let least = |users: u64, each: u64, parts: u64| (users * each * 16).div_ceil(parts.max(1));
        let needed = least(demand.channels, EXCLUSIVE, parts.channels)
            .max(least(demand.sinks, SMALLEST, parts.sinks))
            .max(least(demand.readers, SMALLEST, parts.readers))
            .max(least(demand.tables, SMALLEST, parts.state));
        if memory < needed {
            let shown = if memory < MIB { memory } else { memory / MIB * MIB };
            let text = format!("{} of memory is too little for this job here", ByteCount(shown));
            return Err(Failure::fail(text).help(format!(
                "give it `memory: {0}MiB` or more, and the process that runs it as much for each slot (`--memory {0}MiB`)",
                needed.div_ceil(MIB)
            )));
        }
        Ok(share)
    }

    /// What all users of a deployment with so much memory may hold together.
    pub(crate) fn budget(&self, memory: u64, demand: Demand) -> Budget {
        let part = memory / 16;
        // Outputs have one sixteenth where there is state, and two where there is none.
        let outputs = if demand.tables > 0 { part } else { 2 * part };
        Budget {
            network: self.pool + demand.channels * EXCLUSIVE + outputs,
            state: self.state * demand.tables,
            sinks: self.sink * demand.sinks,
            readers: self.reader * demand.readers,
            chains: 2 * part,
        }
    }

    /// Of one step's state: its tables.
    pub(crate) fn tables(&self) -> u64 {
        self.state / 2
    }

    /// Of one step's state: what it has cut. A step without tables has a note only.
    pub(crate) fn cuts(&self) -> u64 {
        (self.state / 16 * 6).max(SMALLEST)
    }

    /// Of one step's state: the cache of what was spilled.
    pub(crate) fn cache(&self) -> u64 {
        self.state / 16 * 2
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
                tables: 0,
            },
        )
        .unwrap();
        assert_eq!(
            share,
            Share {
                pool: 64 * MIB - 4 * EXCLUSIVE,
                sink: 4 * MIB,
                reader: 16 * MIB,
                state: 0,
            }
        );
    }

    #[test]
    fn state_gets_its_part_and_what_others_leave_over() {
        let demand = Demand {
            channels: 4,
            sinks: 1,
            readers: 1,
            tables: 2,
        };
        let share = Share::split(1024 * MIB, demand).unwrap();
        assert_eq!((share.sink, share.reader), (4 * MIB, 16 * MIB));
        assert_eq!(share.state, (10 * 64 - 20) * MIB / 2);
        assert!(share.tables() + share.cuts() + share.cache() <= share.state);
    }

    #[test]
    fn too_little_is_refused_with_the_number_that_would_do() {
        let demand = Demand {
            channels: 100,
            sinks: 1,
            readers: 0,
            tables: 0,
        };
        let failure = Share::split(MIB, demand).unwrap_err();
        assert_eq!(failure.message, "1MiB of memory is too little for this job here");
        let help = failure.help.unwrap();
        assert!(
            help.contains("`memory: 25MiB`") && help.contains("`--memory 25MiB`"),
            "{help}"
        );
        assert!(Share::split(25 * MIB, demand).is_ok());
    }

    proptest! {
        #[test]
        fn the_parts_never_exceed_the_whole(memory in 0..64 * 1024 * MIB, channels in 0..2000_u64, sinks in 0..50_u64, readers in 0..50_u64, tables in 0..50_u64) {
            let demand = Demand { channels, sinks, readers, tables };
            if let Ok(share) = Share::split(memory, demand) {
                let sum = channels * EXCLUSIVE + share.pool + sinks * share.sink + readers * share.reader + tables * share.state;
                prop_assert!(sum <= memory);
                let Budget { network, state, sinks: queues, readers: buffers, chains } = share.budget(memory, demand);
                prop_assert!(network + state + queues + buffers + chains <= memory);
                prop_assert!(sinks == 0 || share.sink >= SMALLEST);
                prop_assert!(readers == 0 || share.reader >= SMALLEST);
                prop_assert!(tables == 0 || share.state >= SMALLEST);
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

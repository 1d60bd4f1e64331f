//! The contract of tables, in memory and where everything spills: whatever is done to them, however often they are cut,
//! restored and rescaled, they hold what a plain map would hold.

use std::collections::BTreeMap;

use dataflow::key::{self, owner};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::super::keeper::{Home, Work};
use super::super::testing::{Objects, Texts, keys, runtime, shelf, spill};
use super::super::{Cut, Kept, KeyGroups, Spill};
use super::{NONE, Scan, Table};

/// Three buckets of key groups.
const GROUPS: u32 = 48;
/// Room for a few keys only.
const TINY: usize = 4 * 1024;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    /// A byte is appended to the values of these keys.
    Fold(Vec<u16>, u8),
    /// These keys are removed.
    Remove(Vec<u16>),
    /// They are looked up.
    Find(Vec<u16>),
    /// They are removed and at once there again.
    Renew(Vec<u16>),
    /// A barrier; its checkpoint comes to be or not.
    Freeze(bool),
    /// Everything is lost; this many subtasks go on from the last checkpoint.
    Restore(u32),
    /// All keys are looked at, and some are removed while they are.
    Scan(u8),
    /// All keys go at once.
    Clear,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let keys = || prop::collection::vec(0..120_u16, 1..40);
    let act = prop_oneof![
        8 => (keys(), any::<u8>()).prop_map(|(keys, byte)| Act::Fold(keys, byte)),
        2 => keys().prop_map(Act::Remove),
        3 => keys().prop_map(Act::Find),
        1 => keys().prop_map(Act::Renew),
        6 => prop::bool::weighted(0.7).prop_map(Act::Freeze),
        2 => (1..4_u32).prop_map(Act::Restore),
        1 => (0..5_u8).prop_map(Act::Scan),
        1 => Just(Act::Clear),
    ];
    prop::collection::vec(act, 1..60)
}

/// Long keys and short ones.
fn key(number: u16) -> Vec<u8> {
    keys(&[name(number)]).row(0).to_vec()
}

fn name(number: u16) -> String {
    let mut name = format!("key-{}", number / 3);
    name.extend(std::iter::repeat_n('x', usize::from(number % 3) * 20));
    name
}

/// One subtask.
struct Subtask {
    groups: KeyGroups,
    table: Table<Texts>,
    work: Work,
    cuts: u64,
}

/// Subtasks, and what they should hold.
struct World {
    runtime: Runtime,
    objects: Objects,
    folder: TempDir,
    budget: Option<usize>,
    attempts: u32,
    subtasks: Vec<Subtask>,
    model: Model,
    checkpoint: (Vec<Kept>, Model),
}

impl World {
    fn new(budget: Option<usize>) -> Self {
        let mut world = Self {
            runtime: runtime(),
            objects: Objects::default(),
            folder: tempfile::tempdir().unwrap(),
            budget,
            attempts: 0,
            subtasks: Vec::new(),
            model: Model::new(),
            checkpoint: (Vec::new(), Model::new()),
        };
        world.restore(1);
        world
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Fold(keys, byte) => self.fold(keys, *byte),
            Act::Remove(keys) => self.remove(keys),
            Act::Find(keys) => self.find(keys),
            Act::Renew(keys) => {
                self.remove(keys);
                self.fold(keys, b'r');
            }
            Act::Freeze(completes) => self.freeze(*completes),
            Act::Restore(parallelism) => self.restore(*parallelism),
            Act::Scan(remove) => self.scan(*remove),
            Act::Clear => {
                self.subtasks.iter_mut().for_each(|subtask| subtask.table.clear());
                self.model.clear();
            }
        }
        let held: usize = self.subtasks.iter().map(|subtask| subtask.table.len()).sum();
        assert_eq!(held, self.model.len(), "after {act:?}");
    }

    fn owner_of(&self, key: &[u8]) -> usize {
        let parallelism = u32::try_from(self.subtasks.len()).unwrap();
        owner(key::key_group(key::hash(key), GROUPS), parallelism, GROUPS) as usize
    }

    fn fold(&mut self, numbers: &[u16], byte: u8) {
        let mut routed = vec![Vec::new(); self.subtasks.len()];
        for number in numbers {
            let key = key(*number);
            self.model.entry(key.clone()).or_default().push(byte);
            routed[self.owner_of(&key)].push(name(*number));
        }
        for (subtask, names) in self.subtasks.iter_mut().zip(routed) {
            let rows: Vec<u32> = (0..u32::try_from(names.len()).unwrap()).collect();
            let mut slots = Vec::new();
            subtask.table.slots(&keys(&names), &rows, &mut slots).unwrap();
            for slot in slots {
                subtask.table.values_mut().0[slot as usize].push(byte);
            }
        }
    }

    fn find(&mut self, numbers: &[u16]) {
        for number in numbers {
            let key = key(*number);
            let owner = self.owner_of(&key);
            let Subtask { table, .. } = &mut self.subtasks[owner];
            let mut slots = Vec::new();
            table.find_all(std::iter::once(key.as_slice()), &mut slots).unwrap();
            let found = Some(slots[0]).filter(|slot| *slot != NONE);
            let found = found.map(|slot| &table.values().0[slot as usize]);
            assert_eq!(found, self.model.get(&key));
        }
    }

    fn remove(&mut self, numbers: &[u16]) {
        for number in numbers {
            let key = key(*number);
            self.model.remove(&key);
            let owner = self.owner_of(&key);
            let Subtask { table, groups, .. } = &mut self.subtasks[owner];
            let slot = table.entry(&key).unwrap();
            table.remove(slot, groups);
        }
    }

    #[expect(clippy::fn_params_excessive_bools, reason = "a barrier is completed, or is aborted")]
    fn freeze(&mut self, completes: bool) {
        let mut all = Vec::new();
        for subtask in &mut self.subtasks {
            subtask.cuts += 1;
            let mut cut = Cut::new(subtask.cuts);
            subtask.table.freeze(&mut cut, &subtask.groups);
            assert_eq!(cut.take_failure(), None);
            all.push(self.runtime.block_on(subtask.work.keep(cut)).unwrap());
        }
        if completes {
            // As it travels.
            let text = serde_json::to_string(&all).unwrap();
            self.checkpoint = (serde_json::from_str(&text).unwrap(), self.model.clone());
        }
    }

    fn restore(&mut self, parallelism: u32) {
        self.subtasks.clear();
        self.attempts += 1;
        self.model = self.checkpoint.1.clone();
        let shelf = shelf(&self.objects, &self.runtime, None);
        for index in 0..parallelism {
            let groups = KeyGroups::of(index, parallelism, GROUPS);
            let (restored, cuts) = Kept::restore(self.checkpoint.0.clone(), Some(&shelf), &groups).unwrap();
            let name = format!("{}-{index}", self.attempts);
            let spill = self
                .budget
                .map(|budget| spill(self.folder.path(), &name, &groups, budget));
            let mut table = table(spill.as_ref());
            let read = restored.each(&groups, |entry| {
                assert_eq!((entry.place.state, entry.place.namespace), (1, -7));
                table.restore(entry.key, entry.value, &groups)
            });
            read.unwrap();
            let home = Home {
                shelf: Some(shelf.clone()),
                prefix: format!("gen-1.1/{name}/0"),
                groups: groups.clone(),
                limit_bytes: 1 << 20,
            };
            let work = Work::new(home, cuts);
            self.subtasks.push(Subtask {
                groups,
                table,
                work,
                cuts: 0,
            });
        }
    }

    fn scan(&mut self, remove: u8) {
        let mut held = Model::new();
        for Subtask { table, groups, .. } in &mut self.subtasks {
            let (mut scan, mut slots) = (Scan::default(), Vec::new());
            while table.scan(&mut scan, &mut slots).unwrap() {
                for slot in &slots {
                    let key = table.key(*slot).to_vec();
                    let value = table.values().0[*slot as usize].clone();
                    if remove > 0 && key.len() % 5 == usize::from(remove) {
                        self.model.remove(&key);
                        table.remove(*slot, groups);
                    } else {
                        assert_eq!(held.insert(key, value), None, "each key is shown once");
                    }
                }
            }
        }
        assert_eq!(held, self.model);
    }
}

fn table(spill: Option<&Spill>) -> Table<Texts> {
    let table = Table::new(1, -7, Texts::default(), 0);
    match spill {
        Some(spill) => table.spilling(spill),
        None => table,
    }
}

fn check(budget: Option<usize>, acts: &[Act]) {
    let mut world = World::new(budget);
    acts.iter().for_each(|act| world.act(act));
    world.scan(0);
    world.freeze(true);
    world.scan(0);
    for parallelism in [3, 2, 1] {
        world.restore(parallelism);
        world.scan(0);
        world.freeze(true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_in_memory_is_a_map(acts in acts()) {
        check(None, &acts);
    }
}

proptest! {
    // Each subtask of each restore opens a database.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn a_table_that_spills_is_a_map(acts in acts()) {
        check(Some(TINY), &acts);
    }

    #[test]
    fn a_table_without_any_memory_is_a_map(acts in acts()) {
        check(Some(0), &acts);
    }
}

/// Keys come and go on disk in this one, or the property above would prove nothing of it.
#[test]
fn a_tiny_budget_makes_keys_go_to_disk_and_come_back() {
    let mut world = World::new(Some(TINY));
    for round in 0..5 {
        world.fold(&(0..120).collect::<Vec<_>>(), round);
        world.freeze(true);
    }
    let spilled = world.subtasks[0].table.spilled.as_ref().unwrap();
    assert!(spilled.len() > 20, "{} keys are on disk", spilled.len());
    world.scan(0);
    world.restore(3);
    world.scan(0);
}

/// A key that was looked up, and not changed, came back to a slot whose turn in the cycle was over: old cuts were left
/// behind that alone held it.
#[test]
fn keys_that_are_only_looked_up_stay_in_the_cuts() {
    for budget in [0, TINY] {
        let mut world = World::new(Some(budget));
        world.fold(&(0..120).collect::<Vec<_>>(), b'a');
        for round in 0..60_u16 {
            world.freeze(true);
            world.find(
                &(0..120)
                    .step_by(7)
                    .map(|number| (number + round) % 120)
                    .collect::<Vec<_>>(),
            );
            world.fold(&[round % 120], b'b');
            world.find(&(0..120).collect::<Vec<_>>());
        }
        world.freeze(true);
        world.restore(1);
        world.scan(0);
    }
}

#[test]
fn a_table_that_nobody_uses_any_more_leaves_memory_to_others() {
    let mut world = World::new(Some(64 << 10));
    world.fold(&(0..120).collect::<Vec<_>>(), b'a');
    let spill = world.subtasks[0].table.spilled.as_ref().unwrap().owner();
    let mut other = table(Some(&spill));
    let names: Vec<String> = (0..3000_u32).map(|number| format!("other-{number}")).collect();
    let rows: Vec<u32> = (0..3000).collect();
    let mut slots = Vec::new();
    other.slots(&keys(&names), &rows, &mut slots).unwrap();
    other.slots(&keys(&names), &rows[..200], &mut slots).unwrap();
    for _ in 0..3 {
        world.fold(&[1], b'b');
        world.freeze(true);
        let mut cut = Cut::new(world.subtasks[0].cuts);
        other.freeze(&mut cut, &world.subtasks[0].groups);
        assert_eq!(cut.take_failure(), None);
    }
    assert_eq!(
        (other.live().count(), other.values().0.capacity()),
        (0, 0),
        "slots and values are given up"
    );
    assert_eq!(other.len(), 3000);
}

#[test]
fn what_is_removed_and_there_again_within_one_interval_is_there_after_a_restore() {
    for budget in [None, Some(TINY)] {
        let mut world = World::new(budget);
        world.act(&Act::Fold(vec![1, 2, 3], b'a'));
        world.act(&Act::Freeze(true));
        world.act(&Act::Renew(vec![2]));
        world.act(&Act::Remove(vec![3]));
        world.act(&Act::Freeze(true));
        world.act(&Act::Restore(1));
        world.scan(0);
    }
}

#[test]
fn what_an_aborted_barrier_wrote_is_in_the_next_checkpoint() {
    let mut world = World::new(None);
    world.act(&Act::Fold(vec![1], b'a'));
    world.act(&Act::Freeze(false));
    world.act(&Act::Fold(vec![2], b'b'));
    world.act(&Act::Freeze(true));
    world.act(&Act::Restore(2));
    world.scan(0);
    assert_eq!(world.model.len(), 2);
}

//! Cuts on their way into files and back: what is read is what was written, or somebody is told what is wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use dataflow::{Disposition, Failure};
use serde_json::json;
use tokio::runtime::Runtime;

use super::format::Place;
use super::keeper::{Home, Work};
use super::testing::{Objects, Texts, keys, runtime, shelf};
use super::{Cut, Kept, KeyGroups, Table, objects};

const GROUPS: u32 = 64;

/// A table of one subtask, and what keeps it.
struct Stage {
    runtime: Runtime,
    objects: Objects,
    copies: Option<PathBuf>,
    table: Table<Texts>,
    work: Work,
    cuts: u64,
}

fn all() -> KeyGroups {
    KeyGroups::of(0, 1, GROUPS)
}

impl Stage {
    fn new(copies: Option<PathBuf>) -> Self {
        let (runtime, objects) = (runtime(), Objects::default());
        let home = Home {
            shelf: Some(shelf(&objects, &runtime, copies.clone())),
            prefix: "gen-1.1/att-1/3".to_owned(),
            groups: all(),
            limit_bytes: 64 << 20,
        };
        Self {
            runtime,
            objects,
            copies,
            table: Table::new(0, 0, Texts::default(), 0),
            work: Work::new(home, Vec::new()),
            cuts: 0,
        }
    }

    /// Sets these keys to a value of this many bytes.
    fn set(&mut self, numbers: impl Iterator<Item = u32>, length: usize, fill: u8) {
        let names: Vec<String> = numbers.map(|number| format!("key-{number}")).collect();
        let rows: Vec<u32> = (0..u32::try_from(names.len()).unwrap()).collect();
        let mut slots = Vec::new();
        self.table.slots(&keys(&names), &rows, &mut slots).unwrap();
        for slot in slots {
            self.table.values_mut().0[slot as usize] = vec![fill; length];
        }
    }

    fn freeze(&mut self) -> Kept {
        self.cuts += 1;
        let mut cut = Cut::new(self.cuts);
        self.table.freeze(&mut cut, &all());
        cut.note(json!({"cut": self.cuts}));
        self.runtime.block_on(self.work.keep(cut)).unwrap()
    }

    /// What a subtask with these key groups reads.
    fn read(&self, kept: &Kept, groups: &KeyGroups) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Failure> {
        let shelf = shelf(&self.objects, &self.runtime, self.copies.clone());
        let (restored, _) = Kept::restore(vec![kept.clone()], Some(&shelf), groups)?;
        assert_eq!(restored.notes, [json!({"cut": self.cuts})]);
        let mut read = BTreeMap::new();
        restored.each(groups, |entry| {
            assert!(groups.owns(entry.place.group));
            match entry.value {
                Some(value) => read.insert(entry.key.to_vec(), value.to_vec()),
                None => read.remove(entry.key),
            };
            Ok(())
        })?;
        Ok(read)
    }

    fn held(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let live = self.table.live();
        live.map(|slot| {
            (
                self.table.key(slot).to_vec(),
                self.table.values().0[slot as usize].clone(),
            )
        })
        .collect()
    }

    /// Two cuts in files, of some blocks each.
    fn with_files(copies: Option<PathBuf>) -> (Self, Kept) {
        let mut stage = Self::new(copies);
        stage.set(0..4000, 200, b'a');
        stage.freeze();
        stage.set(1000..2000, 100, b'b');
        let kept = stage.freeze();
        assert_eq!(stage.objects.all.lock().len(), 2);
        (stage, kept)
    }
}

#[test]
fn large_cuts_are_files_with_names_and_small_ones_stand_in_the_snapshot() {
    let (mut stage, kept) = Stage::with_files(None);
    let value = serde_json::to_value(&kept).unwrap();
    assert_eq!(objects(&value), ["gen-1.1/att-1/3-1.cut", "gen-1.1/att-1/3-2.cut"]);
    assert_eq!(stage.read(&kept, &all()), Ok(stage.held()));

    let mut small = Stage::new(None);
    small.set(0..10, 10, b'a');
    let kept = small.freeze();
    assert_eq!(objects(&serde_json::to_value(&kept).unwrap()), Vec::<&str>::new());
    assert_eq!(small.read(&kept, &all()), Ok(small.held()));
    assert_eq!(small.objects.all.lock().len(), 0);

    stage.table.clear();
    let kept = stage.freeze();
    assert_eq!(
        stage.read(&kept, &all()),
        Ok(BTreeMap::new()),
        "what was cleared does not come back"
    );
}

#[test]
fn a_rescaled_subtask_reads_its_own_key_groups_and_little_else() {
    let (stage, kept) = Stage::with_files(None);
    let whole = stage.held();
    let mut together = BTreeMap::new();
    for index in 0..4 {
        let groups = KeyGroups::of(index, 4, GROUPS);
        stage.objects.read.store(0, Ordering::SeqCst);
        together.extend(stage.read(&kept, &groups).unwrap());
        let read = stage.objects.read.load(Ordering::SeqCst);
        assert!(read < stage.objects.bytes() / 3, "{read} of {}", stage.objects.bytes());
    }
    assert_eq!(together, whole);
}

/// Pseudo-random numbers, the same in every run.
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    }
}

#[test]
fn no_flipped_bit_of_a_file_goes_unnoticed() {
    let (stage, kept) = Stage::with_files(None);
    let whole = stage.held();
    let names: Vec<String> = stage.objects.all.lock().keys().cloned().collect();
    let mut random = numbers(0x5eed);
    for turn in 0..400 {
        let name = &names[turn % names.len()];
        let sound = stage.objects.all.lock()[name].clone();
        // The heads are small: half of the turns are theirs.
        let at = if turn % 4 < 2 {
            random(sound.len().min(1024))
        } else {
            random(sound.len())
        };
        let mut bytes = sound.to_vec();
        bytes[at] ^= 1 << random(8);
        stage.objects.all.lock().insert(name.clone(), bytes.into());
        let failure = stage.read(&kept, &all()).expect_err("a wrong result, silently");
        assert_eq!(failure.disposition, Disposition::Fail);
        assert!(failure.message.contains(name.as_str()), "{failure}");
        assert!(failure.help.is_some());
        stage.objects.all.lock().insert(name.clone(), sound);
    }
    assert_eq!(stage.read(&kept, &all()), Ok(whole));
}

#[test]
fn a_flipped_bit_of_a_cut_in_the_snapshot_is_noticed() {
    let mut stage = Stage::new(None);
    stage.set(0..10, 10, b'a');
    let kept = stage.freeze();
    let text = serde_json::to_string(&kept).unwrap();
    let begin = text.find("inline").unwrap() + 9;
    for at in (begin..begin + 200).step_by(3) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let damaged: Kept = serde_json::from_slice(&bytes).unwrap();
        assert!(stage.read(&damaged, &all()).is_err(), "{at}");
    }
}

#[test]
fn a_missing_a_shortened_and_a_foreign_file_are_named() {
    let (stage, kept) = Stage::with_files(None);
    let (first, second) = ("gen-1.1/att-1/3-1.cut", "gen-1.1/att-1/3-2.cut");
    let sound = stage.objects.all.lock().clone();
    let checks: [(&str, Option<Bytes>, &str); 5] = [
        (first, None, "is missing"),
        (
            first,
            Some(sound[first].slice(..sound[first].len() - 1)),
            "block 4 of 4 has",
        ),
        (first, Some(sound[second].clone()), "has"),
        (second, Some(Bytes::new()), "the head has 0 bytes"),
        (
            second,
            Some(Bytes::from(vec![b'x'; sound[second].len()])),
            "does not begin as a state file does",
        ),
    ];
    for (name, bytes, says) in checks {
        match bytes {
            Some(bytes) => stage.objects.all.lock().insert(name.to_owned(), bytes),
            None => stage.objects.all.lock().remove(name),
        };
        let failure = stage.read(&kept, &all()).unwrap_err();
        assert!(
            failure.message.contains(name) && failure.message.contains(says),
            "{failure}"
        );
        assert_eq!(failure.disposition, Disposition::Fail);
        *stage.objects.all.lock() = sound.clone();
    }
}

#[test]
fn an_outcome_that_is_not_known_is_tried_again() {
    let mut stage = Stage::new(None);
    for failing in [1, 2, 3] {
        stage.objects.failing.store(failing, Ordering::SeqCst);
        stage.set(0..4000, 200, b'a');
        let kept = stage.freeze();
        assert_eq!(stage.read(&kept, &all()), Ok(stage.held()));
    }
}

#[test]
fn a_name_that_is_taken_is_not_written_over() {
    let mut stage = Stage::new(None);
    let foreign = Bytes::from_static(b"foreign");
    stage
        .objects
        .all
        .lock()
        .insert("gen-1.1/att-1/3-1.cut".to_owned(), foreign.clone());
    stage.set(0..4000, 200, b'a');
    let mut cut = Cut::new(1);
    stage.table.freeze(&mut cut, &all());
    stage.runtime.block_on(stage.work.keep(cut)).unwrap_err();
    assert_eq!(stage.objects.all.lock()["gen-1.1/att-1/3-1.cut"], foreign);
}

#[test]
fn copies_on_this_machine_are_read_instead_of_the_store_and_only_if_they_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let (stage, kept) = Stage::with_files(Some(folder.path().to_owned()));
    let copy = folder.path().join("gen-1.1/att-1/3-1.cut");
    let sound = stage.objects.all.lock().clone();
    stage.objects.all.lock().clear();
    assert_eq!(stage.read(&kept, &all()), Ok(stage.held()), "the store is not asked");
    *stage.objects.all.lock() = sound;
    for at in [10, 100, 300_000] {
        let mut bytes = std::fs::read(&copy).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&copy, bytes).unwrap();
        assert_eq!(stage.read(&kept, &all()), Ok(stage.held()), "the store is asked");
    }
    std::fs::write(&copy, "short").unwrap();
    assert_eq!(stage.read(&kept, &all()), Ok(stage.held()));
    std::fs::remove_file(&copy).unwrap();
    assert_eq!(stage.read(&kept, &all()), Ok(stage.held()));
}

#[test]
fn old_cuts_are_left_behind_and_those_that_are_needed_stay_a_small_multiple_of_the_state() {
    let mut stage = Stage::new(None);
    stage.set(0..4000, 100, b'a');
    stage.freeze();
    let live: usize = stage
        .held()
        .iter()
        .map(|(key, value)| key.len() + value.len() + 24)
        .sum();
    let mut random = numbers(7);
    for round in 0..300_u32 {
        let from = u32::try_from(random(3900)).unwrap();
        stage.set(from..from + 100, 100, b'b');
        let kept = stage.freeze();
        let text = serde_json::to_value(&kept).unwrap();
        let files = text["cuts"].as_array().unwrap();
        let bytes: u64 = files.iter().filter_map(|cut| cut["bytes"].as_u64()).sum();
        assert!(files.len() < 150, "{} cuts after round {round}", files.len());
        assert!(bytes < 5 * live as u64, "{bytes} bytes of files for {live} of state");
        assert!(serde_json::to_string(&kept).unwrap().len() < 128 << 10);
        if round % 50 == 49 {
            assert_eq!(stage.read(&kept, &all()), Ok(stage.held()));
        }
    }
}

#[test]
fn a_table_that_nobody_touches_holds_back_no_more_cuts_than_a_crowd() {
    let mut stage = Stage::new(None);
    let mut quiet = Table::new(1, 0, Texts::default(), 1);
    for number in 0..3000_u32 {
        quiet.entry(&number.to_be_bytes()).unwrap();
    }
    let mut most = 0;
    for round in 0..600_u32 {
        stage.set(round * 10..round * 10 + 300, 100, b'a');
        stage.cuts += 1;
        let mut cut = stage.work.begin(stage.cuts, 64 << 20);
        stage.table.freeze(&mut cut, &all());
        quiet.freeze(&mut cut, &all());
        let kept = stage.runtime.block_on(stage.work.keep(cut)).unwrap();
        most = most.max(kept.cuts.len());
    }
    assert!(most < 300, "{most} cuts");
}

#[test]
fn small_cuts_that_become_many_become_a_file() {
    let mut stage = Stage::new(None);
    stage.set(0..4000, 100, b'a');
    stage.freeze();
    for round in 0..40_u32 {
        stage.set(round..round + 2, 100, b'b');
        let kept = stage.freeze();
        let inline: usize = kept
            .cuts
            .iter()
            .filter(|cut| !serde_json::to_string(cut).unwrap().contains("object"))
            .count();
        assert!(serde_json::to_string(&kept).unwrap().len() < 100 << 10);
        assert!(inline < 6, "{inline}");
        assert_eq!(stage.read(&kept, &all()), Ok(stage.held()));
    }
}

#[test]
fn a_file_with_a_key_group_twice_over_names_it_for_each_part_that_took_a_part_of_it() {
    let (stage, kept) = Stage::with_files(None);
    let groups = KeyGroups::of(1, 2, GROUPS);
    let (_, cuts) = Kept::restore(vec![kept], Some(&shelf(&stage.objects, &stage.runtime, None)), &groups).unwrap();
    let again = Kept {
        cuts,
        note: Some(json!({"cut": stage.cuts})),
        written: 0,
    };
    // Though a subtask with all groups reads it now, what the other half held is not this part's to say.
    let read = stage.read(&again, &all()).unwrap();
    assert!(!read.is_empty() && read.len() < stage.held().len());
    let owned = |key: &Vec<u8>| groups.owns(groups.group(dataflow::key::hash(key)));
    assert!(read.keys().all(owned));
}

#[test]
fn keys_of_another_subtask_are_counted_where_they_are_kept() {
    let mut cut = Cut::new(1).of(2..5);
    for group in [1, 2, 4, 5] {
        let place = Place {
            state: 1,
            namespace: 0,
            group,
        };
        cut.put(place, b"key", |_| ());
        cut.remove(place, b"other");
    }
    assert_eq!(cut.strangers(), 4);
}

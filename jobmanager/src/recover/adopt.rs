//! Whether a new leader goes on with the subtasks that run, or starts them anew. Pure.
//!
//! ```text
//!   task managers register ──> standings of the job ──┬─ all subtasks of one generation, descending from the head ──> Adopt
//!                                                     ├─ some, or none yet, and time left ──> Wait
//!                                                     └─ time is up and there is room ──> Restart
//! ```
//!
//! A generation descends from the head if it made the head's checkpoint, or was restored from the head's snapshot, or was
//! adopted on top of it: then what its subtasks hold is the head and the rows since, and nothing else. Whatever it had
//! prepared and no record holds is in its next snapshot.
//!
//! Must stay true: all of the subtasks or none; of one generation; nobody who does not descend from the head.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dataflow::id::{Generation, SubtaskId};
use dataflow::time::Instant;

use crate::store::Origin;
#[cfg(feature = "testing")]
use crate::testing::{Mutant, is_planted};

/// How long subtasks run on without a job manager.
pub const LEASE: Duration = Duration::from_secs(30);

/// If nobody has spoken of the job's subtasks by then, there are none: who lost its leader redials within half a second.
const LOOK: Duration = Duration::from_millis(1_500);

/// If by then only some of them are there, the others are gone.
const LONGEST: Duration = Duration::from_secs(5);

/// Subtasks of one deployment on one task manager, which run although their leader is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub task_manager: String,
    /// Whom they obey.
    pub generation: Generation,
    /// Who deployed them.
    pub born: Generation,
    /// The epoch that they were restored from.
    pub born_epoch: u64,
    /// The head when they were adopted last; 0 where they never were.
    pub adopted_epoch: u64,
    /// Which of them are there, and whether each works.
    pub subtasks: BTreeMap<SubtaskId, Works>,
}

/// Whether a subtask is past its restoration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Works {
    /// It runs, or is at the end of its input.
    Yes,
    /// It restores.
    NotYet,
}

/// Whether the job could be placed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There are slots enough.
    Enough,
    /// There are not.
    TooLittle,
}

/// Where a subtask comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Birth {
    /// Who deployed it: its attempt and its files are named after that.
    pub generation: Generation,
    /// The epoch that it was restored from.
    pub epoch: u64,
}

impl Birth {
    /// Whether it met the head's barrier. Who was restored from the head has committed it before its first row, and counts
    /// its rows anew.
    #[must_use]
    pub fn made(self, head: Origin) -> bool {
        self.epoch < head.epoch.0
    }
}

/// A subtask that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Where it is.
    pub task_manager: String,
    /// Where it comes from.
    pub birth: Birth,
}

/// The subtasks that are taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whom they obeyed.
    pub generation: Generation,
    /// Each of them.
    pub survivors: BTreeMap<SubtaskId, Survivor>,
    /// The counter of the head's barrier, where some are the ones that met it: its commits may still be owed.
    pub owed: Option<u64>,
}

impl Found {
    /// What these owe is seen in where they come from.
    #[must_use]
    pub fn new(generation: Generation, survivors: BTreeMap<SubtaskId, Survivor>, head: Origin) -> Self {
        let made = survivors.values().any(|survivor| survivor.birth.made(head));
        #[cfg(feature = "testing")]
        let made = made && !is_planted(Mutant::OwedForgotten);
        Self {
            generation,
            survivors,
            owed: made.then_some(head.counter),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// Take these over.
    Adopt(Found),
    /// Start anew, for this reason.
    Restart(String),
}

/// A look at what runs of one job.
#[derive(Clone, Debug)]
pub struct Adoption {
    origin: Origin,
    wanted: BTreeSet<SubtaskId>,
    look_until: Instant,
    until: Instant,
    gone: BTreeSet<(Generation, SubtaskId)>,
}

impl Adoption {
    /// Looks for these subtasks, which must descend from the checkpoint that the head is a copy of.
    #[must_use]
    pub fn begin(origin: Origin, wanted: BTreeSet<SubtaskId>, now: Instant) -> Self {
        Self {
            origin,
            wanted,
            look_until: now + LOOK,
            until: now + LONGEST,
            gone: BTreeSet::new(),
        }
    }

    /// A subtask is no more.
    pub fn lost(&mut self, generation: Generation, subtask: SubtaskId) {
        self.gone.insert((generation, subtask));
    }

    /// When time alone may change the verdict.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        [self.look_until, self.until].into_iter().find(|until| now < *until)
    }

    /// Decides, given all that is known to run.
    #[must_use]
    pub fn decide(&self, standings: &[Standing], room: Room, now: Instant) -> Verdict {
        let generations: BTreeSet<_> = standings.iter().map(|standing| standing.generation).collect();
        let mut why = None;
        for generation in generations.into_iter().rev() {
            match self.whole(generation, standings) {
                Ok(found) => return Verdict::Adopt(found),
                Err(reason) => why = why.or(Some(reason)),
            }
        }
        let until = if why.is_some() { self.until } else { self.look_until };
        if now < until || room == Room::TooLittle {
            return Verdict::Wait;
        }
        Verdict::Restart(why.unwrap_or_else(|| "none of its subtasks run".to_owned()))
    }

    fn whole(&self, generation: Generation, standings: &[Standing]) -> Result<Found, String> {
        let own = || standings.iter().filter(|standing| standing.generation == generation);
        let mut survivors = BTreeMap::new();
        for standing in own() {
            if !self.descends(standing) {
                return Err(format!("{generation} does not descend from the head of the chain"));
            }
            let working = standing.subtasks.iter().filter(|(_, works)| **works == Works::Yes);
            for (subtask, _) in working.filter(|(subtask, _)| !self.gone.contains(&(generation, **subtask))) {
                let survivor = Survivor {
                    task_manager: standing.task_manager.clone(),
                    birth: Birth {
                        generation: standing.born,
                        epoch: standing.born_epoch,
                    },
                };
                if survivors.insert(*subtask, survivor).is_some() {
                    return Err(format!("{generation} has {subtask} twice"));
                }
            }
        }
        let is_missing = |subtask: &&SubtaskId| !survivors.contains_key(subtask);
        if let Some(missing) = self.wanted.iter().find(is_missing)
            && !takes_parts()
        {
            return Err(format!("{missing} of {generation} is gone"));
        }
        Ok(Found::new(generation, survivors, self.origin))
    }

    fn descends(&self, standing: &Standing) -> bool {
        #[cfg(feature = "testing")]
        if is_planted(Mutant::AdoptsAnybody) {
            return true;
        }
        let origin = self.origin.epoch.0;
        standing.generation == self.origin.generation
            || standing.born_epoch >= origin
            || standing.adopted_epoch >= origin
    }
}

/// The mutant that is content with some of the subtasks.
fn takes_parts() -> bool {
    #[cfg(feature = "testing")]
    return is_planted(Mutant::AdoptsParts);
    #[cfg(not(feature = "testing"))]
    false
}

#[cfg(test)]
mod tests {
    use dataflow::id::{Epoch, VertexId};

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_start(Duration::from_millis(10_000 + ms))
    }

    fn generation(deployment: u32) -> Generation {
        Generation { term: 1, deployment }
    }

    fn id(index: u32) -> SubtaskId {
        SubtaskId {
            vertex: VertexId(0),
            index,
        }
    }

    /// The head is the checkpoint 7 of deployment 2, of two subtasks.
    fn adoption() -> Adoption {
        let origin = Origin {
            epoch: Epoch(7),
            generation: generation(2),
            counter: 5,
        };
        Adoption::begin(origin, [id(0), id(1)].into(), at(0))
    }

    fn standing(task_manager: &str, deployment: u32, born_epoch: u64, indexes: &[u32]) -> Standing {
        Standing {
            task_manager: task_manager.to_owned(),
            generation: generation(deployment),
            born: generation(deployment),
            born_epoch,
            adopted_epoch: 0,
            subtasks: indexes.iter().map(|index| (id(*index), Works::Yes)).collect(),
        }
    }

    fn decide(standings: &[Standing], ms: u64) -> Verdict {
        adoption().decide(standings, Room::Enough, at(ms))
    }

    #[test]
    fn all_who_made_the_head_are_adopted_and_owe_its_commits() {
        let Verdict::Adopt(found) = decide(&[standing("a", 2, 3, &[0]), standing("b", 2, 3, &[1])], 1) else {
            panic!("not adopted");
        };
        assert_eq!((found.owed, found.generation), (Some(5), generation(2)));
        assert_eq!(found.survivors[&id(1)].task_manager, "b");
    }

    #[test]
    fn who_was_restored_from_the_head_is_adopted_and_owes_nothing() {
        let Verdict::Adopt(found) = decide(&[standing("a", 3, 7, &[0, 1])], 1) else {
            panic!("not adopted");
        };
        assert_eq!(found.owed, None);
    }

    #[test]
    fn who_was_adopted_on_top_of_the_head_still_owes_what_it_may_not_have_committed() {
        let twice = Standing {
            generation: generation(9),
            adopted_epoch: 8,
            ..standing("a", 2, 3, &[0, 1])
        };
        let Verdict::Adopt(found) = decide(&[twice], 1) else {
            panic!("not adopted");
        };
        assert_eq!(found.owed, Some(5));
        assert_eq!(found.survivors[&id(0)].birth.generation, generation(2));
    }

    #[test]
    fn a_part_that_was_started_anew_and_those_who_ran_on_are_adopted_together() {
        // Deployment 4 restored subtask 1 from the head, and took over subtask 0, which had made it.
        let ran_on = Standing {
            generation: generation(4),
            adopted_epoch: 7,
            ..standing("a", 2, 3, &[0])
        };
        let Verdict::Adopt(found) = decide(&[ran_on, standing("a", 4, 7, &[1])], 1) else {
            panic!("not adopted");
        };
        assert_eq!((found.generation, found.owed), (generation(4), Some(5)));
        let births: Vec<_> = found.survivors.values().map(|one| one.birth.generation).collect();
        assert_eq!(births, [generation(2), generation(4)]);
    }

    #[test]
    fn who_does_not_descend_from_the_head_is_not_adopted() {
        // Deployment 1 went on beside deployment 2, which made the head.
        let zombie = [standing("a", 1, 3, &[0, 1])];
        assert_eq!(decide(&zombie, 1), Verdict::Wait);
        assert!(matches!(decide(&zombie, 5_000), Verdict::Restart(why) if why.contains("descend")));
    }

    #[test]
    fn some_of_the_subtasks_are_not_enough_nor_are_those_that_restore_or_are_gone() {
        assert!(matches!(
            decide(&[standing("a", 2, 3, &[0])], 5_000),
            Verdict::Restart(_)
        ));
        let mixed = [standing("a", 2, 3, &[0]), standing("b", 3, 7, &[1])];
        assert!(matches!(decide(&mixed, 5_000), Verdict::Restart(_)));
        let mut restores = standing("a", 3, 7, &[0, 1]);
        restores.subtasks.insert(id(1), Works::NotYet);
        assert!(matches!(decide(&[restores], 5_000), Verdict::Restart(_)));
        let mut adoption = adoption();
        adoption.lost(generation(2), id(1));
        let whole = [standing("a", 2, 3, &[0, 1])];
        assert!(matches!(
            adoption.decide(&whole, Room::Enough, at(5_000)),
            Verdict::Restart(_)
        ));
    }

    #[test]
    fn the_newest_whole_generation_is_taken() {
        let both = [standing("a", 2, 3, &[0, 1]), standing("b", 3, 7, &[0, 1])];
        assert!(matches!(decide(&both, 1), Verdict::Adopt(found) if found.generation == generation(3)));
    }

    #[test]
    fn without_a_word_of_them_they_are_started_anew_soon_and_never_without_room() {
        assert_eq!(decide(&[], 1_400), Verdict::Wait);
        assert!(matches!(decide(&[], 1_500), Verdict::Restart(_)));
        assert_eq!(adoption().decide(&[], Room::TooLittle, at(60_000)), Verdict::Wait);
        assert_eq!(adoption().deadline(at(0)), Some(at(1_500)));
        assert_eq!(adoption().deadline(at(2_000)), Some(at(5_000)));
        assert_eq!(adoption().deadline(at(6_000)), None);
    }
}

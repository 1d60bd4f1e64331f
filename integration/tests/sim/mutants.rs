//! The simulator can see: every mutant of the protocol is killed, by a profile made for it or by everything at once.

use integration::sim::{Mutant, Profile, Run, Telling};

/// A mutant must be seen within so many seeds of its own profile.
const SEEDS_MAX: u64 = 200;

/// The world in which a mutant shows best.
fn profile(mutant: Mutant) -> Profile {
    match mutant {
        Mutant::NoFence | Mutant::ForeignAdopted | Mutant::PlainPut => Profile::TwoLeaders,
        Mutant::LedgerUnfenced => Profile::LateLedger,
        Mutant::NoStepDown => Profile::LateFence,
        Mutant::UnknownIsFailure => Profile::UnknownRecord,
        Mutant::CommitBeforeRecord => Profile::LeaderDiesBeforeRecord,
        Mutant::CommitSaidEarly => Profile::LateCommit,
        Mutant::AbortedDropped | Mutant::BarrierUnchecked => Profile::AbortedBarrier,
        Mutant::AttemptUnchecked => Profile::LateAcknowledgements,
        Mutant::AnyDeployment => Profile::LateMessages,
        Mutant::NoRepeat => Profile::LeaderDiesAfterRecord,
        Mutant::IncarnationUnchecked => Profile::LateDeployment,
        Mutant::OlderEpoch => Profile::LeaderDiesAfterRecord,
        Mutant::Unaligned => Profile::Clean,
        Mutant::CommitterInName => Profile::LateCommit,
        Mutant::GoneButTalking => Profile::Clean,
        Mutant::AdoptsAnybody => Profile::TornSession,
        Mutant::AdoptsParts | Mutant::OwedForgotten | Mutant::CountedAnew | Mutant::DealtAgain => {
            Profile::LeaderReturns
        }
        Mutant::HearsBoth => Profile::LateMessages,
        Mutant::LeaseForever => Profile::LeaderStaysAway,
        Mutant::EarlierTermServed => Profile::TornLeaders,
        Mutant::RegionOfOne | Mutant::PartKeepsBarrier => Profile::PartFails,
    }
}

fn run(seed: u64, mutant: Option<Mutant>, profile: Profile) -> Run {
    Run {
        seed,
        profile,
        mutant,
        telling: Telling::Hash,
    }
}

/// The first seed that sees the mutant, and what it says.
fn seen(mutant: Mutant) -> Option<(u64, String)> {
    let profile = profile(mutant);
    (1..=SEEDS_MAX).find_map(|seed| {
        Some((
            seed,
            run(seed, Some(mutant), profile)
                .play()
                .expect("a run goes on to its end")
                .violation?,
        ))
    })
}

#[test]
fn every_mutant_is_seen() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        match seen(mutant) {
            Some((seeds, rule)) => println!("{mutant}: {seeds} seeds of {:?}: {rule}", profile(mutant)),
            None => missed.push(mutant),
        }
    }
    assert!(
        missed.is_empty(),
        "mutants that {SEEDS_MAX} seeds do not see: {missed:?}"
    );
}

#[test]
fn what_sees_a_mutant_sees_nothing_without_it() {
    for mutant in Mutant::ALL {
        let Some((seed, _)) = seen(mutant) else { continue };
        let outcome = run(seed, None, profile(mutant))
            .play()
            .expect("a run goes on to its end");
        assert_eq!(outcome.violation, None, "seed {seed} of {mutant}");
    }
}

#[test]
fn the_counter_of_foreign_messages_stays_0_until_somebody_talks_on_who_is_gone() {
    let calm = |mutant| {
        (1..=40).map(move |seed| {
            run(seed, mutant, Profile::Clean)
                .play()
                .expect("a run goes on to its end")
                .violation
        })
    };
    assert_eq!(calm(None).flatten().next(), None);
    let moved = calm(Some(Mutant::GoneButTalking)).flatten();
    let moved = moved
        .filter(|rule| rule.contains("counter of foreign messages"))
        .count();
    assert!(moved > 0, "the mutant moves it");
}

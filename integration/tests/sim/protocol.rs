//! The protocol as it is: no seed breaks a rule, and each seed is the same every time.

use std::collections::BTreeMap;
use std::thread;

use integration::sim::{Outcome, Profile, Run};

const SEEDS: u64 = 2_000;

/// Seeds that once broke a rule, with the reason. Whatever they found stays found.
const REGRESSIONS: &[(u64, Profile, &str)] = &[
    (
        29,
        Profile::LateAcknowledgements,
        "a trigger that came again pushed out the newer one, and the checkpoint waited for its deadline",
    ),
    (10, Profile::LateAcknowledgements, "the same, at the end of the input"),
    (
        1424,
        Profile::Swarm,
        "a leader that was held up between its claim and the ledger wrote behind the pages of the one that had followed it",
    ),
    (
        1841,
        Profile::UnknownRecord,
        "a leader that was followed made another life with every submission, and the audit took the last of them for the job",
    ),
    (973, Profile::TwoLeaders, "the same, where two leaders begin together"),
    (
        2416,
        Profile::Swarm,
        "a deployment that came late to another start of its task manager stood beside those who had made the head, and was adopted with them",
    ),
    (
        2341,
        Profile::Swarm,
        "the same, for the whole job, whose channels led to the start before",
    ),
];

/// Half of the seeds are of everything at once, the others of each kind of world in turn.
fn run(seed: u64) -> Run {
    let kinds = Profile::ALL.len() as u64;
    let profile = match seed % 2 {
        0 => Profile::Swarm,
        _ => Profile::ALL[usize::try_from(seed / 2 % kinds).expect("a run goes on to its end")],
    };
    Run::of(seed, profile)
}

/// Plays a seed; what breaks is said with the command that plays it again.
fn play(run: Run) -> Result<Outcome, String> {
    let outcome = run.play().expect("a run goes on to its end");
    match &outcome.violation {
        None => Ok(outcome),
        Some(violation) => Err(format!(
            "seed {} of {:?}: {violation}\n    {}",
            run.seed,
            run.profile,
            run.command()
        )),
    }
}

fn played(seeds: impl Iterator<Item = u64>) -> Vec<(Run, Result<Outcome, String>)> {
    seeds.map(run).map(|run| (run, play(run))).collect()
}

#[test]
fn no_seed_breaks_a_rule() {
    let halves: Vec<_> = thread::scope(|scope| {
        // Both threads get as many seeds of every kind.
        let kinds = 2 * Profile::ALL.len() as u64;
        let half = |own: u64| scope.spawn(move || played((0..SEEDS).filter(|seed| seed / kinds % 2 == own)));
        let threads: Vec<_> = [half(0), half(1)].into();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a run goes on to its end"))
            .collect()
    });
    let (mut faults, mut events, mut records) = (0, 0, 0);
    let mut kinds: BTreeMap<Profile, (u64, u64)> = BTreeMap::new();
    let mut adopting = 0;
    let mut broken = Vec::new();
    for (run, outcome) in halves {
        match outcome {
            Ok(outcome) => {
                faults += outcome.faults;
                events += outcome.events;
                records += outcome.records;
                let (seeds, met) = kinds.entry(run.profile).or_default();
                *seeds += 1;
                adopting += u64::from(run.profile == Profile::LeaderReturns && outcome.adopted > 0);
                *met += u64::from(outcome.struck > 0 || outcome.faults > 0);
            }
            Err(violation) => broken.push(violation),
        }
    }
    println!(
        "{SEEDS} seeds: {events} events, {faults} faults, {records} records, {adopting} times a leader that returned adopted; \
         seeds and seeds with faults: {kinds:?}"
    );
    assert!(
        broken.is_empty(),
        "{} seeds break a rule:\n  {}",
        broken.len(),
        broken.join("\n  ")
    );
    let (returned, _) = kinds.get(&Profile::LeaderReturns).copied().unwrap_or_default();
    assert!(
        adopting * 2 > returned,
        "{adopting} of {returned} leaders that returned adopted what ran"
    );
    for profile in Profile::ALL {
        let (seeds, met) = kinds.get(&profile).copied().unwrap_or_default();
        let enough = match profile {
            Profile::Quiet => met == 0 && seeds > 0,
            // A subtask fails in each.
            Profile::Clean => met == seeds && seeds > 0,
            _ => met * 2 > seeds,
        };
        assert!(enough, "{profile:?}: {met} of {seeds} seeds had faults");
    }
}

#[test]
fn a_seed_that_is_played_again_has_the_same_events() {
    for seed in 5_000..5_060 {
        let (first, second) = (
            run(seed).play().expect("a run goes on to its end"),
            run(seed).play().expect("a run goes on to its end"),
        );
        assert_eq!(first, second, "seed {seed}");
    }
    let hashes: std::collections::BTreeSet<u64> = (5_000..5_020)
        .map(|seed| run(seed).play().expect("a run goes on to its end").hash)
        .collect();
    assert_eq!(hashes.len(), 20, "another seed has other events");
}

#[test]
fn what_was_found_once_stays_found() {
    for (seed, profile, reason) in REGRESSIONS {
        if let Err(violation) = play(Run::of(*seed, *profile)) {
            panic!("{reason}: {violation}");
        }
    }
}

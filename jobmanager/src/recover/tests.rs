//! Restart decisions.

use std::time::Duration;

use dataflow::Failure;
use dataflow::time::Instant;
use planner::job::Restart;
use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

fn exponential(attempts: Option<u32>) -> Restart {
    let (first, longest) = (Duration::from_millis(100), Duration::from_secs(60));
    Restart::Exponential {
        first,
        longest,
        quiet: Duration::from_secs(600),
        attempts,
    }
}

fn delay(decision: &Decision) -> Duration {
    match decision {
        Decision::RestartAfter(delay, _) => *delay,
        Decision::GiveUp(reason) => panic!("gave up: {reason}"),
    }
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let mut policy = RestartPolicy::new(Restart::default(), 1);
    assert!(matches!(
        policy.on(&Failure::fail("the file changed"), at(0)),
        Decision::GiveUp(_)
    ));
    assert!(matches!(
        policy.on(&Failure::bug("index out of bounds"), at(0)),
        Decision::GiveUp(_)
    ));
    assert!(matches!(
        policy.on(&Failure::retry("timeout"), at(0)),
        Decision::RestartAfter(_, 1)
    ));
}

#[test]
fn a_fixed_policy_gives_up_after_its_attempts_and_says_so() {
    let mut policy = RestartPolicy::new(
        Restart::Fixed {
            attempts: 2,
            delay: Duration::from_secs(1),
        },
        1,
    );
    let failure = Failure::retry("timeout");
    assert_eq!(
        policy.on(&failure, at(0)),
        Decision::RestartAfter(Duration::from_secs(1), 1)
    );
    assert_eq!(
        policy.on(&failure, at(2)),
        Decision::RestartAfter(Duration::from_secs(1), 2)
    );
    assert_eq!(
        policy.on(&failure, at(4)),
        Decision::GiveUp("it failed again after 2 restarts in a row".to_owned())
    );
}

#[test]
fn a_quiet_time_makes_delays_short_again() {
    let mut policy = RestartPolicy::new(exponential(None), 7);
    let failure = Failure::retry("timeout");
    let long = (0..12)
        .map(|second| delay(&policy.on(&failure, at(second))))
        .last()
        .unwrap();
    assert!(long > Duration::from_secs(40), "{long:?}");
    let after = delay(&policy.on(&failure, at(11 + 600)));
    assert!(after <= Duration::from_millis(125), "{after:?}");
}

proptest! {
    #[test]
    fn delays_stay_in_bounds_and_follow_the_seed(seed in any::<u64>(), gaps in prop::collection::vec(0..700_u64, 1..80)) {
        let (mut one, mut other) = (RestartPolicy::new(exponential(None), seed), RestartPolicy::new(exponential(None), seed));
        let mut now = 0;
        for gap in gaps {
            now += gap;
            let decision = one.on(&Failure::retry("timeout"), at(now));
            prop_assert_eq!(&decision, &other.on(&Failure::retry("timeout"), at(now)));
            let delay = delay(&decision);
            prop_assert!(delay >= Duration::from_millis(75) && delay <= Duration::from_secs(60), "{:?}", delay);
        }
    }
}

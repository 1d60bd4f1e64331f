//! Deals one blow, starts again what died as a supervisor would, and waits until everything commits again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dataflow::time::{Clock as _, Instant, SystemClock};

use super::fleet::Fleet;
use super::strike::{Company, Role, Strike};
use crate::cluster::{Deadline, JOBMANAGER, until};
use crate::sim::chance::Chance;

/// The longest pause before a blow at random, in milliseconds: more than a few checkpoints.
const PAUSE_MS_MAX: u64 = 1_000;
/// How long a process may take to come to its crash point.
const ON_THE_WAY: Duration = Duration::from_secs(15);
/// Longer than the lease, and than any heartbeat is waited for.
const FROZEN: Duration = Duration::from_secs(13);
/// So many records behind the one that was the newest at the blow: the second one is made when the first is committed.
const RECORDS: u64 = 2;

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// In mid-flow; all datastreams had committed again after so long.
    Counted(Duration),
    /// Nobody came to the crash point in time.
    Missed,
    /// A datastream is near its end: nothing was done.
    Over,
}

/// Deals it.
pub(super) fn blow(fleet: &mut Fleet, strike: Strike, mut chance: Chance, clock: &SystemClock) -> Result<Outcome> {
    if !fleet.until_in_flow()? {
        return Ok(Outcome::Over);
    }
    wait(Duration::from_millis(chance.below(PAUSE_MS_MAX)))?;
    let names = fleet.cluster.taskmanagers();
    let victim = chance
        .pick(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .to_owned();
    let died = match strike {
        Strike::Frozen(role) => return frozen(fleet, role, &victim, clock).map(Outcome::Counted),
        Strike::Random(role, company) => {
            let died = (clock.now(), fleet.heads()?);
            kill(fleet, role, company, &victim);
            Some(died)
        }
        Strike::Point(role, point, company) => at_point(fleet, (role, point, company), &victim, clock)?,
    };
    let Some((at, heads)) = died else {
        return Ok(Outcome::Missed);
    };
    revive(fleet)?;
    // A new leader makes a record of its own that holds no rows.
    let fences = u64::from(strike.takes_jobmanager());
    fleet.until_past(&heads, RECORDS + fences)?;
    Ok(Outcome::Counted(clock.now().since(at)))
}

type Died = (Instant, BTreeMap<&'static str, u64>);

/// Loads a process, and waits until it has died there.
fn at_point(
    fleet: &mut Fleet,
    (role, point, company): (Role, &str, Company),
    victim: &str,
    clock: &SystemClock,
) -> Result<Option<Died>> {
    let name = match role {
        Role::TaskManager => victim,
        Role::JobManager => JOBMANAGER,
    };
    fleet.cluster.load(name, point)?;
    match (role, point.split_once('.').map(|(phase, _)| phase)) {
        // These are passed only by who starts anew: another process dies first.
        (Role::TaskManager, Some("restore")) => {
            let other = fleet.cluster.taskmanagers().into_iter().find(|other| other != victim);
            fleet.cluster.kill_taskmanager(&other.context("a second task manager")?);
            fleet.add_taskmanager()?;
        }
        (Role::JobManager, Some("fence" | "deploy")) => {
            fleet.cluster.kill_jobmanager();
            fleet.cluster.begin_jobmanager()?;
        }
        _ => {}
    }
    let deadline = Deadline::of(ON_THE_WAY);
    while !fleet.cluster.has_ended(name)? {
        if deadline.has_passed() && fleet.cluster.unload(name) {
            return Ok(None);
        }
        wait(Duration::from_millis(1))?;
    }
    let died = (clock.now(), fleet.heads()?);
    kill(fleet, role, company, victim);
    Ok(Some(died))
}

/// `kill -9`; who is dead already is taken off the list.
fn kill(fleet: &mut Fleet, role: Role, company: Company, victim: &str) {
    if role == Role::JobManager || company == Company::Both {
        fleet.cluster.kill_jobmanager();
    }
    if role == Role::TaskManager || company == Company::Both {
        fleet.cluster.kill_taskmanager(victim);
    }
}

/// Starts what is not there.
fn revive(fleet: &mut Fleet) -> Result<()> {
    while fleet.cluster.taskmanagers().len() < 2 {
        fleet.add_taskmanager()?;
    }
    if fleet.cluster.has_ended(JOBMANAGER)? {
        fleet.cluster.kill_jobmanager();
        fleet.cluster.start_jobmanager()?;
    } else {
        // It may have been begun a moment ago.
        fleet.cluster.await_jobmanager()?;
    }
    Ok(())
}

/// A process stands still until everybody has given it up, and goes on. A task manager has a successor by then.
fn frozen(fleet: &mut Fleet, role: Role, victim: &str, clock: &SystemClock) -> Result<Duration> {
    let name = match role {
        Role::TaskManager => victim,
        Role::JobManager => JOBMANAGER,
    };
    let (mut at, mut heads) = (clock.now(), fleet.heads()?);
    let until_thaw = Deadline::of(FROZEN);
    fleet.cluster.signal(name, "STOP")?;
    let mut took = Duration::ZERO;
    if role == Role::TaskManager {
        fleet.add_taskmanager()?;
        fleet.until_past(&heads, RECORDS)?;
        took = clock.now().since(at);
    }
    until("the end of the frost", Deadline::of(FROZEN * 2), || {
        Ok(until_thaw.has_passed().then_some(()))
    })?;
    (at, heads) = (
        clock.now(),
        if role == Role::TaskManager {
            fleet.heads()?
        } else {
            heads
        },
    );
    fleet.cluster.signal(name, "CONT")?;
    fleet.until_past(&heads, RECORDS)?;
    if role == Role::TaskManager {
        // It has had its chance to do harm.
        fleet.cluster.kill_taskmanager(victim);
        return Ok(took);
    }
    Ok(clock.now().since(at))
}

/// So long.
fn wait(pause: Duration) -> Result<()> {
    let over = Deadline::of(pause);
    until("a pause", Deadline::of(pause + ON_THE_WAY), || {
        Ok(over.has_passed().then_some(()))
    })
}

//! What became of the rows of each step: sums over subtasks and attempts, and what is missing of them.
//!
//! A subtask counts from its start. What was counted before it is in the record that it was restored from, as with
//! [`Reached`](crate::store::Reached): so numbers go on from there, whatever fails and however wide a step is.

use std::collections::BTreeMap;

use bytes::Bytes;
use dataflow::element::columns::is_timed;
use dataflow::id::SubtaskId;
use dataflow::recipe::{Node, Recipe};
use dataflow::tally::{self, Account, MINUTE_MS, Tallies, Tally};
use planner::job::Vertex;

use super::actor::Actor;
use super::view::counted;
use crate::checkpoint::Timing;
use crate::cluster::Gauges;
use crate::lag::{Limits, Points, Verdict, between, find};
use crate::recover::Found;
use crate::rest::types::{Between, Fates, Lag, Loss, LossView, MinuteFates, Missing, StepLag};
use crate::store::{Record, Tallied};

/// So many points are named, the first ones.
const POINTS_MAX: usize = 100;

/// What is asked of lag and loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LagAsked {
    /// How many minutes, the newest ones.
    pub minutes: usize,
    /// What is missing between these steps.
    pub between: Option<(String, String)>,
}

/// The newest checkpoint whose barrier overtook nothing.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    epoch: u64,
    at_ms: i64,
    tallied: Tallied,
    /// Whether there is a newer one that has overtaken rows.
    outdated: bool,
}

impl Judged {
    fn by(head: &Record) -> Self {
        Self {
            epoch: head.epoch.0,
            at_ms: head.at.0,
            tallied: head.tallied.clone(),
            outdated: false,
        }
    }
}

impl Actor {
    /// Takes what a heartbeat says of lag and loss out of it.
    pub(super) fn hear_of_rows(&mut self, subtask: SubtaskId, gauges: &mut Gauges) {
        let Some(deployment) = self
            .deployment
            .as_mut()
            .filter(|one| one.generation == gauges.generation)
        else {
            return;
        };
        let heard = deployment.heard.entry(subtask).or_default();
        for node in &mut gauges.nodes {
            let said = std::mem::take(&mut node.said);
            heard.entry(node.step.clone()).or_default().hear(&said.changes);
            self.lags.hear(&node.step, &said.came, &said.left);
        }
    }

    /// The tallies of this life: what the head says, and what was counted since it was restored.
    pub(super) fn tallies(&self) -> Tallies {
        let mut sums = self.tallies_before();
        let heard = self.deployment.iter().flat_map(|deployment| deployment.heard.values());
        heard.for_each(|tallies| tally::merge(&mut sums, tallies));
        sums
    }

    /// The tallies at a barrier.
    pub(super) fn tallies_at(&self, snapshots: &BTreeMap<SubtaskId, Bytes>) -> Tallied {
        let mut tallies = self.tallies_before();
        for snapshot in snapshots.values() {
            tally::merge(&mut tallies, &counted(snapshot).tallies);
        }
        let shape = self.shape();
        Tallied { shape, tallies }
    }

    fn tallies_before(&self) -> Tallies {
        match &self.deployment {
            Some(deployment) => deployment.tallies.clone(),
            None => self.last_tallies.clone(),
        }
    }

    fn shape(&self) -> u32 {
        let graph = self.document.as_ref().map(|document| &document.graph);
        graph.map_or(0, |graph| Points::of(graph).shape())
    }

    /// The tallies that the next deployment goes on from. Of a graph with other steps or other ways between them they say
    /// nothing: a step that is new has not seen what went before it.
    pub(super) fn tallies_to_go_on_from(&self, head: &Record, found: Option<&Found>) -> Tallies {
        if head.tallied.shape != self.shape() {
            return Tallies::new();
        }
        let mut tallies = head.tallied.tallies.clone();
        let (Some(found), Some(origin)) = (found, head.origin()) else {
            return tallies;
        };
        for part in &head.subtasks {
            let id = SubtaskId {
                vertex: part.vertex,
                index: part.index,
            };
            if found.survivors.get(&id).is_some_and(|one| one.birth.made(origin)) {
                let own = counted(part.snapshot.get().as_bytes()).tallies;
                tally::take_away(&mut tallies, &own);
            }
        }
        tallies
    }

    /// Lag and loss, as they are now.
    pub(super) fn lag(&self, asked: &LagAsked) -> Lag {
        let tallies = self.tallies();
        let vertices = self.document.iter().flat_map(|document| &document.graph.vertices);
        let steps = vertices.flat_map(|vertex| vertex.chain.nodes.iter().map(move |node| (vertex, node)));
        let (loss, between) = self.missing(asked.between.as_ref());
        Lag {
            now_ms: self.context.clock.wall().0,
            at_ms: self.lags.at_ms(),
            steps: steps
                .map(|(vertex, node)| self.step_lag(vertex, node, &tallies, asked.minutes))
                .collect(),
            loss,
            between,
        }
    }

    fn step_lag(&self, vertex: &Vertex, node: &Node, tallies: &Tallies, minutes: usize) -> StepLag {
        let nothing = Tally::default();
        let tally = tallies.get(&node.name).unwrap_or(&nothing);
        let newest = tally.minutes().rev().take(minutes);
        let mut minutes: Vec<MinuteFates> = newest
            .map(|(minute, account)| MinuteFates {
                minute_ms: minute.saturating_mul(MINUTE_MS),
                fates: fates(account),
            })
            .collect();
        minutes.reverse();
        StepLag {
            name: node.name.clone(),
            kind: node.recipe.name().to_owned(),
            vertex: vertex.id.to_string(),
            timed: is_in_event_time(vertex, node),
            total: fates(tally.total()),
            older: fates(tally.older()),
            ahead: fates(tally.ahead()),
            minutes,
            ages: self.lags.of(&node.name),
        }
    }

    /// Where a deployment has come to its end: after the last checkpoint nothing is counted that its record does not hold.
    pub(super) fn tallies_at_the_end(&self) -> Tallies {
        match &self.head {
            Some(head) if head.last && head.tallied.shape == self.shape() => head.tallied.tallies.clone(),
            Some(_) | None => self.tallies(),
        }
    }

    /// A checkpoint is over: where its barrier overtook nothing, it is what losses are judged by.
    pub(super) fn judge_by(&mut self, timing: &Timing) {
        // Commits that were only owed say nothing of the barrier, which another job manager sent.
        let owed = timing.collected == Some(timing.triggered);
        match timing.aligned.overtook {
            _ if owed => {}
            None | Some(0) => {
                self.judged = self.head.as_ref().map(Judged::by);
                let losses = self.losses();
                self.lost = Some(Missing {
                    rows: losses.iter().map(|loss| u64::try_from(loss.lost).unwrap_or(0)).sum(),
                    alarm: losses.iter().any(|loss| loss.alarm),
                });
            }
            Some(_) => {
                if let Some(judged) = &mut self.judged {
                    judged.outdated = true;
                }
            }
        }
    }

    /// What is missing at the newest checkpoint that can be judged by, and between two steps.
    fn missing(&self, asked: Option<&(String, String)>) -> (LossView, Option<Between>) {
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return (LossView::default(), None);
        };
        let points = Points::of(&document.graph);
        let limits = Limits::of(document.graph.settings.loss_alarm);
        let own = Judged::by(head);
        let judged = self.judged.as_ref().unwrap_or(&own);
        let mut verdict = match judged.tallied.shape == points.shape() {
            true => find(&points, &judged.tallied.tallies, limits, self.context.clock.wall().0),
            false => Verdict::default(),
        };
        // Of what another job manager has recorded it is not known yet whether its barrier overtook anything. What cannot be
        // read is its reader's to complain of.
        let unknown = self.judged.is_none() && !verdict.losses.is_empty();
        let overtaken = unknown && head.has_overtaken().unwrap_or(true);
        if overtaken {
            verdict = Verdict::default();
        }
        let between = asked.and_then(|(from, to)| {
            let ends = (points.named(from)?, points.named(to)?);
            Some(Between {
                from: from.clone(),
                to: to.clone(),
                lost: between(&points, &verdict, ends),
            })
        });
        let view = LossView {
            epoch: judged.epoch,
            at_ms: judged.at_ms,
            alarm_share: limits.share,
            settle_ms: limits.settle_ms,
            overtaken: overtaken || judged.outdated,
            points: verdict.losses.into_iter().take(POINTS_MAX).collect(),
        };
        (view, between)
    }

    /// What is missing, for whoever looks at the datastream.
    pub(super) fn losses(&self) -> Vec<Loss> {
        self.missing(None).0.points
    }
}

/// Whether a step counts by event time: before the step that gives it, the time of a row is that of its arrival.
fn is_in_event_time(vertex: &Vertex, node: &Node) -> bool {
    let mut behind = vertex.chain.nodes.iter().skip_while(|other| other.name != node.name);
    let gives = |node: &Node| matches!(node.recipe, Recipe::EventTime(_));
    gives(node) || (is_timed(&node.input) && !behind.any(gives))
}

fn fates(account: Account) -> Fates {
    let Account {
        rows_in,
        rows_out,
        filtered,
        late,
        dead,
    } = account;
    Fates {
        rows_in,
        rows_out,
        filtered,
        late,
        dead,
    }
}

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
use crate::cluster::Gauges;
use crate::lag::{Limits, Points, Verdict, between, find};
use crate::recover::Found;
use crate::rest::types::{Between, Fates, Lag, Loss, LossView, MinuteFates, StepLag};
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

    /// What is missing at the newest checkpoint, and between two steps.
    fn missing(&self, asked: Option<&(String, String)>) -> (LossView, Option<Between>) {
        let (Some(head), Some(document)) = (&self.head, &self.document) else {
            return (LossView::default(), None);
        };
        let points = Points::of(&document.graph);
        let limits = Limits::of(document.graph.settings.loss_alarm);
        let verdict = match head.tallied.shape == points.shape() {
            true => find(&points, &head.tallied.tallies, limits, self.context.clock.wall().0),
            false => Verdict::default(),
        };
        let between = asked.and_then(|(from, to)| {
            let ends = (points.named(from)?, points.named(to)?);
            Some(Between {
                from: from.clone(),
                to: to.clone(),
                lost: between(&points, &verdict, ends),
            })
        });
        // What cannot be read is its reader's to complain of.
        let overtaken = !verdict.losses.is_empty() && head.has_overtaken().unwrap_or(true);
        let alarm = |loss: Loss| Loss {
            alarm: loss.alarm && !overtaken,
            ..loss
        };
        let view = LossView {
            epoch: head.epoch.0,
            at_ms: head.at.0,
            alarm_share: limits.share,
            settle_ms: limits.settle_ms,
            overtaken,
            points: verdict.losses.into_iter().take(POINTS_MAX).map(alarm).collect(),
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

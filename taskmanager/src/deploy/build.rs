//! One subtask from its plan: operators from the registry, their ways in and out, and what they are restored from.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use dataflow::contract::{
    Alignment, Committable, Encoding, Framing, ReaderContext, SinkContext, SinkState, Split, dead,
};
use dataflow::element::{Batch, Element};
use dataflow::id::EdgeId;
use dataflow::recipe::{self, Node, Port, Recipe, Target};
use dataflow::{Failure, Scope};

use super::channels::Ends;
use super::{Deployment, Plan, Site, sink, source};
use crate::chain::dead::Origin;
use crate::chain::{self, Chain, Next};
use crate::checkpoint::{SinkSnapshot, left};
use crate::gate::Gate;
use crate::memory::Share;
use crate::meter::Meter;
use crate::operators::{self, Ground, Source, SplitChange};
use crate::overtaken::{self, Passed, Place, Stow};
use crate::partition::Output;
use crate::state::{Home, Keeper, Kept, KeptCut, KeyGroups, Limits, Shelf, Spill};
use crate::task::drift::Drift;
use crate::task::gauges::Gauges;
use crate::task::mailbox::{Mail, Mailbox};
use crate::task::{Input, Parts};
use crate::writer::Writer;

/// Everything a subtask grows from.
pub(super) struct Seed {
    pub(super) site: Site,
    pub(super) deployment: Arc<Deployment>,
    pub(super) plan: Plan,
    pub(super) share: Share,
    /// Where its state files are.
    pub(super) shelf: Option<Shelf>,
    pub(super) scope: Scope,
    pub(super) mail: Mail,
    pub(super) gauges: Arc<Gauges>,
}

/// Builds it. With a failure come the channels' ends, to be dropped after it was reported.
pub(super) fn build(seed: Seed, mailbox: Mailbox, mut ends: Ends) -> Result<Parts, (Failure, Ends)> {
    let built = seed
        .input(&mut ends)
        .and_then(|input| Ok((input, seed.chain(&mut ends)?)));
    match built {
        Ok((mut input, mut chain)) => {
            let restored = seed.committables();
            let restored = restored.and_then(|all| Ok((all, seed.overtaken(&mut input, &mut chain)?)));
            match restored {
                Ok((committables, unwritten)) => {
                    if let Input::Source(source) = &input {
                        let held = source.snapshot().into_iter().map(|split| split.id);
                        chain.splits(&SplitChange::Assigned(held.collect()));
                    }
                    let parts = seed.parts(mailbox, input, chain);
                    Ok(Parts {
                        restored: committables,
                        unwritten,
                        ..parts
                    })
                }
                Err(failure) => Err((failure, ends)),
            }
        }
        Err(failure) => Err((failure, ends)),
    }
}

impl Seed {
    fn parts(self, mailbox: Mailbox, input: Input, chain: Chain) -> Parts {
        let sinks = self.sinks().map(|(index, node)| (index, node.name.clone())).collect();
        let stateful = chain
            .stateful()
            .map(|index| (index, self.nodes()[index].name.clone()))
            .collect();
        let drift = self.max_drift_ms().map(|most| Drift::new(most, self.plan.parallelism));
        let identity = &self.plan.identity;
        let prefix = format!(
            "{}/{}/overtaken-{}",
            identity.generation, identity.attempt, identity.subtask
        );
        let stow = self
            .shelf
            .map(|shelf| Stow::new(shelf, prefix, self.scope.clone(), self.mail.clone()));
        Parts {
            identity: self.plan.identity,
            mailbox,
            reports: self.site.reports,
            clock: self.site.clock,
            gauges: self.gauges,
            input,
            chain,
            sinks,
            stateful,
            restored: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            stow,
            drift,
        }
    }

    /// How far the splits of its source may run ahead, if that is bounded.
    fn max_drift_ms(&self) -> Option<u64> {
        self.nodes().iter().find_map(|node| match &node.recipe {
            Recipe::EventTime(event_time) => event_time.max_drift_ms,
            _ => None,
        })
    }

    fn nodes(&self) -> &[Node] {
        &self.plan.chain.nodes
    }

    fn sinks(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes()
            .iter()
            .enumerate()
            .filter(|(_, node)| matches!(node.recipe, Recipe::Sink(_)))
    }

    fn input(&self, ends: &mut Ends) -> Result<Input, Failure> {
        if self
            .nodes()
            .iter()
            .skip(1)
            .any(|node| matches!(node.recipe, Recipe::Source(_)))
        {
            return Err(Failure::bug("a source behind the beginning of its chain"));
        }
        let first = &self.nodes()[0];
        let inlets = std::mem::take(&mut ends.inlets);
        match (&first.recipe, inlets.is_empty()) {
            (Recipe::Source(recipe), true) => self.source(first, recipe).map(Input::Source),
            (Recipe::Source(_), false) => Err(Failure::bug(format!("the source `{}` is fed by an edge", first.name))),
            (_, true) => Err(Failure::bug(format!("nothing feeds `{}`", first.name))),
            (_, false) => Ok(Input::Gate(Box::new(Gate::new(inlets)))),
        }
    }

    fn source(&self, node: &Node, recipe: &recipe::Source) -> Result<Source, Failure> {
        let site = &self.site;
        let framing = match &recipe.format {
            None => Framing::Lines,
            Some(format) => {
                let found = site.registry.format(&format.name);
                let found =
                    found.ok_or_else(|| Failure::fail(format!("this build has no format `{}`", format.name)))?;
                let framing = found.framing(&format.options);
                framing.map_err(|error| Failure::fail(format!("`{}` cannot be read", node.name)).because(&error))?
            }
        };
        let context = ReaderContext {
            stores: Arc::clone(&site.stores),
            clock: Arc::clone(&site.clock),
            scope: self.scope.clone(),
            waker: self.mail.waker(),
            output: Arc::clone(&node.output),
            framing,
            buffer_bytes: usize::try_from(self.share.reader).unwrap_or(usize::MAX),
            subtask: (self.plan.identity.subtask.index, self.plan.parallelism),
            alignment: match self.max_drift_ms() {
                Some(_) => Alignment::ByDrift,
                None => Alignment::Free,
            },
        };
        let reader = source(&site.registry, recipe)?.reader(&recipe.options, context)?;
        let restored: Vec<Vec<Split>> = left(&self.plan.restored, &node.name)?;
        let restored = restored.into_iter().flatten().collect();
        Source::new(node.name.clone(), reader, restored, Arc::clone(&self.gauges))
    }

    fn chain(&self, ends: &mut Ends) -> Result<Chain, Failure> {
        let edges: Vec<EdgeId> = self.plan.outputs.iter().map(|output| output.edge).collect();
        let mut outputs = Vec::with_capacity(edges.len());
        for output in &self.plan.outputs {
            let outlets = ends.outlets.remove(&output.edge).unwrap_or_default();
            let schema = self.schema_of(output.edge)?;
            let timeout = self.deployment.buffer_timeout;
            outputs.push(Output::new(output.edge, &output.partition, &schema, outlets, timeout)?);
        }
        let nodes = self
            .nodes()
            .iter()
            .enumerate()
            .map(|(index, node)| self.node(index, node, &edges));
        Ok(Chain::new(
            nodes.collect::<Result<_, _>>()?,
            outputs,
            Arc::clone(&self.gauges),
            Meter::new(Arc::clone(&self.site.clock)),
        ))
    }

    /// The schema of what leaves by an edge.
    fn schema_of(&self, edge: EdgeId) -> Result<SchemaRef, Failure> {
        for node in self.nodes() {
            match node.targets.iter().find(|(_, target)| *target == Target::Edge(edge)) {
                Some((Port::Main, _)) => return Ok(Arc::clone(&node.output)),
                Some((Port::Late, _)) => return Ok(Arc::clone(&node.input)),
                Some((Port::Dead, _)) => return Ok(dead::schema()),
                None => {}
            }
        }
        Err(Failure::bug(format!(
            "no node of {} sends by {edge}",
            self.plan.identity.subtask
        )))
    }

    fn node(&self, index: usize, node: &Node, edges: &[EdgeId]) -> Result<chain::Node, Failure> {
        let gauges = Arc::clone(&self.gauges.nodes[index]);
        let writer = match &node.recipe {
            Recipe::Sink(recipe) => Some((Arc::from(node.name.as_str()), self.writer(index, node, recipe)?)),
            Recipe::Source(_)
            | Recipe::Decode(_)
            | Recipe::EventTime(_)
            | Recipe::Filter(_)
            | Recipe::Select(_)
            | Recipe::Drop(_)
            | Recipe::Unnest(_)
            | Recipe::Sample(_)
            | Recipe::Dedup(_)
            | Recipe::Aggregate(_)
            | Recipe::TopN(_)
            | Recipe::Delay(_)
            | Recipe::RateLimit(_) => None,
        };
        let identity = &self.plan.identity;
        let clock = Arc::clone(&self.site.clock);
        let origin = Origin {
            job: identity.job.clone(),
            attempt: identity.attempt.clone(),
            clock,
            hidden: Arc::clone(&self.deployment.hidden),
        };
        let kept: Vec<Kept> = if operators::has_state(&node.recipe) {
            left(&self.plan.restored, &node.name)?
        } else {
            Vec::new()
        };
        let groups = KeyGroups::of(
            identity.subtask.index,
            self.plan.parallelism,
            self.deployment.max_parallelism,
        );
        let (restored, cuts) = Kept::restore(kept, self.shelf.as_ref(), &groups)?;
        let spill = operators::has_tables(&node.recipe).then(|| self.spill(index, &groups));
        let ground = Ground {
            groups: groups.clone(),
            buffer_timeout: self.deployment.buffer_timeout,
            restored: &restored,
            spill: spill.as_ref(),
            registry: &self.site.registry,
            origin: &origin,
            gauges: &gauges,
            writer: writer.as_ref().map(|(_, writer)| writer),
        };
        let operator = operators::build(node, &ground)?;
        let keeper = operators::has_state(&node.recipe).then(|| self.keeper(index, groups, cuts));
        let keeper = keeper.map(|keeper| (Arc::from(node.name.as_str()), keeper));
        let nexts = |port| {
            let targets = node.targets.iter().filter(move |(from, _)| *from == port);
            targets
                .map(|(_, target)| next(*target, edges))
                .collect::<Result<Vec<_>, _>>()
        };
        let (main, late, dead) = (nexts(Port::Main)?, nexts(Port::Late)?, nexts(Port::Dead)?);
        Ok(chain::Node {
            operator,
            gauges,
            carries: operators::carries(&node.recipe),
            main,
            late,
            dead,
            writer,
            keeper,
        })
    }

    /// Keeps a node's cuts, those it was restored from first.
    fn keeper(&self, index: usize, groups: KeyGroups, cuts: Vec<KeptCut>) -> Keeper {
        let identity = &self.plan.identity;
        let home = Home {
            shelf: self.shelf.clone(),
            prefix: format!("{}/{}/{index}", identity.generation, identity.attempt),
            groups,
            limit_bytes: usize::try_from(self.share.cuts()).unwrap_or(usize::MAX),
        };
        Keeper::start(index, home, cuts, &self.scope, &self.mail)
    }

    /// Room on disk for a node's tables. Nothing is opened before it is needed.
    fn spill(&self, index: usize, groups: &KeyGroups) -> Spill {
        let identity = &self.plan.identity;
        let name = format!("spill/{}/{}-{index}", identity.job, identity.attempt);
        let number = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        let limits = Limits {
            tables: number(self.share.tables()),
            cache: number(self.share.cache()),
        };
        Spill::new(Arc::clone(&self.site.scratch), name, groups.clone(), limits)
    }

    fn writer(&self, index: usize, node: &Node, recipe: &recipe::Sink) -> Result<Writer, Failure> {
        let site = &self.site;
        let encoding = operators::encoder(&site.registry, recipe, &node.input)?.map(|(format, encoder)| Encoding {
            format,
            header: encoder.header(),
        });
        let left: Vec<SinkSnapshot> = left(&self.plan.restored, &node.name)?;
        let states = left.into_iter().map(|left| left.state);
        let identity = &self.plan.identity;
        let context = SinkContext {
            job: identity.job.clone(),
            step: node.name.clone(),
            subtask: identity.subtask,
            attempt: identity.attempt.clone(),
            epoch: self.deployment.epoch,
            stores: Arc::clone(&site.stores),
            clock: Arc::clone(&site.clock),
            input: operators::sink_rows(&node.input),
            encoding,
            restored: states.filter(|state| *state != SinkState::default()).collect(),
        };
        let sink = sink(&site.registry, recipe)?.sink(&recipe.options, context)?;
        let limit = usize::try_from(self.share.sink).unwrap_or(usize::MAX);
        Ok(Writer::start(index, sink, limit, &self.scope, &self.mail))
    }

    /// Puts back what the restored barrier had overtaken: into the channels, and, answered, what is to go to sinks.
    fn overtaken(&self, input: &mut Input, chain: &mut Chain) -> Result<BTreeMap<usize, Vec<Batch>>, Failure> {
        let mut unwritten = BTreeMap::new();
        for part in &self.plan.restored {
            let Some(stowed) = &part.snapshot.overtaken else {
                continue;
            };
            let (index, parallelism) = (self.plan.identity.subtask.index, self.plan.parallelism);
            if (part.index, part.parallelism) != (index, parallelism) {
                return Err(Failure::bug(
                    "rows that a barrier overtook were given to another subtask",
                ));
            }
            let shelf = self.shelf.as_ref().ok_or_else(|| {
                Failure::bug(format!(
                    "`{}` is to be read, and no folder of state was deployed",
                    stowed.object
                ))
            })?;
            for Passed { place, elements } in overtaken::restore(stowed, shelf, &self.scope)? {
                match (place, &mut *input) {
                    (Place::Inlet { edge, from }, Input::Gate(gate)) => gate.restore(edge, from, elements)?,
                    (Place::Inlet { .. }, Input::Source(_)) => {
                        return Err(Failure::bug("rows had come to a source"));
                    }
                    (Place::Outlet { edge, to }, _) => chain.restore_output(edge, to, elements)?,
                    (Place::Sink { step }, _) => {
                        let sink = self.sinks().find(|(_, node)| node.name == step);
                        let (sink, _) = sink.ok_or_else(|| {
                            Failure::bug(format!("rows waited for `{step}`, which is no sink of this chain"))
                        })?;
                        unwritten.insert(sink, elements.into_iter().filter_map(rows).collect());
                    }
                }
            }
        }
        Ok(unwritten)
    }

    /// What each sink commits again: what the deployment names, and what stands in the snapshot beside it.
    fn committables(&self) -> Result<BTreeMap<usize, Vec<Committable>>, Failure> {
        let mut restored = BTreeMap::new();
        for (index, node) in self.sinks() {
            let named = self.plan.committables.get(&node.name).cloned().unwrap_or_default();
            let mut all = named;
            let left: Vec<SinkSnapshot> = left(&self.plan.restored, &node.name)?;
            for committable in left.into_iter().flat_map(|left| left.committables) {
                if !all.contains(&committable) {
                    all.push(committable);
                }
            }
            restored.insert(index, all);
        }
        let nobody = self
            .plan
            .committables
            .keys()
            .find(|step| !self.sinks().any(|(_, node)| node.name == **step));
        match nobody {
            Some(step) => Err(Failure::bug(format!(
                "committables for `{step}`, which is no sink of this chain"
            ))),
            None => Ok(restored),
        }
    }
}

fn rows(element: Element) -> Option<Batch> {
    match element {
        Element::Batch(batch) => Some(batch),
        Element::Watermark(_) | Element::Barrier(_) | Element::Idle | Element::End => None,
    }
}

fn next(target: Target, edges: &[EdgeId]) -> Result<Next, Failure> {
    match target {
        Target::Node(index) => Ok(Next::Node(index)),
        Target::Edge(edge) => {
            let place = edges.iter().position(|known| *known == edge);
            let place =
                place.ok_or_else(|| Failure::bug(format!("a chain sends by {edge}, which was not deployed")))?;
            Ok(Next::Output(place))
        }
    }
}

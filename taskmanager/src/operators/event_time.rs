//! Gives rows their event time, and says how far time has come: the minimum over the splits that are being read.
//!
//! A batch is of one split. A split's time is its latest row's, less the disorder that is allowed; a split that has given
//! nothing yet holds everybody up, until its idle time-out, and so does a subtask that waits for its next split: that one
//! may be the oldest of all. Time that the subtask was held up by others is nobody's idleness. What was reached is state:
//! a restored split goes on where it was, so no window fires twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_not_null};
use arrow::datatypes::{Int32Type, TimestampMillisecondType};
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{Batch, Watermark, columns};
use dataflow::expr::Path;
use dataflow::recipe::{self, Node};
use dataflow::time::Instant;
use serde::{Deserialize, Serialize};

use super::{Emitted, Ground, Moment, Operator, Outbox, SplitChange};
use crate::chain::columns as rows;
use crate::state::Cut;

/// A watermark is sent at most so often, and oftener only where small batches wait less than a quarter of it for company:
/// each watermark ends that wait.
const SEND_EVERY: Duration = Duration::from_millis(20);

/// The time of one source's rows in one subtask.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says another thing, and all combinations are there"
)]
pub(super) struct EventTime {
    field: Option<Path>,
    disorder_ms: i64,
    idle_timeout: Option<Duration>,
    max_drift: bool,
    output: SchemaRef,
    splits: BTreeMap<String, Split>,
    /// How far splits had come that were restored and that nobody has given to this subtask. Behind a rescale everybody
    /// hears of all of them; only who reads one is held up by it.
    remembered: BTreeMap<String, Option<i64>>,
    /// Since when there is no split, by [`active`]; none before the first tick.
    without_since: Option<Duration>,
    /// The highest watermark that was sent, perhaps by the attempt before this one.
    sent: Option<i64>,
    sent_at: Instant,
    send_every: Duration,
    /// Those behind it do not know yet what was restored.
    untold: bool,
    idle: bool,
    now: Moment,
    outbox: Outbox,
}

/// How far one split has come.
#[derive(Clone, Copy, Debug, Default)]
struct Split {
    latest: Option<i64>,
    /// Since when it has given nothing, by [`active`]; none before the first tick.
    quiet_since: Option<Duration>,
    idle: bool,
    /// It is not read, for it is too far ahead of the others: that is nobody's idleness.
    held: bool,
}

/// What is in a snapshot.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    splits: BTreeMap<String, Option<i64>>,
    sent: Option<i64>,
}

/// Time that was not spent held up by others.
fn active(now: Moment) -> Duration {
    now.instant.since(Instant::default()).saturating_sub(now.held_up)
}

impl EventTime {
    pub(super) fn build(recipe: &recipe::EventTime, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        let mut remembered: BTreeMap<String, Option<i64>> = BTreeMap::new();
        let mut sent: Option<i64> = None;
        for note in &ground.restored.notes {
            let note = Note::deserialize(note).map_err(|error| {
                Failure::fail(format!("the state of `{}` cannot be read", node.name)).because(&error)
            })?;
            // Of a split that others have read since, the older word may still be about.
            for (id, latest) in note.splits {
                let known = remembered.entry(id).or_default();
                *known = (*known).max(latest);
            }
            // Behind a rescale splits of several subtasks meet: the one that is furthest back decides.
            sent = match (sent, note.sent) {
                (None, other) | (other, None) => other,
                (Some(one), Some(other)) => Some(one.min(other)),
            };
        }
        Ok(Self {
            field: recipe.field.clone(),
            disorder_ms: i64::try_from(recipe.max_out_of_orderness_ms).unwrap_or(i64::MAX),
            idle_timeout: recipe.idle_timeout_ms.map(Duration::from_millis),
            max_drift: recipe.max_drift_ms.is_some(),
            output: Arc::clone(&node.output),
            splits: BTreeMap::new(),
            remembered,
            without_since: None,
            sent,
            sent_at: Instant::default(),
            send_every: SEND_EVERY.min(ground.buffer_timeout * 4),
            untold: sent.is_some(),
            idle: false,
            now: Moment::default(),
            outbox: Outbox::default(),
        })
    }

    /// The rows with their time, and the latest one that is the rows' own: an arrival in place of a missing time moves nothing.
    fn timed(&self, input: &RecordBatch) -> Result<(RecordBatch, Option<i64>), Failure> {
        let arrival = input.column_by_name(columns::TIME);
        let own = match &self.field {
            Some(field) => event_time(input, field)?,
            None => Arc::clone(arrival.ok_or_else(|| Failure::bug("rows without the time that the plan promises"))?),
        };
        let latest = own
            .as_primitive_opt::<TimestampMillisecondType>()
            .and_then(arrow::compute::max);
        let times = or_arrival(own, arrival)?;
        let narrowed = rows::conform(input, &self.output, None)?;
        let mut kept = narrowed.columns().to_vec();
        kept[super::column(&self.output, columns::TIME)?] = times;
        Ok((rows::batch(&self.output, kept, input.num_rows())?, latest))
    }

    /// Notes how far the split of a batch has come.
    fn observe(&mut self, input: &RecordBatch, latest: Option<i64>) {
        let Some(id) = split_of(input) else { return };
        let quiet_since = Some(active(self.now));
        if let Some(split) = self.splits.get_mut(id) {
            split.latest = split.latest.max(latest);
            split.quiet_since = quiet_since;
            split.idle = false;
        } else {
            let split = Split {
                latest,
                quiet_since,
                ..Split::default()
            };
            self.splits.insert(id.to_owned(), split);
        }
    }

    /// Sends what can be said by now.
    fn settle(&mut self) {
        if self.is_idle() {
            if !std::mem::replace(&mut self.idle, true) {
                self.outbox.emit(Emitted::Idle);
            }
            return;
        }
        let reached = self.reached();
        let due = self.now.instant.since(self.sent_at) >= self.send_every;
        if self.untold || (reached > self.sent && due) {
            self.sent = self.sent.max(reached);
            self.sent_at = self.now.instant;
            self.untold = false;
            self.idle = false;
            let watermark = self.sent.map(|sent| Emitted::Watermark(Watermark(sent)));
            watermark.into_iter().for_each(|watermark| self.outbox.emit(watermark));
        }
    }

    /// How far the splits that are read have come together.
    fn reached(&self) -> Option<i64> {
        let active = self.splits.values().filter(|split| !split.idle);
        // A split that has given nothing yet is below every time.
        let lowest = active.map(|split| split.latest).min().flatten();
        lowest.map(|latest| latest.saturating_sub(self.disorder_ms).saturating_sub(1))
    }

    fn is_idle(&self) -> bool {
        if self.splits.is_empty() {
            let waited = self.without_since.map(|since| active(self.now).saturating_sub(since));
            return self.idle_timeout.is_some_and(|timeout| waited >= Some(timeout));
        }
        self.splits.values().all(|split| split.idle)
    }

    fn find_idle(&mut self) {
        let now = active(self.now);
        if self.splits.is_empty() {
            self.without_since.get_or_insert(now);
            return;
        }
        self.without_since = None;
        let Some(timeout) = self.idle_timeout else { return };
        for split in self.splits.values_mut().filter(|split| !split.idle && !split.held) {
            let since = *split.quiet_since.get_or_insert(now);
            split.idle = now.saturating_sub(since) >= timeout;
        }
    }
}

/// The split of a batch: all rows of a batch are of one.
fn split_of(input: &RecordBatch) -> Option<&str> {
    let splits = input.column_by_name(columns::SPLIT)?.as_dictionary_opt::<Int32Type>()?;
    let key = splits.key(0)?;
    Some(splits.values().as_string_opt::<i32>()?.value(key))
}

/// The instants at `path`; NULL where there is none, or nothing that is one.
fn event_time(input: &RecordBatch, path: &Path) -> Result<ArrayRef, Failure> {
    let missing = || Failure::bug(format!("the event time `{path}` is not among the columns"));
    let found = rows::at(input, path).ok_or_else(missing)?;
    cast(&found, &columns::timestamp())
        .map_err(|error| Failure::fail(format!("`{path}` cannot be an event time")).because(&error))
}

/// The records' arrival in place of times that are missing.
fn or_arrival(own: ArrayRef, arrival: Option<&ArrayRef>) -> Result<ArrayRef, Failure> {
    let Some(arrival) = arrival.filter(|_| own.null_count() > 0) else {
        return Ok(own);
    };
    let there = is_not_null(&own);
    let filled = there.and_then(|there| zip(&there, &own, arrival));
    filled.map_err(|error| Failure::bug("times that cannot be filled in").because(&error))
}

impl Operator for EventTime {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let input = batch.records();
        let (timed, latest) = self.timed(input)?;
        self.observe(input, latest);
        self.outbox.main(timed);
        self.settle();
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }

    fn is_clocked(&self) -> bool {
        true
    }

    /// Where time has come further than was sent, that is sent though no row comes.
    fn wake_at(&self) -> Option<Instant> {
        if self.idle {
            return None;
        }
        let unsent = (self.reached() > self.sent).then(|| self.sent_at + self.send_every);
        let waits = self.splits.values().filter(|split| !split.idle && !split.held);
        let quiet = waits
            .filter_map(|split| split.quiet_since)
            .chain(self.without_since)
            .min();
        let idle = self.idle_timeout.zip(quiet).map(|(timeout, quiet)| {
            let left = (quiet + timeout).saturating_sub(active(self.now));
            self.now.instant + left
        });
        unsent.into_iter().chain(idle).min()
    }

    /// Somebody else says how far time has come: nothing less is said after that. The end of all input is no time that is
    /// kept, for who goes on from a drained state begins where the rows had come to.
    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        if watermark != Watermark::MAX {
            self.sent = self.sent.max(Some(watermark.0));
        }
        Ok(())
    }

    fn tick(&mut self, now: Moment) -> Result<(), Failure> {
        self.now = now;
        self.find_idle();
        self.settle();
        Ok(())
    }

    fn splits(&mut self, change: &SplitChange) {
        match change {
            SplitChange::Assigned(ids) => {
                for id in ids {
                    let latest = self.remembered.remove(id).flatten();
                    self.splits.entry(id.clone()).or_insert_with(|| Split {
                        latest,
                        ..Split::default()
                    });
                }
            }
            SplitChange::Finished(id) => {
                self.splits.remove(id);
            }
            SplitChange::Held(ahead) => {
                let now = Some(active(self.now));
                for (id, split) in &mut self.splits {
                    let held = ahead.contains(id);
                    if std::mem::replace(&mut split.held, held) && !held {
                        split.quiet_since = now;
                    }
                }
            }
        }
    }

    fn reached(&self, splits: &mut BTreeMap<String, i64>) {
        if self.max_drift {
            let known = self.splits.iter().filter(|(_, split)| !split.idle);
            splits.extend(known.filter_map(|(id, split)| Some((id.clone(), split.latest?))));
        }
    }

    fn freeze(&mut self, cut: &mut Cut) -> Result<(), Failure> {
        let held = self.splits.iter().map(|(id, split)| (id.clone(), split.latest));
        let note = Note {
            splits: self.remembered.clone().into_iter().chain(held).collect(),
            sent: self.sent,
        };
        cut.note(serde_json::to_value(note).map_err(|error| Failure::bug("times that are not JSON").because(&error))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::{DictionaryArray, Int32Array, StringArray, TimestampMillisecondArray};
    use arrow_schema::Schema;

    use dataflow::recipe::Recipe;
    use dataflow::time::WallTime;

    use super::*;

    use crate::state::{KeyGroups, Restored};

    use crate::testing::Footing;

    fn alive(buffer_timeout: Duration) -> EventTime {
        let recipe = recipe::EventTime {
            field: None,
            max_out_of_orderness_ms: 0,
            idle_timeout_ms: None,
            max_drift_ms: None,
        };
        let schema = Arc::new(Schema::new(vec![columns::split(), columns::time()]));
        let node = Node {
            name: "events.eventTime".to_owned(),
            recipe: Recipe::EventTime(recipe.clone()),
            input: Arc::clone(&schema),
            output: schema,
            targets: Vec::new(),
        };
        let (footing, restored) = (Footing::of(&node), Restored::default());
        let ground = Ground {
            buffer_timeout,
            ..footing.ground(KeyGroups::of(0, 1, 64), &restored)
        };
        EventTime::build(&recipe, &node, &ground).unwrap()
    }

    fn at(milliseconds: u64) -> Moment {
        Moment {
            instant: Instant::from_start(Duration::from_millis(milliseconds)),
            wall: WallTime(0),
            held_up: Duration::ZERO,
        }
    }

    fn row(operator: &mut EventTime, time: i64) {
        row_of(operator, "one", time);
    }

    fn row_of(operator: &mut EventTime, split: &str, time: i64) {
        let splits = Arc::new(StringArray::from(vec![split]));
        let splits = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0]), splits);
        let times = TimestampMillisecondArray::from(vec![time]).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![Arc::new(splits), Arc::new(times)];
        let rows = RecordBatch::try_new(Arc::clone(&operator.output), columns).unwrap();
        operator.push(Batch::new(rows)).unwrap();
    }

    fn watermarks(operator: &mut EventTime) -> Vec<i64> {
        let mut said = Vec::new();
        while let Some(emitted) = operator.pull().unwrap() {
            if let Emitted::Watermark(watermark) = emitted {
                said.push(watermark.0);
            }
        }
        said
    }

    #[test]
    fn time_that_was_not_said_with_the_last_row_is_said_though_no_row_follows() {
        let mut operator = alive(Duration::from_millis(5));
        operator.tick(at(1_000)).unwrap();
        row(&mut operator, 10);
        assert_eq!(watermarks(&mut operator), [9]);
        assert_eq!(operator.wake_at(), None);
        row(&mut operator, 20);
        assert_eq!(watermarks(&mut operator), [] as [i64; 0]);
        assert_eq!(operator.wake_at(), Some(at(1_020).instant));
        operator.tick(at(1_020)).unwrap();
        assert_eq!(watermarks(&mut operator), [19]);
        assert_eq!(operator.wake_at(), None);
    }

    #[test]
    fn a_split_that_is_held_is_not_idle_and_its_time_out_begins_when_it_is_read_again() {
        let mut operator = alive(Duration::ZERO);
        (operator.idle_timeout, operator.max_drift) = (Some(Duration::from_millis(100)), true);
        operator.splits(&SplitChange::Assigned(vec!["fast".to_owned(), "slow".to_owned()]));
        operator.tick(at(1_000)).unwrap();
        row_of(&mut operator, "fast", 5_000);
        row_of(&mut operator, "slow", 10);
        let known = |operator: &EventTime| {
            let mut reached = BTreeMap::new();
            Operator::reached(operator, &mut reached);
            reached.into_keys().collect::<Vec<_>>()
        };
        operator.splits(&SplitChange::Held(["fast".to_owned()].into()));
        for time in [1_050, 1_100, 1_500] {
            operator.tick(at(time)).unwrap();
            row_of(&mut operator, "slow", 20);
            assert_eq!(known(&operator), ["fast", "slow"], "at {time}");
        }
        operator.splits(&SplitChange::Held(BTreeSet::new()));
        operator.tick(at(1_599)).unwrap();
        assert_eq!(known(&operator), ["fast", "slow"]);
        operator.tick(at(1_600)).unwrap();
        assert!(known(&operator).is_empty(), "nobody has given anything for so long");
    }

    #[test]
    fn where_batches_do_not_wait_time_is_said_with_every_row() {
        let mut operator = alive(Duration::ZERO);
        operator.tick(at(1_000)).unwrap();
        row(&mut operator, 10);
        row(&mut operator, 20);
        assert_eq!(watermarks(&mut operator), [9, 19]);
    }

    #[test]
    fn what_others_have_said_of_time_is_not_taken_back() {
        let mut operator = alive(Duration::ZERO);
        operator.tick(at(1_000)).unwrap();
        operator.advance(Watermark(100)).unwrap();
        row(&mut operator, 50);
        assert_eq!(watermarks(&mut operator), [] as [i64; 0]);
        row(&mut operator, 200);
        assert_eq!(watermarks(&mut operator), [199]);
        operator.advance(Watermark::MAX).unwrap();
        row(&mut operator, 300);
        assert_eq!(
            watermarks(&mut operator),
            [299],
            "the end of input is no time to begin from"
        );
    }
}

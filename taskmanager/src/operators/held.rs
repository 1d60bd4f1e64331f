//! Rows that wait inside an operator, in the order in which they came, with what was said about time between them.
//!
//! They are state: each batch is one entry of a table, under a number and a salt that makes its key one of this subtask's
//! own groups. So a barrier passes while they wait, each is written once, and behind a rescale each has one owner.
//! Watermarks that wait are not kept: the input says again how far its time has come, behind the rows that were restored.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{Watermark, row_bytes};
use dataflow::key;
use dataflow::recipe::Node;
use dataflow::time::Instant;
use serde::{Deserialize, Serialize};

use super::row::{Layouts, RowWriter, Rows};
use super::{Emitted, Ground, Outbox, Room};
use crate::chain::columns::batch;
use crate::channel::compact;
use crate::state::{Cut, KeyGroups, Scan, Table, Values};

/// So many bytes of rows may wait in one operator before it takes no more input, and twice as many before it stops what is
/// under way in its chain. Where there is a disk to spill to, more may wait: there memory is the table's affair.
pub(super) const HELD_MAX: usize = 64 << 20;
/// What a batch costs beside its rows, and beside each of its columns.
const BATCH_COST: usize = 512;

/// Batches are cut, and joined, to parts of about so many bytes: by these they go to disk and come back. Each has a ticket of
/// less than a hundred bytes that stays in memory, whatever is on the disk: a four-hundredth of what waits.
const PART_BYTES: usize = 64 << 10;

/// The state of batches.
const BATCHES: u8 = 1;
/// A batch's number, and the salt that makes it one of an own key group.
const KEY_BYTES: usize = 12;

/// When rows that came one after another may wait as one batch, so that many small ones are not a ticket each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// When all of them are due at once.
    Alike,
    /// Where they are due within so many milliseconds: they go when the first of them is due, and their owner looks at each row.
    ByFirst(i64),
    /// The same; they go together, when the last of them is due.
    ByLast(i64),
}

/// Rows that are due within this part of a delay of each other wait as one batch, so that a day of small batches is some ten
/// thousand of them. By the clock they leave so much later; by event time each row leaves when it is due.
const SLACK_PART: u64 = 10_000;

impl Joined {
    /// Of rows that wait `by_ms` for event time.
    pub(super) fn by_first(by_ms: u64) -> Self {
        Self::ByFirst(i64::try_from(by_ms / SLACK_PART).unwrap_or(i64::MAX))
    }

    /// Of rows that wait `by_ms` by the clock.
    pub(super) fn by_last(by_ms: u64) -> Self {
        Self::ByLast(i64::try_from(by_ms / SLACK_PART).unwrap_or(i64::MAX))
    }

    fn slack_ms(self) -> i64 {
        match self {
            Self::Alike => 0,
            Self::ByFirst(slack) | Self::ByLast(slack) => slack,
        }
    }
}

/// Rows that wait.
pub(super) struct Held {
    table: Table<Batches>,
    /// All of it: there is no disk for more.
    in_memory: bool,
    queue: VecDeque<Ticket>,
    groups: KeyGroups,
    rows: Arc<Rows>,
    joined: Joined,
    next: u64,
    bytes: usize,
    idle: bool,
}

/// One batch that waits.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    key: [u8; KEY_BYTES],
    /// When it may go, as its owner counts: kept with the batch.
    pub(super) due: i64,
    /// When the first of its rows was due, and the last one.
    dues: (i64, i64),
    /// The same by the clock of this process, where the owner goes by that; none of what was restored.
    pub(super) at: Option<Instant>,
    /// How many rows it has.
    pub(super) rows: usize,
    bytes: usize,
    /// What was said behind it.
    then: Option<Watermark>,
}

/// What is in a snapshot beside the batches.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    layouts: Layouts,
    reached: Option<i64>,
}

impl Held {
    /// What was restored, and the watermark that the slowest of its owners had reached.
    pub(super) fn restore(
        schema: &SchemaRef,
        node: &Node,
        ground: &Ground<'_>,
    ) -> Result<(Self, Option<i64>), Failure> {
        let unreadable = |error: serde_json::Error| {
            Failure::fail(format!("the state of `{}` cannot be read", node.name)).because(&error)
        };
        let notes = ground
            .restored
            .notes
            .iter()
            .map(|note| Note::deserialize(note).map_err(unreadable));
        let notes = notes.collect::<Result<Vec<_>, Failure>>()?;
        let reached = notes.iter().map(|note| note.reached).min().flatten();
        let rows = Arc::new(Rows::new(schema, notes.into_iter().map(|note| note.layouts))?);
        let batches = Batches {
            rows: Arc::clone(&rows),
            held: Vec::new(),
            bytes: 0,
        };
        let restored = if ground.restored.cuts.is_empty() { 1 } else { 0 };
        let table = Table::new(BATCHES, 0, batches, restored);
        let (table, in_memory) = match ground.spill {
            Some(spill) => (table.spilling(spill), false),
            None => (table, true),
        };
        let mut held = Self {
            table,
            in_memory,
            queue: VecDeque::new(),
            groups: ground.groups.clone(),
            rows,
            joined: Joined::Alike,
            next: 0,
            bytes: 0,
            idle: false,
        };
        ground.restored.each(&ground.groups, |entry| {
            let fits = entry.place.state == BATCHES && entry.key.len() == KEY_BYTES;
            if !fits {
                return Err(Failure::fail(format!(
                    "the state of `{}` has a part that is none of its",
                    node.name
                )));
            }
            held.table.restore(entry.key, entry.value, &ground.groups)
        })?;
        held.queue_up()?;
        Ok((held, reached))
    }

    /// Makes tickets of what was restored: first what is due first.
    fn queue_up(&mut self) -> Result<(), Failure> {
        let mut tickets = Vec::new();
        let (mut scan, mut slots) = (Scan::default(), Vec::new());
        while self.table.scan(&mut scan, &mut slots)? {
            for slot in &slots {
                tickets.push(self.ticket(*slot)?);
            }
        }
        tickets.sort_unstable_by_key(|ticket| (ticket.due, ticket.key));
        let number = |ticket: &Ticket| ticket.key.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        self.next = tickets.iter().map(number).max().map_or(0, |last| last + 1);
        self.bytes = tickets.iter().map(|ticket| ticket.bytes).sum();
        self.queue = tickets.into();
        Ok(())
    }

    fn ticket(&self, slot: u32) -> Result<Ticket, Failure> {
        let key: Option<[u8; KEY_BYTES]> = self.table.key(slot).try_into().ok();
        let waiting = self.table.values().at(slot)?;
        Ok(Ticket {
            key: key.ok_or_else(|| Failure::bug("a batch that waits under no number"))?,
            due: waiting.due,
            dues: (waiting.due, waiting.due),
            at: None,
            rows: waiting.records.num_rows(),
            bytes: cost(&waiting.records),
            then: None,
        })
    }

    /// Rows that are due at about the same time wait as one.
    pub(super) fn joining(mut self, joined: Joined) -> Self {
        self.joined = joined;
        self
    }

    /// Rows come to wait.
    pub(super) fn push(&mut self, records: &RecordBatch, due: i64, at: Option<Instant>) -> Result<(), Failure> {
        let count = records.num_rows();
        let parts = row_bytes(records).div_ceil(PART_BYTES).clamp(1, count.max(1));
        let rows = count.div_ceil(parts).max(1);
        (0..count).step_by(rows).try_for_each(|begin| {
            let part = compact(&records.slice(begin, rows.min(count - begin)));
            self.push_part(part, due, at)
        })
    }

    fn push_part(&mut self, records: RecordBatch, due: i64, at: Option<Instant>) -> Result<(), Failure> {
        self.idle = false;
        if self.join(&records, due, at)? {
            return Ok(());
        }
        let key = self.new_key()?;
        let ticket = Ticket {
            key,
            due,
            dues: (due, due),
            at,
            rows: records.num_rows(),
            bytes: cost(&records),
            then: None,
        };
        let slot = self.table.entry(&key)?;
        self.table.values_mut().set(slot, Waiting { due, records });
        self.bytes += ticket.bytes;
        self.queue.push_back(ticket);
        Ok(())
    }

    /// Puts rows to the batch that came last, where both are small and due at about the same time. What was said behind that
    /// one goes out behind these as well: they only come before it, which makes nothing late.
    fn join(&mut self, records: &RecordBatch, due: i64, at: Option<Instant>) -> Result<bool, Failure> {
        let Some(last) = self.queue.back() else {
            return Ok(false);
        };
        let dues = (last.dues.0.min(due), last.dues.1.max(due));
        let fits = last.bytes + cost(records) <= PART_BYTES
            && dues.1.saturating_sub(dues.0) <= self.joined.slack_ms()
            && last.at.is_some() == at.is_some();
        if !fits {
            return Ok(false);
        }
        let slot = self.table.entry(&last.key)?;
        let before = &self.table.values().at(slot)?.records;
        let together = concat_batches(self.rows.schema(), [before, records]);
        let together = together.map_err(|error| Failure::bug("rows that cannot wait together").because(&error))?;
        let together = compact(&together);
        let Some(last) = self.queue.back_mut() else {
            return Ok(false);
        };
        self.bytes -= last.bytes;
        last.dues = dues;
        (last.rows, last.bytes) = (together.num_rows(), cost(&together));
        (last.due, last.at) = match self.joined {
            Joined::Alike | Joined::ByFirst(_) => (dues.0, last.at.min(at)),
            Joined::ByLast(_) => (dues.1, last.at.max(at)),
        };
        self.bytes += last.bytes;
        let due = last.due;
        self.table.values_mut().set(slot, Waiting { due, records: together });
        Ok(true)
    }

    /// The next number, with a salt by which its key is of a group that is owned here.
    fn new_key(&mut self) -> Result<[u8; KEY_BYTES], Failure> {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        for salt in 0..u32::MAX {
            bytes[8..].copy_from_slice(&salt.to_be_bytes());
            if self.groups.owns(self.groups.group(key::hash(&bytes))) {
                return Ok(bytes);
            }
        }
        Err(Failure::bug("rows wait in a subtask that owns no key group"))
    }

    /// Takes the first `count` rows of the batch at the front; what was said behind it goes out behind its last row.
    pub(super) fn take_front(&mut self, count: usize, outbox: &mut Outbox) -> Result<(), Failure> {
        let Some(ticket) = self.queue.front() else {
            return Ok(());
        };
        let slot = self.table.entry(&ticket.key)?;
        let waiting = self.table.values().at(slot)?;
        let count = count.min(ticket.rows);
        let (due, left) = (waiting.due, ticket.rows - count);
        outbox.main(waiting.records.slice(0, count));
        if left > 0 {
            // The slice shares the buffers of the whole batch, whose cost stays until its last row has gone.
            let records = waiting.records.slice(count, left);
            self.table.values_mut().set(slot, Waiting { due, records });
            if let Some(ticket) = self.queue.front_mut() {
                ticket.rows = left;
            }
            return Ok(());
        }
        let gone = self.remove(0)?;
        if let Some(watermark) = gone.then {
            outbox.emit(Emitted::Watermark(watermark));
        }
        if self.queue.is_empty() && self.idle {
            outbox.emit(Emitted::Idle);
        }
        Ok(())
    }

    /// The batch at a place of the queue.
    pub(super) fn batch_at(&mut self, place: usize) -> Result<RecordBatch, Failure> {
        let slot = self.table.entry(&self.queue[place].key)?;
        Ok(self.table.values().at(slot)?.records.clone())
    }

    /// Other rows wait in its place.
    pub(super) fn replace(&mut self, place: usize, due: i64, records: RecordBatch) -> Result<(), Failure> {
        let ticket = &mut self.queue[place];
        let slot = self.table.entry(&ticket.key)?;
        self.bytes -= ticket.bytes;
        (ticket.due, ticket.rows, ticket.bytes) = (due, records.num_rows(), cost(&records));
        ticket.dues = (due, due);
        self.bytes += ticket.bytes;
        self.table.values_mut().set(slot, Waiting { due, records });
        Ok(())
    }

    /// A batch waits no longer.
    pub(super) fn remove(&mut self, place: usize) -> Result<Ticket, Failure> {
        let gone = self.queue.remove(place);
        let gone = gone.ok_or_else(|| Failure::bug("rows are given that do not wait"))?;
        let slot = self.table.entry(&gone.key)?;
        self.table.remove(slot, &self.groups);
        self.bytes -= gone.bytes;
        Ok(gone)
    }

    /// A watermark goes out behind what waits. Those that nothing stands between are one.
    pub(super) fn watermark(&mut self, watermark: Watermark, outbox: &mut Outbox) {
        self.idle = false;
        match self.queue.back_mut() {
            Some(last) => last.then = Some(watermark),
            None => outbox.emit(Emitted::Watermark(watermark)),
        }
    }

    /// So does idleness.
    pub(super) fn idle(&mut self, outbox: &mut Outbox) {
        if self.queue.is_empty() {
            outbox.emit(Emitted::Idle);
        } else {
            self.idle = true;
        }
    }

    /// The batches that wait, first those that came first.
    pub(super) fn queue(&self) -> &VecDeque<Ticket> {
        &self.queue
    }

    /// The same, for their owner to note when they are due.
    pub(super) fn queue_mut(&mut self) -> &mut VecDeque<Ticket> {
        &mut self.queue
    }

    /// Whether more waits than memory should hold, and there is nothing else to hold it.
    pub(super) fn is_too_much(&self) -> bool {
        self.in_memory && self.bytes > HELD_MAX
    }

    /// Whether there is room for more.
    pub(super) fn room(&self) -> Room {
        match self.bytes {
            _ if !self.in_memory => Room::Open,
            0..HELD_MAX => Room::Open,
            bytes if bytes < 2 * HELD_MAX => Room::Closed,
            _ => Room::Full,
        }
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut, reached: Option<i64>) -> Result<(), Failure> {
        self.table.freeze(cut, &self.groups);
        let note = Note {
            layouts: self.rows.layouts(),
            reached,
        };
        cut.note(serde_json::to_value(note).map_err(|error| Failure::bug("a note that is not JSON").because(&error))?);
        Ok(())
    }
}

/// What a batch that waits takes of memory.
fn cost(records: &RecordBatch) -> usize {
    row_bytes(records) + BATCH_COST * (1 + records.num_columns())
}

/// A batch that waits.
struct Waiting {
    due: i64,
    records: RecordBatch,
}

/// The batches of a table, one a slot.
struct Batches {
    rows: Arc<Rows>,
    held: Vec<Option<Waiting>>,
    bytes: usize,
}

impl Batches {
    fn at(&self, slot: u32) -> Result<&Waiting, Failure> {
        let held = self.held.get(slot as usize).and_then(Option::as_ref);
        held.ok_or_else(|| Failure::bug("rows that wait are not where they were put"))
    }

    fn set(&mut self, slot: u32, waiting: Waiting) {
        self.reset(slot);
        self.bytes += cost(&waiting.records);
        self.held[slot as usize] = Some(waiting);
    }
}

impl Values for Batches {
    fn grow(&mut self, slots: usize) {
        if slots > self.held.len() {
            self.held.resize_with(slots, || None);
        }
    }

    fn reset(&mut self, slot: u32) {
        if let Some(gone) = self.held[slot as usize].take() {
            self.bytes -= cost(&gone.records);
        }
    }

    /// The layout's fingerprint (4), when it is due (8), and each row behind its length (4); all little-endian.
    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        let Some(waiting) = &self.held[slot as usize] else {
            return;
        };
        out.extend(self.rows.fingerprint().to_le_bytes());
        out.extend(waiting.due.to_le_bytes());
        let writer = RowWriter::new(&waiting.records).expect("the rows were made of the layout, which was checked");
        for row in 0..waiting.records.num_rows() {
            let begin = out.len();
            out.extend([0; 4]);
            writer.write(row, out);
            let length = u32::try_from(out.len() - begin - 4).expect("a row is of a batch, which is far below 4 GiB");
            out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
        }
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        let malformed = || Failure::fail("rows that waited cannot be read: their bytes are none");
        let (fingerprint, rest) = bytes.split_first_chunk().ok_or_else(malformed)?;
        let (due, mut rest) = rest.split_first_chunk().ok_or_else(malformed)?;
        let mut rows = Vec::new();
        while !rest.is_empty() {
            let (length, behind) = rest.split_first_chunk().ok_or_else(malformed)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (row, behind) = behind.split_at_checked(length).ok_or_else(malformed)?;
            rows.push(row);
            rest = behind;
        }
        let columns = self
            .rows
            .columns(u32::from_le_bytes(*fingerprint), rows.iter().copied())?;
        let waiting = Waiting {
            due: i64::from_le_bytes(*due),
            records: batch(self.rows.schema(), columns, rows.len())?,
        };
        self.set(slot, waiting);
        Ok(())
    }

    fn clear(&mut self) {
        self.held = Vec::new();
        self.bytes = 0;
    }

    fn bytes(&self) -> usize {
        self.bytes + self.held.capacity() * size_of::<Option<Waiting>>()
    }
}

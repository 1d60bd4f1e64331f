//! `text IN ('A', 'B', …)` over views: one multiplication, one load and one comparison decide nearly every row.
//!
//! DataFusion hashes every byte of a text and asks a table through a comparator that it calls by pointer. A view already
//! holds a short text whole, and of a long one its length and first bytes: a multiplier without collisions is found once.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewArray, make_view};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;

/// With more texts than this the table no longer fits beside the rows in the fastest cache.
const TEXTS_MAX: usize = 128;
/// A view holds texts up to this length whole.
const INLINE_BYTES_MAX: u32 = 12;
/// Slots for each text: so sparse a table is without collisions after a few tries.
const SLOTS_PER_TEXT: usize = 16;
/// Multipliers that are tried before a list is left to DataFusion.
const TRIES: u64 = 256;

/// Which texts an operator is true for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    /// `IN`.
    Listed,
    /// `NOT IN`.
    Others,
}

/// Whether a text is one of a few.
#[derive(Debug)]
pub(super) struct TextIn {
    text: Arc<dyn PhysicalExpr>,
    table: Arc<Table>,
    texts: Vec<String>,
    wanted: Wanted,
}

/// The texts of a list, each in a slot of its own; long ones that begin alike share one.
#[derive(Debug)]
struct Table {
    multiplier: u64,
    shift: u32,
    /// What a view must look like, as far as it is compared.
    views: Vec<u128>,
    /// The whole texts of slots with long ones.
    long: Vec<Vec<Vec<u8>>>,
}

/// No view: it would have four billion bytes and stand inline.
const EMPTY: u128 = u128::MAX;

impl Table {
    /// None where no multiplier was found.
    fn new(texts: &[String]) -> Option<Self> {
        let views: Vec<u128> = texts.iter().map(|text| make_view(text.as_bytes(), 0, 0)).collect();
        let slots = (texts.len() * SLOTS_PER_TEXT).next_power_of_two().max(2);
        let shift = u64::BITS - slots.ilog2();
        // Odd and spread over all bits; which ones does not matter as long as they are the same on every run.
        let multipliers = (1..=TRIES).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        multipliers.into_iter().find_map(|multiplier| {
            let long = vec![Vec::new(); slots];
            let mut table = Self {
                multiplier,
                shift,
                views: vec![EMPTY; slots],
                long,
            };
            texts
                .iter()
                .zip(&views)
                .all(|(text, view)| table.insert(text, *view))
                .then_some(table)
        })
    }

    fn insert(&mut self, text: &str, view: u128) -> bool {
        let (slot, view) = (self.slot(view), view & compared(view));
        if self.views[slot] != EMPTY && self.views[slot] != view {
            return false;
        }
        self.views[slot] = view;
        if compared(view) != u128::MAX {
            self.long[slot].push(text.as_bytes().to_vec());
        }
        true
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of a view, and a number below the number of slots"
    )]
    fn slot(&self, view: u128) -> usize {
        let view = view & compared(view);
        let mixed = (view as u64) ^ ((view >> 64) as u64).rotate_left(29);
        (mixed.wrapping_mul(self.multiplier) >> self.shift) as usize
    }

    fn contains(&self, column: &StringViewArray, row: usize, view: u128) -> bool {
        let (slot, mask) = (self.slot(view), compared(view));
        let found = self.views[slot] == view & mask;
        // Only a text that begins like a long one is read.
        if found && mask != u128::MAX {
            return self.long[slot]
                .iter()
                .any(|text| column.value(row).as_bytes() == text.as_slice());
        }
        found
    }
}

/// The bits of a view that say something of its text: all of a short one; length and first bytes of a long one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 32 bits of a view are its length"
)]
fn compared(view: u128) -> u128 {
    if view as u32 <= INLINE_BYTES_MAX {
        u128::MAX
    } else {
        u128::from(u64::MAX)
    }
}

impl TextIn {
    /// Of `text`, which yields string views, and a list without NULLs; none where the list is too long.
    pub(super) fn new(text: Arc<dyn PhysicalExpr>, mut texts: Vec<String>, wanted: Wanted) -> Option<Self> {
        texts.sort();
        texts.dedup();
        if texts.len() > TEXTS_MAX {
            return None;
        }
        let table = Arc::new(Table::new(&texts)?);
        Some(Self {
            text,
            table,
            texts,
            wanted,
        })
    }
}

impl PhysicalExpr for TextIn {
    fn data_type(&self, _schema: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.text.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let column: ArrayRef = self.text.evaluate(batch)?.into_array(batch.num_rows())?;
        let column = column.as_string_view();
        let views = column.views();
        let listed = self.wanted == Wanted::Listed;
        let table = self.table.as_ref();
        let found = BooleanBuffer::collect_bool(column.len(), |row| table.contains(column, row, views[row]) == listed);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(
            found,
            column.nulls().cloned(),
        ))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.text]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let text = children.pop().unwrap_or_else(|| Arc::clone(&self.text));
        let (table, texts) = (Arc::clone(&self.table), self.texts.clone());
        Ok(Arc::new(Self {
            text,
            table,
            texts,
            wanted: self.wanted,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TextIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.wanted == Wanted::Others { "NOT " } else { "" };
        write!(f, "{} {not}IN ('{}')", self.text, self.texts.join("', '"))
    }
}

impl PartialEq for TextIn {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq(&other.text) && self.texts == other.texts && self.wanted == other.wanted
    }
}

impl Eq for TextIn {}

impl Hash for TextIn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.texts.hash(state);
        self.wanted.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_finds_what_is_listed_and_nothing_else() {
        let listed: Vec<String> = (0..100)
            .map(|n| "listed and long enough ".repeat(n % 3) + &n.to_string())
            .collect();
        let others = listed.iter().flat_map(|text| {
            [
                format!("{text}0"),
                format!("0{text}"),
                text[1..].to_owned(),
                format!("{text} and more"),
            ]
        });
        let texts: Vec<String> = listed.iter().cloned().chain(others).chain([String::new()]).collect();
        for count in [1, 2, 7, 100] {
            let table = Table::new(&listed[..count]).unwrap();
            let column = StringViewArray::from_iter_values(&texts);
            for (row, text) in texts.iter().enumerate() {
                let found = table.contains(&column, row, column.views()[row]);
                assert_eq!(found, listed[..count].contains(text), "{text} among {count}");
            }
        }
    }

    #[test]
    fn texts_that_begin_alike_share_a_slot() {
        let texts = ["ORDER_CONFIRMED", "ORDER_CONFIRMEX", ""].map(str::to_owned);
        let table = Table::new(&texts).unwrap();
        let column =
            StringViewArray::from_iter_values(["ORDER_CONFIRMED", "ORDER_CONFIRMEX", "ORDER_CONFIRMEY", "", "ORDER"]);
        let found: Vec<bool> = (0..5)
            .map(|row| table.contains(&column, row, column.views()[row]))
            .collect();
        assert_eq!(found, [true, true, false, true, false]);
    }
}

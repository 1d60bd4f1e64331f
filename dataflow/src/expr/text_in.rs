//! `text IN ('A', 'B', …)` over views: length and first four bytes decide nearly every row in a few compares of words.
//!
//! DataFusion hashes every text and asks a table through a comparator it calls by pointer; event types are short and few.

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

/// With more texts than this a hash table is faster.
const TEXTS_MAX: usize = 32;
/// A view holds texts up to this length whole.
const INLINE_BYTES_MAX: usize = 12;

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
    short: Vec<u128>,
    long: Vec<(u64, Vec<u8>)>,
    texts: Vec<String>,
    wanted: Wanted,
}

impl TextIn {
    /// Of `text`, which yields string views, and a list without NULLs; none where the list is too long.
    pub(super) fn new(text: Arc<dyn PhysicalExpr>, mut texts: Vec<String>, wanted: Wanted) -> Option<Self> {
        texts.sort();
        texts.dedup();
        if texts.len() > TEXTS_MAX {
            return None;
        }
        let (short, long): (Vec<&String>, Vec<&String>) = texts.iter().partition(|text| text.len() <= INLINE_BYTES_MAX);
        let short = short.iter().map(|text| make_view(text.as_bytes(), 0, 0)).collect();
        let long = long
            .iter()
            .map(|text| (head(make_view(text.as_bytes(), 0, 0)), text.as_bytes().to_vec()))
            .collect();
        Some(Self {
            text,
            short,
            long,
            texts,
            wanted,
        })
    }

    fn contains(&self, column: &StringViewArray, row: usize, view: u128) -> bool {
        // No early end: comparing all of a short list without branches is faster than guessing which one it is.
        let short = self.short.iter().fold(false, |found, text| found | (*text == view));
        short
            || self
                .long
                .iter()
                .any(|(start, text)| *start == head(view) && column.value(row).as_bytes() == text.as_slice())
    }
}

/// Length and first four bytes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half of a view is its length and the text's first four bytes"
)]
fn head(view: u128) -> u64 {
    view as u64
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
        let found = BooleanBuffer::collect_bool(column.len(), |row| self.contains(column, row, views[row]) == listed);
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
        Ok(Arc::new(Self {
            text,
            short: self.short.clone(),
            long: self.long.clone(),
            texts: self.texts.clone(),
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

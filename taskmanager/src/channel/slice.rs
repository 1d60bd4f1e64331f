//! Cuts from a batch as many rows as a credit pays for.

use dataflow::element::Batch;

use super::credit;

/// The first rows of `batch` that cost at most `credit`, and the rest; no rows where not even the first can be paid.
pub(super) fn split_off(batch: Batch, credit: u64) -> (Option<Batch>, Option<Batch>) {
    if credit::cost(&batch) <= credit {
        return (Some(batch), None);
    }
    let total = batch.row_count();
    // A first guess by the average, then fewer until they fit: rows are seldom of one size.
    let average = (batch.bytes() / total.max(1)).max(1);
    let affordable = usize::try_from(credit.saturating_sub(credit::BATCH_OVERHEAD)).unwrap_or(usize::MAX);
    let mut rows = (affordable / average).min(total.saturating_sub(1));
    while rows > 0 {
        let head = Batch::new(batch.records().slice(0, rows));
        if credit::cost(&head) <= credit {
            let rest = Batch::new(batch.records().slice(rows, total - rows));
            return (Some(head), Some(rest));
        }
        rows = rows * 3 / 4;
    }
    (None, Some(batch))
}

/// The first row, which may cost more than the exclusive window, and the rest.
pub(super) fn first_row(batch: &Batch) -> (Batch, Option<Batch>) {
    let total = batch.row_count();
    let head = Batch::new(batch.records().slice(0, total.min(1)));
    let rest = (total > 1).then(|| Batch::new(batch.records().slice(1, total - 1)));
    (head, rest)
}

//! A queue bounded in bytes between one thread that never waits and one task that does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use dataflow::contract::Committable;
use dataflow::element::{Barrier, Batch};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Occasion;

/// What a batch weighs beside its rows: rows without bytes are bounded too.
const OVERHEAD: usize = 1024;

/// What a worker is to do.
#[derive(Debug)]
pub(super) enum Order {
    Write(Batch),
    Prepare(Barrier),
    Commit(Vec<Committable>, Occasion),
}

/// The orders that wait, and their bytes. Orders without rows are bounded by the job manager, which has one barrier in flight.
#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    bytes: AtomicUsize,
    orders: Mutex<Orders>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Orders {
    urgent: VecDeque<Order>,
    ordinary: VecDeque<Order>,
}

/// What a batch counts for.
pub(super) fn weight(batch: &Batch) -> usize {
    batch.bytes() + OVERHEAD
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: AtomicUsize::new(0),
            orders: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// One batch may overdraw, so that one larger than the limit passes.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Acquire) < self.limit
    }

    pub(super) fn push(&self, order: Order) {
        if let Order::Write(batch) = &order {
            self.bytes.fetch_add(weight(batch), Ordering::AcqRel);
        }
        self.orders.lock().ordinary.push_back(order);
        self.filled.notify_one();
    }

    pub(super) fn push_urgent(&self, order: Order) {
        self.orders.lock().urgent.push_back(order);
        self.filled.notify_one();
    }

    /// Puts the prepare of this barrier before the rows that wait, if it waits too; answers those it passes. Barriers before it
    /// are given up by then, and nobody waits for their prepares.
    pub(super) fn overtake(&self, counter: u64) -> Option<Vec<Batch>> {
        let mut orders = self.orders.lock();
        let is_meant = |order: &Order| matches!(order, Order::Prepare(barrier) if barrier.id.counter == counter);
        let place = orders.ordinary.iter().position(is_meant)?;
        let behind = orders.ordinary.split_off(place);
        let mut passed = Vec::new();
        for order in std::mem::replace(&mut orders.ordinary, behind) {
            if let Order::Write(batch) = order {
                passed.push(batch);
            }
        }
        let prepare = orders.ordinary.pop_front()?;
        for batch in passed.iter().rev() {
            orders.ordinary.push_front(Order::Write(batch.clone()));
        }
        orders.ordinary.push_front(prepare);
        Some(passed)
    }

    /// Bytes of rows that are waiting or being written.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// How many bytes may wait.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// A batch has left; `true` if that made room where there was none.
    pub(super) fn release(&self, weight: usize) -> bool {
        let before = self.bytes.fetch_sub(weight, Ordering::AcqRel);
        before >= self.limit && before - weight < self.limit
    }

    /// The next order. One task waits here.
    pub(super) async fn next(&self) -> Order {
        loop {
            let filled = self.filled.notified();
            if let Some(order) = self.pop() {
                return order;
            }
            filled.await;
        }
    }

    fn pop(&self) -> Option<Order> {
        let mut orders = self.orders.lock();
        let urgent = orders.urgent.pop_front();
        urgent.or_else(|| orders.ordinary.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn rows(count: i64) -> Batch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        Batch::new(RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(0..count))]).unwrap())
    }

    #[tokio::test]
    async fn a_commit_overtakes_the_rows_that_wait() {
        let queue = Queue::new(1 << 20);
        queue.push(Order::Write(rows(3)));
        queue.push_urgent(Order::Commit(vec![], Occasion::Restored));
        assert!(matches!(queue.next().await, Order::Commit(..)));
        assert!(matches!(queue.next().await, Order::Write(_)));
    }

    fn barrier(counter: u64) -> Barrier {
        let generation = dataflow::id::Generation { term: 1, deployment: 1 };
        Barrier {
            id: dataflow::id::BarrierId { generation, counter },
            roll: dataflow::element::Roll::Keep,
        }
    }

    #[tokio::test]
    async fn a_barrier_that_overtakes_leaves_what_it_passed_behind_it_and_forgets_older_barriers() {
        let queue = Queue::new(1 << 20);
        queue.push(Order::Write(rows(1)));
        queue.push(Order::Prepare(barrier(1)));
        queue.push(Order::Write(rows(2)));
        queue.push(Order::Prepare(barrier(2)));
        queue.push(Order::Write(rows(3)));
        assert!(queue.overtake(3).is_none(), "it has not come");
        let passed = queue.overtake(2).unwrap();
        assert_eq!(passed.iter().map(Batch::row_count).collect::<Vec<_>>(), [1, 2]);
        let Order::Prepare(first) = queue.next().await else {
            panic!("the barrier comes first")
        };
        assert_eq!(first.id.counter, 2);
        for count in 1..=3 {
            let Order::Write(batch) = queue.next().await else {
                panic!("rows come behind it, and no older barrier")
            };
            assert_eq!(batch.row_count(), count);
        }
        assert!(queue.overtake(2).is_none(), "it was taken");
    }

    #[tokio::test]
    async fn room_returns_when_a_batch_is_written_and_not_when_it_is_taken() {
        let queue = Queue::new(2000);
        queue.push(Order::Write(rows(10)));
        assert!(queue.has_room());
        queue.push(Order::Write(rows(10)));
        assert!(!queue.has_room());
        let Order::Write(batch) = queue.next().await else {
            panic!("a batch was queued")
        };
        assert!(!queue.has_room());
        assert!(queue.release(weight(&batch)));
        assert!(queue.has_room());
    }
}

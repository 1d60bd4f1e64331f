//! Chains whose nodes hold rows back: who is pulled, who is told the time, and where watermarks stay.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_schema::{DataType, Field, Schema};
use dataflow::Failure;
use dataflow::element::{Batch, Watermark};
use dataflow::recipe::Port;
use dataflow::time::{Instant, ManualClock, WallTime};
use parking_lot::Mutex;

use super::{Chain, Next, Node, Progress, Signal};
use crate::meter::{Carries, Meter};
use crate::operators::{Emitted, Moment, Operator, Room};
use crate::task::gauges::{Gauges, NodeGauges, Wait};

type Log = Arc<Mutex<Vec<String>>>;

fn row(number: i64) -> Batch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let numbers = Arc::new(Int64Array::from(vec![number]));
    Batch::new(RecordBatch::try_new(Arc::new(schema), vec![numbers]).unwrap())
}

fn number(batch: &Batch) -> i64 {
    batch.records().column(0).as_primitive::<Int64Type>().value(0)
}

/// Makes some batches of each, one a pull, and logs what it is told.
struct Many {
    count: i64,
    left: VecDeque<Batch>,
    name: &'static str,
    log: Log,
}

impl Operator for Many {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        assert!(self.left.is_empty(), "it has not given everything of what came before");
        let first = number(&batch);
        self.log.lock().push(format!("{} {first}", self.name));
        self.left.extend((first..first + self.count).map(row));
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.left.pop_front().map(|batch| Emitted::Rows(Port::Main, batch)))
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        self.log.lock().push(format!("{} watermark {}", self.name, watermark.0));
        Ok(())
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(Instant::default())
    }

    fn tick(&mut self, _now: Moment) -> Result<(), Failure> {
        self.log.lock().push(format!("{} tick", self.name));
        Ok(())
    }
}

/// Gives one batch a tick, and holds two at most.
#[derive(Default)]
struct Slow {
    held: VecDeque<Batch>,
    tokens: usize,
    owed: Option<Watermark>,
}

impl Operator for Slow {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        assert!(self.held.len() < 2, "it said that it is full");
        self.held.push_back(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        if self.tokens > 0
            && let Some(batch) = self.held.pop_front()
        {
            self.tokens -= 1;
            return Ok(Some(Emitted::Rows(Port::Main, batch)));
        }
        let owed = self.owed.take_if(|_| self.held.is_empty());
        Ok(owed.map(Emitted::Watermark))
    }

    fn advance(&mut self, watermark: Watermark) -> Result<(), Failure> {
        self.owed = Some(watermark);
        Ok(())
    }

    fn holds_time(&self) -> bool {
        true
    }

    fn room(&self) -> Room {
        [Room::Open, Room::Closed, Room::Full][self.held.len()]
    }

    fn is_clocked(&self) -> bool {
        true
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(Instant::from_start(Duration::from_secs(7)))
    }

    fn tick(&mut self, _now: Moment) -> Result<(), Failure> {
        self.tokens = 1;
        Ok(())
    }
}

fn many(name: &'static str, count: i64, log: &Log) -> Box<dyn Operator> {
    Box::new(Many {
        count,
        left: VecDeque::new(),
        name,
        log: Arc::clone(log),
    })
}

fn meter() -> Meter {
    Meter::new(Arc::new(ManualClock::new()))
}

fn chain(nodes: Vec<(Box<dyn Operator>, Vec<usize>)>) -> Chain {
    let node = |(operator, nexts): (Box<dyn Operator>, Vec<usize>)| Node {
        operator,
        gauges: Arc::new(NodeGauges::new("step".to_owned())),
        carries: Carries::Otherwise,
        main: nexts.into_iter().map(Next::Node).collect(),
        late: vec![],
        dead: vec![],
        writer: None,
        keeper: None,
    };
    let gauges = Arc::new(Gauges::new(std::iter::empty()));
    Chain::new(nodes.into_iter().map(node).collect(), vec![], gauges, meter())
}

fn settle(chain: &mut Chain) -> Progress {
    loop {
        match chain.step(Instant::default()).unwrap() {
            Progress::Moved => {}
            other => return other,
        }
    }
}

fn tick(chain: &mut Chain) -> Progress {
    let moment = Moment {
        instant: Instant::default(),
        wall: WallTime(0),
        held_up: Duration::ZERO,
    };
    chain.tick(moment).unwrap();
    settle(chain)
}

#[test]
fn a_node_that_is_full_stops_those_before_it_until_it_was_told_the_time() {
    let log = Log::default();
    let nodes = vec![
        (many("first", 5, &log), vec![1]),
        (Box::new(Slow::default()) as Box<dyn Operator>, vec![2]),
        (many("last", 0, &log), vec![]),
    ];
    let mut chain = chain(nodes);
    chain.enter(row(0)).unwrap();
    assert_eq!(settle(&mut chain), Progress::Held);
    assert!(!chain.is_through());
    assert_eq!(chain.held(), Some(Wait::Held("step".into())));
    assert_eq!(std::mem::take(&mut *log.lock()), ["first 0"]);
    // Time goes to the one that holds the others up, and to those behind it.
    assert_eq!(tick(&mut chain), Progress::Held);
    assert_eq!(std::mem::take(&mut *log.lock()), ["last tick", "last 0"]);
    assert_eq!((tick(&mut chain), tick(&mut chain)), (Progress::Held, Progress::Held));
    log.lock().clear();
    // What waits now is all there is: it is state, and not under way.
    assert_eq!(tick(&mut chain), Progress::Through);
    assert!(chain.is_through() && chain.held().is_some());
    assert_eq!(std::mem::take(&mut *log.lock()), ["last tick", "last 3"]);
    assert_eq!(tick(&mut chain), Progress::Through);
    assert_eq!(std::mem::take(&mut *log.lock()), ["first tick", "last tick", "last 4"]);
    assert_eq!(chain.held(), None);
}

#[test]
fn a_watermark_stays_behind_the_rows_that_a_node_holds_back() {
    let log = Log::default();
    let nodes = vec![
        (Box::new(Slow::default()) as Box<dyn Operator>, vec![1]),
        (many("last", 0, &log), vec![]),
    ];
    let mut chain = chain(nodes);
    chain.enter(row(0)).unwrap();
    assert_eq!(settle(&mut chain), Progress::Through);
    chain.signal(Signal::Watermark(Watermark(9))).unwrap();
    assert_eq!(settle(&mut chain), Progress::Through);
    assert_eq!(*log.lock(), Vec::<String>::new());
    tick(&mut chain);
    assert_eq!(*log.lock(), ["last tick", "last 0", "last watermark 9"]);
    // Where nothing waits it goes on at once.
    chain.signal(Signal::Watermark(Watermark(10))).unwrap();
    settle(&mut chain);
    assert_eq!(log.lock().last().unwrap(), "last watermark 10");
}

/// Gives each row its number as the time.
#[derive(Default)]
struct Giver(Option<Watermark>);

impl Operator for Giver {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        self.0 = Some(Watermark(number(&batch)));
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.0.take().map(Emitted::Watermark))
    }
}

#[test]
fn whoever_gives_time_is_seen_to_have_come_to_it() {
    let gauges = ["giver", "last"].map(|name| Arc::new(NodeGauges::new(name.to_owned())));
    let node = |index: usize, operator: Box<dyn Operator>, main| Node {
        operator,
        gauges: Arc::clone(&gauges[index]),
        carries: Carries::Otherwise,
        main,
        late: vec![],
        dead: vec![],
        writer: None,
        keeper: None,
    };
    let nodes = vec![
        node(0, Box::<Giver>::default(), vec![Next::Node(1)]),
        node(1, many("last", 0, &Log::default()), vec![]),
    ];
    let mut chain = Chain::new(nodes, vec![], Arc::new(Gauges::new(std::iter::empty())), meter());
    assert_eq!(gauges[0].watermark.get(), None);
    chain.enter(row(7)).unwrap();
    settle(&mut chain);
    let reached = [0, 1].map(|index: usize| gauges[index].watermark.get());
    assert_eq!(reached, [Some(Watermark(7)), Some(Watermark(7))]);
}

#[test]
fn those_beside_a_node_that_is_full_are_told_the_time_and_those_before_it_are_not() {
    let log = Log::default();
    let nodes = vec![
        (many("first", 3, &log), vec![2, 1]),
        (many("beside", 0, &log), vec![]),
        (Box::new(Slow::default()) as Box<dyn Operator>, vec![]),
    ];
    let mut chain = chain(nodes);
    chain.enter(row(0)).unwrap();
    assert_eq!(settle(&mut chain), Progress::Held);
    log.lock().clear();
    assert_eq!(chain.wake_at(), Some(Instant::default()));
    tick(&mut chain);
    assert_eq!(log.lock()[0], "beside tick");
    assert!(!log.lock().contains(&"first tick".to_owned()));
}

/// Holds what comes until it is to settle.
#[derive(Default)]
struct Gathering {
    held: Vec<Batch>,
    given: VecDeque<Batch>,
}

impl Operator for Gathering {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        self.held.push(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.given.pop_front().map(|batch| Emitted::Rows(Port::Main, batch)))
    }

    fn settle(&mut self) -> Result<bool, Failure> {
        self.given.extend(self.held.drain(..));
        Ok(!self.given.is_empty())
    }
}

#[test]
fn what_is_held_to_have_more_of_it_together_comes_when_the_chain_settles_and_not_before() {
    let log = Log::default();
    let nodes = vec![
        (Box::new(Gathering::default()) as Box<dyn Operator>, vec![1, 2]),
        (Box::new(Gathering::default()) as Box<dyn Operator>, vec![2]),
        (many("last", 0, &log), vec![]),
    ];
    let mut chain = chain(nodes);
    for number in [1, 2] {
        chain.enter(row(number)).unwrap();
        assert_eq!(settle(&mut chain), Progress::Through);
    }
    assert!(log.lock().is_empty());
    assert!(chain.settle().unwrap());
    assert_eq!(settle(&mut chain), Progress::Through);
    assert_eq!(std::mem::take(&mut *log.lock()), ["last 1", "last 2"]);
    // What one gives the other holds again.
    assert!(chain.settle().unwrap());
    assert_eq!(settle(&mut chain), Progress::Through);
    assert_eq!(std::mem::take(&mut *log.lock()), ["last 1", "last 2"]);
    assert!(!chain.settle().unwrap());
}

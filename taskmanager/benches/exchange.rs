//! What a shuffle costs: rows of 400 bytes by key from one subtask to two others, inside a process and over loopback.
//!
//! Expected on one core of 10 GB/s memory copy: splitting gathers 16-byte views and a key hash (about 15 ns a row), each
//! target's rows are compacted (one copy, 0.04 s a million), the wire copies them into the connection's buffer, into and
//! out of the kernel, out of the connection's buffer, and into an aligned one (five more, 0.2 s), checksums pass over
//! them twice (0.04 s). So about 0.1 CPU seconds a million rows inside a process and 0.4 to 0.5 over loopback.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray};
use arrow::record_batch::RecordBatch;
use crossbeam::channel::{Receiver, Sender, bounded};
use dataflow::contract::Waker;
use dataflow::element::{Batch, Element};
use dataflow::id::{EdgeId, Generation, JobId, SubtaskId, VertexId};
use dataflow::recipe::Partition;
use dataflow::scope::Scope;
use dataflow::time::{Clock, SystemClock};
use taskmanager::channel::{ChannelId, Inlet, Outlet, Receiving, SharedPool, local};
use taskmanager::gate::{Gate, Input};
use taskmanager::network::{Exchange, Identity, PeerAddress};
use taskmanager::partition::Output;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

const ROWS: usize = 4_000_000;
const ROW_BYTES: usize = 400;
const BATCH: usize = 2_500;
const TARGETS: u32 = 2;

fn main() {
    let clock = SystemClock::start();
    let batches = source();
    for (name, wired) in [("in one process", false), ("over loopback ", true)] {
        let ground = if wired { Some(Ground::new()) } else { None };
        let (cpu, wall) = (cpu_seconds(), clock.now());
        shuffle(&batches, ground.as_ref());
        let (cpu, wall) = (cpu_seconds() - cpu, clock.now().since(wall).as_secs_f64());
        let millions = ROWS as f64 / 1e6;
        let megabytes = (ROWS * ROW_BYTES) as f64 / 1e6;
        println!(
            "{name}: {:.0} MB/s, {:.2} million events/s, {:.3} CPU seconds per million events",
            megabytes / wall,
            millions / wall,
            cpu / millions
        );
    }
}

/// Batches as a reader yields them: views into one buffer of some MiB.
fn source() -> Vec<RecordBatch> {
    let buffer = 4 * BATCH;
    let raw = BinaryViewArray::from_iter_values((0..buffer).map(|row| {
        let mut record = format!("{{\"id\":{row},\"filling\":\"").into_bytes();
        record.resize(ROW_BYTES, b'x');
        record
    }));
    let keys = StringViewArray::from_iter_values((0..buffer).map(|row| format!("company-{}", row % 5000)));
    let columns = [
        ("companyId", Arc::new(keys) as ArrayRef),
        ("$raw", Arc::new(raw) as ArrayRef),
    ];
    let whole = RecordBatch::try_from_iter(columns).expect("the columns are of one length");
    (0..buffer / BATCH)
        .map(|part| whole.slice(part * BATCH, BATCH))
        .collect()
}

/// Two processes' worth of exchanges.
struct Ground {
    from: Exchange,
    to: Exchange,
    at: PeerAddress,
    _runtimes: [Runtime; 2],
}

impl Ground {
    fn new() -> Self {
        let runtime = || {
            Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime")
        };
        let runtimes = [runtime(), runtime()];
        let exchange = |index: usize| {
            let identity = Identity {
                task_manager: format!("tm-{index}"),
                incarnation: index.to_string(),
            };
            let scope = Scope::root("bench", runtimes[index].handle().clone());
            (
                identity.clone(),
                Exchange::new(identity, Arc::new(SystemClock::start()), scope),
            )
        };
        let ((_, from), (identity, to)) = (exchange(0), exchange(1));
        let listener = runtimes[1]
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let entered = runtimes[1].enter();
        let address = to.serve(listener).expect("the listener has an address").to_string();
        drop(entered);
        Self {
            from,
            to,
            at: PeerAddress { identity, address },
            _runtimes: runtimes,
        }
    }
}

/// A mailbox of one bit: something happened.
fn mailbox() -> (Waker, Receiver<()>) {
    let (sender, receiver): (Sender<()>, _) = bounded(1);
    let waker = Waker::new(move || {
        let _ = sender.try_send(());
    });
    (waker, receiver)
}

fn ends(index: u32, ground: Option<&Ground>, sender: &Waker, receiver: &Waker) -> (Outlet, Inlet) {
    let id = ChannelId {
        job: JobId {
            name: "bench".to_owned(),
            life: 1,
        },
        generation: Generation { term: 1, deployment: 1 },
        edge: EdgeId(0),
        from: SubtaskId {
            vertex: VertexId(0),
            index: 0,
        },
        to: SubtaskId {
            vertex: VertexId(1),
            index,
        },
    };
    let clock = Arc::new(SystemClock::start());
    let receiving = Receiving {
        pool: SharedPool::new(32 << 20),
        clock,
        waker: receiver.clone(),
    };
    match ground {
        None => local(id, receiving, sender.clone()),
        Some(ground) => {
            let inlet = ground.to.inlet(id.clone(), receiving);
            (ground.from.outlet(id, &ground.at, sender.clone()), inlet)
        }
    }
}

fn shuffle(batches: &[RecordBatch], ground: Option<&Ground>) {
    let threads = Builder::new_current_thread().build().expect("a runtime");
    let scope = Scope::root("subtasks", threads.handle().clone());
    let (waker, wake) = mailbox();
    let mut outlets = Vec::new();
    for index in 0..TARGETS {
        let (receiver, woken) = mailbox();
        let (outlet, inlet) = ends(index, ground, &waker, &receiver);
        outlets.push(outlet);
        scope.thread(move || consume(inlet, &woken), |_| {}).expect("a thread");
    }
    let keys = vec!["companyId".parse().expect("a path")];
    let partition = Partition::Hash {
        keys,
        max_parallelism: 1024,
    };
    let schema = batches[0].schema();
    let output = Output::new(EdgeId(0), &partition, &schema, outlets, Duration::from_millis(5)).expect("a key");
    produce(batches, output, &wake);
    threads.block_on(scope.join());
}

fn produce(batches: &[RecordBatch], mut output: Output, wake: &Receiver<()>) {
    let now = SystemClock::start().now();
    let mut elements = (0..ROWS / BATCH).map(|step| Element::Batch(Batch::new(batches[step % batches.len()].clone())));
    let mut ended = false;
    loop {
        output.pump().expect("nobody fails");
        if !output.is_clear() {
            wake.recv().expect("the waker lives as long as the channel");
        } else if ended {
            return;
        } else if let Some(element) = elements.next() {
            output.send(element, now).expect("nobody fails");
        } else {
            output.send(Element::End, now).expect("nobody fails");
            ended = true;
        }
    }
}

fn consume(inlet: Inlet, woken: &Receiver<()>) -> usize {
    let mut gate = Gate::new(vec![inlet]);
    let now = SystemClock::start().now();
    let mut rows = 0;
    loop {
        match gate.next(now).expect("nobody fails") {
            Some(Input::Batch(batch)) => rows += batch.row_count(),
            Some(Input::End) => return rows,
            Some(Input::Watermark(_) | Input::Barrier(_) | Input::Idle) => {}
            None => woken.recv().expect("the waker lives as long as the channel"),
        }
    }
}

/// What this process has used so far, in user and system mode.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this bench runs on Linux");
    // Behind the name in parentheses, user and system time are the twelfth and thirteenth, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / 100.0
}

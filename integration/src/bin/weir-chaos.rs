//! Cycles of `kill -9` in mid-flow: file -> filter -> shuffle -> file or Parquet, judged from outside by unique ids.
//!
//! Only kills between the first and the last row count. Who is killed (task manager, job manager, both) and when comes from a seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use dataflow::time::{Clock, Instant, SystemClock};
use integration::cluster::{Cluster, Deadline, binary, until, weir};
use serde_json::Value;

/// Kills processes in mid-flow until enough kills count, and judges every run.
#[derive(Parser)]
struct Arguments {
    /// Where input, state and output go; removed and made anew.
    #[arg(long)]
    folder: PathBuf,
    /// How many kills in mid-flow.
    #[arg(long, default_value_t = 30)]
    kills: usize,
    /// Events of one run.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// What the rows are written to.
    #[arg(long, value_enum, default_value_t = Sink::File)]
    sink: Sink,
    /// Another seed, other moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sink {
    File,
    Parquet,
}

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    TaskManager,
    JobManager,
    Both,
}

const KEPT: &str = "ADD_TO_CART,CART_UPDATED,CHECKOUT,ORDER_CONFIRMED,PAGE_VIEW,PRODUCT_VIEW,PURCHASE,REPLENISHMENT";
const NAME: &str = "chaos";

/// The longest pause before the next kill, in milliseconds.
const PAUSE_MS_MAX: u64 = 1_000;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = std::path::absolute(&arguments.folder)?;
    fs::remove_dir_all(&folder).or_else(|error| if folder.exists() { Err(error) } else { Ok(()) })?;
    fs::create_dir_all(&folder)?;
    make_input(&folder, arguments.events)?;
    let mut chaos = Chaos {
        clock: SystemClock::start(),
        random: arguments.seed,
        recovered: Vec::new(),
        next_name: 0,
    };
    let mut exact = true;
    for run in 1.. {
        if chaos.recovered.len() >= arguments.kills {
            break;
        }
        exact &= chaos.run(&folder, &arguments).with_context(|| format!("run {run}"))?;
    }
    chaos.recovered.sort_unstable();
    let milliseconds = |at: usize| chaos.recovered[at].as_millis();
    let count = chaos.recovered.len();
    print(&format!(
        "{count} kills in mid-flow; from kill to the next committed epoch: p50 {} ms, max {} ms",
        milliseconds(count / 2),
        milliseconds(count - 1)
    ));
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Chaos {
    clock: SystemClock,
    random: u64,
    recovered: Vec<Duration>,
    next_name: u32,
}

impl Chaos {
    /// One run of the whole input, with kills until it ends.
    fn run(&mut self, folder: &Path, arguments: &Arguments) -> Result<bool> {
        let place = folder.join("run");
        fs::remove_dir_all(&place).or_else(|error| if place.exists() { Err(error) } else { Ok(()) })?;
        let input = folder.join("input");
        let mut cluster = Cluster::start(&place, &["--allow-path", &input.to_string_lossy()])?;
        self.add_taskmanager(&mut cluster, folder)?;
        self.add_taskmanager(&mut cluster, folder)?;
        cluster.submit(&document(folder, &place, arguments.sink))?;
        cluster.until(NAME, "to commit", Duration::from_secs(60), |described| {
            described["summary"]["epoch"].as_u64() > Some(0)
        })?;
        while self.recovered.len() < arguments.kills && self.kill(&mut cluster, folder)? {}
        cluster.until_finished(NAME, Duration::from_secs(300))?;
        judge(&place, arguments.events)
    }

    /// One kill; false where the job was over before it could be killed in mid-flow.
    fn kill(&mut self, cluster: &mut Cluster, folder: &Path) -> Result<bool> {
        let pause = Duration::from_millis(self.draw(PAUSE_MS_MAX));
        let until_kill = self.clock.now() + pause;
        let before = until("the moment of the kill", Deadline::of(Duration::from_secs(60)), || {
            let described = cluster.json(&["describe", NAME])?;
            let over = described["summary"]["state"] != "running";
            Ok((over || self.clock.now() >= until_kill).then_some(described))
        })?;
        if before["summary"]["state"] != "running" {
            return Ok(false);
        }
        let victim = match self.draw(3) {
            0 => Victim::TaskManager,
            1 => Victim::JobManager,
            _ => Victim::Both,
        };
        let killed = self.strike(cluster, victim, folder)?;
        let epoch = before["summary"]["epoch"].as_u64().context("an epoch")?;
        let after = cluster.until(NAME, "to commit again", Duration::from_secs(120), |described| {
            let state = &described["summary"]["state"];
            // A fence record counts as an epoch of the chain: it carries no rows, so one more must follow.
            (state == "running"
                && described["checkpoints"]["completed"].as_u64() > Some(0)
                && described["summary"]["epoch"].as_u64() > Some(epoch))
                || state == "finished"
        })?;
        let took = self.clock.now().since(killed);
        if after["summary"]["state"] == "running" {
            self.recovered.push(took);
            print(&format!(
                "kill {:>2} of {victim:?} after epoch {epoch}: committed again after {} ms",
                self.recovered.len(),
                took.as_millis()
            ));
        }
        Ok(after["summary"]["state"] == "running")
    }

    /// Kills, and starts again at once, as a supervisor would.
    fn strike(&mut self, cluster: &mut Cluster, victim: Victim, folder: &Path) -> Result<Instant> {
        let names = cluster.taskmanagers();
        let chosen = usize::try_from(self.draw(names.len() as u64)).context("an index")?;
        let killed = self.clock.now();
        if matches!(victim, Victim::JobManager | Victim::Both) {
            cluster.kill_jobmanager();
        }
        if matches!(victim, Victim::TaskManager | Victim::Both) {
            cluster.kill_taskmanager(&names[chosen]);
            self.add_taskmanager(cluster, folder)?;
        }
        if matches!(victim, Victim::JobManager | Victim::Both) {
            cluster.start_jobmanager()?;
        }
        Ok(killed)
    }

    fn add_taskmanager(&mut self, cluster: &mut Cluster, folder: &Path) -> Result<()> {
        self.next_name += 1;
        let input = folder.join("input");
        cluster.start_taskmanager(
            &format!("tm-{}", self.next_name),
            &["--allow-path", &input.to_string_lossy()],
        )
    }

    /// The next number below `bound` (SplitMix64, Steele et al. 2014).
    fn draw(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn make_input(folder: &Path, events: u64) -> Result<()> {
    let input = folder.join("input");
    let text = format!(
        "datastreamName: make-input\ncontactName: chaos\ndesiredState: ON\nparallelism: 2\n\
         sources:\n  - generator: {{ events: shop, count: {events}, splits: 2, seed: 42 }}\n    format: raw\n\
         sinks:\n  - file: {{ path: \"{}\", roll: {{ size: 4GiB, every: 1h }} }}\n",
        input.display()
    );
    let document = folder.join("make-input.yaml");
    fs::write(&document, text)?;
    let output = weir(
        &[
            "run",
            &document.to_string_lossy(),
            "--state",
            &folder.join("make-input").to_string_lossy(),
        ],
        folder,
    )?;
    ensure!(
        output.status.success(),
        "making the input: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn document(folder: &Path, place: &Path, sink: Sink) -> String {
    let out = place.join("out");
    let sink = match sink {
        Sink::File => format!(
            "file: {{ path: \"{}\", roll: {{ size: 64MiB, every: 3s }} }}",
            out.display()
        ),
        Sink::Parquet => format!(
            "parquet: {{ path: \"{}\", partitionBy: [eventType], roll: {{ size: 64MiB, every: 3s }} }}",
            out.display()
        ),
    };
    format!(
        "datastreamName: {NAME}\ncontactName: chaos\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 1s }}\n\
         sources:\n  - file: {{ path: \"{}\" }}\n    eventTime: {{ field: eventTime }}\n\
         eventTypeFilters: [{}]\nsinks:\n  - keyBy: [subscriberId]\n    {sink}\n",
        folder.join("input").display(),
        KEPT.replace(',', ", ")
    )
}

/// What the oracle says of the output, in a process of its own.
fn judge(place: &Path, events: u64) -> Result<bool> {
    let oracle = binary().with_file_name("weir-oracle");
    let generator = serde_json::json!({"events": "shop", "count": events, "splits": 2, "seed": 42});
    let out = place.join("out");
    let output = Command::new(&oracle)
        .args([
            "--generator",
            &Value::to_string(&generator),
            "--keep",
            KEPT,
            "--archived",
            &out.to_string_lossy(),
        ])
        .output()
        .with_context(|| format!("starting {}", oracle.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.is_empty() {
        bail!("the oracle: {}", String::from_utf8_lossy(&output.stderr));
    }
    print(&text);
    Ok(output.status.success())
}

#[expect(clippy::print_stdout, reason = "this is a command, and the lines are its result")]
fn print(line: &str) {
    println!("{line}");
}

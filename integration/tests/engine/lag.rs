//! What became of every row, minute by minute, over a killed task manager, against a count that knows nothing of Weir's; and
//! that a loss is seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, epoch, weir};
use serde_json::Value;

const EVENTS: u64 = 240_000;
const LIMIT: Duration = Duration::from_secs(120);
const MINUTE_MS: i64 = 60_000;

/// Ten minutes of shop events with bad records and late ones.
fn generator(throughput: &str) -> String {
    format!(
        "generator: {{ events: shop, count: {EVENTS}, splits: 2, seed: 7, rate: 400, malformed: 0.01, late: 0.01{throughput} }}"
    )
}

/// Generator -> filter -> shuffle between two task managers -> windows -> a sink.
fn document(folder: &Path) -> String {
    let (generator, folder) = (generator(", throughput: 60000"), folder.display());
    format!(
        "datastreamName: counted\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 300ms }}\n\
         sources:\n  - name: events\n    {generator}\n    eventTime: {{ field: eventTime }}\n\
         eventTypeFilters: [PAGE_VIEW, PURCHASE]\n\
         steps:\n  - name: perMinute\n    keyBy: [companyId]\n    window: {{ tumbling: 1m, allowedLateness: 0s }}\n    \
         aggregate: {{ orders: count(*) }}\n\
         sinks:\n  - file: {{ path: \"{folder}/out\" }}\ndeadLetter: {{ path: \"{folder}/dead\" }}\n"
    )
}

/// What a person counts in the lines that the source gives.
#[derive(Debug, Default)]
struct Input {
    lines: u64,
    bad: u64,
    /// Good records, and those of the wanted types, by minute.
    minutes: BTreeMap<i64, (u64, u64)>,
}

fn lines_of(folder: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let text = fs::read(&path)?;
            lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
        }
    }
    Ok(lines)
}

/// The same records, written as they are by a datastream without a step.
fn input(folder: &Path) -> Result<Input> {
    let text = format!(
        "datastreamName: raw\ncontactName: test\ndesiredState: ON\nsources:\n  - {}\n    format: raw\n\
         sinks:\n  - file: {{ path: ./raw }}\n",
        generator("")
    );
    fs::write(folder.join("raw.yaml"), text)?;
    let output = weir(&["run", "raw.yaml"], folder)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut input = Input::default();
    for line in lines_of(&folder.join("raw"))? {
        input.lines += 1;
        let Ok(record) = serde_json::from_str::<Value>(&line) else {
            input.bad += 1;
            continue;
        };
        let (good, wanted) = input.minutes.entry(minute_of(&record)?).or_default();
        *good += 1;
        if matches!(record["eventType"].as_str(), Some("PAGE_VIEW" | "PURCHASE")) {
            *wanted += 1;
        }
    }
    Ok(input)
}

fn minute_of(record: &Value) -> Result<i64> {
    let time = record["eventTime"].as_i64().context("an event time")?;
    Ok(time.div_euclid(MINUTE_MS))
}

/// Dead letters by step, and those of windows that were closed by the minute of their record.
fn letters(folder: &Path) -> Result<(BTreeMap<String, u64>, BTreeMap<i64, u64>)> {
    let (mut steps, mut late) = (BTreeMap::new(), BTreeMap::new());
    for line in lines_of(folder)? {
        let letter: Value = serde_json::from_str(&line)?;
        let step = letter["step"].as_str().context("a step")?;
        *steps.entry(step.to_owned()).or_default() += 1;
        if step == "perMinute" {
            let record: Value = serde_json::from_str(letter["record"].as_str().context("a record")?)?;
            *late.entry(minute_of(&record)?).or_default() += 1;
        }
    }
    Ok((steps, late))
}

/// One fate of a step's rows, by minute.
fn by_minute(lag: &Value, step: &str, fate: &str) -> Result<BTreeMap<i64, u64>> {
    let step = self::step(lag, step)?;
    let minutes = step["minutes"].as_array().context("minutes")?;
    let mut counts = BTreeMap::new();
    for minute in minutes {
        let count = minute[fate].as_u64().context("a count")?;
        if count > 0 {
            let at = minute["minuteMs"].as_i64().context("a minute")?;
            counts.insert(at.div_euclid(MINUTE_MS), count);
        }
    }
    Ok(counts)
}

fn step<'a>(lag: &'a Value, name: &str) -> Result<&'a Value> {
    let steps = lag["steps"].as_array().context("steps")?;
    steps
        .iter()
        .find(|step| step["name"] == name)
        .with_context(|| format!("{name} in {lag:#}"))
}

fn total(lag: &Value, name: &str, fate: &str) -> Result<u64> {
    step(lag, name)?["total"][fate].as_u64().context("a total")
}

#[test]
fn every_row_is_accounted_for_in_its_minute_though_a_task_manager_was_killed() -> Result<()> {
    let place = tempfile::tempdir()?;
    let expected = input(place.path())?;
    ensure!(expected.lines == EVENTS && expected.bad > 0, "{expected:?}");
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    cluster.submit(&document(place.path()))?;
    let before = epoch(&cluster.until_past("counted", 1, LIMIT)?);
    cluster.kill_taskmanager("tm-2");
    cluster.start_taskmanager("tm-3", &[])?;
    cluster.until_past("counted", before + 1, LIMIT)?;
    let described = cluster.until_finished("counted", LIMIT)?;
    ensure!(
        described["summary"]["restarts"].as_u64() >= Some(1),
        "it was noticed: {described}"
    );
    let lag = cluster.ask("/v1/datastreams/counted/lag?minutes=180")?;

    // The source and the decoder, whose rows have no event time yet.
    ensure!(total(&lag, "events", "rowsOut")? == EVENTS, "{lag:#}");
    ensure!(total(&lag, "events.decode", "dead")? == expected.bad, "{lag:#}");
    // The filter: each minute.
    let filter = "events.eventTypeFilters";
    let good: BTreeMap<i64, u64> = expected
        .minutes
        .iter()
        .map(|(minute, (good, _))| (*minute, *good))
        .collect();
    let wanted = expected.minutes.iter().filter(|(_, (_, wanted))| *wanted > 0);
    let wanted: BTreeMap<i64, u64> = wanted.map(|(minute, (_, wanted))| (*minute, *wanted)).collect();
    let left = expected.minutes.iter().filter(|(_, (good, wanted))| good > wanted);
    let left: BTreeMap<i64, u64> = left.map(|(minute, (good, wanted))| (*minute, good - wanted)).collect();
    ensure!(good.len() > 8, "minutes: {good:?}");
    for (fate, count) in [("rowsIn", &good), ("rowsOut", &wanted), ("filtered", &left)] {
        let found = by_minute(&lag, filter, fate)?;
        ensure!(found == *count, "{fate}: {found:?}, and not {count:?}");
    }
    // The windows: what came in, and what came late, by what lies in the dead letters.
    let found = by_minute(&lag, "perMinute", "rowsIn")?;
    ensure!(found == wanted, "windows: {found:?}, and not {wanted:?}");
    let (steps, late) = letters(&place.path().join("dead"))?;
    ensure!(steps.get("events.decode") == Some(&expected.bad), "{steps:?}");
    let found = by_minute(&lag, "perMinute", "late")?;
    ensure!(!late.is_empty() && found == late, "late: {found:?}, and not {late:?}");
    // And so nothing is missing, anywhere.
    ensure!(lag["loss"]["points"] == serde_json::json!([]), "{:#}", lag["loss"]);
    ensure!(
        described["losses"] == serde_json::json!([]),
        "{:#}",
        described["losses"]
    );
    Ok(())
}

#[test]
fn a_loss_raises_an_alarm_that_names_the_step_and_the_minutes() -> Result<()> {
    let place = tempfile::tempdir()?;
    let leak = ("WEIR_LOSES".to_owned(), "events.eventTypeFilters 4".to_owned());
    let mut cluster = Cluster::start_in(place.path(), &[], vec![leak])?;
    cluster.start_taskmanager("tm-1", &["--slots", "2"])?;
    cluster.submit(&document(place.path()))?;
    let told = |described: &Value| {
        let findings = described["findings"].as_array();
        findings.is_some_and(|all| all.iter().any(|finding| finding["code"] == "loss"))
    };
    let described = cluster.until("counted", "to miss rows", LIMIT, told)?;
    let findings = described["findings"].as_array().context("findings")?;
    let finding = findings.iter().find(|one| one["code"] == "loss").context("a loss")?;
    let text = finding["text"].as_str().context("a sentence")?;
    ensure!(
        finding["severity"] == "bad"
            && text.contains("on the way to `events.eventTypeFilters`")
            && text.contains("minute"),
        "{finding:#}"
    );
    cluster.until_finished("counted", LIMIT)?;
    let lag = cluster.ask("/v1/datastreams/counted/lag?from=events.eventTime&to=events.eventTypeFilters")?;
    let given = total(&lag, "events.eventTime", "rowsOut")?;
    let came = total(&lag, "events.eventTypeFilters", "rowsIn")?;
    ensure!(came < given, "{came} of {given}");
    let points = lag["loss"]["points"].as_array().context("points")?;
    let [point] = points.as_slice() else {
        anyhow::bail!("one point, and not {points:#?}")
    };
    ensure!(
        point["alarm"] == true && point["lost"].as_u64() == Some(given - came),
        "{point:#}"
    );
    ensure!(
        lag["between"]["lost"].as_u64() == Some(given - came),
        "{:#}",
        lag["between"]
    );
    let minutes = point["minutes"].as_array().context("minutes")?;
    let lost: i64 = minutes.iter().filter_map(|minute| minute["lost"].as_i64()).sum();
    ensure!(u64::try_from(lost)? == given - came, "by minute: {lost}");
    let said = cluster.weir(&["describe", "counted"])?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    ensure!(said.contains("rows on the way to events.eventTypeFilters"), "{said}");
    Ok(())
}

//! Metrics of a running cluster: their form, their bounds, and that what is shipped shows something.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dataflow::metric::{self, By, Kind};
use integration::cluster::{Cluster, Deadline, fetch, until};

use crate::deploy::{dashboards, expressions};
use crate::prometheus::{Prometheus, promtool};

const LIMIT: Duration = Duration::from_secs(90);

/// Event time, state, dead letters, late rows, two vertices, and a chain of a dozen filters behind them.
fn document() -> String {
    let filters: String = (0..12)
        .map(|number| format!("  - {{ name: keep-{number}, filter: \"n >= {number} OR n < 0 OR n >= 0\" }}\n"))
        .collect();
    format!(
        "datastreamName: wide\ncontactName: test\ndesiredState: ON\nparallelism: 3\ncheckpoint: {{ interval: 300ms }}\nsources:\n\
         \x20 - generator: {{ events: shop, splits: 3, throughput: 6000, rate: 6000, malformed: 0.01, late: 0.02 }}\n\
         \x20   format: {{ json: {{ schema: {{ subscriberId: int64, eventTime: timestamp }} }} }}\n\
         \x20   eventTime: {{ field: eventTime }}\n\
         steps:\n  - {{ name: some, filter: \"subscriberId % 10 <> 0\" }}\n  - keyBy: [subscriberId]\n    window: {{ tumbling: 1s }}\n    aggregate: {{ n: count(*) }}\n{filters}\
         sinks:\n  - blackhole: {{}}\n"
    )
}

fn cluster(folder: &std::path::Path) -> Result<Cluster> {
    let mut cluster = Cluster::start(folder, &[])?;
    cluster.start_taskmanager("tm-1", &["--slots", "2"])?;
    cluster.start_taskmanager("tm-2", &["--slots", "2", "--metrics-per-subtask"])?;
    cluster.submit(&document())?;
    cluster.until(
        "wide",
        "to commit, with late rows and dead letters",
        LIMIT,
        |described| {
            let steps = described["vertices"].as_array().into_iter().flatten();
            let steps: Vec<_> = steps
                .flat_map(|vertex| vertex["steps"].as_array().into_iter().flatten())
                .collect();
            let any = |field: &str| steps.iter().any(|step| step[field].as_u64() > Some(0));
            described["checkpoints"]["completed"].as_u64() > Some(2) && any("late") && any("dead")
        },
    )?;
    Ok(cluster)
}

/// The pages of the task managers.
fn taskmanagers(cluster: &Cluster) -> Result<Vec<String>> {
    let targets = cluster.ask("/v1/targets")?;
    let targets = targets.as_array().context("a list")?;
    let addresses = targets.iter().filter_map(|target| target["targets"][0].as_str());
    addresses.map(|address| fetch(address, "/metrics")).collect()
}

/// The name, the labels and the value of each series of a page.
fn series(page: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            let labels = labels
                .trim_end_matches('}')
                .split("\",")
                .filter_map(|label| label.split_once("=\""));
            let labels = labels.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
            (name.to_owned(), labels.collect(), value.parse().expect("a number"))
        })
        .collect()
}

/// Every series is of a metric of the list, with its labels, of whoever may show it.
fn is_of_the_list(page: &str, other: By) -> Result<BTreeSet<&'static str>> {
    let mut seen = BTreeSet::new();
    for (name, labels, _) in series(page) {
        let base = |metric: &metric::Metric| match metric.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|end| name == format!("{}{end}", metric.name)),
            Kind::Counter | Kind::Gauge => name == metric.name,
        };
        let metric = metric::ALL
            .iter()
            .find(|metric| base(metric))
            .with_context(|| format!("{name} is on no list"))?;
        ensure!(metric.by != other, "{name} is not for this process to show");
        let expected: BTreeSet<&str> = metric.label_names().collect();
        let found: BTreeSet<&str> = labels
            .keys()
            .map(String::as_str)
            .filter(|label| *label != "le")
            .collect();
        ensure!(found == expected, "{name}: {found:?}");
        seen.insert(metric.name);
    }
    Ok(seen)
}

#[test]
fn a_wide_datastream_keeps_to_fifty_series_a_vertex_and_promtool_likes_every_page() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = cluster(place.path())?;
    // Ages of rows come every two seconds.
    let ours = until("the age of rows at the sink", Deadline::of(LIMIT), || {
        let page = fetch(cluster.rest(), "/metrics")?;
        Ok(page.contains("weir_lag_seconds{").then_some(page))
    })?;
    let pages = taskmanagers(&cluster)?;
    ensure!(pages.len() == 2, "both task managers are targets");
    promtool(&["check", "metrics"], &ours)?;
    let mut seen = is_of_the_list(&ours, By::Taskmanager)?;
    let mut widest = 0;
    for page in &pages {
        promtool(&["check", "metrics"], page)?;
        seen.extend(is_of_the_list(page, By::Jobmanager)?);
        let mut by_vertex: BTreeMap<String, usize> = BTreeMap::new();
        for (name, labels, _) in series(&ours).into_iter().chain(series(page)) {
            if let Some(vertex) = labels.get("vertex").filter(|_| !name.starts_with("weir_subtask_")) {
                *by_vertex.entry(vertex.clone()).or_default() += 1;
            }
        }
        ensure!(by_vertex.len() >= 2, "{by_vertex:?}");
        ensure!(
            by_vertex.values().all(|count| *count <= metric::PER_VERTEX),
            "{by_vertex:?}"
        );
        widest = widest.max(by_vertex.values().copied().max().unwrap_or(0));
    }
    ensure!(widest > 40, "a chain of fourteen steps is wide: {widest}");
    ensure!(pages[0].contains("step=\"(others)\"") && !pages[0].contains("subtask=\""));
    ensure!(
        pages[1].contains("subtask=\"sub-"),
        "each subtask where that was asked for"
    );
    let missing: Vec<_> = metric::ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !seen.contains(name))
        .collect();
    ensure!(
        missing.iter().all(|name| *name == "weir_step_unfolded_records_total"),
        "never shown: {missing:?}"
    );
    says_what_rest_says(&cluster, &ours)
}

/// A few values against what REST says.
fn says_what_rest_says(cluster: &Cluster, page: &str) -> Result<()> {
    let described = cluster.json(&["describe", "wide"])?;
    let value = |name: &str, label: &str, wanted: &str| {
        let all = series(page);
        let one = all
            .iter()
            .find(|(found, labels, _)| found == name && labels.get(label).is_some_and(|found| found == wanted));
        one.map(|(_, _, value)| *value)
            .with_context(|| format!("{name} with {label}={wanted}"))
    };
    ensure!(value("weir_datastream_state", "state", "running")? == 1.0);
    ensure!(value("weir_datastream_state", "state", "failed")? == 0.0);
    ensure!(value("weir_slots", "kind", "all")? == 4.0 && value("weir_slots", "kind", "free")? == 1.0);
    ensure!(value("weir_restarts_total", "datastream", "wide")? == 0.0);
    let completed = value("weir_checkpoints_total", "result", "completed")?;
    let later = described["checkpoints"]["completed"].as_f64().context("completed")?;
    ensure!(completed > 2.0 && completed <= later, "{completed} of {later}");
    ensure!(value("weir_vertex_busy_ratio", "over", "max")? >= value("weir_vertex_busy_ratio", "over", "min")?);
    let full = value("weir_last_checkpoint_size_bytes", "kind", "full")?;
    ensure!(full >= value("weir_last_checkpoint_size_bytes", "kind", "incremental")? && full > 0.0);
    ensure!(
        value("weir_rest_requests_total", "route", "/v1/datastreams/{name}")? > 0.0,
        "by pattern, not by name"
    );
    ensure!(!page.contains("route=\"/v1/datastreams/wide"), "{page}");
    Ok(())
}

#[test]
fn a_prometheus_of_the_shipped_configuration_has_data_for_every_panel() -> Result<()> {
    let place = tempfile::tempdir()?;
    let cluster = cluster(place.path())?;
    let prometheus = Prometheus::start(&cluster)?;
    until("all targets to be up", Deadline::of(LIMIT), || {
        Ok((prometheus.targets_up()? == 3).then_some(()))
    })?;
    for (file, dashboard) in dashboards()? {
        for (title, expression) in expressions(&dashboard) {
            let asked = expression
                .replace("$datastream", "wide")
                .replace("$vertex", ".*")
                .replace("$__rate_interval", "10s");
            until(&format!("{file}: {title}: {asked}"), Deadline::of(LIMIT), || {
                Ok((!prometheus.query(&asked)?.is_empty()).then_some(()))
            })?;
        }
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}")?;
    ensure!(firing.is_empty(), "all is well: {firing:?}");
    Ok(())
}

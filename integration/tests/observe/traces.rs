//! Traces over job manager and task managers, told to a collector; and a collector that is away costs nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::cluster::{Cluster, Deadline, Process, command, until};

use crate::collector::{Collector, Span};

const LIMIT: Duration = Duration::from_secs(90);

/// Two vertices and sinks that commit.
fn document(folder: &Path) -> String {
    format!(
        "datastreamName: traced\ncontactName: test\ndesiredState: ON\nparallelism: 2\ncheckpoint: {{ interval: 500ms }}\nsources:\n\
         \x20 - generator: {{ events: shop, splits: 2, throughput: 5000 }}\n\
         sinks:\n  - keyBy: [subscriberId]\n    file: {{ path: \"{}\" }}\n",
        folder.join("out").display()
    )
}

fn environment(url: &str) -> Vec<(String, String)> {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// A submit with a collector, by the command line.
fn submit(cluster: &Cluster, url: &str) -> Result<()> {
    let file = cluster.folder().join("traced.yaml");
    std::fs::write(&file, document(cluster.folder()))?;
    let address = format!("http://{}", cluster.rest());
    let arguments = ["submit", "traced.yaml", "--cluster", &address, "--otlp", url];
    let output = command(&arguments, cluster.folder()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The children of a span by this name, of this service.
fn children<'a>(spans: &'a [Span], of: &Span, (service, name): (&str, &str)) -> Vec<&'a Span> {
    let fits =
        |span: &&Span| span.parent == of.id && span.trace == of.trace && span.service == service && span.name == name;
    spans.iter().filter(fits).collect()
}

const JM: &str = "weir-jobmanager";
const TM: &str = "weir-taskmanager";

/// The one child by a name of the job manager's.
fn only<'a>(spans: &'a [Span], of: &Span, name: &str) -> Result<&'a Span> {
    match children(spans, of, (JM, name))[..] {
        [one] => Ok(one),
        _ => anyhow::bail!("one {name} of {of:#?}: {spans:#?}"),
    }
}

#[test]
fn submit_deployment_checkpoint_and_recovery_are_traces_over_all_processes() -> Result<()> {
    let collector = Collector::start()?;
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start_in(place.path(), &[], environment(&collector.url()))?;
    cluster.start_taskmanager("tm-1", &[])?;
    cluster.start_taskmanager("tm-2", &[])?;
    submit(&cluster, &collector.url())?;
    of_a_submit(&collector)?;
    of_a_checkpoint(&collector)?;
    cluster.kill_taskmanager("tm-2");
    cluster.start_taskmanager("tm-3", &[])?;
    let recovery = collector.until("a recovery", LIMIT, |span| span.name == "recover")?;
    ensure!(
        recovery.parent.trim_matches('0').is_empty() && recovery.attribute("cause").is_some(),
        "{recovery:?}"
    );
    collector.until("who restores in it", LIMIT, |span| {
        span.trace == recovery.trace && span.name == "restore"
    })?;
    let again = children(&collector.spans(), &recovery, (JM, "deploy")).len();
    ensure!(again > 0, "a recovery deploys anew: {:#?}", collector.spans());
    for (service, name) in [
        (JM, "weir_slots"),
        (TM, "weir_records_in_total"),
        (JM, "weir_rest_request_duration_seconds"),
    ] {
        ensure!(
            collector.metrics(service).iter().any(|found| found == name),
            "{service} tells of {name}"
        );
    }
    Ok(())
}

/// From the command line over REST and the deployment to each subtask.
fn of_a_submit(collector: &Collector) -> Result<()> {
    let ask = collector.until("the command line", LIMIT, |span| {
        span.service == "weir" && span.name == "ask"
    })?;
    let in_it = |name: &str| {
        let spans = collector.spans().into_iter();
        spans
            .filter(|span| span.trace == ask.trace && span.name == name)
            .count()
    };
    until("four subtasks to restore", Deadline::of(LIMIT), || {
        Ok((in_it("restore") == 4 && in_it("request") == 1 && in_it("deploy") == 1).then_some(()))
    })?;
    let spans = collector.spans();
    let request = only(&spans, &ask, "request")?;
    ensure!(
        request.attribute("http.route") == Some("/v1/datastreams"),
        "{request:?}"
    );
    let restores = children(&spans, only(&spans, request, "deploy")?, (TM, "restore"));
    ensure!(restores.len() == 4, "each subtask restores: {restores:#?}");
    ensure!(
        restores.iter().all(|one| one.attribute("job") == Some("traced@1")),
        "{restores:#?}"
    );
    Ok(())
}

/// The parts of the first checkpoint that was committed, and what subtasks did of it.
fn of_a_checkpoint(collector: &Collector) -> Result<()> {
    let whole = collector.until("a checkpoint", LIMIT, |span| span.name == "checkpoint" && !span.failed)?;
    let in_it = |name: &str| {
        let spans = collector.spans().into_iter();
        spans
            .filter(|span| span.trace == whole.trace && span.name == name)
            .count()
    };
    until("its snapshots and commits", Deadline::of(LIMIT), || {
        Ok((in_it("snapshot") == 4 && in_it("commit of a sink") >= 2 && in_it("commit") == 1).then_some(()))
    })?;
    let spans = collector.spans();
    let (collect, commit) = (only(&spans, &whole, "collect")?, only(&spans, &whole, "commit")?);
    only(&spans, &whole, "record")?;
    let snapshots = children(&spans, collect, (TM, "snapshot"));
    ensure!(
        snapshots.len() == 4 && snapshots.iter().all(|one| one.attribute("prepare_ms").is_some()),
        "{snapshots:#?}"
    );
    ensure!(
        children(&spans, commit, (TM, "commit of a sink")).len() >= 2,
        "{spans:#?}"
    );
    ensure!(
        collect.nanos.0 >= whole.nanos.0 && commit.nanos.1 <= whole.nanos.1,
        "parts lie within the whole"
    );
    Ok(())
}

#[test]
fn a_trace_that_somebody_else_began_goes_on_and_what_is_garbled_is_no_reason_to_refuse() -> Result<()> {
    let collector = Collector::start()?;
    let place = tempfile::tempdir()?;
    let cluster = Cluster::start_in(place.path(), &[], environment(&collector.url()))?;
    let theirs = "0af7651916cd43dd8448eb211c80319c";
    for parent in [format!("00-{theirs}-b7ad6b7169203331-01"), "00-what-is-this".to_owned()] {
        let status = std::process::Command::new("curl")
            .args([
                "--silent",
                "--fail",
                "--request",
                "POST",
                "--header",
                &format!("traceparent: {parent}"),
            ])
            .args([
                "--output",
                "/dev/null",
                &format!("http://{}/v1/state/gc?dryRun=true", cluster.rest()),
            ])
            .status()?;
        ensure!(status.success(), "{parent}: {status}");
    }
    let joined = collector.until("theirs", LIMIT, |span| span.name == "request" && span.trace == theirs)?;
    ensure!(joined.parent == "b7ad6b7169203331", "{joined:?}");
    collector.until("one of its own", LIMIT, |span| {
        span.name == "request" && span.trace != theirs
    })?;
    Ok(())
}

#[test]
fn a_collector_that_is_away_holds_up_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    // Nobody listens there, and nobody will: the port is held without listening.
    let held = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let away = format!("http://{}", held.local_addr()?);
    let mut cluster = Cluster::start_in(place.path(), &[], environment(&away))?;
    cluster.start_taskmanager("tm-1", &["--slots", "2"])?;
    submit(&cluster, &away)?;
    let described = cluster.until_past("traced", 4, LIMIT)?;
    ensure!(described["summary"]["restarts"] == 0, "{described}");
    // What is short ends soon: it waits for the collector a moment at most.
    let list = command(
        &[
            "list",
            "--cluster",
            &format!("http://{}", cluster.rest()),
            "--otlp",
            &away,
        ],
        place.path(),
    );
    let mut list = Process::start("list", list, &place.path().join("list.log"))?;
    ensure!(
        list.wait(Deadline::of(Duration::from_secs(10)))?.success(),
        "{}",
        list.log()
    );
    let refused = command(&["list", "--otlp", "https://127.0.0.1:4317"], place.path()).output()?;
    ensure!(
        String::from_utf8_lossy(&refused.stderr).contains("--otlp"),
        "an address that cannot be spoken to is said"
    );
    Ok(())
}

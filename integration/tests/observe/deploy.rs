//! What is in `deploy/` speaks of metrics that there are, and every alert has a page and is tried.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use dataflow::metric::{self, Kind};
use serde_json::Value;

use crate::prometheus::{deploy, promtool};

/// Every expression of a dashboard, with the title of its panel.
pub(crate) fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.filter_map(move |target| Some((title.clone(), target["expr"].as_str()?.to_owned())))
    });
    targets.collect()
}

pub(crate) fn dashboards() -> Result<Vec<(String, Value)>> {
    let mut all = Vec::new();
    for file in fs::read_dir(deploy().join("grafana"))? {
        let path = file?.path();
        let read = serde_json::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
        all.push((path.display().to_string(), read));
    }
    ensure!(all.len() >= 2, "a dashboard of the cluster and one of a datastream");
    Ok(all)
}

/// The alerts: name, expression, page.
fn alerts() -> Result<Vec<serde_yaml::Value>> {
    let rules: serde_yaml::Value = serde_yaml::from_str(&fs::read_to_string(deploy().join("prometheus/rules.yaml"))?)?;
    let groups = rules["groups"].as_sequence().context("groups")?;
    let alerts = groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().into_iter().flatten());
    Ok(alerts.cloned().collect())
}

fn text(value: &serde_yaml::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The names of ours in an expression, as series have them.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '"');
    let ours = words.filter(|word| word.starts_with("weir_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The names of all series that there can be.
fn exported() -> BTreeSet<String> {
    let names = metric::ALL.iter().flat_map(|metric| match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|end| format!("{}{end}", metric.name))
            .to_vec(),
        Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
    });
    names.collect()
}

#[test]
fn dashboards_and_alerts_speak_of_metrics_that_there_are() -> Result<()> {
    let exported = exported();
    let mut used = BTreeSet::new();
    for (file, dashboard) in dashboards()? {
        let all = expressions(&dashboard);
        ensure!(all.len() > 10, "{file} has panels");
        for (title, expression) in all {
            let unknown: Vec<_> = names(&expression).difference(&exported).cloned().collect();
            ensure!(unknown.is_empty(), "{file}: {title}: {unknown:?}");
            used.extend(names(&expression));
        }
    }
    for alert in alerts()? {
        let unknown: Vec<_> = names(&text(&alert["expr"])).difference(&exported).cloned().collect();
        ensure!(unknown.is_empty(), "{}: {unknown:?}", text(&alert["alert"]));
    }
    ensure!(used.len() > 30, "dashboards show most of what there is: {used:?}");
    Ok(())
}

#[test]
fn every_alert_has_a_page_says_how_bad_it_is_and_is_tried_both_ways() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tests: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(deploy().join("prometheus/rules.test.yaml"))?)?;
    let tried: Vec<_> = tests["tests"]
        .as_sequence()
        .context("tests")?
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_sequence().into_iter().flatten())
        .map(|one| {
            (
                text(&one["alertname"]),
                !one["exp_alerts"].as_sequence().is_none_or(Vec::is_empty),
            )
        })
        .collect();
    let mut pages = BTreeSet::new();
    for alert in alerts()? {
        let name = text(&alert["alert"]);
        let page = text(&alert["annotations"]["runbook_url"]);
        ensure!(page == format!("docs/runbooks/{name}.md"), "{name}: {page}");
        let words = fs::read_to_string(root.join(&page)).with_context(|| page.clone())?;
        for part in [
            &*format!("# {name}: "),
            "\n## What it means\n",
            "\n## How to see it\n",
            "\n## What to do\n",
        ] {
            ensure!(words.contains(part), "{page} lacks {part:?}");
        }
        ensure!(
            ["page", "ticket"].contains(&&*text(&alert["labels"]["severity"])),
            "{name}: severity"
        );
        for fires in [true, false] {
            ensure!(
                tried.contains(&(name.clone(), fires)),
                "{name}: no test where it fires: {fires}"
            );
        }
        pages.insert(format!("{name}.md"));
    }
    for file in fs::read_dir(root.join("docs/runbooks"))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        ensure!(pages.contains(&name), "{name} is the page of no alert");
    }
    Ok(())
}

#[test]
fn promtool_finds_nothing_in_rules_and_configuration_and_their_tests_pass() -> Result<()> {
    promtool(&["check", "rules", "rules.yaml"], "")?;
    promtool(&["test", "rules", "rules.test.yaml"], "")?;
    promtool(&["check", "config", "prometheus.yaml"], "")
}

#[test]
fn the_guide_has_every_metric() -> Result<()> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/observe.md");
    let guide = fs::read_to_string(guide)?;
    let rows: BTreeSet<&str> = guide.lines().filter(|line| line.starts_with("| `")).collect();
    for metric in metric::ALL {
        let labels: Vec<_> = metric.label_names().map(|label| format!("`{label}`")).collect();
        let row = format!(
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.name(),
            labels.join(" "),
            metric.help
        );
        ensure!(rows.contains(&*row), "docs/guides/observe.md lacks the row\n{row}");
    }
    ensure!(
        rows.len() == metric::ALL.len(),
        "docs/guides/observe.md has rows of metrics that there are not"
    );
    Ok(())
}

//! `weir history`, `diff` and `rollback`: the documents that a datastream has run, and back to one of them.

use std::collections::BTreeMap;
use std::path::Path;

use dataflow::time::{Clock, SystemClock, WallTime};
use jobmanager::rest::types::{Difference, DocumentVersion, Fate, StepVerdict};

use super::change::apply_sheets;
use super::documents::read;
use crate::args::{self, OutputForm};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{Table, ago, count, say, show};
use crate::sheet::Sheet;

pub(crate) async fn history(named: &args::Named, form: OutputForm) -> Result<(), Stop> {
    let versions = Client::new(&named.cluster.cluster)?.versions(&named.name).await?;
    let now = SystemClock::start().wall();
    show(form, &versions, |versions| table(versions, now))
}

fn table(versions: &[DocumentVersion], now: WallTime) -> String {
    if versions.is_empty() {
        return "no version of its document is kept".to_owned();
    }
    let mut table = Table::new(&["#version", "#ago", "job", "why", "#lines", "state of its steps"]);
    for version in versions {
        table.row(vec![
            version.number.to_string(),
            ago(version.at_ms, now),
            version.job.clone(),
            version.cause.to_string(),
            count(version.lines),
            fates(&version.verdicts),
        ]);
    }
    table.to_string()
}

/// `3 keep, 1 starts empty (perMinute)`: what goes on as it was is counted, everything else is named.
fn fates(verdicts: &[StepVerdict]) -> String {
    let mut steps: BTreeMap<u8, (Fate, Vec<&str>)> = BTreeMap::new();
    for verdict in verdicts {
        let order = match verdict.state {
            Fate::Refused => 0,
            Fate::Drops => 1,
            Fate::Migrates => 2,
            Fate::StartsEmpty => 3,
            Fate::Keeps => 4,
        };
        let of = steps.entry(order).or_insert((verdict.state, Vec::new()));
        of.1.push(&verdict.step);
    }
    let all_new = steps.len() == 1 && steps.contains_key(&3);
    let word = |(fate, names): &(Fate, Vec<&str>)| match fate {
        Fate::Keeps => format!("keeps {}", names.len()),
        Fate::StartsEmpty if all_new => "all start empty".to_owned(),
        fate => format!("{fate} {}", names.join(", ")),
    };
    steps.values().map(word).collect::<Vec<_>>().join("; ")
}

pub(crate) async fn diff(diff: &args::Diff, form: OutputForm) -> Result<(), Stop> {
    let client = Client::new(&diff.cluster.cluster)?;
    let file = Path::new(&diff.subject);
    if diff.subject != "-" && !file.exists() {
        let difference = client.diff(&diff.subject, diff.from, diff.to).await?;
        return show(form, &difference, unified);
    }
    if diff.from.is_some() || diff.to.is_some() {
        let text = format!("`{}` is a file: it is compared with what is in force", diff.subject);
        return Err(Stop::new(Exit::Refused, text).help("leave `--from` and `--to` out, or name a datastream"));
    }
    let sheet = Sheet::new(file, read(file)?);
    let review = client.review(&sheet.text).await?;
    if review.documents.is_empty() {
        let shown = sheet.shown(&review.diagnostics).unwrap_or(review.rendered);
        return Err(Stop::new(Exit::Document, shown));
    }
    let known = |version: Option<u64>| version.is_some();
    for new in review.documents.iter().filter(|one| !known(one.version)) {
        say(&format!("{}: nothing of this name is in force", new.name));
    }
    let differences: Vec<_> = review.documents.into_iter().filter_map(|one| one.difference).collect();
    show(form, &differences, |all| all.iter().map(unified).collect())
}

fn unified(difference: &Difference) -> String {
    match difference.hunks.is_empty() {
        true => "no difference\n".to_owned(),
        false => difference.unified.clone(),
    }
}

pub(crate) async fn rollback(rollback: &args::Rollback, form: OutputForm) -> Result<(), Stop> {
    let name = &rollback.named.name;
    let client = Client::new(&rollback.named.cluster.cluster)?;
    let number = match rollback.version {
        Some(number) => number,
        None => before_the_last(name, &client.versions(name).await?)?,
    };
    let text = client.version(name, number).await?;
    say(&format!("{name}: applies version {number} of its document"));
    let sheet = Sheet::new(Path::new(&format!("{name} version {number}")), text);
    apply_sheets(&client, vec![sheet], rollback.allow_dropped_state, form).await
}

fn before_the_last(name: &str, versions: &[DocumentVersion]) -> Result<u64, Stop> {
    let found = versions.get(1).map(|before| before.number);
    found.ok_or_else(|| {
        Stop::new(
            Exit::Refused,
            format!("{name} has had one document only: there is nothing to go back to"),
        )
        .help(format!("`weir history {name}` lists the versions that are kept"))
    })
}

#[cfg(test)]
mod tests {
    use jobmanager::rest::types::Cause;

    use super::*;

    fn verdict(step: &str, state: Fate) -> StepVerdict {
        StepVerdict {
            step: step.to_owned(),
            operator: "aggregate".to_owned(),
            renamed_from: None,
            state,
            because: Vec::new(),
        }
    }

    fn version(number: u64, verdicts: Vec<StepVerdict>) -> DocumentVersion {
        DocumentVersion {
            number,
            job: "shop@1".to_owned(),
            at_ms: 1_000,
            cause: Cause::Changed,
            lines: 12,
            verdicts,
        }
    }

    #[test]
    fn what_does_not_go_on_as_it_was_is_named() {
        let keeps = verdict("a", Fate::Keeps);
        let empty = verdict("b", Fate::StartsEmpty);
        assert_eq!(fates(&[keeps.clone(), empty.clone()]), "starts empty b; keeps 1");
        assert_eq!(fates(&[empty.clone(), empty]), "all start empty");
        assert_eq!(fates(&[keeps, verdict("c", Fate::Drops)]), "drops c; keeps 1");
        assert_eq!(fates(&[]), "");
    }

    #[test]
    fn a_history_reads_from_the_newest_and_back_is_the_one_before_it() {
        let versions = [version(3, vec![verdict("a", Fate::Keeps)]), version(2, Vec::new())];
        let text = table(&versions, WallTime(61_000));
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|line| line.contains("1m 0s") && line.ends_with("keeps 1")),
            "{text}"
        );
        assert_eq!(before_the_last("shop", &versions).ok(), Some(2));
        let refused = before_the_last("shop", &versions[..1]).err();
        assert!(refused.is_some_and(|stop| stop.exit == Exit::Refused));
    }
}

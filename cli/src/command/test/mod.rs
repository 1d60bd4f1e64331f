//! `weir test`: the tests that stand in documents, run on their real plans in virtual time.

mod compare;
mod play;
mod report;

use std::path::Path;

use dataflow::store::open::AllowPaths;

use self::play::Outcome;
use self::report::{Report, Tested};
use super::documents::read;
use super::wait;
use crate::args::{OutputForm, Test};
use crate::exit::{Exit, Stop};
use crate::output::show;
use crate::planning::{Planner, Rehearsable};
use crate::wiring::Parts;

pub(super) fn test(verb: &Test, form: OutputForm) -> Result<Exit, Stop> {
    let parts = Parts::new(AllowPaths::All)?;
    let scratch = tempfile::Builder::new().prefix("weir-test-").tempdir();
    let scratch = scratch.map_err(|error| Stop::new(Exit::Failed, format!("no temporary folder: {error}")))?;
    let mut report = Report::default();
    let mut names = Vec::new();
    for file in &verb.files {
        let text = read(file)?;
        let planner = Planner::new(parts.catalog.clone(), parts.stores.clone()).of_file(file);
        for datastream in wait(planner.rehearsable(&text))? {
            names.extend(datastream.tests.iter().map(|(test, _)| test.name.value.clone()));
            let picked = run(&datastream, verb.filter.as_deref(), |test, graph| {
                let rehearsal = play::begin(test, graph, &parts, scratch.path())?;
                play::play(rehearsal, test, &datastream)
            });
            report.add(tested(file, &text, &datastream, picked));
        }
    }
    if let (Some(filter), true) = (&verb.filter, report.is_empty()) {
        return Err(unmatched(filter, &names));
    }
    show(form, &report, ToString::to_string)?;
    Ok(if report.failed() > 0 {
        Exit::Failed
    } else {
        Exit::Success
    })
}

/// The tests whose names hold the filter, and what came of each.
fn run<'a>(
    datastream: &'a Rehearsable,
    filter: Option<&str>,
    play: impl Fn(&planner::spec::Test, &planner::job::JobGraph) -> Result<Vec<compare::Mismatch>, dataflow::Failure>,
) -> Vec<(&'a planner::spec::Test, Outcome)> {
    let meant = |name: &str| filter.is_none_or(|filter| name.contains(filter));
    let picked = datastream.tests.iter().filter(|(test, _)| meant(&test.name.value));
    let played = picked.map(|(test, graph)| {
        let outcome = match graph {
            Err(refused) => Outcome::Stopped(refused.clone(), None),
            Ok(graph) => match play(test, graph) {
                Ok(mismatches) if mismatches.is_empty() => Outcome::Passed,
                Ok(mismatches) => Outcome::Failed(mismatches),
                Err(failure) => Outcome::Stopped(failure.message, failure.help),
            },
        };
        (test, outcome)
    });
    played.collect()
}

fn tested(file: &Path, text: &str, datastream: &Rehearsable, outcomes: Vec<(&planner::spec::Test, Outcome)>) -> Tested {
    let lines = report::Lines(text);
    let tests = outcomes.into_iter();
    Tested {
        file: file.display().to_string(),
        datastream: datastream.name.clone(),
        has_tests: !datastream.tests.is_empty(),
        tests: tests
            .map(|(test, outcome)| report::Ran::of(test, outcome, &lines))
            .collect(),
    }
}

fn unmatched(filter: &str, names: &[String]) -> Stop {
    let near = planner::diagnostic::nearest(filter, names.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "the documents have no `tests:`".to_owned(),
        None => {
            "any part of a test's name will do; without --filter all tests are run, and their names printed".to_owned()
        }
    };
    Stop::new(Exit::Refused, format!("no test has `{filter}` in its name")).help(help)
}

//! `weir apply` and `weir rescale`: changes of what runs, waited for until all runs again.

use std::time::Duration;

use dataflow::time::{Clock, SystemClock};
use jobmanager::rest::types::{Operation, Outlook, Rescale, SavepointRequest, Stop as StopRequest};

use super::documents::read;
use super::submit::said;
use crate::args::{self, OutputForm};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{age, say, show};
use crate::sheet::Sheet;

/// How often a waiting command asks.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A job manager that is being restarted is waited for so long.
const AWAY_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn apply(apply: &args::Apply, form: OutputForm) -> Result<(), Stop> {
    let client = Client::new(&apply.cluster.cluster)?;
    let files = apply.files.files.iter();
    let sheets: Result<Vec<_>, Stop> = files.map(|file| Ok(Sheet::new(file, read(file)?))).collect();
    apply_sheets(&client, sheets?, apply.allow_dropped_state, form).await
}

/// Applies texts one behind another, then waits until all that is changed runs again.
#[expect(clippy::fn_params_excessive_bools, reason = "the flag of the command")]
pub(super) async fn apply_sheets(
    client: &Client,
    sheets: Vec<Sheet>,
    allow_dropped_state: bool,
    form: OutputForm,
) -> Result<(), Stop> {
    let dropping = allow_dropped_state.to_string();
    let options = [("apply", "true"), ("allowDroppedState", dropping.as_str())];
    let mut applied = Vec::new();
    for (index, sheet) in sheets.iter().enumerate() {
        let taken = client.submit(sheet, &options).await?;
        applied.extend(taken.into_iter().map(|one| (one, index)));
    }
    for (one, sheet) in &applied {
        if let Some(operation) = &one.operation {
            over(client, (&one.name, operation), sheets.get(*sheet)).await?;
        }
    }
    let applied: Vec<_> = applied.into_iter().map(|(one, _)| one).collect();
    show(form, &applied, |all| all.iter().map(|one| said(one) + "\n").collect())
}

pub(crate) async fn rescale(rescale: &args::Rescale, form: OutputForm) -> Result<(), Stop> {
    let name = &rescale.named.name;
    let client = Client::new(&rescale.named.cluster.cluster)?;
    let parallelism = rescale.parallelism;
    let begun = client.rescale(name, Rescale { parallelism }).await?;
    say(&format!(
        "{name}: takes a checkpoint to go on with a parallelism of {parallelism}"
    ));
    let done = over(&client, (name, &begun.id), None).await?;
    show(form, &done, |done| {
        let took = age(done.took_ms.unwrap_or_default());
        let epoch = done.epoch.unwrap_or_default();
        format!("{name}: runs with a parallelism of {parallelism} from epoch {epoch}, after {took}\n")
    })
}

pub(crate) async fn savepoint(savepoint: &args::Savepoint, form: OutputForm) -> Result<(), Stop> {
    let name = &savepoint.named.name;
    let client = Client::new(&savepoint.named.cluster.cluster)?;
    let label = savepoint.label.clone();
    let begun = client.savepoint(name, SavepointRequest { label }).await?;
    let done = over(&client, (name, &begun.id), None).await?;
    show(form, &done, |done| saved(name, done))
}

/// Stops with a savepoint.
pub(crate) async fn stop(stop: &args::Stop, form: OutputForm) -> Result<(), Stop> {
    let name = &stop.named.name;
    let client = Client::new(&stop.named.cluster.cluster)?;
    let now = SystemClock::start().wall().0;
    let label = stop.label.clone().unwrap_or_else(|| format!("{name}-{now}"));
    let what = format!("savepoint {label}");
    let request = StopRequest {
        drain: false,
        savepoint: Some(label),
    };
    client.stop(name, request).await?;
    let operations = client.describe(name).await?.operations;
    let begun = operations.into_iter().find(|operation| operation.what == what);
    let begun =
        begun.ok_or_else(|| Stop::new(Exit::Failed, format!("{name} stops, and knows nothing of its {what}")))?;
    let done = over(&client, (name, &begun.id), None).await?;
    show(form, &done, |done| {
        format!("{}{name}: stops; its state is kept\n", saved(name, done))
    })
}

fn saved(name: &str, done: &Operation) -> String {
    let (place, epoch) = (
        done.result.as_deref().unwrap_or_default(),
        done.epoch.unwrap_or_default(),
    );
    let took = age(done.took_ms.unwrap_or_default());
    format!("{name}: {} of epoch {epoch} is at {place}, after {took}\n", done.what)
}

/// Waits until an operation is over; one that failed is an error, shown in the document where a word of it is the reason.
async fn over(client: &Client, (name, id): (&str, &str), sheet: Option<&Sheet>) -> Result<Operation, Stop> {
    let clock = SystemClock::start();
    let mut heard = clock.now();
    loop {
        match client.operation(name, id).await {
            Ok(operation) => {
                heard = clock.now();
                match operation.state {
                    Outlook::UnderWay => {}
                    Outlook::Done => return Ok(operation),
                    Outlook::Failed => return Err(failed(name, operation, sheet)),
                }
            }
            Err(stop) if stop.exit == Exit::Unreachable && clock.now().since(heard) < AWAY_MAX => {}
            Err(stop) => return Err(stop),
        }
        clock.sleep(ASK_EVERY).await;
    }
}

fn failed(name: &str, operation: Operation, sheet: Option<&Sheet>) -> Stop {
    let told = operation.diagnostics.as_ref();
    let shown = sheet.zip(told).and_then(|(sheet, told)| sheet.shown(told));
    if let Some(shown) = shown.or(operation.rendered) {
        return Stop::new(
            Exit::Refused,
            format!("{shown}\n{name}: {}: goes on as it was", operation.what),
        );
    }
    let reason = operation.reason.unwrap_or_default();
    Stop {
        help: operation.help,
        ..Stop::new(Exit::Failed, format!("{name}: {}: {reason}", operation.what))
    }
}

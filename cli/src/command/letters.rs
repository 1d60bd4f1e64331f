//! `weir dlq`: records that a step could not take.

use dataflow::time::{Clock, SystemClock};
use jobmanager::rest::types::{DeadLetter, DeadLetterPage};

use crate::args::{Dlq, Named, OutputForm, Since};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{Table, bytes, plain, say, show, stamp};

/// So much of a record stands in a table.
const SHOWN_CHARS: usize = 60;

pub(crate) async fn dlq(verb: &Dlq, form: OutputForm) -> Result<(), Stop> {
    match verb {
        Dlq::Show { named, id } => one(named, id.as_deref(), form).await,
        Dlq::List {
            named,
            step,
            error,
            since,
            limit,
            after,
        } => {
            let since = since.map(since_ms);
            let options = [
                ("step", step.clone()),
                ("error", error.clone()),
                ("sinceMs", since.map(|since| since.to_string())),
                ("after", after.clone()),
            ];
            let options: Vec<_> = options
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect();
            list(named, options, *limit, form).await
        }
    }
}

fn since_ms(since: Since) -> i64 {
    match since {
        Since::At(at) => at,
        Since::Ago(span) => {
            let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            SystemClock::start().wall().0.saturating_sub(span)
        }
    }
}

/// As many pages as it takes: one of the job manager's may be empty and have a next one.
async fn list(named: &Named, mut options: Vec<(&str, String)>, limit: usize, form: OutputForm) -> Result<(), Stop> {
    let client = Client::new(&named.cluster.cluster)?;
    let mut all = DeadLetterPage::default();
    loop {
        let left = limit.saturating_sub(all.letters.len());
        let mut asked = options.clone();
        asked.push(("limit", left.clamp(1, 1_000).to_string()));
        let page: DeadLetterPage = client.dead_letters(&named.name, None, &asked).await?;
        all.letters.extend(page.letters);
        all.kept = page.kept;
        all.looked_at += page.looked_at;
        all.unread = page.unread;
        all.next = page.next;
        let Some(next) = all.next.clone().filter(|_| all.letters.len() < limit) else {
            break;
        };
        options.retain(|(key, _)| *key != "after");
        options.push(("after", next));
    }
    if !all.unread.is_empty() && form == OutputForm::Table {
        say(&format!("files that cannot be shown: {}", all.unread.join(", ")));
    }
    show(form, &all, |page| table(page, &named.name))
}

fn table(page: &DeadLetterPage, name: &str) -> String {
    if !page.kept {
        return format!(
            "{name} keeps no dead letters: `deadLetter: {{ path: DIR }}` in its document does; `weir describe {name}` has the first few"
        );
    }
    if page.letters.is_empty() {
        return format!("no dead letters of {name} that fit, among {} looked at", page.looked_at);
    }
    let mut table = Table::new(&["failed", "step", "error", "from", "record", "id"]);
    for letter in &page.letters {
        table.row(vec![
            stamp(letter.failed_at_ms),
            letter.step.clone(),
            short(&letter.error),
            place(letter),
            short(&record(letter)),
            letter.id.clone(),
        ]);
    }
    match &page.next {
        Some(next) => format!("{table}there are more: --after {next}\n"),
        None => table.to_string(),
    }
}

fn place(letter: &DeadLetter) -> String {
    match (&letter.split, letter.position) {
        (Some(split), Some(position)) => format!("{} at {position}", plain(split)),
        (Some(split), None) => plain(split).into_owned(),
        (None, _) => "-".to_owned(),
    }
}

fn record(letter: &DeadLetter) -> String {
    match (&letter.record, &letter.record_base64) {
        (Some(text), _) => text.clone(),
        (None, Some(base64)) => format!("base64 {base64}"),
        (None, None) => String::new(),
    }
}

fn short(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

async fn one(named: &Named, id: Option<&str>, form: OutputForm) -> Result<(), Stop> {
    let client = Client::new(&named.cluster.cluster)?;
    let newest = match id {
        Some(_) => None,
        None => {
            let limit = [("limit", "1".to_owned())];
            let page: DeadLetterPage = client.dead_letters(&named.name, None, &limit).await?;
            let first = page.letters.into_iter().next();
            Some(
                first
                    .ok_or_else(|| Stop::new(Exit::Refused, format!("{} has no dead letters", named.name)))?
                    .id,
            )
        }
    };
    let id = id.or(newest.as_deref()).unwrap_or_default();
    let letter: DeadLetter = client.dead_letters(&named.name, Some(id), &[]).await?;
    show(form, &letter, whole)
}

/// The record stands last, as it came.
fn whole(letter: &DeadLetter) -> String {
    format!(
        "{}\n  failed   {}\n  step     {}\n  error    {}\n  from     {}\n  attempt  {}\n  record   {}\n{}\n",
        letter.id,
        stamp(letter.failed_at_ms),
        letter.step,
        plain(&letter.error),
        place(letter),
        letter.attempt,
        bytes(letter.bytes),
        plain(&record(letter))
    )
}

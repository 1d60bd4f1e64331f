//! `weir explain-stall`: what holds a datastream up and who is behind it, the worst first, with what is seen of it.

use dataflow::time::{Clock, SystemClock, WallTime};
use jobmanager::rest::types::{Finding, Severity};

use crate::args::{Named, OutputForm};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{ago, plain, show};

pub(crate) async fn explain(named: &Named, form: OutputForm) -> Result<Exit, Stop> {
    let client = Client::new(&named.cluster.cluster)?;
    let findings = client.findings(&named.name).await?;
    let now = SystemClock::start().wall();
    show(form, &findings, |findings| text(&named.name, findings, now))?;
    Ok(match is_stalled(&findings) {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

/// Notes are good to know; they hold nothing up.
fn is_stalled(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity != Severity::Note)
}

fn text(name: &str, findings: &[Finding], now: WallTime) -> String {
    let mut text = match is_stalled(findings) {
        true => format!("{name}, the worst first:\n"),
        false => format!("nothing holds {name} up\n"),
    };
    for (number, finding) in findings.iter().enumerate() {
        let since = finding.since_ms.map(|since| format!(", for {}", ago(since, now)));
        let word = match finding.severity {
            Severity::Bad => "bad",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        text.push_str(&format!(
            "\n{}. {} ({word}, {}{})\n",
            number + 1,
            plain(&finding.text),
            finding.code,
            since.unwrap_or_default()
        ));
        for seen in &finding.evidence {
            text.push_str(&format!("   {}\n", plain(seen)));
        }
        if let Some(help) = &finding.help {
            text.push_str(&format!("   help: {}\n", plain(help)));
        }
    }
    text
}

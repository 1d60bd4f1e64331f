//! Any text is answered by the document's parser: no panic, bounded findings, places inside the text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use planner::Catalog;
use planner::diagnostic::Look;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::new(connectors::registry()));

fuzz_target!(|text: &str| {
    let parsed = planner::spec::parse(text, &CATALOG);
    for finding in parsed.diagnostics.iter() {
        assert!(text.get(finding.span.start..finding.span.end).is_some(), "{finding:?}");
    }
    let _ = parsed.diagnostics.render("fuzz.yaml", text, Look::Plain);
});

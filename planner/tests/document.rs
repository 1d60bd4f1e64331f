//! The document's language: what may be written parses, what is said of mistakes is true, and no text does harm.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod toy;

use std::fmt::Write as _;

use planner::diagnostic::{self, Look, Severity};
use planner::spec::{self, DesiredState, Operation};
use proptest::prelude::*;

const MAESTRO: &str = "\
datastreamName: subscription-api-enriched-analytics-events     # the whole of the simplest one
contactName: eng-subscriptions
desiredState: ON
sources:
  - kinesisStream: { streamName: attentive-enriched-events-prod }
sinks:
  - kinesisStream: { streamName: subscriptions-enriched-analytics-events-prod }
eventTypeFilters: [ADD_TO_CART, CHECKOUT, PURCHASE]
";

const MAESTRO_BESIDE: &str = "\
datastreamName: subscription-api-enriched-analytics-events
contactName: eng-subscriptions
desiredState: ON
sources:
  - kinesisStream:
    streamName: attentive-enriched-events-prod
sinks:
  - kinesisStream:
    streamName: subscriptions-enriched-analytics-events-prod
eventTypeFilters:
  - ADD_TO_CART
";

/// Every key that this version knows.
const EVERYTHING: &str = r#"# yaml-language-server: $schema=datastream.schema.json
apiVersion: weir/v1
datastreamName: shop
contactName: eng-shop
description: >
  Everything
  at once.
desiredState: off
parallelism: 2
maxParallelism: 128
memory: 4GiB
checkpoint: { interval: 1m30s, alignedTimeout: 1s }
restart: { exponential: { first: 100ms, longest: 1m, quiet: 10m, attempts: 5 } }
bufferTimeout: 5ms
sources:
  - name: events
    kafka: { brokers: "localhost:9092", topic: enriched, from: earliest }
    format: { json: { schema: { eventId: string, eventTime: timestamp, payload: { total: double, tags: [string], price: "decimal(10,2)" } } } }
    eventTime: { field: eventTime, maxOutOfOrderness: 5s, idleTimeout: 30s, maxDrift: 1m }
    parallelism: 2
  - name: more
    file: { path: in.json, compression: gzip }
    renamedFrom: older
eventTypeFilters: [PURCHASE, 42]
eventTypeField: payload.kind
steps:
  - name: both
    union: [events, more]
  - name: paid
    filter: |
      payload.total > 0
        AND eventType IN ('A', 'B')
    keyBy: [companyId]
  - select: { id: eventId, total: "payload.total * 2" }
  - select: [id, "total + 1 AS more", '"odd name"']
  - drop: [secret, payload.card]
  - unnest: items
  - name: bySize
    route: { big: "total > 100", else: small }
  - name: some
    sample: 0.5
    input: bySize.big
  - sample: { share: 1, by: userId, seed: 7 }
    inputs: [some, bySize.small]
    parallelism: 4
  - dedup: { key: [eventId], within: 24h, time: processing }
  - delay: 10m
  - delay: { by: 1h, time: event }
  - rateLimit: 0.5
  - keyBy: userId
    rateLimit: { perSecond: 1000, burst: 2000, excess: drop }
  - name: perMinute
    keyBy: [companyId, payload.kind]
    window: { tumbling: 1m, allowedLateness: 30s, offset: 15s, timeZone: Europe/Berlin, time: event, emitEvery: 10s }
    aggregate: { orders: count(*), revenue: "sum(payload.total) FILTER (WHERE payload.total > 0)" }
  - { window: { sliding: { size: 10m, every: 1m } }, aggregate: { n: count(*) } }
  - { window: { session: 30s }, aggregate: { n: count(*) } }
  - { window: { session: { gap: 30s }, emitEvery: 1s }, aggregate: { n: count(*) } }
  - { window: { cumulative: { size: 1d, step: 1h } }, aggregate: { n: count(*) } }
  - { window: global, aggregate: { n: count(*) } }
  - { window: { global: , emitEvery: 10s }, aggregate: { n: count(*) } }
  - keyBy: [auction]
    topN: { orderBy: ["price DESC", dateTime], limit: 10, rank: rank, ties: keep }
sinks:
  - name: out
    file: { path: out, roll: { rows: 5 } }
    format: json
    input: paid
  - stdout:
archive: { path: "s3://lake/shop", partitionBy: [date, hour], rollInterval: 5m, of: paid, parallelism: 1 }
deadLetter: { path: "s3://lake/dead" }
"#;

fn parse(text: &str) -> spec::Parsed {
    spec::parse(text, &toy::catalog())
}

/// The datastreams of a text that has nothing wrong with it.
fn good(text: &str) -> Vec<spec::Spec> {
    let parsed = parse(text);
    assert!(
        parsed.diagnostics.is_empty(),
        "{}",
        parsed.diagnostics.render("good.yaml", text, Look::Plain)
    );
    assert!(parsed.specs.iter().all(|spec| !spec.broken));
    parsed.specs
}

#[test]
fn the_maestro_form_is_read_letter_for_letter() {
    for (text, types) in [(MAESTRO, 3), (MAESTRO_BESIDE, 1)] {
        let specs = good(text);
        let [spec] = specs.as_slice() else { panic!("{specs:?}") };
        assert_eq!(spec.name.value, "subscription-api-enriched-analytics-events");
        assert_eq!(spec.desired, DesiredState::On);
        assert_eq!(spec.event_types.as_ref().unwrap().types.len(), types);
        let component = spec.sources[0].component.as_ref().unwrap();
        assert_eq!(component.connector.value, "kinesisStream");
        assert_eq!(
            component.options,
            serde_json::json!({"streamName": "attentive-enriched-events-prod"})
        );
    }
}

#[test]
fn every_key_of_the_language_is_read() {
    let spec = good(EVERYTHING).remove(0);
    assert_eq!(spec.desired, DesiredState::Off);
    assert_eq!(spec.settings.memory.unwrap().value, 4 << 30);
    assert_eq!(spec.settings.checkpoint_interval.unwrap().value.as_secs(), 90);
    let schema = spec.sources[0].format.as_ref().unwrap().schema.as_ref().unwrap();
    assert_eq!(schema.value.fields().len(), 3);
    assert_eq!(spec.steps.len(), 22);
    assert_eq!(spec.steps[0].inputs.len(), 2);
    let Operation::Select(projections) = &spec.steps[3].operation else {
        panic!("{:?}", spec.steps[3])
    };
    let names: Vec<&str> = projections
        .iter()
        .map(|projection| projection.name.value.as_str())
        .collect();
    assert_eq!(names, ["id", "more", "odd name"]);
    assert_eq!(projections[1].expression.value, "total + 1");
    assert_eq!(spec.archive.unwrap().of.unwrap().value, "paid");
}

#[test]
fn an_expression_knows_where_each_of_its_characters_stands() {
    let forms = [
        "filter: total > 0 AND wrong = 1",
        "filter: \"total > 0 AND wrong = 1\"",
        "filter: \"t\\x6ftal > 0 AND wrong = 1\"",
        "filter: 'total > ''0'' AND wrong = 1'",
        "filter: |\n      total > 0\n        AND wrong = 1",
        "filter: >-\n      total > 0\n      AND wrong = 1",
        "filter: \"é > 0\n      AND wrong = 1\"",
        "filter: total > 0\n      AND wrong = 1",
    ];
    for form in forms {
        let text = format!("{MAESTRO}steps:\n  - {form}\n");
        let spec = good(&text).remove(0);
        let Operation::Filter(filter) = &spec.steps[0].operation else {
            panic!("{form}")
        };
        let at = filter.value.find("wrong").unwrap();
        let place = filter.place(at..at + 5);
        assert_eq!(&text[place.start..place.end], "wrong", "{form}");
    }
}

#[test]
fn a_line_and_a_column_of_an_expression_are_found() {
    let text = format!("{MAESTRO}steps:\n  - filter: |\n      total > 0\n        AND wrong\n");
    let spec = good(&text).remove(0);
    let Operation::Filter(filter) = &spec.steps[0].operation else {
        panic!()
    };
    let at = filter.offset(2, 7);
    assert_eq!(&filter.value[at..at + 5], "wrong");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let text = format!("\u{feff}{}", EVERYTHING.replace('\n', "\r\n"));
    assert_eq!(good(&text).len(), 1);
}

#[test]
fn a_file_may_hold_several_datastreams() {
    let text = format!("---\n{MAESTRO}---\n{EVERYTHING}---\n");
    assert_eq!(good(&text).len(), 2);
}

#[test]
fn a_broken_datastream_is_kept_as_far_as_it_was_read() {
    let text = MAESTRO.replace("eventTypeFilters", "eventTypeFilter");
    let parsed = parse(&text);
    assert!(parsed.specs[0].broken);
    assert_eq!(parsed.specs[0].sinks.len(), 1);
}

#[test]
fn findings_are_also_said_in_json() {
    let text = MAESTRO.replace("eventTypeFilters", "eventTypeFilter");
    let said = parse(&text).diagnostics.to_json("shop.yaml", &text);
    let finding = &said["findings"][0];
    assert_eq!(
        (said["errors"].as_u64(), finding["code"].as_str()),
        (Some(1), Some("E0202"))
    );
    assert_eq!(
        (finding["place"]["line"].as_u64(), finding["place"]["column"].as_u64()),
        (Some(8), Some(1))
    );
    assert_eq!(finding["suggestion"], "eventTypeFilters");
}

#[test]
fn colours_are_only_for_terminals() {
    let text = "datastreamName: a b";
    let diagnostics = parse(text).diagnostics;
    assert!(!diagnostics.render("a.yaml", text, Look::Plain).contains('\x1b'));
    assert!(diagnostics.render("a.yaml", text, Look::Colours).contains('\x1b'));
}

/// The blocks of YAML on a page: what is wrong first, then what is right.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```yaml\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

/// A page shows fragments; what they lack to be a document is added.
fn completed(fragment: &str) -> String {
    let mut text = fragment.to_owned();
    let whole = fragment.contains("datastreamName:") && fragment.contains("sources:");
    if whole || fragment.starts_with('#') || fragment.starts_with("- ") || fragment.contains("\n---\n") {
        return text;
    }
    let has = |key: &str| fragment.lines().any(|line| line.starts_with(key));
    for (key, value) in [
        ("sources:", "sources:\n  - file: { path: in.json }\n"),
        ("sinks:", "sinks:\n  - stdout: {}\n"),
        ("datastreamName:", "datastreamName: shop\n"),
        ("contactName:", "contactName: eng-shop\n"),
    ] {
        if !has(key) {
            text = format!("{value}{text}");
        }
    }
    text
}

/// Mistakes that are too long, or not in the power of a document alone, to stand on a page.
fn long_mistake(code: &str) -> Option<String> {
    Some(match code {
        "E0101" => "#".repeat(spec::BYTES_MAX + 1),
        "E0102" => "datastreamName: a\u{7}b".to_owned(),
        "E0115" => "---\n".repeat(spec::DOCUMENTS_MAX + 2),
        "E0217" => completed(&format!("steps:\n{}", "  - unnest: a\n".repeat(spec::STEPS_MAX))),
        "E0401" => completed(&format!(
            "steps:\n  - filter: {}\n",
            "a".repeat(spec::EXPRESSION_BYTES_MAX + 1)
        )),
        _ => return None,
    })
}

/// Codes of what a document alone can't do: a connector with an opinion of its own, a build without connectors, a
/// source that nobody looked at, another document that ran before. Other tests give them.
const ELSEWHERE: &[&str] = &["E0314", "E0315", "E0701", "E0702", "E0703", "E0704", "W0504"];

#[test]
fn each_page_shows_its_mistake_and_how_to_mend_it() {
    let plan = |text: &str| planner::plan(text, &toy::catalog(), &planner::Discovered::default()).diagnostics;
    let codes = |text: &str| plan(text).iter().map(|one| one.code.as_str()).collect::<Vec<_>>();
    let mut wrong_pages = Vec::new();
    for (code, page) in diagnostic::pages().iter().filter(|(code, _)| !ELSEWHERE.contains(code)) {
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        let shown = blocks(page);
        let (wrong, right) = match long_mistake(code) {
            Some(mistake) => (mistake, shown.as_slice()),
            None => (
                completed(shown.first().copied().unwrap_or_default()),
                shown.get(1..).unwrap_or_default(),
            ),
        };
        if !codes(&wrong).contains(code) {
            wrong_pages.push(format!("{code}: what is wrong gives {:?}:\n{wrong}", codes(&wrong)));
        }
        for text in right.iter().map(|block| completed(block)) {
            let found = codes(&text);
            if !found.is_empty() {
                wrong_pages.push(format!("{code}: what is right gives {found:?}:\n{text}"));
            }
        }
    }
    assert!(wrong_pages.is_empty(), "{}", wrong_pages.join("\n"));
}

#[test]
fn each_page_has_its_code_and_can_be_asked_for() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(diagnostic::page(name).is_some(), "{name} is a page without a code");
        assert!(diagnostic::page(&name.to_lowercase()).is_some());
    }
    assert!(diagnostic::page("E9999").is_none());
}

#[test]
fn a_build_without_the_connector_of_the_archive_says_so() {
    let text = completed("archive: { path: lake }\ndeadLetter: { path: dead }\n");
    let catalog = planner::Catalog::new(dataflow::Registry::default());
    let said = spec::parse(&text, &catalog).diagnostics;
    assert_eq!(said.iter().filter(|one| one.code.as_str() == "E0315").count(), 2);
}

/// What attackers write: each is answered, with an error, in time.
fn attacks() -> Vec<(&'static str, String)> {
    let mut quadratic = String::from("a: &a ");
    write!(
        quadratic,
        "\"{}\"\nb: [{}]\n",
        "x".repeat(400_000),
        "*a, ".repeat(50_000)
    )
    .unwrap();
    let mut anchors = String::new();
    for index in 0..30_000 {
        writeln!(anchors, "k{index}: &a{index} {{ x: y }}").unwrap();
    }
    vec![
        ("brackets", "[".repeat(1_000_000)),
        ("braces", "{".repeat(1_000_000)),
        ("keys in keys", "? ".repeat(500_000)),
        ("dashes", "- ".repeat(500_000)),
        ("one long key", "a".repeat(1_000_000)),
        ("one long line", format!("datastreamName: {}", "a b ".repeat(200_000))),
        (
            "many unknown keys",
            (0..90_000).map(|index| format!("k{index}: 1\n")).collect::<String>(),
        ),
        ("many equal keys", "a: 1\n".repeat(90_000)),
        ("a repeated long text", quadratic),
        ("many anchors", anchors),
        (
            "huge numbers",
            completed(&format!(
                "parallelism: {}\nmemory: {}GiB\n",
                "9".repeat(5_000),
                "9".repeat(5_000)
            )),
        ),
        ("a huge exponent", completed("parallelism: 1e999999999\n")),
        ("quotes", "'".repeat(1_000_000)),
        (
            "many long names",
            completed(&format!(
                "sources:\n{}",
                "  - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {}\n".repeat(400)
            )),
        ),
    ]
}

#[test]
fn attacks_are_answered_with_errors_and_bounded_findings() {
    for (name, text) in attacks() {
        let parsed = parse(&text);
        assert!(parsed.diagnostics.has_errors(), "{name}");
        assert!(parsed.diagnostics.iter().count() <= 200, "{name}");
        let said = parsed.diagnostics.render("attack.yaml", &text, Look::Plain);
        assert!(said.len() < 400_000, "{name}: {} bytes", said.len());
    }
}

/// What fuzzing has found, and where it begins.
#[test]
fn texts_that_fuzzing_kept_have_findings_inside_the_text() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/fuzz/corpus/document");
    let mut tried = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = parse(&text);
        for finding in parsed.diagnostics.iter() {
            let place = finding.span.start..finding.span.end;
            assert!(text.get(place).is_some(), "{}: {finding:?}", path.display());
        }
        let _ = parsed.diagnostics.render("corpus.yaml", &text, Look::Plain);
        tried += 1;
    }
    assert!(tried >= 7, "the corpus is there");
}

/// A good document with some of its parts exchanged, repeated or removed.
fn mutated() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec((0..EVERYTHING.len(), 0..40_usize, prop::sample::select(PIECES)), 1..6);
    pieces.prop_map(|changes| {
        let mut text = EVERYTHING.to_owned();
        for (at, length, piece) in changes {
            let (mut start, mut end) = (at.min(text.len()), (at + length).min(text.len()));
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(start..end, piece);
        }
        text
    })
}

const PIECES: &[&str] = &[
    "",
    "\n",
    "\t",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "!!int ",
    "<<",
    "é",
    "\u{feff}",
    "null",
    "0",
    "-1",
    "1e400",
    "true",
    "name: x",
    "$raw",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "#",
    "\r",
    "else",
    "\\",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,300}") {
        let said = parse(&text).diagnostics;
        prop_assert!(!said.is_empty());
        let _ = said.render("any.yaml", &text, Look::Plain);
        let _ = said.to_json("any.yaml", &text);
    }

    #[test]
    fn any_change_of_a_good_document_is_answered(text in mutated()) {
        let parsed = parse(&text);
        let _ = parsed.diagnostics.render("changed.yaml", &text, Look::Colours);
        let errors = parsed.diagnostics.iter().any(|one| one.severity() == Severity::Error);
        prop_assert!(errors || parsed.specs.iter().all(|spec| !spec.broken));
        for one in parsed.diagnostics.iter() {
            prop_assert!(text.get(one.span.start..one.span.end).is_some(), "{one:?} in {text}");
        }
    }
}

/// What a reader of the schema knows of a document: YAML as JSON.
fn as_json(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn good_documents_fit_the_schema_for_editors_and_bad_ones_do_not() {
    let schema = planner::schema::json_schema(&toy::catalog());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for text in [MAESTRO, MAESTRO_BESIDE, EVERYTHING] {
        let document = as_json(text);
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    for (code, page) in diagnostic::pages() {
        let skipped = usize::from(long_mistake(code).is_none());
        for right in blocks(page)
            .into_iter()
            .skip(skipped)
            .map(completed)
            .filter(|text| !text.contains("\n---\n"))
        {
            let document = as_json(&right);
            assert!(validator.is_valid(&document), "{code}: {right}");
        }
    }
    for bad in [
        "eventTypeFilter: [A]",
        "parallelism: 0",
        "memory: 4G",
        "steps:\n  - fliter: a",
        "restart: always",
        "archive: { paht: a }",
    ] {
        assert!(!validator.is_valid(&as_json(&completed(bad))), "{bad}");
    }
}

#[test]
fn the_schema_for_editors_says_what_each_key_is() {
    let schema = planner::schema::json_schema(&toy::catalog());
    let keys = schema["properties"].as_object().unwrap();
    let mut known: Vec<&str> = keys.keys().map(String::as_str).collect();
    let mut read: Vec<&str> = spec::KEYS.to_vec();
    known.sort_unstable();
    read.sort_unstable();
    assert_eq!(known, read);
    assert!(keys.values().all(|key| key["description"].is_string()));
}

#[test]
fn the_last_line_names_the_first_error_whatever_warnings_stand_before_it() {
    let text = format!("{MAESTRO}steps:\n  - filter: 'kind = \"A\"'\n  - filter: LENGTH(id)\n");
    let found = planner::plan(&text, &toy::catalog(), &planner::Discovered::default()).diagnostics;
    let sorted = found.render("shop.yaml", &text, Look::Plain);
    let codes: Vec<&str> = sorted.split_inclusive('\n').filter_map(code).collect();
    let error = codes.iter().find(|code| code.starts_with('E')).unwrap();
    assert!(codes[0].starts_with('W'), "{sorted}");
    assert!(
        sorted.ends_with(&format!("`weir explain {error}` says more\n")),
        "{sorted}"
    );
}

/// The code that a line of findings begins with.
fn code(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("error[").or_else(|| line.strip_prefix("warning["))?;
    rest.split_once(']').map(|(code, _)| code)
}

//! Expressions over small tables, and mistakes with their places.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;

use super::*;

fn shop() -> RecordBatch {
    let total: ArrayRef = Arc::new(Float64Array::from(vec![Some(12.5), Some(0.0), None, Some(99.0)]));
    let city: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("Ulm"),
        Some("Bern"),
        None,
        Some("Wien"),
    ]));
    let payload = Fields::from(vec![
        Field::new("total", DataType::Float64, true),
        Field::new("city", DataType::Utf8View, true),
    ]);
    let kinds = vec![Some("PURCHASE"), Some("ADD_TO_CART"), Some("ORDER_CONFIRMED"), None];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("eventType", Arc::new(StringViewArray::from(kinds))),
        (
            "count",
            Arc::new(Int64Array::from(vec![Some(2), Some(0), Some(i64::MAX), Some(-3)])),
        ),
        ("payload", Arc::new(StructArray::new(payload, vec![total, city], None))),
        ("ok", Arc::new(BooleanArray::from(vec![true, false, true, true]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn evaluator(sql: &str, schema: &SchemaRef) -> Evaluator {
    Evaluator::compile(&Expression::new(sql), schema).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

/// The values of an expression over the shop table, as text; `!` for a row that failed.
fn values(sql: &str) -> String {
    let batch = shop();
    let Evaluated { values, failed } = evaluator(sql, &batch.schema()).evaluate_rows(&batch);
    let cell = |row: usize| match failed.iter().find(|failed| failed.row == row) {
        Some(_) => "!".to_owned(),
        None if values.is_null(row) => "NULL".to_owned(),
        None => arrow::util::display::array_value_to_string(&values, row).unwrap(),
    };
    (0..batch.num_rows()).map(cell).collect::<Vec<_>>().join(" ")
}

fn mistake(sql: &str) -> (String, String, Option<String>) {
    let error = match Parsed::parse(sql) {
        Err(error) => error,
        Ok(parsed) => bind(&parsed, &shop().schema()).expect_err(sql).remove(0),
    };
    (sql[error.range.clone()].to_owned(), error.message, error.help)
}

#[test]
fn expressions_are_evaluated() {
    for (sql, expected) in [
        ("payload.total", "12.5 0.0 NULL 99.0"),
        ("payload['total'] * 2", "25.0 0.0 NULL 198.0"),
        ("lower(eventType)", "purchase add_to_cart order_confirmed NULL"),
        (
            "eventType IN ('PURCHASE', 'ORDER_CONFIRMED', 'x', 'y', 'z')",
            "true false true NULL",
        ),
        (
            "eventType NOT IN ('PURCHASE', 'ORDER_CONFIRMED', 'x', 'y', 'z')",
            "false true false NULL",
        ),
        ("eventType = 'PURCHASE' AND payload.total > 1", "true false false NULL"),
        ("coalesce(payload.city, 'none')", "Ulm Bern none Wien"),
        ("CASE WHEN ok THEN 1 ELSE 0 END", "1 0 1 1"),
        ("split_part('a/b/c', '/', 2)", "b b b b"),
        (
            "regexp_extract(eventType, '(^|_)([A-Z]+)$', 2)",
            "PURCHASE CART CONFIRMED NULL",
        ),
        ("regexp_extract(eventType, 'URCH(.)')", "A NULL NULL NULL"),
        ("regexp_like(eventType, '^P')", "true false false NULL"),
        ("regexp_replace(eventType, '_.*', '')", "PURCHASE ADD ORDER NULL"),
        (
            "eventType || '-' || count",
            "PURCHASE-2 ADD_TO_CART-0 ORDER_CONFIRMED-9223372036854775807 NULL",
        ),
        ("count % 2 = 0", "true true false false"),
        ("0.908 * 1000", "908.000 908.000 908.000 908.000"),
        (
            "CAST('2026-01-02T03:04:05Z' AS TIMESTAMP)",
            &["2026-01-02T03:04:05Z"; 4].join(" "),
        ),
        ("NULL", "NULL NULL NULL NULL"),
        ("\"eventType\" IS NULL", "false false false true"),
        ("EXTRACT(year FROM DATE '2026-05-01')", "2026 2026 2026 2026"),
    ] {
        assert_eq!(values(sql), expected, "{sql}");
    }
}

#[test]
fn only_the_rows_that_fail_are_reported() {
    assert_eq!(values("10 / count"), "5 ! 0 -3");
    assert_eq!(values("count + 1"), "3 1 ! -2");
    assert_eq!(values("count * 2"), "4 0 ! -6");
    assert_eq!(values("CAST(eventType AS BIGINT)"), "! ! ! NULL");
    assert_eq!(values("count <> 0 AND 10 / count > 1"), "true false false false");
    let batch = shop();
    let failed = evaluator("10 / count", &batch.schema()).evaluate_rows(&batch).failed;
    assert_eq!(
        failed,
        [FailedRow {
            row: 1,
            error: "divide by zero error".to_owned()
        }]
    );
}

#[test]
fn a_filter_keeps_the_rows_that_are_true() {
    let batch = shop();
    let filtered = evaluator("10 / count > 0", &batch.schema()).filter(&batch);
    let picture = pretty_format_batches(&[filtered.kept]).unwrap().to_string();
    assert_eq!(
        picture.lines().collect::<Vec<_>>(),
        [
            "+-----------+-------+--------------------------+------+",
            "| eventType | count | payload                  | ok   |",
            "+-----------+-------+--------------------------+------+",
            "| PURCHASE  | 2     | {total: 12.5, city: Ulm} | true |",
            "+-----------+-------+--------------------------+------+",
        ]
    );
    assert_eq!(filtered.failed.len(), 1);
    assert_eq!(filtered.failed[0].row, 1);
}

#[test]
fn a_type_is_one_that_rows_have() {
    let schema = shop().schema();
    for (sql, expected) in [
        ("upper(eventType)", "string"),
        ("character_length(eventType)", "int32"),
        ("to_timestamp_micros(count)", "timestamp"),
        ("count + 1", "int64"),
        ("0.5", "decimal(1,1)"),
        ("count / 2.0", "decimal(25,4)"),
        ("payload", "{total: double, city: string}"),
        ("NULL", "string"),
        ("'a' = 'b'", "boolean"),
    ] {
        let parsed = Parsed::parse(sql).unwrap();
        let bound = bind(&parsed, &schema).unwrap();
        assert_eq!(type_name(&bound.data_type), expected, "{sql}");
    }
}

#[test]
fn paths_are_found_with_their_places() {
    let parsed = Parsed::parse("payload.total > 1 AND \"a.b\" = eventType OR payload['total'] < x").unwrap();
    let texts: Vec<&str> = parsed
        .uses()
        .iter()
        .map(|path_use| &parsed.sql()[path_use.range.clone()])
        .collect();
    assert_eq!(
        texts,
        ["payload.total", "\"a.b\"", "eventType", "payload['total']", "x"]
    );
    let paths: Vec<String> = parsed.paths().iter().map(Path::to_string).collect();
    assert_eq!(paths, ["\"a.b\"", "eventType", "payload.total", "x"]);
    assert_eq!(
        Parsed::parse("payload.total").unwrap().as_path().unwrap().to_string(),
        "payload.total"
    );
    assert_eq!(Parsed::parse("payload.total + 1").unwrap().as_path(), None);
}

#[test]
fn mistakes_are_told_with_place_and_help() {
    let told = |sql: &str| {
        let (place, message, help) = mistake(sql);
        format!(
            "[{place}] {message}{}",
            help.map(|help| format!(" ({help})")).unwrap_or_default()
        )
    };
    for (sql, expected) in [
        (
            "payload.totla > 5",
            "[payload.totla] `payload` has no field `totla` (did you mean `total`?)",
        ),
        (
            "eventtype = 'A'",
            "[eventtype] there is no field `eventtype` (did you mean `eventType`?)",
        ),
        (
            "eventType = \"PURCHASE\"",
            "[\"PURCHASE\"] there is no field `PURCHASE` (if it is meant as text, write it in single quotes: 'PURCHASE')",
        ),
        (
            "count.inner = 1",
            "[count.inner] `count` is an int64 and has no field `inner`",
        ),
        (
            "ok > 5 AND count = 1",
            "[ok > 5] `ok` is a boolean and `5` an int64: `>` does not take them",
        ),
        (
            "lowr(eventType) = 'a'",
            "[lowr] there is no function `lowr` (did you mean `lower`?)",
        ),
        (
            "sum(count)",
            "[sum] `sum` needs several rows; an expression sees one (aggregates belong into an `aggregate` step)",
        ),
        (
            "now()",
            "[now] `now` answers differently each time, so a replay would give other rows (use a time that is in the record)",
        ),
        (
            "$raw = 'a'",
            "[$raw] `$raw` is no field: names do not begin with `$` (put a field of that name in double quotes)",
        ),
        ("count > ", "[] expected an expression, found the end"),
        ("count > 5 5", "[5] `5` after the end of the expression"),
        (
            "count IN (SELECT 1)",
            "[SELECT 1] a subquery: an expression sees one row and no tables",
        ),
        ("'open", "['] Unterminated string literal"),
    ] {
        assert_eq!(told(sql), expected, "{sql}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let long = format!("eventType = '{}'", "x".repeat(TEXT_BYTES_MAX));
    let nested = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    let chained = vec!["ok"; 300].join(" OR ");
    let endless = vec!["1"; 8000].join("+");
    let negated = "NOT ".repeat(3000) + "ok";
    let minus = "- ".repeat(7000) + "1";
    let many = vec!["ok"; 990].join(" OR ");
    for sql in [long, nested, chained, endless, negated, minus, many] {
        assert_eq!(Parsed::parse(&sql).expect_err("refused").kind, Kind::Limit);
    }
    let list = vec!["'A'"; 3000].join(",");
    assert!(Parsed::parse(&format!("eventType IN ({list})")).is_ok());
}

#[test]
fn types_follow_from_use() {
    let types = |sql: &str| {
        let inferred = infer(&Parsed::parse(sql).unwrap());
        let types = inferred.map_err(|error| error.message)?;
        Ok::<_, String>(
            types
                .iter()
                .map(|(path, data_type)| {
                    format!(
                        "{path} {}",
                        data_type.as_ref().map_or_else(|| "json".to_owned(), type_name)
                    )
                })
                .collect::<Vec<_>>(),
        )
    };
    for (sql, expected) in [
        ("a > 5", vec!["a double"]),
        ("a.b = 'x'", vec!["a.b string"]),
        ("a = b AND b > 1.5", vec!["a double", "b double"]),
        ("a.b", vec!["a.b json"]),
        ("a = b", vec!["a string", "b string"]),
        ("a || b", vec!["a string", "b string"]),
        ("coalesce(a, b)", vec!["a string", "b string"]),
        ("flag AND NOT other", vec!["flag boolean", "other boolean"]),
        ("lower(a) = b", vec!["a string", "b string"]),
        ("abs(a) > b", vec!["a double", "b double"]),
        ("coalesce(a, 0) > 1", vec!["a double"]),
        ("t > TIMESTAMP '2026-01-01T00:00:00Z'", vec!["t timestamp"]),
        ("date_trunc('minute', t) = u", vec!["t timestamp", "u timestamp"]),
        ("CASE WHEN a THEN b ELSE 0 END", vec!["a boolean", "b double"]),
        ("a IN ('x', 'y')", vec!["a string"]),
        ("a BETWEEN 1 AND b", vec!["a double", "b double"]),
        ("a IS NULL", vec!["a json"]),
        ("a IS NOT NULL AND lower(a) = b", vec!["a string", "b string"]),
        ("lower(a) IS NULL AND b IS NULL", vec!["a string", "b json"]),
        ("a LIKE 'x%'", vec!["a string"]),
        ("CAST(a AS DOUBLE) > b", vec!["a string", "b double"]),
        ("regexp_extract(url, 'x', 1) IS NOT NULL", vec!["url string"]),
        ("split_part(url, '/', 4)", vec!["url string"]),
        ("auction % 123 = 0", vec!["auction double"]),
    ] {
        assert_eq!(types(sql).unwrap(), expected, "{sql}");
    }
    assert_eq!(
        types("a > 5 AND a = 'x'").unwrap_err(),
        "`a` is used as text here and as a number before"
    );
    assert!(types("a AND a > 5").is_err());
}

#[test]
fn a_use_that_says_a_type_wins_over_those_that_say_none() {
    let path = |name: &str| name.parse::<Path>().unwrap();
    let of = |inference: &Inference, stream| {
        let types = inference.types(stream).into_iter();
        types
            .map(|(path, data_type)| {
                format!(
                    "{path} {}",
                    data_type.as_ref().map_or_else(|| "json".to_owned(), type_name)
                )
            })
            .collect::<Vec<_>>()
    };
    let mut inference = Inference::default();
    inference.read(1, &path("id"), None);
    inference.read(2, &path("key"), None);
    inference.read(1, &path("note"), None);
    inference.meet((1, &path("id")), (2, &path("key")));
    inference.meet((1, &path("id")), (1, &path("id")));
    assert_eq!(of(&inference, 1), ["id json", "note json"]);
    let used = Parsed::parse("key > 5").unwrap();
    inference.observe(&used, &|path| Slot::Open(2, path.clone())).unwrap();
    assert_eq!(of(&inference, 1), ["id double", "note json"]);
    assert_eq!(of(&inference, 2), ["key double"]);
    // What is known to differ stays apart: the caller compares the types.
    inference.read(1, &path("note"), Some(&DataType::Utf8View));
    inference.meet((2, &path("key")), (1, &path("note")));
    assert_eq!(of(&inference, 1), ["id double", "note string"]);
    // Two streams that become one share also what was computed with.
    let used = Parsed::parse("a = b").unwrap();
    inference.observe(&used, &|path| Slot::Open(3, path.clone())).unwrap();
    inference.read(4, &path("a"), None);
    inference.join(4, 3);
    assert_eq!(of(&inference, 4), ["a string", "b string"]);
}

#[test]
fn every_function_is_described_and_answers_alike() {
    let functions = functions();
    assert!(functions.len() > 90, "{}", functions.len());
    let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    for name in [
        "lower",
        "split_part",
        "regexp_match",
        "regexp_replace",
        "regexp_like",
        "regexp_extract",
        "coalesce",
        "nullif",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    for name in ["now", "random", "uuid", "current_date", "current_time"] {
        assert!(!names.contains(&name), "{name}");
        assert!(Parsed::parse(&format!("{name}()")).is_err(), "{name}");
    }
    assert!(functions.iter().all(|function| !function.usage.is_empty()));
}

#[test]
fn a_schema_without_columns_still_has_constants() {
    let schema: SchemaRef = Arc::new(Schema::empty());
    let bound = bind(&Parsed::parse("1 + 1 = 2").unwrap(), &schema).unwrap();
    assert_eq!(bound.constant.as_deref(), Some("true"));
}

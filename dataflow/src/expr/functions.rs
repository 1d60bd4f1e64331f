//! The functions that expressions may call: DataFusion's scalar functions, and ours.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::{ScalarUDF, Volatility};

use super::regexp_extract::RegexpExtract;
use super::to_char::ToChar;

/// A function as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, in lower case; calls may be written in any case.
    pub name: String,
    /// Other names of the same function.
    pub aliases: Vec<String>,
    /// How it is called.
    pub usage: String,
    /// What it does, in Markdown.
    pub description: String,
}

/// All functions that an expression may call, by name.
#[must_use]
pub fn functions() -> Vec<Function> {
    let described = TABLE
        .iter()
        .filter(|(name, udf)| udf.name() == name.as_str() && answers_alike(udf));
    described.map(|(_, udf)| describe(udf)).collect()
}

fn describe(udf: &ScalarUDF) -> Function {
    let aliases = udf.aliases().to_vec();
    let name = udf.name().to_owned();
    if name == "regexp_extract" {
        return Function {
            name,
            aliases,
            usage: "regexp_extract(text, pattern[, group])".to_owned(),
            description:
                "The part of the first match of a regular expression that a group took, the first group unless \
                          said; group 0 is the whole match. NULL where nothing matches."
                    .to_owned(),
        };
    }
    let documentation = udf.documentation();
    Function {
        usage: documentation.map_or_else(|| format!("{name}(…)"), |page| page.syntax_example.clone()),
        description: documentation
            .map(|page| page.description.trim().to_owned())
            .unwrap_or_default(),
        name,
        aliases,
    }
}

/// By name and by alias; ordered, so that lists and suggestions are the same on every run.
static TABLE: LazyLock<BTreeMap<String, Arc<ScalarUDF>>> = LazyLock::new(|| {
    let ours = Arc::new(ScalarUDF::new_from_impl(RegexpExtract::new()));
    let mut table = BTreeMap::new();
    for udf in datafusion_functions::all_default_functions().into_iter().chain([ours]) {
        // Files, secrets and the version of a library are nobody's business in a document.
        if ["version", "input_file_name", "arrow_metadata"].contains(&udf.name()) {
            continue;
        }
        let udf = match udf.name() {
            "to_char" => Arc::new(ScalarUDF::new_from_impl(ToChar::new(udf))),
            _ => udf,
        };
        for alias in udf.aliases() {
            table.insert(alias.to_lowercase(), Arc::clone(&udf));
        }
        table.insert(udf.name().to_lowercase(), udf);
    }
    table
});

/// The function of this name, in any case.
pub(super) fn find(name: &str) -> Option<Arc<ScalarUDF>> {
    TABLE.get(&name.to_lowercase()).cloned()
}

/// Every name and alias of a function that may be called.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(|(_, udf)| answers_alike(udf))
        .map(|(name, _)| name.as_str())
}

/// Whether a replay gives the same answers: only such functions may stand in a document.
pub(super) fn answers_alike(udf: &ScalarUDF) -> bool {
    udf.signature().volatility == Volatility::Immutable
}

/// Names that people know as aggregates or window functions: they need several rows.
pub(super) fn is_aggregate(name: &str) -> bool {
    const AGGREGATES: [&str; 26] = [
        "array_agg",
        "approx_distinct",
        "approx_percentile_cont",
        "avg",
        "bit_and",
        "bit_or",
        "bool_and",
        "bool_or",
        "corr",
        "count",
        "dense_rank",
        "first_value",
        "lag",
        "last_value",
        "lead",
        "max",
        "mean",
        "median",
        "min",
        "nth_value",
        "ntile",
        "rank",
        "row_number",
        "stddev",
        "string_agg",
        "sum",
    ];
    AGGREGATES.contains(&name.to_lowercase().as_str()) || super::aggregate::is_aggregate(name)
}

//! `regexp_extract(text, pattern, group)`: one capture group of the first match, which DataFusion lacks.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility};
use regex::Regex;

/// A compiled pattern may take this much memory: a bound on what a document can make a task manager allocate.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The function. NULL where the text, the pattern or the group is NULL, nothing matches, or the group took no part in the match.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RegexpExtract {
    signature: Signature,
}

impl RegexpExtract {
    pub(super) fn new() -> Self {
        let text = DataType::Utf8View;
        Self {
            signature: Signature::one_of(
                vec![
                    TypeSignature::Exact(vec![text.clone(), text.clone()]),
                    TypeSignature::Exact(vec![text.clone(), text, DataType::Int64]),
                ],
                Volatility::Immutable,
            ),
        }
    }
}

impl ScalarUDFImpl for RegexpExtract {
    fn name(&self) -> &'static str {
        "regexp_extract"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let all_scalar = arguments
            .args
            .iter()
            .all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let text = column(&arguments.args[0], &DataType::Utf8View, rows)?;
        let pattern = Constant::of(&arguments.args[1], &DataType::Utf8View, rows)?;
        let group = match arguments.args.get(2) {
            Some(group) => Some(Constant::of(group, &DataType::Int64, rows)?),
            None => None,
        };
        let extracted = extract(text.as_string_view(), &pattern, group.as_ref())?;
        if all_scalar {
            let only = datafusion_common::ScalarValue::try_from_array(&extracted, 0)?;
            return Ok(ColumnarValue::Scalar(only));
        }
        Ok(ColumnarValue::Array(Arc::new(extracted)))
    }
}

/// An argument: one value for all rows, or one each.
struct Constant {
    values: ArrayRef,
    constant: bool,
}

impl Constant {
    fn of(value: &ColumnarValue, data_type: &DataType, rows: usize) -> Result<Self> {
        let constant = matches!(value, ColumnarValue::Scalar(_));
        Ok(Self {
            values: column(value, data_type, if constant { 1 } else { rows })?,
            constant,
        })
    }

    fn row(&self, row: usize) -> Option<usize> {
        let row = if self.constant { 0 } else { row };
        self.values.is_valid(row).then_some(row)
    }
}

fn column(value: &ColumnarValue, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
    Ok(cast(&value.clone().into_array(rows)?, data_type)?)
}

fn extract(text: &StringViewArray, pattern: &Constant, group: Option<&Constant>) -> Result<StringViewArray> {
    let patterns = pattern.values.as_string_view();
    let groups = group.map(|group| group.values.as_primitive::<Int64Type>());
    let mut compiled: Option<(&str, Regex)> = None;
    let mut out = StringViewBuilder::with_capacity(text.len());
    for row in 0..text.len() {
        let group_row = match group {
            Some(group) => group.row(row),
            None => Some(0),
        };
        let (true, Some(pattern_row), Some(group_row)) = (text.is_valid(row), pattern.row(row), group_row) else {
            out.append_null();
            continue;
        };
        let source = patterns.value(pattern_row);
        if compiled.as_ref().is_none_or(|(known, _)| *known != source) {
            compiled = Some((source, compile(source)?));
        }
        let Some((_, regex)) = &compiled else { continue };
        let index = groups.map_or(1, |groups| groups.value(group_row));
        let index = usize::try_from(index)
            .ok()
            .filter(|index| *index < regex.captures_len())
            .ok_or_else(|| exec_datafusion_err!("regexp_extract: the pattern `{source}` has no group {index}"))?;
        let found = regex.captures(text.value(row)).and_then(|captures| captures.get(index));
        out.append_option(found.map(|found| found.as_str()));
    }
    Ok(out.finish())
}

fn compile(source: &str) -> Result<Regex> {
    regex::RegexBuilder::new(source)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| exec_datafusion_err!("regexp_extract: `{source}` is no pattern: {error}"))
}

//! The order of what an outsider reads: the files of one subtask one behind another, as their names say, and their rows as
//! they stand. Whatever was restored and repeated in between, a key's rows go forward.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::outside::{files, lines};

/// The files of each subtask, in the order in which they were begun: `part-<subtask>-<time>-<uuid>`.
///
/// # Errors
/// When the folder cannot be listed, or a file has another name.
pub fn sequences(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut sequences: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files(folder)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let subtask = name.strip_prefix("part-").and_then(|rest| rest.split_once('-'));
        let Some((subtask, _)) = subtask else {
            bail!("{}: not named `part-<subtask>-<time>-<uuid>`", file.display())
        };
        sequences.entry(subtask.to_owned()).or_default().push(file);
    }
    // Below one subtask the names differ first in the time.
    sequences.values_mut().for_each(|files| files.sort());
    Ok(sequences)
}

/// Every row of JSON lines below `folder`, with its subtask, in the order of a reader.
///
/// # Errors
/// When a file cannot be read to its end, or a line is no JSON.
pub(super) fn json_in_order(folder: &Path, each: &mut dyn FnMut(&str, &Value)) -> Result<()> {
    for (subtask, files) in sequences(folder)? {
        for file in files {
            let mut bad = None;
            lines(&file, &mut |line| match serde_json::from_slice(line) {
                Ok(row) => each(&subtask, &row),
                Err(error) => bad = Some(error),
            })
            .with_context(|| format!("reading {}", file.display()))?;
            if let Some(error) = bad {
                bail!("{}: {error}", file.display());
            }
        }
    }
    Ok(())
}

/// Windows of a company that do not stand behind its earlier ones.
///
/// # Errors
/// As [`json_in_order`].
pub fn windows_out_of_order(folder: &Path) -> Result<u64> {
    let (mut last, mut misordered) = (BTreeMap::new(), 0);
    json_in_order(folder, &mut |subtask, row| {
        let start = row["starttime"].as_i64();
        let before = last.insert((subtask.to_owned(), row["companyId"].as_i64()), start);
        misordered += u64::from(before.is_some_and(|before| before > start));
    })?;
    Ok(misordered)
}

/// Rows of Parquet files that do not stand behind the earlier ones of their source split, as one subtask wrote them.
///
/// # Errors
/// When a file cannot be read to its end.
pub fn rows_out_of_order(folder: &Path) -> Result<u64> {
    let mut misordered = 0;
    for (_, files) in sequences(folder)? {
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for file in files {
            let reading = || format!("reading {}", file.display());
            misordered += one_file(&file, &mut last).with_context(reading)?;
        }
    }
    Ok(misordered)
}

fn one_file(file: &Path, last: &mut BTreeMap<String, i64>) -> Result<u64> {
    let mut misordered = 0;
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.build()? {
        let batch = batch?;
        let column = |name: &str, kind: &DataType| -> Result<ArrayRef> {
            let column = batch
                .column_by_name(name)
                .with_context(|| format!("no column `{name}`"))?;
            Ok(cast(column, kind)?)
        };
        let (splits, positions) = (column("split", &DataType::Utf8)?, column("position", &DataType::Int64)?);
        let (splits, positions) = (splits.as_string::<i32>(), positions.as_primitive::<Int64Type>());
        for row in 0..splits.len() {
            let before = last.insert(splits.value(row).to_owned(), positions.value(row));
            misordered += u64::from(before.is_some_and(|before| before >= positions.value(row)));
        }
    }
    Ok(misordered)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_window_behind_a_later_one_is_found_across_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, starts: &[i64]| {
            let lines = starts
                .iter()
                .map(|start| format!("{{\"companyId\":1,\"starttime\":{start},\"events\":1}}\n"));
            fs::write(folder.path().join(name), lines.collect::<String>()).unwrap();
        };
        write("part-0-20260101T000000000-b.jsonl", &[0, 60]);
        write("part-0-20260101T000001000-a.jsonl", &[120]);
        write("part-1-20260101T000000000-c.jsonl", &[0]);
        assert_eq!(windows_out_of_order(folder.path()).unwrap(), 0);
        write("part-0-20260101T000002000-0.jsonl", &[60, 180]);
        assert_eq!(windows_out_of_order(folder.path()).unwrap(), 1);
    }
}

//! What an outsider sees in a folder of results: whole files under final names, JSON lines or Parquet.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The records of every visible file below `folder`, each handed to `each`. Weir's own `_weir` folder is not looked at.
///
/// # Errors
/// When a file cannot be read to its end, or is neither JSON lines nor Parquet.
pub fn read_folder(folder: &Path, each: &mut dyn FnMut(&[u8])) -> Result<usize> {
    let files = files(folder)?;
    for file in &files {
        let reading = || format!("reading {}", file.display());
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => parquet_records(file, each).with_context(reading)?,
            Some("json" | "jsonl") => lines(file, each).with_context(reading)?,
            other => bail!("{}: a visible file that ends with {other:?}", file.display()),
        }
    }
    Ok(files.len())
}

/// Every visible file below `folder`.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, &mut files).with_context(|| format!("listing {}", folder.display()))?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(['_', '.']) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?
        } else {
            files.push(path)
        }
    }
    Ok(())
}

/// Every line of a file; each must end.
pub(super) fn lines(file: &Path, each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.pop() != Some(b'\n') {
            bail!("the last line is cut off");
        }
        each(&line);
        line.clear();
    }
    Ok(())
}

fn parquet_records(file: &Path, each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["raw"]);
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let Some(raw) = batch.column_by_name("raw") else {
            bail!("no column `raw`")
        };
        let raw = arrow::compute::cast(raw, &DataType::Binary)?;
        let raw = raw.as_binary::<i32>();
        (0..raw.len()).for_each(|row| each(raw.value(row)));
    }
    Ok(())
}

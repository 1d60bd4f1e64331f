//! What an archive holds, for people: folders and files from a list, rows and times from footers, a few rows of a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::json::LineDelimitedWriter;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::browse::{Asked, Browse, FOLDERS_MAX, Filed, Folder, Listed};
use dataflow::contract::connector;
use dataflow::store::{Object, Store, Stores};
use futures::{StreamExt as _, TryStreamExt as _};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use serde_json::{Map, Value};

use super::layout;
use super::options::Options;
use crate::columnar::{ObjectFile, Parquet};

/// So many footers are read at once.
const FOOTERS_AT_ONCE: usize = 16;

/// A sample ends with the row that comes to this size.
const SAMPLE_BYTES: usize = 1 << 20;

/// Looks into what the `parquet` sink has written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Archived;

/// A folder that is open, and what the document calls it.
struct Place {
    store: Arc<dyn Store>,
    path: String,
}

impl Place {
    fn open(options: &Value, stores: &dyn Stores) -> Result<Self, Failure> {
        let options: Options = connector::options(options)
            .map_err(|error| Failure::fail("these options are none of a Parquet sink").because(&error))?;
        let store = stores.open(&options.path)?;
        Ok(Self {
            store,
            path: options.path,
        })
    }

    /// Says what the document says, and nothing of this machine.
    fn named(&self, failure: Failure) -> Failure {
        let url = self.store.url().trim_end_matches('/');
        let local = url.strip_prefix("file://").unwrap_or(url);
        let own = |text: &str| text.replace(url, &self.path).replace(local, &self.path);
        Failure {
            message: own(&failure.message),
            ..failure
        }
    }

    /// Its files below a folder: finished ones only.
    async fn files(&self, under: &str) -> Result<Vec<Object>, Failure> {
        let listed = self.store.list(under).await.map_err(|error| Failure::from(&error));
        let mut objects = listed.map_err(|failure| self.named(failure))?;
        objects.retain(|object| is_finished(&object.path));
        Ok(objects)
    }

    async fn filed(&self, object: Object) -> Result<Filed, Failure> {
        let parquet = Parquet::open(Arc::clone(&self.store), &object).await;
        let parquet = parquet.map_err(|failure| self.named(failure))?;
        let number = |key: &str| parquet.value(key).and_then(|text| text.parse::<i64>().ok());
        let rows = parquet.footer().file_metadata().num_rows();
        Ok(Filed {
            rows: u64::try_from(rows).unwrap_or(0),
            times: number(layout::KEY_EVENT_TIME_MIN).zip(number(layout::KEY_EVENT_TIME_MAX)),
            job: parquet.value(layout::KEY_JOB).map(str::to_owned),
            epoch: parquet.value(layout::KEY_EPOCH).and_then(|text| text.parse().ok()),
            path: object.path,
            bytes: object.size,
        })
    }
}

/// Whether it is a file that readers of the folder are meant to see.
fn is_finished(path: &str) -> bool {
    path.ends_with(".parquet") && !path.split('/').any(|part| part.starts_with(['_', '.']))
}

/// Whether a path that somebody gave stays in the folder.
fn is_inside(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[async_trait]
impl Browse for Archived {
    async fn list(&self, options: &Value, stores: Arc<dyn Stores>, asked: &Asked) -> Result<Listed, Failure> {
        let place = Place::open(options, stores.as_ref())?;
        let under = asked.under.as_deref().unwrap_or_default();
        if !under.is_empty() && !is_inside(under) {
            return Err(Failure::fail(format!("`{under}` is no folder of the archive")));
        }
        let all = place.files("").await?;
        let mut listed = Listed {
            path: place.path.clone(),
            folders: folders(&all),
            count: all.len() as u64,
            bytes: all.iter().map(|object| object.size).sum(),
            ..Listed::default()
        };
        let below = |path: &str| under.is_empty() || path.strip_prefix(under).is_some_and(|rest| rest.starts_with('/'));
        let behind = |path: &str| asked.after.as_deref().is_none_or(|after| path > after);
        let wanted = all
            .into_iter()
            .filter(|object| below(&object.path) && behind(&object.path));
        let mut wanted: Vec<Object> = wanted.take(asked.limit + 1).collect();
        listed.more = wanted.len() > asked.limit;
        wanted.truncate(asked.limit);
        let filed = futures::stream::iter(wanted.into_iter().map(|object| place.filed(object)));
        listed.files = filed.buffered(FOOTERS_AT_ONCE).try_collect().await?;
        Ok(listed)
    }

    async fn sample(
        &self,
        options: &Value,
        stores: Arc<dyn Stores>,
        (file, rows): (&str, usize),
    ) -> Result<Vec<Value>, Failure> {
        let place = Place::open(options, stores.as_ref())?;
        if !is_inside(file) || !is_finished(file) {
            return Err(
                Failure::fail(format!("`{file}` is no file of the archive")).help("name one as the list of files does")
            );
        }
        let object = place.store.head(file).await.map_err(|error| Failure::from(&error));
        let object = object.map_err(|failure| place.named(failure))?;
        let parquet = Parquet::open(Arc::clone(&place.store), &object).await;
        let parquet = parquet.map_err(|failure| place.named(failure))?;
        let reader: ParquetRecordBatchStreamBuilder<ObjectFile> = parquet.whole();
        let stream = reader.with_batch_size(rows.max(1)).with_limit(rows).build();
        let mut stream = stream.map_err(|error| place.named(parquet.failure(error)))?;
        let mut found = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| place.named(parquet.failure(error)))?;
            for (row, size) in records(&batch)? {
                bytes += size;
                found.push(row);
                if bytes >= SAMPLE_BYTES {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

fn folders(files: &[Object]) -> Vec<Folder> {
    let mut folders: BTreeMap<&str, Folder> = BTreeMap::new();
    for object in files {
        let path = object.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = folders.entry(path).or_default();
        folder.files += 1;
        folder.bytes += object.size;
    }
    let named = folders.into_iter().map(|(path, folder)| Folder {
        path: path.to_owned(),
        ..folder
    });
    named.take(FOLDERS_MAX).collect()
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::fail("rows of the file cannot be shown").because(error)
}

/// Rows as JSON, each with its size. Records that were kept as bytes are read as what they are, where they are JSON.
fn records(batch: &RecordBatch) -> Result<Vec<(Value, usize)>, Failure> {
    let raw = batch.schema().column_with_name(layout::RAW).map(|(place, _)| place);
    let raw = raw.filter(|place| {
        matches!(
            batch.column(*place).data_type(),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    });
    let bytes: Option<ArrayRef> = raw
        .map(|place| cast(batch.column(place), &DataType::LargeBinary))
        .transpose()
        .map_err(|error| broken(&error))?;
    let others: Vec<usize> = (0..batch.num_columns()).filter(|place| Some(*place) != raw).collect();
    let others = batch.project(&others).map_err(|error| broken(&error))?;
    let mut written = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut written);
    writer.write(&others).map_err(|error| broken(&error))?;
    writer.finish().map_err(|error| broken(&error))?;
    drop(writer);
    let mut lines = written.split(|byte| *byte == b'\n');
    let row = |index: usize| {
        let line = lines.next().unwrap_or_default();
        let mut row: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        let mut size = line.len();
        if let Some(bytes) = bytes
            .as_ref()
            .map(|bytes| bytes.as_binary::<i64>())
            .filter(|bytes| !bytes.is_null(index))
        {
            let record = bytes.value(index);
            size += record.len();
            let read = serde_json::from_slice(record);
            let text = || Value::String(String::from_utf8_lossy(record).into_owned());
            row.insert(layout::RAW.to_owned(), read.unwrap_or_else(|_not_json| text()));
        }
        (Value::Object(row), size)
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

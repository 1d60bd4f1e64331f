//! What datastreams have kept: the folders and files of their archives, and a few rows of a file, without what is hidden.

use dataflow::Hidden;
use dataflow::contract::browse::{Asked, Browse, Listed};
use dataflow::hidden::MASK;
use dataflow::recipe::{Recipe, Role, Sink};
use planner::job::JobGraph;
use serde_json::Value;

use super::{Error, Jobs};
use crate::rest::types::ArchiveSink;

/// Under this name stand records that were kept as they came.
const RAW: &str = "raw";

/// A sink that can be looked into.
struct Kept {
    told: ArchiveSink,
    sink: Sink,
}

/// What one of the archives of a datastream holds.
#[derive(Clone, Debug, Default)]
pub struct Shelves {
    /// All that can be looked into.
    pub sinks: Vec<ArchiveSink>,
    /// The one that was.
    pub sink: String,
    /// What it holds.
    pub listed: Listed,
}

impl Jobs {
    /// What an archive of a datastream holds: of the sink of this name, or of the first one.
    ///
    /// # Errors
    /// When there is none of that name, or no such sink, or what it keeps cannot be read. One that keeps nothing is no error.
    pub async fn archive(&self, name: &str, sink: Option<&str>, asked: &Asked) -> Result<Shelves, Error> {
        let graph = self.graph(name).await?;
        let all = self.kept(&graph);
        if all.is_empty() && sink.is_none() {
            return Ok(Shelves::default());
        }
        let one = chosen(&all, name, sink)?;
        let listed = self
            .browser(&one.sink)?
            .list(&one.sink.options, self.inner.context.stores.clone(), asked);
        Ok(Shelves {
            sink: one.told.step.clone(),
            listed: listed.await.map_err(Error::Archive)?,
            sinks: all.into_iter().map(|one| one.told).collect(),
        })
    }

    /// The first rows of a file of an archive, without what its document hides.
    ///
    /// # Errors
    /// As for [`Jobs::archive`], and when it has no such file.
    pub async fn archive_sample(
        &self,
        name: &str,
        sink: Option<&str>,
        (file, rows): (&str, usize),
    ) -> Result<Vec<Value>, Error> {
        let graph = self.graph(name).await?;
        let all = self.kept(&graph);
        let one = chosen(&all, name, sink)?;
        let stores = self.inner.context.stores.clone();
        let found = self
            .browser(&one.sink)?
            .sample(&one.sink.options, stores, (file, rows))
            .await;
        let found = found.map_err(Error::Archive)?;
        Ok(found
            .into_iter()
            .map(|row| shown(&graph.settings.hidden, row))
            .collect())
    }

    async fn graph(&self, name: &str) -> Result<JobGraph, Error> {
        self.known(name)?;
        let in_force = self.in_force(name).await?;
        let nothing = || Error::NoArchive { name: name.to_owned() };
        in_force.map(|known| known.document.graph).ok_or_else(nothing)
    }

    fn browser(&self, sink: &Sink) -> Result<&dyn Browse, Error> {
        let connector = self.registry().connector(&sink.connector);
        let browser = connector.and_then(|connector| connector.sink()?.browse());
        browser.ok_or_else(|| Error::Archive(dataflow::Failure::bug("a sink is looked into that cannot be")))
    }

    /// The sinks of a graph that can be looked into, what is called `archive:` first.
    fn kept(&self, graph: &JobGraph) -> Vec<Kept> {
        let nodes = graph.vertices.iter().flat_map(|vertex| &vertex.chain.nodes);
        let kept = |node: &dataflow::recipe::Node| {
            let Recipe::Sink(sink) = &node.recipe else { return None };
            self.browser(sink).ok()?;
            let told = ArchiveSink {
                step: node.name.clone(),
                path: sink.options["path"].as_str().unwrap_or_default().to_owned(),
            };
            Some(Kept {
                told,
                sink: sink.clone(),
            })
        };
        let mut all: Vec<Kept> = nodes.filter_map(kept).collect();
        all.sort_by_key(|one| one.sink.role != Role::Archive);
        all
    }
}

fn chosen<'a>(all: &'a [Kept], name: &str, sink: Option<&str>) -> Result<&'a Kept, Error> {
    let wanted = |one: &&Kept| sink.is_none_or(|sink| one.told.step == sink);
    all.iter()
        .find(wanted)
        .ok_or_else(|| Error::NoArchive { name: name.to_owned() })
}

/// A row as people are shown it, without the fields that the document hides; of a record that was kept as bytes, where it
/// is not JSON, nothing.
fn shown(hidden: &Hidden, mut row: Value) -> Value {
    if hidden.is_empty() {
        return row;
    }
    hidden.cover(&mut row);
    match row.get_mut(RAW) {
        Some(Value::String(text)) => MASK.clone_into(text),
        Some(record) => hidden.cover(record),
        None => {}
    }
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_document_hides_is_hidden_in_columns_and_in_records_that_were_kept_as_they_came() {
        let row = json!({ "email": "a@b.example", "n": 1, "raw": { "email": "a@b.example", "n": 2 } });
        assert_eq!(shown(&Hidden::default(), row.clone()), row);
        let hidden = Hidden::new(vec!["email".parse().unwrap()]);
        let covered = json!({ "email": MASK, "n": 1, "raw": { "email": MASK, "n": 2 } });
        assert_eq!(shown(&hidden, row), covered);
        assert_eq!(
            shown(&hidden, json!({ "raw": "a@b.example, no JSON" })),
            json!({ "raw": MASK })
        );
    }
}

//! Removes fields: from columns, and in open streams from the bytes of the records.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow_schema::SchemaRef;
use dataflow::element::{Batch, columns};
use dataflow::expr::Path;
use dataflow::recipe::{self, Node};
use dataflow::{Failure, contract};

use super::{Emitted, Ground, Operator, Outbox};
use crate::chain::columns::conform;

/// The output's schema says which columns are left; the paths say what leaves the bytes.
pub(super) struct Drop {
    paths: Vec<Path>,
    output: SchemaRef,
    splicer: Option<Arc<dyn contract::Format>>,
    outbox: Outbox,
}

/// The format that can rewrite records, where the rows are records.
pub(super) fn splicer(node: &Node, ground: &Ground<'_>) -> Result<Option<Arc<dyn contract::Format>>, Failure> {
    if node.input.index_of(columns::RAW).is_err() {
        return Ok(None);
    }
    let found = ground
        .registry
        .formats()
        .iter()
        .find(|format| format.splicer().is_some());
    let none = || {
        Failure::fail(format!(
            "`{}` would have to rewrite records, and no format of this build can",
            node.name
        ))
    };
    found.map(|format| Some(Arc::clone(format))).ok_or_else(none)
}

impl Drop {
    pub(super) fn build(recipe: &recipe::Drop, node: &Node, ground: &Ground<'_>) -> Result<Self, Failure> {
        Ok(Self {
            paths: recipe.paths.clone(),
            output: Arc::clone(&node.output),
            splicer: splicer(node, ground)?,
            outbox: Outbox::default(),
        })
    }
}

impl Operator for Drop {
    fn push(&mut self, batch: Batch) -> Result<(), Failure> {
        let rows = conform(batch.records(), &self.output, None)?;
        let splicer = self.splicer.as_ref().and_then(|format| format.splicer());
        let raw = rows.schema().index_of(columns::RAW).ok();
        let (Some(splicer), Some(raw)) = (splicer, raw) else {
            self.outbox.main(rows);
            return Ok(());
        };
        let mut spliced = rows.columns().to_vec();
        let Some(records) = rows.column(raw).as_binary_view_opt() else {
            return Err(Failure::bug("records that are not bytes"));
        };
        spliced[raw] = Arc::new(splicer.remove_fields(records, &self.paths)) as ArrayRef;
        self.outbox
            .main(crate::chain::columns::batch(&self.output, spliced, rows.num_rows())?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Emitted>, Failure> {
        Ok(self.outbox.take())
    }
}

//! Bound expression to DataFusion's physical one, with overflow checked and lists of texts made fast.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Operator;
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_physical_expr::expressions::{BinaryExpr, InListExpr, Literal};
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};

use super::bind::Bound;
use super::text_in::{TextIn, Wanted};

/// Makes what can be evaluated.
pub(super) fn compile(bound: &Bound) -> Result<Arc<dyn PhysicalExpr>> {
    let context = PhysicalPlanningContext::default();
    let physical = create_physical_expr(&bound.logical, &bound.schema, &ExecutionProps::new(), &context)?;
    let schema = bound.schema.as_arrow();
    Ok(physical.transform_up(|expr| improve(expr, schema))?.data)
}

fn improve(expr: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    let any: &dyn Any = expr.as_ref();
    if let Some(binary) = any.downcast_ref::<BinaryExpr>()
        && matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply)
    {
        // A sum that wraps around is a wrong row; one that fails is a dead letter.
        let checked = BinaryExpr::new(Arc::clone(binary.left()), *binary.op(), Arc::clone(binary.right()));
        return Ok(Transformed::yes(Arc::new(checked.with_fail_on_overflow(true))));
    }
    if let Some(list) = any.downcast_ref::<InListExpr>()
        && list.expr().data_type(schema)? == DataType::Utf8View
        && let Some(texts) = texts(list.list())
        && let Some(fast) = TextIn::new(
            Arc::clone(list.expr()),
            texts,
            if list.negated() { Wanted::Others } else { Wanted::Listed },
        )
    {
        return Ok(Transformed::yes(Arc::new(fast)));
    }
    Ok(Transformed::no(expr))
}

fn texts(list: &[Arc<dyn PhysicalExpr>]) -> Option<Vec<String>> {
    list.iter()
        .map(|item| {
            let any: &dyn Any = item.as_ref();
            match any.downcast_ref::<Literal>()?.value() {
                ScalarValue::Utf8View(Some(text)) | ScalarValue::Utf8(Some(text)) => Some(text.clone()),
                _ => None,
            }
        })
        .collect()
}

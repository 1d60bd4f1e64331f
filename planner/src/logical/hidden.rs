//! `hidden:`: what nobody is shown who looks at rows. A path that no step has hides nothing, which should be known before
//! somebody looks.

use arrow_schema::{DataType, Fields, Schema};
use dataflow::Hidden;
use dataflow::element::columns;

use super::{LogicalPlan, Node};
use crate::diagnostic::{Diagnostic, Diagnostics, codes, nearest};
use crate::spec::Spec;

/// What is marked, each path once.
pub(super) fn marked(spec: &Spec) -> Hidden {
    let mut paths: Vec<_> = spec.settings.hidden.iter().map(|path| path.value.clone()).collect();
    paths.sort();
    paths.dedup();
    Hidden::new(paths)
}

/// Warns of paths that no step of a datastream has, where all of them have a schema.
pub(super) fn check(spec: &Spec, plan: &LogicalPlan, diagnostics: &mut Diagnostics) {
    let carries_bytes = |node: &Node| node.output.index_of(columns::RAW).is_ok();
    // Records that are carried as bytes may have any field; those of a source are not decoded yet.
    let decoded = |node: &&Node| !matches!(node.recipe, dataflow::recipe::Recipe::Source(_));
    if plan.nodes.iter().filter(decoded).any(carries_bytes) {
        return;
    }
    let schemas: Vec<&Schema> = plan.nodes.iter().map(|node| node.output.as_ref()).collect();
    for path in &spec.settings.hidden {
        if schemas.iter().any(|schema| holds(schema.fields(), path.value.parts())) {
            continue;
        }
        let names = schemas.iter().flat_map(|schema| schema.fields());
        let names = names
            .map(|field| field.name().as_str())
            .filter(|name| !columns::is_reserved(name));
        let near = nearest(path.value.column(), names).filter(|near| *near != path.value.column());
        let found = Diagnostic::new(
            codes::W0505,
            path.span,
            format!("no step has a field `{}`: nothing is hidden by it", path.value),
        );
        diagnostics.push(match near {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found,
        });
    }
}

/// Whether there is a field at a path, perhaps within lists.
fn holds(fields: &Fields, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else {
        return true;
    };
    let field = fields.iter().find(|field| field.name() == name);
    field.is_some_and(|field| rest.is_empty() || inside(field.data_type(), rest))
}

fn inside(data_type: &DataType, path: &[String]) -> bool {
    match data_type {
        DataType::Struct(fields) => holds(fields, path),
        DataType::List(item) | DataType::LargeList(item) => inside(item.data_type(), path),
        // The text of a value of any type may have it.
        other => *other == DataType::Utf8View,
    }
}

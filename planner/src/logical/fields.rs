//! Schemas by path: built from paths, pruned to paths, without paths.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use dataflow::element::columns;
use dataflow::expr::Path;

/// Whether `path` is `prefix` or a field inside it.
pub(crate) fn begins_with(path: &Path, prefix: &Path) -> bool {
    path.parts().starts_with(prefix.parts())
}

/// The fields that these typed paths make: records where a path goes on behind another, columns in order of name.
///
/// A path that is both a value and a record of others is a record: its fields say more than its own use. One without a
/// type is of any.
pub(crate) fn nested(types: &[(Path, Option<DataType>)]) -> Fields {
    let parts: Vec<Typed<'_>> = types
        .iter()
        .map(|(path, data_type)| (path.parts(), data_type.as_ref()))
        .collect();
    level(&parts)
}

type Typed<'a> = (&'a [String], Option<&'a DataType>);

fn level(paths: &[Typed<'_>]) -> Fields {
    let mut names: Vec<&String> = paths.iter().filter_map(|(parts, _)| parts.first()).collect();
    names.sort();
    names.dedup();
    let field = |name: &String| {
        let below: Vec<Typed<'_>> = paths
            .iter()
            .filter(|(parts, _)| parts[0] == *name)
            .map(|(parts, data_type)| (&parts[1..], *data_type))
            .collect();
        let inner: Vec<Typed<'_>> = below.iter().filter(|(parts, _)| !parts.is_empty()).copied().collect();
        match below.first() {
            Some((_, None)) if inner.is_empty() => columns::any(name),
            Some((_, Some(data_type))) if inner.is_empty() => Field::new(name, (*data_type).clone(), true),
            _ => Field::new(name, DataType::Struct(level(&inner)), true),
        }
    };
    names.into_iter().map(field).collect()
}

/// The columns of the document among those of a schema.
pub(crate) fn user(schema: &Schema) -> Fields {
    schema
        .fields()
        .iter()
        .filter(|field| !columns::is_reserved(field.name()))
        .cloned()
        .collect()
}

/// Whether a schema has a column of this name.
pub(crate) fn holds(schema: &Schema, column: &str) -> bool {
    schema.fields().iter().any(|field| field.name() == column)
}

/// The schema with only what `keep` says of each path: columns, and fields of records.
pub(crate) fn prune(fields: &Fields, wanted: &[Path]) -> Fields {
    let wanted: Vec<&[String]> = wanted.iter().map(Path::parts).collect();
    prune_level(fields, &wanted)
}

fn prune_level(fields: &Fields, wanted: &[&[String]]) -> Fields {
    let keep = |field: &FieldRef| -> Option<FieldRef> {
        let below: Vec<&[String]> = wanted
            .iter()
            .filter(|parts| parts.first().is_some_and(|part| part == field.name()))
            .map(|parts| &parts[1..])
            .collect();
        if below.is_empty() {
            return None;
        }
        match field.data_type() {
            DataType::Struct(inner) if !below.iter().any(|parts| parts.is_empty()) => {
                let inner = prune_level(inner, &below);
                Some(Arc::new(field.as_ref().clone().with_data_type(DataType::Struct(inner))))
            }
            _ => Some(Arc::clone(field)),
        }
    };
    fields.iter().filter_map(keep).collect()
}

/// The fields without what is at these paths; a record that loses its last field goes with it.
///
/// So does a value of any type that may hold what is removed: it was read while that was still there.
pub(crate) fn without(fields: &Fields, paths: &[Path]) -> Fields {
    let paths: Vec<&[String]> = paths.iter().map(Path::parts).collect();
    without_level(fields, &paths)
}

fn without_level(fields: &Fields, paths: &[&[String]]) -> Fields {
    let left = |field: &FieldRef| -> Option<FieldRef> {
        let below: Vec<&[String]> = paths
            .iter()
            .filter(|parts| parts.first().is_some_and(|part| part == field.name()))
            .map(|parts| &parts[1..])
            .collect();
        if below.iter().any(|parts| parts.is_empty()) {
            return None;
        }
        match field.data_type() {
            DataType::Struct(inner) if !below.is_empty() => {
                let inner = without_level(inner, &below);
                (!inner.is_empty()).then(|| Arc::new(field.as_ref().clone().with_data_type(DataType::Struct(inner))))
            }
            _ if !below.is_empty() && columns::is_any(field) => None,
            _ => Some(Arc::clone(field)),
        }
    };
    fields.iter().filter_map(left).collect()
}

/// The fields with another type at a path that is there.
pub(crate) fn replace(fields: &Fields, path: &[String], data_type: &DataType) -> Fields {
    let change = |field: &FieldRef| -> FieldRef {
        if path.first() != Some(field.name()) {
            return Arc::clone(field);
        }
        let changed = match field.data_type() {
            DataType::Struct(inner) if path.len() > 1 => DataType::Struct(replace(inner, &path[1..], data_type)),
            _ => data_type.clone(),
        };
        Arc::new(field.as_ref().clone().with_data_type(changed).with_nullable(true))
    };
    fields.iter().map(change).collect()
}

/// User columns with reserved ones behind them, in their order.
pub(crate) fn rows(user: &Fields, reserved: &[&str]) -> SchemaRef {
    // What only dead letters read stands last: a sink is given the columns before it.
    let known = [
        columns::raw(),
        columns::split(),
        columns::position(),
        columns::time(),
        columns::kind(),
        columns::origin(),
    ];
    let kept = known
        .into_iter()
        .filter(|field| reserved.contains(&field.name().as_str()));
    Arc::new(Schema::new(user.iter().cloned().chain(kept).collect::<Fields>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(fields: &Fields) -> String {
        dataflow::expr::type_name(&DataType::Struct(fields.clone()))
    }

    fn paths(texts: &[&str]) -> Vec<Path> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn schemas_are_cut_by_path() {
        let types: Vec<(Path, Option<DataType>)> = [
            ("b.y", Some(DataType::Float64)),
            ("a", Some(DataType::Utf8View)),
            ("b.x", Some(DataType::Boolean)),
            ("b", None),
        ]
        .into_iter()
        .map(|(path, data_type)| (path.parse().unwrap(), data_type))
        .collect();
        let fields = nested(&types);
        assert_eq!(shown(&fields), "{a: string, b: {x: boolean, y: double}}");
        assert_eq!(shown(&prune(&fields, &paths(&["b.x"]))), "{b: {x: boolean}}");
        assert_eq!(
            shown(&prune(&fields, &paths(&["b.x", "b"]))),
            "{b: {x: boolean, y: double}}"
        );
        assert_eq!(shown(&without(&fields, &paths(&["b.x", "a"]))), "{b: {y: double}}");
        assert_eq!(shown(&without(&fields, &paths(&["b.x", "b.y"]))), "{a: string}");
        assert_eq!(
            shown(&replace(&fields, &["b".to_owned(), "x".to_owned()], &DataType::Int64)),
            "{a: string, b: {x: int64, y: double}}"
        );
    }

    #[test]
    fn a_value_of_any_type_is_gone_with_what_it_may_hold() {
        let types = ["id", "payload.user"].map(|path| (path.parse().unwrap(), None));
        let fields = nested(&types);
        assert_eq!(shown(&fields), "{id: json, payload: {user: json}}");
        assert_eq!(
            shown(&prune(&fields, &paths(&["payload.user"]))),
            "{payload: {user: json}}"
        );
        assert_eq!(shown(&without(&fields, &paths(&["payload.user.name"]))), "{id: json}");
        assert_eq!(
            shown(&without(&fields, &paths(&["payload.other", "i.d"]))),
            "{id: json, payload: {user: json}}"
        );
    }
}

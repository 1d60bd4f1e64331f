//! What is between two schemas of values that are kept: nothing, what can be brought over, or what cannot.

use arrow_schema::{DataType, Field, Schema};
use dataflow::element::columns;
use dataflow::expr::field_type_name;

/// What is between two schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// What has to be done; nothing where they are alike.
    Migrates(Vec<String>),
    /// What cannot be done.
    Wrong(String),
}

/// Between rows that are kept whole.
pub(super) fn of_rows(old: &Schema, new: &Schema) -> Difference {
    of(old, new, "reads as NULL in rows from before")
}

/// Between values that were folded.
pub(super) fn of_values(old: &Schema, new: &Schema) -> Difference {
    of(old, new, "begins with the rows that come")
}

/// By name: order does not matter, and columns of our own are no part of what is kept.
fn of(old: &Schema, new: &Schema, added: &str) -> Difference {
    let user = |field: &&std::sync::Arc<Field>| !columns::is_reserved(field.name());
    let mut how = Vec::new();
    for field in new.fields().iter().filter(user) {
        let name = field.name();
        let Some((_, before)) = old.column_with_name(name) else {
            how.push(format!("`{name}` is new and {added}"));
            continue;
        };
        let (from, to) = (field_type_name(before), field_type_name(field));
        if from == to {
            continue;
        }
        if !widens(before, field) {
            return Difference::Wrong(format!("`{name}` was {from} and is {to}"));
        }
        how.push(format!("`{name}` was {from} and is {to}"));
    }
    let gone = old.fields().iter().filter(user);
    let gone = gone.filter(|field| new.column_with_name(field.name()).is_none());
    how.extend(gone.map(|field| format!("`{}` is gone", field.name())));
    Difference::Migrates(how)
}

/// Whether every value of one type is one of the other.
pub(super) fn widens(from: &Field, to: &Field) -> bool {
    use DataType::{Decimal128, Float32, Float64, Int32, Int64, List, Struct};
    if columns::is_any(from) || columns::is_any(to) {
        return columns::is_any(from) && columns::is_any(to);
    }
    match (from.data_type(), to.data_type()) {
        (Int32, Int64) | (Float32, Float64) => true,
        (Decimal128(digits, scale), Decimal128(wider, same)) => wider >= digits && same == scale,
        (Struct(before), Struct(after)) => matches!(
            of_rows(&Schema::new(before.clone()), &Schema::new(after.clone())),
            Difference::Migrates(_)
        ),
        (List(before), List(after)) => before.data_type() == after.data_type() || widens(before, after),
        (one, other) => one == other,
    }
}

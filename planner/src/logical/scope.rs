//! What the paths of an expression can be, before the types of open fields are known.

use arrow_schema::{DataType, Schema};
use dataflow::expr::{Path, Slot, find};

use super::fields::begins_with;

/// What rows look like at one place of the graph.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scope {
    /// An open stream, by number: any path may be read, and its type follows from use.
    Open(usize),
    /// An open stream whose list at a path was taken apart: below the path begins another open stream.
    Unnested {
        list: Path,
        element: usize,
        before: Box<Scope>,
    },
    /// Without some fields.
    Without(Vec<Path>, Box<Scope>),
    /// Columns, each of a known type, a field of an open stream under another name, or not known yet.
    Columns(Vec<(String, Slot)>),
    /// Something was wrong with it: nothing is said about those who read it.
    Unknown,
}

impl Scope {
    /// The columns of a schema.
    pub(crate) fn typed(schema: &Schema) -> Self {
        let known = |data_type: &DataType| Slot::Known(data_type.clone());
        Self::Columns(
            schema
                .fields()
                .iter()
                .map(|field| (field.name().clone(), known(field.data_type())))
                .collect(),
        )
    }

    /// Whether records are carried as bytes.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Open(_) | Self::Unnested { .. } => true,
            Self::Without(_, before) => before.is_open(),
            Self::Columns(_) | Self::Unknown => false,
        }
    }

    /// What a path is.
    pub(crate) fn slot(&self, path: &Path) -> Slot {
        match self {
            Self::Open(stream) => Slot::Open(*stream, path.clone()),
            Self::Unnested { list, element, .. } if begins_with(path, list) => Slot::Open(*element, path.clone()),
            Self::Unnested { before, .. } => before.slot(path),
            Self::Without(paths, _) if paths.iter().any(|gone| begins_with(path, gone)) => Slot::Unknown,
            Self::Without(_, before) => before.slot(path),
            Self::Columns(columns) => match columns.iter().find(|(name, _)| name == path.column()) {
                Some((_, slot)) => inside(slot, path),
                None => Slot::Unknown,
            },
            Self::Unknown => Slot::Unknown,
        }
    }
}

/// A field of a column.
fn inside(slot: &Slot, path: &Path) -> Slot {
    match slot {
        Slot::Known(data_type) => {
            let column = arrow_schema::Field::new(path.column(), data_type.clone(), true);
            match find(path, &Schema::new(vec![column])) {
                Some(field) => Slot::Known(field.data_type().clone()),
                None => Slot::Unknown,
            }
        }
        Slot::Open(stream, field) => {
            let parts: Vec<String> = field.parts().iter().chain(&path.parts()[1..]).cloned().collect();
            Path::new(parts).map_or(Slot::Unknown, |path| Slot::Open(*stream, path))
        }
        Slot::Unknown => Slot::Unknown,
    }
}

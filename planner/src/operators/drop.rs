//! `drop`: removes fields, in open streams from the bytes of the records.

use dataflow::element::columns;
use dataflow::expr::Path;
use dataflow::recipe::{Drop, Recipe};

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope, without};
use crate::spec::Spanned;

pub(crate) fn observe(paths: &[Spanned<Path>], input: &Scope) -> Scope {
    let paths: Vec<Path> = paths.iter().map(|path| path.value.clone()).collect();
    match input {
        Scope::Columns(columns) => {
            let gone = |name: &str| {
                paths
                    .iter()
                    .any(|path| path.parts().len() == 1 && path.column() == name)
            };
            Scope::Columns(columns.iter().filter(|(name, _)| !gone(name)).cloned().collect())
        }
        Scope::Unknown => Scope::Unknown,
        open => Scope::Without(paths, Box::new(open.clone())),
    }
}

pub(crate) fn bind(binder: &mut Binder<'_>, paths: &[Spanned<Path>], input: &Input) -> Option<Bound> {
    // Of an open stream nobody knows what is in its records.
    if input.open.is_none() {
        let found: Vec<bool> = paths.iter().map(|path| binder.field(path, input).is_some()).collect();
        if found.contains(&false) {
            return None;
        }
    }
    let dropped: Vec<Path> = paths.iter().map(|path| path.value.clone()).collect();
    let fields = without(&input.fields, &dropped);
    if fields.is_empty() && input.open.is_none() {
        let span = paths.first().map(|path| path.span).unwrap_or_default();
        binder
            .diagnostics
            .push(Diagnostic::new(codes::E0413, span, "nothing is left of the rows").help("keep at least one field"));
        return None;
    }
    let reads = if input.open.is_some() {
        Reads::default().and(&[columns::RAW])
    } else {
        Reads::default()
    };
    Some(Bound::new(
        Recipe::Drop(Drop { paths: dropped }),
        reads,
        input.with(fields),
    ))
}

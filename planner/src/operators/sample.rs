//! `sample`: keeps a share of the rows, or of the keys.

use arrow_schema::DataType;
use dataflow::element::columns;
use dataflow::expr::{Path, type_name};
use dataflow::recipe::{Recipe, Sample};

use crate::diagnostic::{Diagnostic, codes};
use crate::logical::{Binder, Bound, Input, Reads, Scope, Stage, Stream};
use crate::spec::Spanned;

pub(crate) fn observe(binder: &mut Binder<'_>, by: Option<&Spanned<Path>>, input: &Scope) -> Scope {
    if let Some(by) = by {
        binder.read(input, &by.value, None);
    }
    input.clone()
}

pub(crate) fn bind(
    binder: &mut Binder<'_>,
    stage: &Stage<'_>,
    (share, by, seed): (f64, Option<&Spanned<Path>>, u64),
    input: &Input,
) -> Option<Bound> {
    if let Some(by) = by
        && let found = binder.field(by, input)?
        && matches!(found, DataType::Struct(_) | DataType::List(_))
    {
        let message = format!(
            "`{}` is {}: rows cannot be told apart by it",
            by.value,
            type_name(&found)
        );
        binder
            .diagnostics
            .push(Diagnostic::new(codes::E0412, by.span, message).help("a key is one value, such as `payload.id`"));
        return None;
    }
    if by.is_none() && input.stream != Stream::Records {
        let message = "rows that were made of many have no place in a source to be chosen by";
        binder
            .diagnostics
            .push(Diagnostic::new(codes::E0618, stage.span, message).help("write `sample: { share: 0.1, by: field }`"));
        return None;
    }
    let by = by.map(|by| by.value.clone());
    let reads = match &by {
        Some(by) => Reads::of([by.clone()]),
        None => Reads::default().and(&[columns::SPLIT, columns::POSITION]),
    };
    Some(Bound::new(
        Recipe::Sample(Sample { share, by, seed }),
        reads,
        input.clone(),
    ))
}

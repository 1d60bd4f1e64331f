//! Expressions of a document: parsed, and their mistakes told at their places in the file.

use std::borrow::Cow;
use std::ops::Range;

use dataflow::expr::{self, Expression, Kind, Parsed, aggregation};
use dataflow::recipe::Function;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, codes};
use crate::spec::{Span, Text};

/// An expression that could be parsed, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Checked<'a> {
    pub(crate) text: Cow<'a, Text>,
    pub(crate) parsed: Parsed,
}

/// An aggregate that could be parsed: how rows are folded, of what, and which of them count.
#[derive(Clone, Debug)]
pub(crate) struct CheckedAggregate<'a> {
    pub(crate) text: &'a Text,
    pub(crate) function: Function,
    pub(crate) argument: Option<Checked<'a>>,
    pub(crate) filter: Option<Checked<'a>>,
}

impl<'a> CheckedAggregate<'a> {
    /// Parses; every mistake is told.
    pub(crate) fn parse(text: &'a Text, diagnostics: &mut Diagnostics) -> Option<Self> {
        let found = match aggregation(&text.value) {
            Ok(found) => found,
            Err(error) => {
                diagnostics.push(diagnostic(text, &error));
                return None;
            }
        };
        let mut part = |range: Option<Range<usize>>| match range {
            Some(range) => Checked::of(Cow::Owned(text.part(range)), diagnostics).map(Some),
            None => Some(None),
        };
        let (argument, filter) = (part(found.argument), part(found.filter));
        Some(Self {
            text,
            function: found.function,
            argument: argument?,
            filter: filter?,
        })
    }
}

impl<'a> Checked<'a> {
    /// Parses; a mistake is told.
    pub(crate) fn parse(text: &'a Text, diagnostics: &mut Diagnostics) -> Option<Self> {
        Self::of(Cow::Borrowed(text), diagnostics)
    }

    fn of(text: Cow<'a, Text>, diagnostics: &mut Diagnostics) -> Option<Self> {
        match Parsed::parse(&text.value) {
            Ok(parsed) => Some(Self { text, parsed }),
            Err(error) => {
                diagnostics.push(diagnostic(&text, &error));
                None
            }
        }
    }

    /// What travels.
    pub(crate) fn expression(&self) -> Expression {
        Expression::new(self.text.value.trim())
    }

    /// Tells a mistake of this expression.
    pub(crate) fn tell(&self, error: &expr::Error, diagnostics: &mut Diagnostics) {
        diagnostics.push(diagnostic(&self.text, error));
    }

    /// The whole expression.
    pub(crate) fn span(&self) -> Span {
        self.text.span
    }
}

fn diagnostic(text: &Text, error: &expr::Error) -> Diagnostic {
    let span = if error.range == (0..text.value.len()) {
        text.span
    } else {
        text.place(error.range.clone())
    };
    let found = Diagnostic::new(code(error.kind), span, &error.message);
    match &error.help {
        Some(help) => found.help(help),
        None => found,
    }
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::Syntax => codes::E0405,
        Kind::Limit => codes::E0401,
        Kind::Refused => codes::E0406,
        Kind::Function => codes::E0407,
        Kind::Field => codes::E0408,
        Kind::Type => codes::E0409,
        Kind::Aggregate => codes::E0609,
    }
}

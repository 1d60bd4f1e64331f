//! What reaches a stage: the columns of its rows, what else they carry, and whether their time is known.

use arrow_schema::{Field, Fields, Schema, SchemaRef};
use dataflow::element::columns;
use dataflow::expr::field_type_name;
use dataflow::recipe;

use super::fields::rows;
use crate::spec::Spanned;

/// What reaches a stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    /// The columns of the document.
    pub(crate) fields: Fields,
    /// How records are read where they are carried as bytes.
    pub(crate) open: Option<recipe::Format>,
    /// What its rows are.
    pub(crate) stream: Stream,
    /// Where the bytes of the record are that each row was made of.
    pub(crate) origin: Origin,
    /// The parts upstream that give rows no event time; with none of them, `$time` is one.
    pub(crate) untimed: Vec<Untimed>,
}

/// Why rows have no event time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Untimed {
    /// This source has no `eventTime`.
    Source(Spanned<String>),
    /// This step gives results by the clock of the machine.
    Step(Spanned<String>),
}

/// What the rows of a stream are, besides their columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stream {
    /// Records of a source, each with its place there, or what was made of one of them.
    Records,
    /// Made of many records, each once: they have a time and no place.
    Results,
    /// Results that may come again, better ones later.
    Refined(Spanned<String>),
    /// Changes of a table that a step keeps: rows take back and replace earlier ones, and say so in `$kind`.
    Changes(Changing),
}

/// A step whose rows are changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changing {
    /// Its name, and where that stands.
    pub(crate) step: Spanned<String>,
    /// How its results would come once.
    pub(crate) instead: String,
}

/// Where the bytes are that a row came as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nowhere: it never was bytes, or was made of many rows.
    None,
    /// The row is those bytes.
    Row,
    /// Beside the row, if somebody wants them.
    Beside,
}

impl Input {
    /// Rows of typed columns, made of one record each.
    pub(crate) fn typed(fields: Fields) -> Self {
        Self {
            fields,
            open: None,
            stream: Stream::Records,
            origin: Origin::None,
            untimed: Vec::new(),
        }
    }

    /// Records as they came, of which these fields are read.
    pub(crate) fn records(fields: Fields, format: recipe::Format) -> Self {
        Self {
            open: Some(format),
            origin: Origin::Row,
            ..Self::typed(fields)
        }
    }

    /// The same rows, each made of one row of `input`: it has the bytes that one came as.
    pub(crate) fn made_of(self, input: &Self) -> Self {
        let origin = match input.origin {
            Origin::None => Origin::None,
            Origin::Row | Origin::Beside => Origin::Beside,
        };
        Self { origin, ..self }
    }

    /// The same stream with other columns, each row made of one.
    pub(crate) fn with(&self, fields: Fields) -> Self {
        Self { fields, ..self.clone() }.made_of(self)
    }

    /// The same stream with other columns, and no longer as bytes.
    pub(crate) fn made(&self, fields: Fields) -> Self {
        Self {
            open: None,
            ..self.with(fields)
        }
    }

    /// The columns of the document, as what expressions are bound to.
    pub(crate) fn schema(&self) -> Schema {
        Schema::new(self.fields.clone())
    }

    /// All columns, reserved ones among them.
    pub(crate) fn rows(&self) -> SchemaRef {
        rows(&self.fields, &self.reserved())
    }

    fn reserved(&self) -> Vec<&'static str> {
        use columns::{KIND, ORIGIN, POSITION, RAW, SPLIT, TIME};
        let mut reserved = match (&self.stream, &self.open) {
            (Stream::Records, Some(_)) => vec![RAW, SPLIT, POSITION, TIME],
            (Stream::Records, None) => vec![SPLIT, POSITION, TIME],
            (Stream::Results | Stream::Refined(_), _) => vec![TIME],
            // A change has no time of its own.
            (Stream::Changes(_), _) => vec![KIND],
        };
        if self.stream == Stream::Records && self.origin == Origin::Beside {
            reserved.push(ORIGIN);
        }
        reserved
    }

    /// The step whose changes these rows are.
    pub(crate) fn changes(&self) -> Option<&Changing> {
        match &self.stream {
            Stream::Changes(changing) => Some(changing),
            Stream::Records | Stream::Results | Stream::Refined(_) => None,
        }
    }

    /// What this stream and one that does not differ from it are together.
    pub(crate) fn meet(mut self, other: Self) -> Self {
        // What only some of the rows have beside them, nobody behind the union can count on.
        self.origin = self.origin.min(other.origin);
        self.stream = match (self.stream, other.stream) {
            (left, right) if left == right => left,
            (changes @ Stream::Changes(_), _) | (_, changes @ Stream::Changes(_)) => changes,
            (refined @ Stream::Refined(_), _) | (_, refined @ Stream::Refined(_)) => refined,
            (_, _) => Stream::Results,
        };
        let new = other.untimed.into_iter().filter(|one| !self.untimed.contains(one));
        let new: Vec<_> = new.collect();
        self.untimed.extend(new);
        self
    }
}

/// In what rows of two inputs differ; order and names count.
pub(super) fn difference(left: &Input, right: &Input) -> Option<String> {
    if left.changes().is_some() != right.changes().is_some() {
        return Some("one gives new rows, the other changes of earlier ones".to_owned());
    }
    match (&left.open, &right.open) {
        // Open streams of one union were joined: they have the same fields but for those that one side removed.
        (Some(one), Some(other)) if one == other => return None,
        (Some(_), Some(_)) => return Some("they are in different formats".to_owned()),
        (None, None) => {}
        _ => return Some("one has a schema, the other has none".to_owned()),
    }
    for (index, field) in left.fields.iter().enumerate() {
        let differs =
            |other: &Field| field.data_type() != other.data_type() || columns::is_any(field) != columns::is_any(other);
        match right.fields.iter().position(|other| other.name() == field.name()) {
            None => return Some(format!("only one has `{}`", field.name())),
            Some(place) if differs(&right.fields[place]) => {
                let (one, other) = (field_type_name(field), field_type_name(&right.fields[place]));
                return Some(format!("`{}` is {one} here and {other} there", field.name()));
            }
            Some(place) if place != index => return Some(format!("`{}` stands in another place", field.name())),
            Some(_) => {}
        }
    }
    right
        .fields
        .get(left.fields.len())
        .map(|field| format!("only one has `{}`", field.name()))
}

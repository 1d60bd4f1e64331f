//! The types of fields in streams without a schema: they follow from what expressions do with them.
//!
//! `total > 5` makes `total` a number, `lower(name)` makes `name` a text, `a = b` gives both one type. What is computed
//! with, and nothing else is known of, is read as text; what is only copied or dealt out by may be of any type.
//! Constraints of many expressions over the same stream meet in one [`Inference`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::type_coercion::functions::fields_with_udf;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::Path;
use super::error::{Error, Kind};
use super::parse::Parsed;
use crate::element::columns;

/// What is known of the fields of open streams. A stream is a number of the caller's.
#[derive(Clone, Debug, Default)]
pub struct Inference {
    variables: BTreeMap<(usize, Path), usize>,
    /// Streams that were joined with another one, which stands for both.
    joined: BTreeMap<usize, usize>,
    parents: Vec<usize>,
    families: Vec<Option<Family>>,
    /// Whether an expression needs the value itself, not only that there is one or a copy of it.
    computed: Vec<bool>,
}

/// What a path of an expression is, as far as the caller knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    /// A column of a known type.
    Known(DataType),
    /// A field of an open stream, perhaps under another name there.
    Open(usize, Path),
    /// Nothing is known and nothing is to be learned.
    Unknown,
}

/// Kinds of values that JSON tells apart, and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Text,
    Number,
    Boolean,
    Time,
}

impl Family {
    fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Self::Text),
            DataType::Boolean => Some(Self::Boolean),
            DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => Some(Self::Time),
            other if other.is_numeric() => Some(Self::Number),
            _ => None,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Time => columns::timestamp(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Time => "a time",
        }
    }
}

/// What is known of a part of an expression.
#[derive(Clone, Copy, Debug)]
enum Term {
    Variable(usize),
    Is(Family),
    Open,
}

/// The types of the paths of one expression over an open stream, each path once, in order; as [`Inference::types`].
///
/// # Errors
/// A path used as values of two types.
pub fn infer(parsed: &Parsed) -> Result<Vec<(Path, Option<DataType>)>, Error> {
    let mut inference = Inference::default();
    inference.observe(parsed, &|path| Slot::Open(0, path.clone()))?;
    Ok(inference.types(0))
}

impl Inference {
    /// Learns from an expression; `slot` says what its paths are.
    ///
    /// # Errors
    /// A path used as values of two types, here or here and in what was observed before.
    pub fn observe(&mut self, parsed: &Parsed, slot: &dyn Fn(&Path) -> Slot) -> Result<(), Error> {
        Observer {
            inference: self,
            parsed,
            slot,
        }
        .kept(&parsed.logical)
        .map(drop)
    }

    /// As [`Inference::observe`], of an expression whose value must be true or false.
    ///
    /// # Errors
    /// As for `observe`.
    pub fn observe_predicate(&mut self, parsed: &Parsed, slot: &dyn Fn(&Path) -> Slot) -> Result<(), Error> {
        self.observe_family(parsed, slot, Family::Boolean)
    }

    /// As [`Inference::observe`], of an expression whose value must be a number.
    ///
    /// # Errors
    /// As for `observe`.
    pub fn observe_number(&mut self, parsed: &Parsed, slot: &dyn Fn(&Path) -> Slot) -> Result<(), Error> {
        self.observe_family(parsed, slot, Family::Number)
    }

    fn observe_family(&mut self, parsed: &Parsed, slot: &dyn Fn(&Path) -> Slot, family: Family) -> Result<(), Error> {
        let mut observer = Observer {
            inference: self,
            parsed,
            slot,
        };
        let term = observer.term(&parsed.logical)?;
        observer.require(term, family)
    }

    /// Says that the value at `path` is read, and as what if that is known.
    pub fn read(&mut self, stream: usize, path: &Path, data_type: Option<&DataType>) {
        let variable = self.variable(stream, path);
        let root = self.root(variable);
        if let (None, Some(family)) = (self.families[root], data_type.and_then(Family::of)) {
            self.families[root] = Some(family);
        }
    }

    /// Says that two streams meet: from now on they are one, and a field has one type in both.
    ///
    /// Where they disagreed before, the first one's type holds and values of the other become dead letters.
    pub fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.stream(left), self.stream(right));
        if left == right {
            return;
        }
        let moved: Vec<(Path, usize)> = self
            .variables
            .iter()
            .filter(|((of, _), _)| *of == right)
            .map(|((_, path), variable)| (path.clone(), *variable))
            .collect();
        self.joined.insert(right, left);
        for (path, variable) in moved {
            let (kept, root) = (self.variable(left, &path), self.root(variable));
            let kept = self.root(kept);
            self.families[kept] = self.families[kept].or(self.families[root]);
            self.unite(kept, root);
        }
    }

    /// Says that two fields, of one stream or of two, become one column: they have one type if they can.
    ///
    /// Where they disagree already both stay as they are.
    pub fn meet(&mut self, left: (usize, &Path), right: (usize, &Path)) {
        let (left, right) = (self.variable(left.0, left.1), self.variable(right.0, right.1));
        let (left, right) = (self.root(left), self.root(right));
        let family = match (self.families[left], self.families[right]) {
            (Some(one), Some(other)) if one != other => return,
            (one, other) => one.or(other),
        };
        self.unite(left, right);
        self.families[left] = family;
    }

    /// One root instead of two; the family is the caller's to say.
    fn unite(&mut self, kept: usize, gone: usize) {
        self.parents[gone] = kept;
        self.computed[kept] |= self.computed[gone];
    }

    fn stream(&self, mut stream: usize) -> usize {
        while let Some(whole) = self.joined.get(&stream) {
            stream = *whole;
        }
        stream
    }

    /// Every path of a stream that was read, with its type, in order; without one where values of any type will do.
    #[must_use]
    pub fn types(&self, stream: usize) -> Vec<(Path, Option<DataType>)> {
        let stream = self.stream(stream);
        let of_stream = self.variables.iter().filter(|((of, _), _)| *of == stream);
        of_stream
            .map(|((_, path), variable)| {
                let root = self.root(*variable);
                let family = self.families[root].or_else(|| self.computed[root].then_some(Family::Text));
                (path.clone(), family.map(Family::data_type))
            })
            .collect()
    }

    /// Whether anything but its being read is known of a path.
    #[must_use]
    pub fn is_known(&self, stream: usize, path: &Path) -> bool {
        let variable = self.variables.get(&(self.stream(stream), path.clone()));
        variable.is_some_and(|variable| self.families[self.root(*variable)].is_some())
    }

    fn variable(&mut self, stream: usize, path: &Path) -> usize {
        let (stream, next) = (self.stream(stream), self.parents.len());
        let variable = *self.variables.entry((stream, path.clone())).or_insert(next);
        if variable == next {
            self.parents.push(next);
            self.families.push(None);
            self.computed.push(false);
        }
        variable
    }

    fn root(&self, mut variable: usize) -> usize {
        while self.parents[variable] != variable {
            variable = self.parents[variable];
        }
        variable
    }
}

struct Observer<'a> {
    inference: &'a mut Inference,
    parsed: &'a Parsed,
    slot: &'a dyn Fn(&Path) -> Slot,
}

impl Observer<'_> {
    fn term(&mut self, expr: &Expr) -> Result<Term, Error> {
        match expr {
            Expr::Alias(alias) => self.term(&alias.expr),
            Expr::Column(column) => {
                let term = self.column(&column.name);
                if let Term::Variable(variable) = term {
                    let root = self.inference.root(variable);
                    self.inference.computed[root] = true;
                }
                Ok(term)
            }
            Expr::Literal(value, _) => Ok(Family::of(&value.data_type()).map_or(Term::Open, Term::Is)),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Not(inner)
            | Expr::IsTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsNotUnknown(inner) => self.required(inner, Family::Boolean, Term::Is(Family::Boolean)),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                self.kept(inner)?;
                Ok(Term::Is(Family::Boolean))
            }
            Expr::Negative(inner) => self.required(inner, Family::Number, Term::Is(Family::Number)),
            Expr::Like(like) | Expr::SimilarTo(like) => {
                self.required(&like.expr, Family::Text, Term::Open)?;
                self.required(&like.pattern, Family::Text, Term::Is(Family::Boolean))
            }
            Expr::Between(between) => {
                self.alike(&[&between.expr, &between.low, &between.high], Term::Is(Family::Boolean))
            }
            Expr::InList(list) => {
                let all: Vec<&Expr> = std::iter::once(list.expr.as_ref()).chain(&list.list).collect();
                self.alike(&all, Term::Is(Family::Boolean))
            }
            Expr::Case(case) => self.case(case),
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type()),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type()),
            Expr::ScalarFunction(function) => self.function(function),
            // Everything else was refused when the expression was parsed.
            _ => Ok(Term::Open),
        }
    }

    /// A value that is not looked into: of a field nothing is learned but that it is read.
    fn kept(&mut self, expr: &Expr) -> Result<Term, Error> {
        match expr {
            Expr::Column(column) => Ok(self.column(&column.name)),
            other => self.term(other),
        }
    }

    fn column(&mut self, name: &str) -> Term {
        let Ok(path) = name.parse::<Path>() else {
            return Term::Open;
        };
        match (self.slot)(&path) {
            Slot::Known(data_type) => Family::of(&data_type).map_or(Term::Open, Term::Is),
            Slot::Open(stream, path) => Term::Variable(self.inference.variable(stream, &path)),
            Slot::Unknown => Term::Open,
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Result<Term, Error> {
        let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
        match binary.op {
            Operator::And | Operator::Or => {
                self.required(left, Family::Boolean, Term::Open)?;
                self.required(right, Family::Boolean, Term::Is(Family::Boolean))
            }
            Operator::Plus | Operator::Minus if is_interval(left) || is_interval(right) => {
                let moved = if is_interval(left) { right } else { left };
                self.required(moved, Family::Time, Term::Is(Family::Time))
            }
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                let (left, right) = (self.term(left)?, self.term(right)?);
                if [left, right]
                    .into_iter()
                    .any(|term| self.family(term) == Some(Family::Time))
                {
                    return Ok(Term::Open);
                }
                self.require(left, Family::Number)?;
                self.require(right, Family::Number)?;
                Ok(Term::Is(Family::Number))
            }
            Operator::StringConcat => {
                self.term(left)?;
                self.term(right)?;
                Ok(Term::Is(Family::Text))
            }
            Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch => {
                self.required(left, Family::Text, Term::Open)?;
                self.required(right, Family::Text, Term::Is(Family::Boolean))
            }
            _ => self.alike(&[left, right], Term::Is(Family::Boolean)),
        }
    }

    fn case(&mut self, case: &datafusion_expr::Case) -> Result<Term, Error> {
        for (when, _) in &case.when_then_expr {
            match &case.expr {
                Some(operand) => self.alike(&[operand, when], Term::Open)?,
                None => self.required(when, Family::Boolean, Term::Open)?,
            };
        }
        let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
        let results: Vec<&Expr> = thens.chain(case.else_expr.as_deref()).collect();
        self.same(&results)
    }

    /// A cast says what a value becomes. What needs a cast in JSON is text, and so is what is computed with and not known.
    fn cast(&mut self, inner: &Expr, target: &DataType) -> Result<Term, Error> {
        self.term(inner)?;
        Ok(Family::of(target).map_or(Term::Open, Term::Is))
    }

    fn function(&mut self, function: &ScalarFunction) -> Result<Term, Error> {
        const ALIKE: [&str; 5] = ["coalesce", "nullif", "nvl", "greatest", "least"];
        let arguments: Vec<&Expr> = function.args.iter().collect();
        if ALIKE.contains(&function.func.name()) {
            return self.same(&arguments);
        }
        let mut terms = Vec::with_capacity(arguments.len());
        for argument in &arguments {
            terms.push(self.term(argument)?);
        }
        // The exact types of literals matter to signatures; of the rest the family is enough.
        let known: Vec<Option<DataType>> = std::iter::zip(&arguments, &terms)
            .map(|(argument, term)| match argument {
                Expr::Literal(value, _) => Some(value.data_type()),
                _ => self.family(*term).map(Family::data_type),
            })
            .collect();
        let Some(coerced) = accepted(function, &known) else {
            return Ok(Term::Open);
        };
        for (index, term) in terms.iter().enumerate() {
            if let (Term::Variable(_), Some(family)) = (term, Family::of(&coerced[index])) {
                self.require(*term, family)?;
            }
        }
        let fields: Vec<FieldRef> = coerced
            .iter()
            .map(|data_type| Arc::new(Field::new("argument", data_type.clone(), true)))
            .collect();
        let scalars: Vec<Option<&datafusion_common::ScalarValue>> = arguments
            .iter()
            .map(|argument| match argument {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            })
            .collect();
        let asked = datafusion_expr::ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &scalars,
        };
        let result = function.func.return_field_from_args(asked);
        Ok(result
            .ok()
            .and_then(|field| Family::of(field.data_type()))
            .map_or(Term::Open, Term::Is))
    }

    fn required(&mut self, expr: &Expr, family: Family, result: Term) -> Result<Term, Error> {
        let term = self.term(expr)?;
        self.require(term, family)?;
        Ok(result)
    }

    fn alike(&mut self, exprs: &[&Expr], result: Term) -> Result<Term, Error> {
        self.same(exprs)?;
        Ok(result)
    }

    /// All of one family, which is then known of each.
    fn same(&mut self, exprs: &[&Expr]) -> Result<Term, Error> {
        let mut whole: Option<Term> = None;
        for expr in exprs {
            let term = self.term(expr)?;
            whole = Some(match whole {
                None | Some(Term::Open) => term,
                Some(before) => {
                    self.unify(before, term)?;
                    // A known family says more than a variable, and a variable more than nothing.
                    if matches!(before, Term::Variable(_)) && matches!(term, Term::Is(_)) {
                        term
                    } else {
                        before
                    }
                }
            });
        }
        Ok(whole.unwrap_or(Term::Open))
    }

    fn unify(&mut self, left: Term, right: Term) -> Result<(), Error> {
        match (left, right) {
            (Term::Variable(left), Term::Variable(right)) => {
                let (left, right) = (self.inference.root(left), self.inference.root(right));
                let family = match (self.inference.families[left], self.inference.families[right]) {
                    (Some(left), Some(right)) => Some(merge(left, right).ok_or_else(|| self.conflict(left, right))?),
                    (left, right) => left.or(right),
                };
                self.inference.unite(left, right);
                self.inference.families[left] = family;
                Ok(())
            }
            (variable @ Term::Variable(_), Term::Is(family)) | (Term::Is(family), variable @ Term::Variable(_)) => {
                self.require(variable, family)
            }
            // Two known types that do not go together are told by DataFusion, which knows its coercions.
            (Term::Is(_), Term::Is(_)) | (Term::Open, _) | (_, Term::Open) => Ok(()),
        }
    }

    fn require(&mut self, term: Term, family: Family) -> Result<(), Error> {
        let Term::Variable(variable) = term else { return Ok(()) };
        let root = self.inference.root(variable);
        self.inference.families[root] = Some(match self.inference.families[root] {
            None => family,
            Some(before) => match merge(before, family) {
                Some(merged) => merged,
                None => return Err(self.clash(root, before, family)),
            },
        });
        Ok(())
    }

    fn family(&self, term: Term) -> Option<Family> {
        match term {
            Term::Variable(variable) => self.inference.families[self.inference.root(variable)],
            Term::Is(family) => Some(family),
            Term::Open => None,
        }
    }

    fn clash(&self, root: usize, before: Family, now: Family) -> Error {
        let of_variable = |path: &Path| match (self.slot)(path) {
            Slot::Open(stream, path) => {
                let variable = self.inference.variables.get(&(self.inference.stream(stream), path));
                variable.is_some_and(|variable| self.inference.root(*variable) == root)
            }
            Slot::Known(_) | Slot::Unknown => false,
        };
        let path_use = self
            .parsed
            .uses()
            .iter()
            .rev()
            .find(|path_use| of_variable(&path_use.path));
        let (name, range) = match path_use {
            Some(path_use) => (path_use.path.to_string(), path_use.range.clone()),
            None => ("a field".to_owned(), 0..self.parsed.sql().len()),
        };
        let message = format!(
            "`{name}` is used as {} here and as {} before",
            now.word(),
            before.word()
        );
        Error::new(Kind::Type, range, message).help(format!("write what is meant: CAST({name} AS DOUBLE), for example"))
    }

    fn conflict(&self, left: Family, right: Family) -> Error {
        let message = format!("compares {} with {}", left.word(), right.word());
        Error::new(Kind::Type, 0..self.parsed.sql().len(), message)
    }
}

/// Text can be read as a time where it is compared with one.
fn merge(left: Family, right: Family) -> Option<Family> {
    match (left, right) {
        (left, right) if left == right => Some(left),
        (Family::Text, Family::Time) | (Family::Time, Family::Text) => Some(Family::Time),
        _ => None,
    }
}

fn is_interval(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if matches!(value.data_type(), DataType::Interval(_) | DataType::Duration(_)))
}

/// The types a function takes, where those not yet known are tried as text, number, time and boolean, in this order.
fn accepted(function: &ScalarFunction, known: &[Option<DataType>]) -> Option<Vec<DataType>> {
    [Family::Text, Family::Number, Family::Time, Family::Boolean]
        .into_iter()
        .find_map(|guess| {
            let types: Vec<DataType> = known
                .iter()
                .map(|data_type| data_type.clone().unwrap_or_else(|| guess.data_type()))
                .collect();
            let fields: Vec<FieldRef> = types
                .into_iter()
                .map(|data_type| Arc::new(Field::new("argument", data_type, true)))
                .collect();
            let coerced = fields_with_udf(&fields, function.func.as_ref()).ok()?;
            let coerced: Vec<DataType> = coerced.iter().map(|field| field.data_type().clone()).collect();
            // A guess that the function turns into something else is no evidence, except that text may be meant as a time.
            let kept = std::iter::zip(known, &coerced).all(|(before, after)| {
                before.is_some()
                    || Family::of(after)
                        .is_none_or(|family| family == guess || (guess, family) == (Family::Text, Family::Time))
            });
            kept.then_some(coerced)
        })
}

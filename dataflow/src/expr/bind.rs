//! Parsed expression and schema to a bound one: fields found, types checked, constants folded.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, DFSchemaRef, DataFusionError, ScalarValue};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Expr, ExprSchemable, cast, lit};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_sql::sqlparser::ast::{self, Spanned};

use super::error::{Error, Kind, nearest, sentence};
use super::parse::{Parsed, PathUse, logical, range};
use super::types::{row_type, type_name};
use super::{Path, physical};

/// An expression over rows of one schema. Its type is one that rows may have.
#[derive(Clone, Debug)]
pub struct Bound {
    /// What it yields.
    pub data_type: DataType,
    /// Whether it can yield NULL.
    pub nullable: bool,
    /// The field it names, where it is nothing but a path; with that field's metadata.
    pub field: Option<FieldRef>,
    /// The value it always has, as text, where it reads no field.
    pub constant: Option<String>,
    pub(super) logical: Expr,
    pub(super) schema: DFSchemaRef,
}

/// Binds `parsed` to rows of `schema`.
///
/// # Errors
/// Every unknown field; or else the first place where types do not go together.
pub fn bind(parsed: &Parsed, schema: &Schema) -> Result<Bound, Vec<Error>> {
    let unknown: Vec<Error> = parsed
        .uses()
        .iter()
        .filter_map(|path_use| unknown_field(path_use, schema))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let whole = 0..parsed.sql().len();
    let failed = |error: DataFusionError| vec![place(parsed, schema, &error)];
    let frame = frame(schema).map_err(failed)?;
    let typed = typed(parsed, &parsed.syntax, &frame).map_err(failed)?;
    let found = typed.get_type(frame.as_ref()).map_err(failed)?;
    let data_type = row_type(&found).ok_or_else(|| {
        let message = format!("a value of type {} cannot stand in a row", type_name(&found));
        vec![Error::new(Kind::Type, whole, message).help("write it as text, a number or a timestamp with CAST")]
    })?;
    let typed = if found == data_type {
        typed
    } else {
        cast(typed, data_type.clone())
    };
    let context = SimplifyContext::builder().with_schema(Arc::clone(&frame)).build();
    let simplified = ExprSimplifier::new(context).simplify(typed).map_err(failed)?;
    let bound = Bound {
        nullable: simplified.nullable(frame.as_ref()).unwrap_or(true),
        field: parsed.as_path().and_then(|path| find(path, schema)),
        constant: match &simplified {
            Expr::Literal(ScalarValue::Null, _) => Some("NULL".to_owned()),
            Expr::Literal(value, _) => Some(value.to_string()),
            _ => None,
        },
        data_type,
        logical: simplified,
        schema: frame,
    };
    // Some types are refused only here, such as a pattern that is no regular expression.
    physical::compile(&bound).map_err(failed)?;
    Ok(bound)
}

/// The field at `path`, if there is one.
#[must_use]
pub fn find(path: &Path, schema: &Schema) -> Option<FieldRef> {
    let mut fields: &Fields = schema.fields();
    let mut found: Option<&FieldRef> = None;
    for part in path.parts() {
        let field = fields.iter().find(|field| field.name() == part)?;
        found = Some(field);
        fields = match field.data_type() {
            DataType::Struct(inner) => inner,
            _ => &NO_FIELDS,
        };
    }
    found.cloned()
}

static NO_FIELDS: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::empty);

fn unknown_field(path_use: &PathUse, schema: &Schema) -> Option<Error> {
    missing(&path_use.path, schema).map(|missing| {
        let mut error = Error::new(Kind::Field, path_use.range.clone(), missing.message);
        error.help = match missing.help {
            _ if path_use.quoted_word => {
                let word = path_use.path.to_string();
                Some(format!("if it is meant as text, write it in single quotes: '{word}'"))
            }
            help => help,
        };
        error
    })
}

/// Why there is no field at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What was likely meant.
    pub help: Option<String>,
}

/// Why `path` names no field of `schema`; none where it names one.
#[must_use]
pub fn missing(path: &Path, schema: &Schema) -> Option<Missing> {
    let mut fields: &Fields = schema.fields();
    let mut parent: Option<&FieldRef> = None;
    for (index, part) in path.parts().iter().enumerate() {
        let Some(field) = fields.iter().find(|field| field.name() == part) else {
            return Some(absent(&path.parts()[..index], part, parent, fields));
        };
        parent = Some(field);
        fields = match field.data_type() {
            DataType::Struct(inner) => inner,
            _ => &NO_FIELDS,
        };
    }
    None
}

fn absent(before: &[String], part: &str, parent: Option<&FieldRef>, fields: &Fields) -> Missing {
    let before = before.join(".");
    let names = || {
        fields
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| !name.starts_with('$'))
    };
    if let Some(parent) = parent
        && !matches!(parent.data_type(), DataType::Struct(_))
    {
        let message = format!(
            "`{before}` is {} and has no field `{part}`",
            with_article(&type_name(parent.data_type()))
        );
        return Missing { message, help: None };
    }
    let message = match parent {
        Some(_) => format!("`{before}` has no field `{part}`"),
        None => format!("there is no field `{part}`"),
    };
    let help = match nearest(part, names()) {
        Some(meant) => Some(format!("did you mean `{meant}`?")),
        None => {
            let known: Vec<&str> = names().take(12).collect();
            let more = if names().count() > known.len() { ", …" } else { "" };
            (!known.is_empty()).then(|| format!("there are: {}{more}", known.join(", ")))
        }
    };
    Missing { message, help }
}

fn frame(schema: &Schema) -> Result<DFSchemaRef, DataFusionError> {
    Ok(Arc::new(DFSchema::from_unqualified_fields(
        schema.fields().clone(),
        HashMap::new(),
    )?))
}

/// Paths become columns and field accesses; operands are cast to common types.
fn typed(parsed: &Parsed, part: &ast::Expr, frame: &DFSchemaRef) -> Result<Expr, DataFusionError> {
    let schema = frame.as_arrow();
    let type_of = |path: &Path| find(path, schema).map_or(DataType::Null, |field| field.data_type().clone());
    let logical = logical(part, parsed.uses(), &type_of).map_err(DataFusionError::Plan)?;
    let resolved = logical.transform_up(|expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(resolve(&column, schema))),
        other => Ok(Transformed::no(other)),
    })?;
    let context = SimplifyContext::builder().with_schema(Arc::clone(frame)).build();
    let typed = ExprSimplifier::new(context).coerce(resolved.data, frame)?;
    typed.get_type(frame.as_ref())?;
    Ok(typed)
}

fn resolve(column: &Column, schema: &Schema) -> Expr {
    let path: Path = match column.name.parse() {
        Ok(path) if find(&path, schema).is_some() => path,
        // Names a column as a whole; DataFusion says so if there is none.
        _ => return Expr::Column(column.clone()),
    };
    let root = Expr::Column(Column::new_unqualified(path.column()));
    path.parts()[1..].iter().fold(root, |record, part| {
        datafusion_functions::core::get_field().call(vec![record, lit(part.as_str())])
    })
}

/// The innermost part of the expression that cannot be typed, and what is wrong with it.
fn place(parsed: &Parsed, schema: &Schema, error: &DataFusionError) -> Error {
    let mut found: Option<Error> = None;
    let _ = visit_up(&parsed.syntax, &mut |part| {
        let Err(error) = part_type(parsed, part, schema) else {
            return ControlFlow::Continue(());
        };
        let at = range(parsed.sql(), part.span());
        found = Some(Error::new(
            Kind::Type,
            at,
            message(parsed, part, schema).unwrap_or_else(|| sentence(&error)),
        ));
        ControlFlow::Break(())
    });
    found.unwrap_or_else(|| Error::new(Kind::Type, 0..parsed.sql().len(), sentence(error)))
}

fn visit_up(syntax: &ast::Expr, each: &mut dyn FnMut(&ast::Expr) -> ControlFlow<()>) -> ControlFlow<()> {
    struct Up<'a>(&'a mut dyn FnMut(&ast::Expr) -> ControlFlow<()>);
    impl ast::Visitor for Up<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
            (self.0)(expr)
        }
    }
    ast::Visit::visit(syntax, &mut Up(each))
}

fn part_type(parsed: &Parsed, part: &ast::Expr, schema: &Schema) -> Result<DataType, DataFusionError> {
    let frame = frame(schema)?;
    let typed = typed(parsed, part, &frame)?;
    let data_type = typed.get_type(frame.as_ref())?;
    let context = SimplifyContext::builder().with_schema(Arc::clone(&frame)).build();
    let simplified = ExprSimplifier::new(context).simplify(typed)?;
    let bound = Bound {
        data_type: data_type.clone(),
        nullable: true,
        field: None,
        constant: None,
        logical: simplified,
        schema: frame,
    };
    physical::compile(&bound)?;
    Ok(data_type)
}

/// What is wrong, in the words of the document, where the form of the expression is known; only of type errors.
fn message(parsed: &Parsed, part: &ast::Expr, schema: &Schema) -> Option<String> {
    let named = |expr: &ast::Expr| {
        let data_type = part_type(parsed, expr, schema).ok()?;
        let text = &parsed.sql()[range(parsed.sql(), expr.span())];
        Some((text.to_owned(), type_name(&data_type)))
    };
    match part {
        ast::Expr::BinaryOp { left, op, right } => {
            let ((left, left_type), (right, right_type)) = (named(left)?, named(right)?);
            (left_type != right_type || !numeric(&left_type)).then(|| {
                let (left_type, right_type) = (with_article(&left_type), with_article(&right_type));
                format!("`{left}` is {left_type} and `{right}` {right_type}: `{op}` does not take them")
            })
        }
        ast::Expr::InList { expr, list, .. } => {
            let (text, text_type) = named(expr)?;
            let types: Vec<(String, String)> = list.iter().filter_map(named).collect();
            let (other, other_type) = types.into_iter().find(|(_, data_type)| *data_type != text_type)?;
            let (text_type, other_type) = (with_article(&text_type), with_article(&other_type));
            Some(format!(
                "`{text}` is {text_type} and `{other}` {other_type}: they cannot be equal"
            ))
        }
        _ => None,
    }
}

fn with_article(type_name: &str) -> String {
    match type_name.chars().next() {
        Some('i') => format!("an {type_name}"),
        Some('{') => "a record".to_owned(),
        Some('[') => "a list".to_owned(),
        Some('N') => type_name.to_owned(),
        _ => format!("a {type_name}"),
    }
}

fn numeric(type_name: &str) -> bool {
    matches!(type_name, "int32" | "int64" | "float" | "double") || type_name.starts_with("decimal")
}

//! What SQL can say and an expression over one row cannot: refused with the reason, before DataFusion sees it.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Expr, Function, FunctionArguments, Query, Spanned, Value, Visit, Visitor};

use super::error::{Error, Kind, nearest};
use super::functions;
use super::parse::{DEPTH_MAX, range};

/// Checks the whole syntax tree.
pub(super) fn check(sql: &str, syntax: &Expr) -> Result<(), Error> {
    let mut visitor = Refuse { sql, depth: 0 };
    match syntax.visit(&mut visitor) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Refuse<'a> {
    sql: &'a str,
    depth: usize,
}

impl Refuse<'_> {
    fn refuse(&self, expr: &Expr, kind: Kind, message: impl Into<String>) -> Error {
        Error::new(kind, range(self.sql, expr.span()), message)
    }

    fn function(&self, expr: &Expr, function: &Function) -> Result<(), Error> {
        let name = function.name.to_string();
        let place = range(self.sql, function.name.span());
        if function.over.is_some() {
            return Err(self.refuse(
                expr,
                Kind::Refused,
                format!("`{name} OVER` needs several rows; an expression sees one"),
            ));
        }
        let Some(udf) = functions::find(&name) else {
            if functions::is_aggregate(&name) {
                return Err(Error::new(
                    Kind::Refused,
                    place,
                    format!("`{name}` needs several rows; an expression sees one"),
                )
                .help("aggregates belong into an `aggregate` step"));
            }
            let error = Error::new(Kind::Function, place, format!("there is no function `{name}`"));
            return Err(match nearest(&name, functions::names()) {
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error.help("`weir explain functions` lists them"),
            });
        };
        if !functions::answers_alike(&udf) {
            let message = format!("`{name}` answers differently each time, so a replay would give other rows");
            return Err(Error::new(Kind::Refused, place, message).help("use a time that is in the record"));
        }
        let plain = function.filter.is_none()
            && function.within_group.is_empty()
            && function.null_treatment.is_none()
            && matches!(function.parameters, FunctionArguments::None);
        let listed = match &function.args {
            FunctionArguments::None => true,
            FunctionArguments::List(list) => list.duplicate_treatment.is_none() && list.clauses.is_empty(),
            FunctionArguments::Subquery(_) => false,
        };
        if !plain || !listed {
            return Err(self.refuse(expr, Kind::Refused, format!("`{name}` takes plain arguments only")));
        }
        Ok(())
    }

    fn expression(&self, expr: &Expr) -> Result<(), Error> {
        match expr {
            Expr::Function(function) => self.function(expr, function),
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => Err(self
                    .refuse(
                        expr,
                        Kind::Refused,
                        format!("`{name}` is no field: names do not begin with `$`"),
                    )
                    .help("put a field of that name in double quotes")),
                _ => Ok(()),
            },
            Expr::Identifier(ident) => self.name(expr, &ident.value),
            Expr::CompoundIdentifier(idents) => idents.first().map_or(Ok(()), |ident| self.name(expr, &ident.value)),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(_, _) => {
                Err(self.refuse(expr, Kind::Refused, "`*` is no value: name the fields"))
            }
            Expr::Lambda(_)
            | Expr::Prior(_)
            | Expr::OuterJoin(_)
            | Expr::MatchAgainst { .. }
            | Expr::InUnnest { .. } => Err(self.refuse(expr, Kind::Refused, "this SQL has no meaning for one row")),
            // Whatever else DataFusion cannot plan it refuses itself.
            _ => Ok(()),
        }
    }

    fn name(&self, expr: &Expr, name: &str) -> Result<(), Error> {
        match name.chars().next() {
            Some('$') => Err(self.refuse(
                expr,
                Kind::Refused,
                format!("`{name}` is a column of Weir's own, not of the record"),
            )),
            Some('@') => Err(self
                .refuse(
                    expr,
                    Kind::Refused,
                    format!("`{name}` would be a variable; there are none"),
                )
                .help("put a field of that name in double quotes")),
            _ => Ok(()),
        }
    }
}

impl Visitor for Refuse<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let place = range(self.sql, query.span());
        ControlFlow::Break(Error::new(
            Kind::Refused,
            place,
            "a subquery: an expression sees one row and no tables",
        ))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("an expression more than {DEPTH_MAX} levels deep");
            return ControlFlow::Break(
                Error::new(Kind::Limit, 0..self.sql.len(), message)
                    .help("write `field IN ('A', 'B', …)` instead of many ORs"),
            );
        }
        match self.expression(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

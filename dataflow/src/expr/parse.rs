//! Text to a parsed expression: bounded, refused where it is no expression over one row, its paths known.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use arrow::datatypes::{DataType, Field};
use datafusion_common::DFSchema;
use datafusion_expr::Expr;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::{self, AccessExpr, Ident, Spanned, Subscript, Value, VisitMut, VisitorMut};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::{self, Keyword};
use datafusion_sql::sqlparser::parser::Parser;
use datafusion_sql::sqlparser::tokenizer::{self, Token, Tokenizer};

use super::error::{Error, Kind, sentence};
use super::provider::Provider;
use super::{Path, refuse};
use crate::element::columns;

/// An expression is at most this long, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Operators and keywords of one expression: what makes a syntax tree deep before its depth can be measured.
const CONNECTIVES_MAX: usize = 1_000;
/// Levels of the syntax tree. DataFusion recurses over it, at a few KiB of stack a level, on threads with 2 MiB.
pub(super) const DEPTH_MAX: usize = 128;
/// Parentheses inside parentheses.
const NESTING_MAX: usize = 48;

/// A parsed expression: syntax and functions are right, fields and types are not yet looked at.
#[derive(Clone, Debug)]
pub struct Parsed {
    sql: String,
    /// Each path as one identifier, written as [`Path`] displays it.
    pub(super) syntax: ast::Expr,
    /// Columns are named by whole paths.
    pub(super) logical: Expr,
    uses: Vec<PathUse>,
}

/// One place where an expression names a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    /// The path.
    pub path: Path,
    /// Where it stands in the text, in bytes.
    pub range: Range<usize>,
    /// Whether it is one plain word in double quotes: often text that should have stood in single quotes.
    pub quoted_word: bool,
}

impl Parsed {
    /// Parses one SQL expression.
    ///
    /// # Errors
    /// Text that is too long or too deep, no SQL expression, or one that cannot be computed from one row alone.
    pub fn parse(sql: &str) -> Result<Self, Error> {
        let whole = 0..sql.len();
        if sql.len() > TEXT_BYTES_MAX {
            let message = format!(
                "an expression of {} bytes; at most {TEXT_BYTES_MAX} are read",
                sql.len()
            );
            return Err(Error::new(Kind::Limit, whole, message));
        }
        let mut syntax = syntax(sql)?;
        refuse::check(sql, &syntax)?;
        let mut flatten = Flatten {
            sql,
            uses: Vec::new(),
            error: None,
        };
        let _ = syntax.visit(&mut flatten);
        if let Some(error) = flatten.error {
            return Err(error);
        }
        let uses = path_uses(sql, &syntax);
        let logical = untyped(&syntax, &uses).map_err(|message| Error::new(Kind::Refused, whole, message))?;
        Ok(Self {
            sql: sql.to_owned(),
            syntax,
            logical,
            uses,
        })
    }

    /// The text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Every place that names a path, in the order of the text.
    #[must_use]
    pub fn uses(&self) -> &[PathUse] {
        &self.uses
    }

    /// The paths it reads, each once, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let mut paths: Vec<Path> = self.uses.iter().map(|path_use| path_use.path.clone()).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// The path, where the expression is nothing but one.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        match &self.logical {
            Expr::Column(_) => self.uses.first().map(|path_use| &path_use.path),
            _ => None,
        }
    }
}

pub(super) fn syntax(sql: &str) -> Result<ast::Expr, Error> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| {
            let at = offset(sql, error.location);
            Error::new(Kind::Syntax, at..next_char(sql, at), plain(&error.message))
        })?;
    let connectives = tokens.iter().filter(|token| connects(&token.token)).count();
    if connectives > CONNECTIVES_MAX {
        let message =
            format!("an expression with {connectives} operators and keywords; at most {CONNECTIVES_MAX} are read");
        return Err(
            Error::new(Kind::Limit, 0..sql.len(), message).help("write `field IN ('A', 'B', …)` instead of many ORs")
        );
    }
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(NESTING_MAX)
        .with_tokens_with_locations(tokens);
    let syntax = parser.parse_expr().map_err(|error| parser_error(sql, &error))?;
    let rest = parser.peek_token();
    if rest.token == Token::EOF {
        return Ok(syntax);
    }
    let range = range(sql, rest.span);
    let error = Error::new(
        Kind::Syntax,
        range,
        format!("`{}` after the end of the expression", rest.token),
    );
    Err(match rest.token {
        Token::Word(word) if matches!(word.keyword, Keyword::AS | Keyword::FROM | Keyword::WHERE) => {
            error.help("an expression only, no SELECT: a column's name is the key before the expression")
        }
        _ => error,
    })
}

fn connects(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Whitespace(_) | Token::Comma | Token::Period | Token::RParen | Token::Number(_, _) => false,
        Token::SingleQuotedString(_) => false,
        _ => true,
    }
}

fn parser_error(sql: &str, error: &datafusion_sql::sqlparser::parser::ParserError) -> Error {
    use datafusion_sql::sqlparser::parser::ParserError;
    let whole = 0..sql.len();
    match error {
        ParserError::RecursionLimitExceeded => Error::new(
            Kind::Limit,
            whole,
            format!("an expression nested more than {NESTING_MAX} levels deep"),
        ),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            // The parser tells the place only as text at the end of its message.
            let (message, place) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
            let numbers: Vec<u64> = place
                .split(", Column: ")
                .filter_map(|number| number.trim().parse().ok())
                .collect();
            let range = match numbers[..] {
                [line, column] => {
                    let at = offset(sql, tokenizer::Location { line, column });
                    at..word_end(sql, at)
                }
                _ if message.contains("EOF") => sql.len()..sql.len(),
                _ => whole,
            };
            Error::new(Kind::Syntax, range, plain(message))
        }
    }
}

fn plain(message: &str) -> String {
    let message = message.trim().trim_start_matches("Expected: ");
    match message.rsplit_once(", found: ") {
        Some((expected, found)) => format!("expected {expected}, found {}", found.replace("EOF", "the end")),
        None => message.to_owned(),
    }
}

/// The byte offset of a place that counts lines and characters from one.
pub(super) fn offset(sql: &str, location: tokenizer::Location) -> usize {
    let line_start = match usize::try_from(location.line).unwrap_or(usize::MAX) {
        0 | 1 => 0,
        line => sql
            .match_indices('\n')
            .nth(line - 2)
            .map_or(sql.len(), |(at, _)| at + 1),
    };
    let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
    sql[line_start..]
        .char_indices()
        .nth(column)
        .map_or(sql.len(), |(at, _)| line_start + at)
}

pub(super) fn range(sql: &str, span: tokenizer::Span) -> Range<usize> {
    if span.start.line == 0 {
        return 0..sql.len();
    }
    let start = offset(sql, span.start);
    start..offset(sql, span.end).max(start)
}

fn next_char(sql: &str, at: usize) -> usize {
    sql[at..].chars().next().map_or(at, |letter| at + letter.len_utf8())
}

fn word_end(sql: &str, at: usize) -> usize {
    let end = sql[at..]
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .map_or(sql.len(), |length| at + length);
    end.max(next_char(sql, at))
}

/// Makes one identifier of every path, so that DataFusion sees plain columns.
struct Flatten<'a> {
    sql: &'a str,
    uses: Vec<Path>,
    error: Option<Error>,
}

impl VisitorMut for Flatten<'_> {
    type Break = ();

    // Behind its children, so that an identifier that was put in is not visited again.
    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        let span = expr.span();
        if let ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Plus,
            expr: inner,
        } = expr
        {
            *expr = ast::Expr::Nested(std::mem::replace(inner, Box::new(ast::Expr::value(Value::Null))));
            return ControlFlow::Continue(());
        }
        let parts = match &*expr {
            ast::Expr::Identifier(ident) => Ok(vec![ident.value.clone()]),
            ast::Expr::CompoundIdentifier(idents) => Ok(idents.iter().map(|ident| ident.value.clone()).collect()),
            ast::Expr::CompoundFieldAccess { root, access_chain } => access(root, access_chain),
            _ => return ControlFlow::Continue(()),
        };
        let quote = match &*expr {
            ast::Expr::Identifier(ident) => ident.quote_style,
            _ => None,
        };
        let path = parts.and_then(|parts| Path::new(parts).map_err(|error| error.to_string()));
        match path {
            Ok(path) => {
                *expr = ast::Expr::Identifier(Ident {
                    value: path.to_string(),
                    quote_style: quote,
                    span,
                });
                self.uses.push(path);
                ControlFlow::Continue(())
            }
            Err(message) => {
                self.error = Some(Error::new(Kind::Refused, range(self.sql, span), message));
                ControlFlow::Break(())
            }
        }
    }
}

/// `payload['total']` is the path `payload.total`.
fn access(root: &ast::Expr, chain: &[AccessExpr]) -> Result<Vec<String>, String> {
    let unclear = || "only a field's name in single quotes may stand in brackets: `payload['total']`".to_owned();
    let parts = |expr: &ast::Expr| match expr {
        // Visited before: the identifier is a whole path by now.
        ast::Expr::Identifier(ident) => ident
            .value
            .parse::<Path>()
            .map(|path| path.parts().to_vec())
            .map_err(|_not_a_path| unclear()),
        _ => Err(unclear()),
    };
    let mut path = parts(root)?;
    for step in chain {
        match step {
            AccessExpr::Dot(expr) => path.extend(parts(expr)?),
            AccessExpr::Subscript(Subscript::Index {
                index: ast::Expr::Value(value),
            }) => match &value.value {
                Value::SingleQuotedString(name) => path.push(name.clone()),
                _ => return Err(unclear()),
            },
            AccessExpr::Subscript(_) => return Err(unclear()),
        }
    }
    Ok(path)
}

/// Whether a word means something else in SQL unless it is quoted.
fn needs_quotes(word: &str) -> bool {
    let index = keywords::ALL_KEYWORDS.binary_search(&word.to_uppercase().as_str());
    index.is_ok_and(|index| {
        let keyword = keywords::ALL_KEYWORDS_INDEX[index];
        keywords::RESERVED_FOR_COLUMN_ALIAS.contains(&keyword) || keywords::RESERVED_FOR_IDENTIFIER.contains(&keyword)
    })
}

fn path_uses(sql: &str, syntax: &ast::Expr) -> Vec<PathUse> {
    let mut uses = Vec::new();
    let _ = ast::visit_expressions(syntax, |expr| {
        if let ast::Expr::Identifier(ident) = expr
            && let Ok(path) = ident.value.parse::<Path>()
        {
            let mut range = range(sql, ident.span);
            if sql[range.clone()].contains('[') && sql[range.end..].starts_with(']') {
                range.end += 1;
            }
            let text = sql[range.clone()].trim_matches('"');
            let quoted_word = ident.quote_style == Some('"')
                && sql[range.clone()].starts_with('"')
                && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
                && !needs_quotes(text);
            uses.push(PathUse {
                path,
                range,
                quoted_word,
            });
        }
        ControlFlow::<()>::Continue(())
    });
    uses.sort_by_key(|path_use| path_use.range.start);
    uses
}

/// The logical expression where types are not known. A few operators ask for them already when they are planned.
fn untyped(syntax: &ast::Expr, uses: &[PathUse]) -> Result<Expr, String> {
    let unknown = logical(syntax, uses, &|_| DataType::Null);
    let guesses = [
        DataType::Utf8View,
        DataType::Float64,
        columns::timestamp(),
        DataType::Boolean,
    ];
    guesses.into_iter().fold(unknown, |planned, guess| {
        planned.or_else(|error| logical(syntax, uses, &|_| guess.clone()).map_err(|_as_unclear| error))
    })
}

/// The logical expression over columns that are named by whole paths and have these types.
pub(super) fn logical(syntax: &ast::Expr, uses: &[PathUse], of: &dyn Fn(&Path) -> DataType) -> Result<Expr, String> {
    let provider = Provider::new();
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_enable_ident_normalization(false);
    let planner = SqlToRel::new_with_options(&provider, options);
    let mut fields: Vec<Field> = uses
        .iter()
        .map(|path_use| Field::new(path_use.path.to_string(), of(&path_use.path), true))
        .collect();
    fields.sort_by(|left, right| left.name().cmp(right.name()));
    fields.dedup_by(|left, right| left.name() == right.name());
    let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new()).map_err(|error| sentence(&error))?;
    planner
        .sql_to_expr(syntax.clone(), &schema, &mut PlannerContext::new())
        .map_err(|error| sentence(&error))
}

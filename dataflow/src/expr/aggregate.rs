//! Aggregates: `sum(payload.total)`, `count(*) FILTER (WHERE total > 100)`. One function over many rows, whose argument
//! and condition are expressions over one row each: they are found in the text, and parsed like any other.

use std::ops::{ControlFlow, Range};

use datafusion_sql::sqlparser::ast::{self, DuplicateTreatment, FunctionArguments, Spanned};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::error::{Error, Kind, nearest};
use super::functions;
use super::parse::{TEXT_BYTES_MAX, range, syntax};
use crate::recipe::Function;

/// What an aggregate's text consists of.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    /// How rows are folded.
    pub function: Function,
    /// Where in the text its argument stands; none for `count(*)`.
    pub argument: Option<Range<usize>>,
    /// Where in the text the condition of its `FILTER` stands.
    pub filter: Option<Range<usize>>,
}

/// What arguments a function takes.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// `*`, or one value, or `DISTINCT` and one value.
    Count,
    /// One value.
    Plain(Function),
    /// One value, and a share from 0 to 1.
    Percentile,
}

/// The functions, by the names a person may write, in the order in which they are listed.
const FORMS: [(&str, Form); 19] = [
    ("count", Form::Count),
    ("sum", Form::Plain(Function::Sum)),
    ("min", Form::Plain(Function::Min)),
    ("max", Form::Plain(Function::Max)),
    ("avg", Form::Plain(Function::Avg)),
    ("first", Form::Plain(Function::First)),
    ("last", Form::Plain(Function::Last)),
    ("stddev", Form::Plain(Function::Stddev)),
    ("stddev_pop", Form::Plain(Function::StddevPop)),
    ("var", Form::Plain(Function::Variance)),
    ("var_pop", Form::Plain(Function::VariancePop)),
    ("approx_distinct", Form::Plain(Function::ApproxDistinct)),
    ("approx_percentile", Form::Percentile),
    ("approx_median", Form::Plain(Function::ApproxPercentile(0.5))),
    // What other engines call them.
    ("mean", Form::Plain(Function::Avg)),
    ("first_value", Form::Plain(Function::First)),
    ("last_value", Form::Plain(Function::Last)),
    ("stddev_samp", Form::Plain(Function::Stddev)),
    ("var_samp", Form::Plain(Function::Variance)),
];
/// How many of [`FORMS`] are listed.
const LISTED: usize = 14;

/// The names of the functions that fold rows.
pub fn aggregates() -> impl Iterator<Item = &'static str> {
    FORMS.iter().take(LISTED).map(|(name, _)| *name)
}

/// Whether a name, in any case, is one of a function that folds rows.
pub(super) fn is_aggregate(name: &str) -> bool {
    form(name).is_some()
}

fn form(name: &str) -> Option<Form> {
    let named = |(known, _): &&(&str, Form)| known.eq_ignore_ascii_case(name);
    FORMS.iter().find(named).map(|(_, form)| *form)
}

/// Takes the text of an aggregate apart. What stands in its argument and condition is not looked at.
///
/// # Errors
/// Text that is no SQL, no aggregate, or one with arguments that it does not take.
pub fn aggregation(sql: &str) -> Result<Aggregation, Error> {
    if sql.len() > TEXT_BYTES_MAX {
        let message = format!("an aggregate of {} bytes; at most {TEXT_BYTES_MAX} are read", sql.len());
        return Err(Error::new(Kind::Limit, 0..sql.len(), message));
    }
    let call = match syntax(sql)? {
        ast::Expr::Function(call) => call,
        other => return Err(no_aggregate(sql, &other)),
    };
    let form = known(sql, &call)?;
    plain(sql, &call)?;
    let text = Tokens::of(sql)?;
    let (open, close) = text
        .parentheses(0)
        .ok_or_else(|| wrong(sql, 0..sql.len(), format!("`{}` needs its argument", call.name)))?;
    let filter = call.filter.as_ref().and_then(|_| text.filter(close));
    let arguments = text.arguments(open, close);
    let distinct = is_distinct(&call);
    let (function, argument) = match form {
        Form::Count => counted(sql, &text, &arguments, distinct)?,
        Form::Plain(_) | Form::Percentile if distinct => {
            let message = format!("`{}` takes no DISTINCT", call.name);
            return Err(wrong(sql, range(sql, call.name.span()), message).help("only `count` does"));
        }
        Form::Plain(function) => (function, Some(only(sql, &text, (&call, &arguments))?)),
        Form::Percentile => percentile(sql, &text, (&call, &arguments))?,
    };
    Ok(Aggregation {
        function,
        argument,
        filter,
    })
}

fn wrong(sql: &str, range: Range<usize>, message: impl Into<String>) -> Error {
    let range = if range.is_empty() { 0..sql.len() } else { range };
    Error::new(Kind::Aggregate, range, message)
}

/// Why an expression that is no call of a function is no aggregate.
fn no_aggregate(sql: &str, syntax: &ast::Expr) -> Error {
    let inside = ast::visit_expressions(syntax, |part| match part {
        ast::Expr::Function(call) if is_aggregate(&call.name.to_string()) => {
            ControlFlow::Break(range(sql, call.name.span()))
        }
        _ => ControlFlow::Continue(()),
    });
    let text = shown(sql);
    match inside {
        ControlFlow::Break(range) => wrong(sql, range, format!("`{text}` computes with an aggregate"))
            .help("fold each value under a name of its own, and compute with the names in a `select` behind it"),
        ControlFlow::Continue(()) => {
            let message = format!("`{text}` is a value of one row, and nothing says how those of many become one");
            let help = format!("such as `sum({text})`; what all rows of a result have in common belongs into `keyBy`");
            wrong(sql, 0..sql.len(), message).help(help)
        }
    }
}

/// So much of an expression as fits into a message.
fn shown(sql: &str) -> String {
    let text = sql.trim();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn known(sql: &str, call: &ast::Function) -> Result<Form, Error> {
    let name = call.name.to_string();
    if let Some(form) = form(&name) {
        return Ok(form);
    }
    let place = range(sql, call.name.span());
    let list = aggregates().collect::<Vec<_>>().join(", ");
    if functions::find(&name).is_some() {
        let message = format!("`{name}` is a function of one row: it folds nothing");
        return Err(Error::new(Kind::Function, place, message).help(format!("functions of many rows are {list}")));
    }
    let message = format!("there is no function `{name}` of many rows");
    let error = Error::new(Kind::Function, place, message);
    Err(match nearest(&name, FORMS.iter().map(|(name, _)| *name)) {
        Some(meant) => error.help(format!("did you mean `{meant}`? There are {list}")),
        None => error.help(format!("there are {list}")),
    })
}

/// Refuses what SQL allows around aggregates and we do not have.
fn plain(sql: &str, call: &ast::Function) -> Result<(), Error> {
    let name = &call.name;
    let place = || range(sql, name.span());
    if call.over.is_some() {
        let message = format!("`{name} OVER` gives a value for each row, and an aggregate one for each key and window");
        return Err(wrong(sql, place(), message).help("`topN` numbers the rows of a key"));
    }
    let listed = match &call.args {
        FunctionArguments::List(list) => list.clauses.is_empty(),
        FunctionArguments::None => true,
        FunctionArguments::Subquery(_) => false,
    };
    let bare = call.within_group.is_empty()
        && call.null_treatment.is_none()
        && matches!(call.parameters, FunctionArguments::None);
    if listed && bare {
        return Ok(());
    }
    let message = format!("`{name}` takes plain arguments and a `FILTER (WHERE …)` only");
    let error = wrong(sql, place(), message);
    Err(
        if matches!(
            form(&name.to_string()),
            Some(Form::Plain(Function::First | Function::Last))
        ) {
            error.help("first and last go by event time, and without it by arrival")
        } else {
            error
        },
    )
}

fn is_distinct(call: &ast::Function) -> bool {
    match &call.args {
        FunctionArguments::List(list) => list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
        FunctionArguments::None | FunctionArguments::Subquery(_) => false,
    }
}

#[expect(
    clippy::fn_params_excessive_bools,
    reason = "whether DISTINCT stands there is what the grammar says"
)]
fn counted(
    sql: &str,
    text: &Tokens<'_>,
    arguments: &[Range<usize>],
    distinct: bool,
) -> Result<(Function, Option<Range<usize>>), Error> {
    match arguments {
        [one] if text.is_star(one) && !distinct => Ok((Function::Count, None)),
        [one] if text.is_star(one) => {
            Err(
                wrong(sql, text.bytes(one), "`count(DISTINCT *)` counts nothing in particular")
                    .help("name one field: `count(DISTINCT userId)`"),
            )
        }
        [one] if distinct => Ok((Function::CountDistinct, Some(text.bytes(one)))),
        [one] => Ok((Function::Count, Some(text.bytes(one)))),
        [] => Err(wrong(sql, 0..sql.len(), "`count` of nothing").help("all rows are `count(*)`")),
        [_, second, ..] => Err(wrong(sql, text.bytes(second), "`count` takes one argument")
            .help("several fields: put them together first, `count(DISTINCT a || b)`")),
    }
}

/// The one argument of a function that takes one.
fn only(
    sql: &str,
    text: &Tokens<'_>,
    (call, arguments): (&ast::Function, &[Range<usize>]),
) -> Result<Range<usize>, Error> {
    let name = &call.name;
    match arguments {
        [one] if text.is_star(one) => {
            let error = wrong(sql, text.bytes(one), format!("`{name}` folds values, and `*` is none"));
            Err(error.help("name a field; only `count` takes `*`"))
        }
        [one] => Ok(text.bytes(one)),
        [] => Err(wrong(sql, 0..sql.len(), format!("`{name}` needs its argument"))),
        [_, second, ..] => Err(wrong(sql, text.bytes(second), format!("`{name}` takes one argument"))),
    }
}

fn percentile(
    sql: &str,
    text: &Tokens<'_>,
    (call, arguments): (&ast::Function, &[Range<usize>]),
) -> Result<(Function, Option<Range<usize>>), Error> {
    let [value, share] = arguments else {
        let message = format!("`{}` takes a value and a share", call.name);
        return Err(wrong(sql, 0..sql.len(), message).help("such as `approx_percentile(latency, 0.99)`"));
    };
    let place = text.bytes(share);
    match sql[place.clone()].trim().parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((
            Function::ApproxPercentile(share),
            Some(only(sql, text, (call, std::slice::from_ref(value)))?),
        )),
        Ok(_) | Err(_) => {
            let message = format!("`{}` is no share from 0 to 1", &sql[place.clone()]);
            Err(wrong(sql, place, message).help("the 99th percentile is `0.99`"))
        }
    }
}

/// The words of an aggregate, without the spaces between them.
struct Tokens<'a> {
    sql: &'a str,
    tokens: Vec<TokenWithSpan>,
}

impl<'a> Tokens<'a> {
    fn of(sql: &'a str) -> Result<Self, Error> {
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
        let mut tokens = tokens.map_err(|error| Error::new(Kind::Syntax, 0..sql.len(), error.message))?;
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
        Ok(Self { sql, tokens })
    }

    /// The first pair of parentheses from a token on.
    fn parentheses(&self, from: usize) -> Option<(usize, usize)> {
        let open = from
            + self
                .tokens
                .get(from..)?
                .iter()
                .position(|one| one.token == Token::LParen)?;
        let mut depth = 0_usize;
        for (index, token) in self.tokens.iter().enumerate().skip(open) {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 1 => return Some((open, index)),
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        None
    }

    /// The tokens of each argument between two parentheses, without a leading `DISTINCT`.
    #[expect(
        clippy::mut_range_bound,
        reason = "the first argument begins where DISTINCT ends; later ones where the one before does"
    )]
    fn arguments(&self, open: usize, close: usize) -> Vec<Range<usize>> {
        let mut start = open + 1;
        if matches!(&self.tokens[start].token, Token::Word(word) if matches!(word.keyword, Keyword::DISTINCT | Keyword::ALL))
        {
            start += 1;
        }
        let (mut found, mut depth) = (Vec::new(), 0_usize);
        for index in start..close {
            match self.tokens[index].token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => found.push(std::mem::replace(&mut start, index + 1)..index),
                _ => {}
            }
        }
        if start < close {
            found.push(start..close);
        }
        found.retain(|one| !one.is_empty());
        found
    }

    fn is_star(&self, tokens: &Range<usize>) -> bool {
        matches!(&self.tokens[tokens.clone()], [one] if one.token == Token::Mul)
    }

    /// Where tokens, at least one, stand in the text.
    fn bytes(&self, tokens: &Range<usize>) -> Range<usize> {
        let (first, last) = (&self.tokens[tokens.start], &self.tokens[tokens.end - 1]);
        range(self.sql, first.span).start..range(self.sql, last.span).end
    }

    /// The condition of the `FILTER (WHERE …)` behind a token.
    fn filter(&self, behind: usize) -> Option<Range<usize>> {
        let (open, close) = self.parentheses(behind + 1)?;
        // Between the parenthesis and the condition stands the word WHERE.
        let condition = open + 2..close;
        (!condition.is_empty()).then(|| self.bytes(&condition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (Function, Option<&'a str>, Option<&'a str>);

    fn parts(sql: &str) -> Result<Parts<'_>, Error> {
        let found = aggregation(sql)?;
        let text = |range: Option<Range<usize>>| range.map(|range| &sql[range]);
        Ok((found.function, text(found.argument), text(found.filter)))
    }

    #[test]
    fn an_aggregate_is_a_function_its_argument_and_a_condition() {
        for (sql, expected) in [
            ("count(*)", (Function::Count, None, None)),
            (" COUNT( * ) ", (Function::Count, None, None)),
            ("count(payload.total)", (Function::Count, Some("payload.total"), None)),
            (
                "count(DISTINCT coalesce(a, b))",
                (Function::CountDistinct, Some("coalesce(a, b)"), None),
            ),
            (
                "sum(CAST(a AS BIGINT) + 1) filter (where (b > 1) AND c = ')')",
                (
                    Function::Sum,
                    Some("CAST(a AS BIGINT) + 1"),
                    Some("(b > 1) AND c = ')'"),
                ),
            ),
            (
                "count(*) FILTER (WHERE é = 'ü, (')",
                (Function::Count, None, Some("é = 'ü, ('")),
            ),
            (
                "approx_percentile(latency, 0.99)",
                (Function::ApproxPercentile(0.99), Some("latency"), None),
            ),
            (
                "approx_percentile(latency, 1)",
                (Function::ApproxPercentile(1.0), Some("latency"), None),
            ),
            ("approx_median(x)", (Function::ApproxPercentile(0.5), Some("x"), None)),
            ("first_value(x['y'])", (Function::First, Some("x['y']"), None)),
            ("max(\n  a\n  * 2)", (Function::Max, Some("a\n  * 2"), None)),
        ] {
            assert_eq!(parts(sql).unwrap(), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_no_aggregate_is_refused_with_its_place() {
        for (sql, kind, place, part) in [
            (
                "sum(a) / count(*)",
                Kind::Aggregate,
                "sum",
                "computes with an aggregate",
            ),
            ("(sum(a))", Kind::Aggregate, "sum", "computes with an aggregate"),
            ("payload.total", Kind::Aggregate, "payload.total", "value of one row"),
            ("1 + 1", Kind::Aggregate, "1 + 1", "value of one row"),
            ("lower(a)", Kind::Function, "lower", "function of one row"),
            ("summ(a)", Kind::Function, "summ", "no function `summ`"),
            ("sum(DISTINCT a)", Kind::Aggregate, "sum", "no DISTINCT"),
            ("count(DISTINCT *)", Kind::Aggregate, "*", "nothing in particular"),
            ("count(a, b)", Kind::Aggregate, "b", "one argument"),
            ("count()", Kind::Aggregate, "count()", "of nothing"),
            ("avg(*)", Kind::Aggregate, "*", "is none"),
            ("avg(a, b)", Kind::Aggregate, "b", "one argument"),
            ("min()", Kind::Aggregate, "min()", "needs its argument"),
            ("first(a ORDER BY b)", Kind::Aggregate, "first", "plain arguments"),
            ("sum(a) OVER (PARTITION BY b)", Kind::Aggregate, "sum", "OVER"),
            ("approx_percentile(a, 99)", Kind::Aggregate, "99", "no share"),
            ("approx_percentile(a, b)", Kind::Aggregate, "b", "no share"),
            (
                "approx_percentile(a)",
                Kind::Aggregate,
                "approx_percentile(a)",
                "a value and a share",
            ),
            ("count(*", Kind::Syntax, "", ""),
            ("count(*) FILTER WHERE a", Kind::Syntax, "WHERE", ""),
        ] {
            let error = parts(sql).unwrap_err();
            assert_eq!(error.kind, kind, "{sql}: {error}");
            assert_eq!(&sql[error.range.clone()], place, "{sql}: {error}");
            assert!(error.message.contains(part), "{sql}: {error}");
        }
    }

    #[test]
    fn what_a_function_gives_follows_from_its_argument() {
        use arrow::datatypes::DataType::{Boolean, Decimal128, Float32, Float64, Int32, Int64, Utf8View};
        for (function, argument, gives) in [
            (Function::Sum, Int32, Some(Int64)),
            (Function::Sum, Float32, Some(Float64)),
            (Function::Sum, Decimal128(10, 2), Some(Decimal128(38, 2))),
            (Function::Sum, Utf8View, None),
            (Function::Avg, Int64, Some(Float64)),
            (Function::Avg, Decimal128(10, 2), Some(Decimal128(38, 6))),
            (Function::Max, Utf8View, Some(Utf8View)),
            (Function::Stddev, Boolean, None),
            (Function::Count, Boolean, Some(Int64)),
        ] {
            assert_eq!(function.gives(Some(&argument)), gives, "{function:?} of {argument}");
        }
        assert_eq!(Function::Count.gives(None), Some(Int64));
        assert_eq!(Function::Sum.gives(None), None);
    }
}

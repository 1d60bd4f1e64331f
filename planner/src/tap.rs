//! Looking at the rows of a running step: where in the job graph they are, and what a condition over them means.
//!
//! Enters: a job graph, the name of a step, the text of an expression. Leaves: a [`Look`], or what is wrong with what was
//! asked, with its place. Who calls: the job manager, before anything is sent. Must stay true: a condition never reads what
//! is hidden, for each answer to it would say something of that; what is let through compiles on the task manager.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use dataflow::element::columns;
use dataflow::expr::{self, Expression, Parsed, bind, infer};
use dataflow::id::VertexId;
use dataflow::recipe::{Format, Node, Recipe};

use crate::diagnostic::nearest;
use crate::job::{JobGraph, Vertex};
use crate::logical::nested;

/// So many steps are named where one was not found.
const NAMED_MAX: usize = 12;

/// What is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The step.
    pub step: String,
    /// The vertex that runs it.
    pub vertex: VertexId,
    /// In how many subtasks.
    pub parallelism: u32,
    /// The columns of its rows, reserved ones left out; none of records that are carried as bytes but those that were read.
    pub columns: Vec<String>,
    /// Which rows.
    pub condition: Option<Condition>,
}

/// Which rows are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// For which this is true.
    pub expression: Expression,
    /// What it reads of records that are carried as bytes, and how those are read.
    pub open: Option<(Arc<Schema>, Format)>,
}

/// Why there is nothing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such step.
    Step {
        /// What was asked for.
        step: String,
        /// What was likely meant, or what there is.
        help: String,
    },
    /// The condition is wrong.
    Condition {
        /// Its text.
        sql: String,
        /// What is wrong; lower case, no full stop.
        message: String,
        /// What to write instead, if known.
        help: Option<String>,
        /// Which bytes of the text it is about.
        range: Range<usize>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { step, .. } => write!(f, "there is no step `{step}`"),
            Self::Condition { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Refusal {}

/// What it is to look at a step, at all of its rows or at those for which `condition` is true.
///
/// # Errors
/// No such step, or a condition that does not fit its rows.
pub fn look(graph: &JobGraph, step: &str, condition: Option<&str>) -> Result<Look, Refusal> {
    let (vertex, node) = find(graph, step).ok_or_else(|| unknown(graph, step))?;
    // What a sink is handed is what is seen of it.
    let schema = match node.recipe {
        Recipe::Sink(_) => &node.input,
        _ => &node.output,
    };
    let user = schema
        .fields()
        .iter()
        .filter(|field| !columns::is_reserved(field.name()));
    Ok(Look {
        step: step.to_owned(),
        vertex: vertex.id,
        parallelism: vertex.parallelism,
        columns: user.map(|field| field.name().clone()).collect(),
        condition: condition.map(|sql| compile(graph, (vertex, schema), sql)).transpose()?,
    })
}

/// The last node of that name: what leaves a step leaves its last part.
fn find<'a>(graph: &'a JobGraph, step: &str) -> Option<(&'a Vertex, &'a Node)> {
    let mut nodes = graph
        .vertices
        .iter()
        .flat_map(|vertex| vertex.chain.nodes.iter().map(move |node| (vertex, node)));
    nodes.rfind(|(_, node)| node.name == step)
}

fn unknown(graph: &JobGraph, step: &str) -> Refusal {
    let names = || {
        graph
            .vertices
            .iter()
            .flat_map(|vertex| &vertex.chain.nodes)
            .map(|node| node.name.as_str())
    };
    let help = match nearest(step, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let some: Vec<&str> = names().take(NAMED_MAX).collect();
            let more = if names().count() > some.len() { ", …" } else { "" };
            format!("there are: {}{more}", some.join(", "))
        }
    };
    Refusal::Step {
        step: step.to_owned(),
        help,
    }
}

fn compile(graph: &JobGraph, (vertex, schema): (&Vertex, &Schema), sql: &str) -> Result<Condition, Refusal> {
    let refused = |error: expr::Error| Refusal::Condition {
        sql: sql.to_owned(),
        message: error.message,
        help: error.help,
        range: error.range,
    };
    let wrong = |range: Range<usize>, message: String, help: &str| Refusal::Condition {
        sql: sql.to_owned(),
        message,
        help: Some(help.to_owned()),
        range,
    };
    let parsed = Parsed::parse(sql).map_err(refused)?;
    if let Some((range, message, help)) = forbidden(graph, &parsed) {
        return Err(wrong(range, message, help));
    }
    let open = match schema.index_of(columns::RAW) {
        Ok(_) => Some((
            Arc::new(Schema::new(nested(&infer(&parsed).map_err(refused)?))),
            format_of(graph, vertex),
        )),
        Err(_) => None,
    };
    let user = schema
        .fields()
        .iter()
        .filter(|field| !columns::is_reserved(field.name()));
    let rows = Schema::new(user.cloned().collect::<Vec<_>>());
    let read = open.as_ref().map_or(&rows, |(fields, _)| fields);
    let bound = bind(&parsed, read).map_err(|mut errors| refused(errors.swap_remove(0)))?;
    if bound.data_type != DataType::Boolean {
        let message = format!(
            "it yields {} for each row, not true or false",
            expr::type_name(&bound.data_type)
        );
        return Err(wrong(
            0..sql.len(),
            message,
            "compare it with something, such as `total > 5`",
        ));
    }
    let open = match open {
        None => None,
        Some((fields, Some(format))) => Some((fields, format)),
        Some((_, None)) => {
            let message = "these rows are bytes that nothing reads".to_owned();
            return Err(wrong(
                0..sql.len(),
                message,
                "look at all of them, or give the source a `format`",
            ));
        }
    };
    Ok(Condition {
        expression: Expression::new(sql),
        open,
    })
}

/// What must not be asked for: where it stands, why, and what to do.
fn forbidden(graph: &JobGraph, parsed: &Parsed) -> Option<(Range<usize>, String, &'static str)> {
    parsed.uses().iter().find_map(|path_use| {
        let (path, range) = (&path_use.path, path_use.range.clone());
        if let Some(hidden) = graph.settings.hidden.touched_by(path) {
            let message = format!("`{path}` cannot be asked for: `{hidden}` is hidden");
            return Some((range, message, "its document hides it from everybody who looks at rows"));
        }
        let message = format!("`{path}` is a name of Weir's own");
        columns::is_reserved(path.column()).then_some((range, message, "name fields of the rows"))
    })
}

/// How records are read that reach a vertex as bytes: as something decodes them there, or elsewhere in the job.
fn format_of(graph: &JobGraph, vertex: &Vertex) -> Option<Format> {
    const UNREADABLE: &str = "raw";
    let of = |node: &Node| match &node.recipe {
        Recipe::Decode(decode) => Some(decode.format.clone()),
        Recipe::Source(source) => source.format.clone(),
        _ => None,
    };
    let own = vertex.chain.nodes.iter().filter_map(of);
    let others = graph
        .vertices
        .iter()
        .flat_map(|vertex| &vertex.chain.nodes)
        .filter_map(of);
    own.chain(others).find(|format| format.name != UNREADABLE)
}

//! Steps that keep something: `dedup`, `aggregate`, `topN`, `delay`, `rateLimit`.

use dataflow::expr::Path;
use dataflow::recipe::{Direction, Excess, Ties};
use serde_json::Value as Json;

use super::node::{Entry, Node, Value};
use super::reader::Reader;
use super::span::Spanned;
use super::{Aggregate, Dedup, Delay, Measure, Operation, RateLimit, TopN};
use crate::diagnostic::{Diagnostic, codes};

/// The most rows that a `topN` keeps of a key.
const LIMIT_MAX: u32 = 1_000_000;

impl Reader<'_> {
    /// `keyBy` beside a step that has its key inside.
    pub(crate) fn key_beside(&mut self, item: &Node, step: Option<&Entry>, operation: &Operation) {
        if let (Some(entry), Some(step), Operation::Dedup(dedup)) = (item.entry("keyBy"), step, operation) {
            let message = "a `dedup` deals its rows out by its own `key`";
            let found = Diagnostic::new(codes::E0614, entry.key.span, message);
            let inside = dedup.keys.first().map_or(step.key.span, |key| key.span);
            self.report(found.also(inside, "the key").help("remove `keyBy`"));
        }
    }

    /// `{ key: [eventId], within: 24h }`.
    pub(crate) fn dedup(&mut self, node: &Node) -> Option<Dedup> {
        self.map(node, "`dedup`", &["key", "within", "time"])?;
        let keys = self.needed(node, "dedup", ("key", "such as `key: [eventId]`"));
        let keys = keys.map(|keys| self.paths(keys));
        let help = "how long a key is remembered, such as `within: 24h`";
        let within = self.needed(node, "dedup", ("within", help));
        let within = within.and_then(|within| self.interval(within));
        let time = self.time(node);
        Some(Dedup {
            keys: keys.filter(|keys| !keys.is_empty())?,
            within: within?,
            time: settled(time)?,
        })
    }

    /// What stands at a key that must be there.
    fn needed<'n>(&mut self, node: &'n Node, step: &str, (key, help): (&str, &str)) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() {
            self.error(codes::E0203, node.span, format!("`{step}` needs `{key}`"), help);
        }
        found
    }

    /// A map of names and aggregates, and the window beside it.
    pub(crate) fn aggregate(&mut self, item: &Node, node: &Node) -> Option<Aggregate> {
        let window = item.entry("window").map(|entry| self.window(entry));
        let Value::Map(entries) = &node.value else {
            self.expected(node, "a map (each column and its aggregate)");
            return None;
        };
        if entries.is_empty() {
            let help = "write `aggregate: { orders: count(*), revenue: sum(payload.total) }`";
            self.error(codes::E0214, node.span, "an aggregate without columns", help);
        }
        let mut measures = Vec::new();
        for Entry { key, value } in entries {
            let named = self.column_name(key);
            if let Some(aggregate) = self.expression(value).filter(|_| named) {
                measures.push(Measure {
                    name: key.clone(),
                    aggregate,
                });
            }
        }
        let fine = !measures.is_empty() && measures.len() == entries.len();
        let window = match window {
            Some(window) => Some(window?),
            None => None,
        };
        fine.then_some(Aggregate { measures, window })
    }

    /// `{ orderBy: ["price DESC", "dateTime"], limit: 10, rank: rank }`.
    pub(crate) fn top_n(&mut self, item: &Node, node: &Node) -> Option<TopN> {
        let window = item.entry("window").map(|entry| self.plain_window(entry));
        self.map(node, "`topN`", &["orderBy", "limit", "rank", "ties"])?;
        let order = self.needed(node, "topN", ("orderBy", "such as `orderBy: [\"price DESC\"]`"));
        let order = order.map(|order| {
            let items = self.list(order, "paths, each with ASC or DESC behind it");
            let known: Vec<_> = items.iter().filter_map(|item| self.order(item)).collect();
            (known.len() == items.len() && !known.is_empty()).then_some(known)
        });
        let limit = self.needed(
            node,
            "topN",
            ("limit", "how many rows are kept of each key, such as `limit: 10`"),
        );
        let limit = limit.and_then(|limit| self.number(limit, (1, LIMIT_MAX)));
        let rank = node.get("rank").map(|node| {
            let name = self.string(node, "the name of a column");
            name.filter(|name| self.column_name(name))
        });
        let ties = node.get("ties").map(|node| self.ties(node));
        Some(TopN {
            order: order.flatten()?,
            limit: u64::from(limit?.value),
            rank: settled(rank)?,
            ties: settled(ties)?.unwrap_or_else(|| Spanned::new(Ties::Cut, node.span)),
            window: settled(window)?,
        })
    }

    /// `price DESC`: a path and a direction.
    fn order(&mut self, node: &Node) -> Option<Spanned<(Path, Direction)>> {
        let text = self.string(node, "a path such as `price DESC`")?;
        let written = text.value.trim();
        let (path, word) = match written.rsplit_once(char::is_whitespace) {
            Some((path, word)) if !word.ends_with('"') => (path.trim_end(), word),
            Some(_) | None => (written, "asc"),
        };
        let direction = match word.to_ascii_lowercase().as_str() {
            "asc" => Some(Direction::Ascending),
            "desc" => Some(Direction::Descending),
            _ => None,
        };
        let reserved = path.trim_start_matches('"').starts_with('$');
        let bare = !path.contains(char::is_whitespace) || path.contains('"');
        match (direction, path.parse::<Path>()) {
            (Some(direction), Ok(path)) if !reserved && bare => Some(Spanned::new((path, direction), text.span)),
            _ => {
                let shown: String = written.chars().take(60).collect();
                let message = format!("`{shown}` is not a path with a direction");
                let help = "write `price DESC` or `dateTime ASC`; what is computed is computed in a `select` before";
                self.error(codes::E0613, text.span, message, help);
                None
            }
        }
    }

    fn ties(&mut self, node: &Node) -> Option<Spanned<Ties>> {
        let written = self.string(node, "`cut` or `keep`")?;
        let ties = match written.value.as_str() {
            "cut" => Ties::Cut,
            "keep" => Ties::Kept,
            other => {
                let found = Diagnostic::new(codes::E0308, written.span, "`ties` is `cut` or `keep`");
                let found = found.did_you_mean(other, ["cut", "keep"]);
                self.report(found.help("`keep` keeps the rows that are equal to the last one too"));
                return None;
            }
        };
        Some(Spanned::new(ties, written.span))
    }

    /// `10m` or `{ by: 10m, time: processing }`.
    pub(crate) fn delay(&mut self, node: &Node) -> Option<Delay> {
        let Value::Map(_) = &node.value else {
            let by = self.interval(node)?;
            return Some(Delay { by, time: None });
        };
        self.map(node, "`delay`", &["by", "time"])?;
        let by = self.needed(node, "delay", ("by", "how long rows wait, such as `by: 10m`"));
        let by = by.and_then(|by| self.interval(by));
        let time = self.time(node);
        Some(Delay {
            by: by?,
            time: settled(time)?,
        })
    }

    /// `1000` or `{ perSecond: 1000, burst: 2000, excess: drop }`.
    pub(crate) fn rate_limit(&mut self, node: &Node) -> Option<RateLimit> {
        let Value::Map(_) = &node.value else {
            let per_second = self.rate(node)?;
            return Some(limited(per_second, None, None));
        };
        self.map(node, "`rateLimit`", &["perSecond", "burst", "excess"])?;
        let rate = self.needed(
            node,
            "rateLimit",
            ("perSecond", "rows a second, such as `perSecond: 1000`"),
        );
        let rate = rate.and_then(|rate| self.rate(rate));
        let burst = node.get("burst").map(|node| self.number(node, (1, u32::MAX)));
        let excess = node.get("excess").map(|node| self.excess(node));
        let burst = settled(burst)?.map(|burst| u64::from(burst.value));
        Some(limited(rate?, burst, settled(excess)?))
    }

    fn rate(&mut self, node: &Node) -> Option<f64> {
        let written = match node.to_json() {
            Json::Number(number) => number.as_f64().filter(|rate| (RATE_MIN..=RATE_MAX).contains(rate)),
            _ => None,
        };
        if written.is_none() {
            let message = "not a number of rows a second";
            self.error(
                codes::E0209,
                node.span,
                message,
                "write a number above zero, such as `1000` or `0.5`",
            );
        }
        written
    }

    fn excess(&mut self, node: &Node) -> Option<Spanned<Excess>> {
        let written = self.string(node, "`wait` or `drop`")?;
        let excess = match written.value.as_str() {
            "wait" => Excess::Wait,
            "drop" => Excess::Drop,
            other => {
                let found = Diagnostic::new(codes::E0308, written.span, "`excess` is `wait` or `drop`");
                let found = found.did_you_mean(other, ["wait", "drop"]);
                self.report(
                    found.help("rows above the limit wait, and the stream with them, or are dropped and counted"),
                );
                return None;
            }
        };
        Some(Spanned::new(excess, written.span))
    }
}

/// Rows a second, from one an hour or so.
const RATE_MIN: f64 = 0.0001;
/// More than any stream has.
const RATE_MAX: f64 = 1e12;

/// What may be left out, and is fine if it is there; none where it is not, which is told.
fn settled<T>(written: Option<Option<T>>) -> Option<Option<T>> {
    match written {
        Some(None) => None,
        Some(fine) => Some(fine),
        None => Some(None),
    }
}

fn limited(per_second: f64, burst: Option<u64>, excess: Option<Spanned<Excess>>) -> RateLimit {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above zero, and below 2^53 by its bounds"
    )]
    let second = per_second.ceil() as u64;
    RateLimit {
        per_second,
        burst: burst.unwrap_or_else(|| second.max(1)),
        excess,
    }
}

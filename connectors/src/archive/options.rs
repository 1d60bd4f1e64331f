//! What a document may say about a replay.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate};
use dataflow::contract::InvalidOptions;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::file::source::location::Location;
use crate::parquet::layout;

/// Replays an archive in the order of event time: what `archive:` or the `parquet` sink wrote, or any Parquet files under
/// Hive partition folders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// The folder of the archive: a local path, or a URL such as `s3://bucket/folder`; or a pattern of Parquet files.
    pub path: String,
    /// The first event time that is wanted: RFC 3339, a date, or milliseconds since 1970. Folders `date=` and `hour=` are
    /// taken as event time. Rows without an event time count as of the first one in the archive, and come only where no
    /// `from` is given.
    #[serde(default)]
    pub from: Option<Moment>,
    /// The event time before which the replay ends, written as `from`.
    #[serde(default)]
    pub to: Option<Moment>,
    /// Only events of these types.
    #[serde(default)]
    pub event_types: Option<Vec<String>>,
    /// The column of the event time, where it is not `eventTime`.
    #[serde(default = "time_column")]
    pub time_column: String,
    /// The column of the event type, where it is not `eventType`.
    #[serde(default = "type_column")]
    pub type_column: String,
    /// `max`, or a multiple of the time in which the events happened: `1x`, `10x`, `0.5x`.
    #[serde(default)]
    pub speed: Speed,
}

/// A point in event time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Moment {
    /// Milliseconds since 1970, UTC.
    Milliseconds(i64),
    /// RFC 3339, such as `2026-11-22T13:00:00Z`, or a date, which means its first moment, UTC.
    Text(String),
}

/// How fast a replay goes; none is as fast as rows are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Speed(pub Option<f64>);

impl JsonSchema for Speed {
    fn schema_name() -> Cow<'static, str> {
        "Speed".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(max|[0-9]+(\.[0-9]+)?x)$",
            "description": "`max`, or a multiple of the time in which the events happened: `1x`, `10x`, `0.5x`.",
        })
    }
}

impl TryFrom<String> for Speed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self(None));
        }
        let factor = text.strip_suffix('x').and_then(|factor| factor.parse::<f64>().ok());
        let factor = factor.filter(|factor| (0.001..=1_000_000.0).contains(factor));
        factor
            .map(|factor| Self(Some(factor)))
            .ok_or_else(|| format!("`{text}` is not a speed: write `max`, or `1x`, `10x`, `0.5x`"))
    }
}

impl From<Speed> for String {
    fn from(speed: Speed) -> Self {
        speed.0.map_or_else(|| "max".to_owned(), |factor| format!("{factor}x"))
    }
}

impl Moment {
    /// Milliseconds since 1970; none where the text is no moment.
    pub(super) fn instant(&self) -> Option<i64> {
        match self {
            Self::Milliseconds(instant) => Some(*instant),
            Self::Text(text) => {
                let exact = DateTime::parse_from_rfc3339(text)
                    .ok()
                    .map(|moment| moment.timestamp_millis());
                exact.or_else(|| {
                    Some(
                        text.parse::<NaiveDate>()
                            .ok()?
                            .and_hms_opt(0, 0, 0)?
                            .and_utc()
                            .timestamp_millis(),
                    )
                })
            }
        }
    }
}

fn time_column() -> String {
    layout::EVENT_TIME.to_owned()
}

fn type_column() -> String {
    layout::EVENT_TYPE.to_owned()
}

/// Options that were understood.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) location: Location,
    pub(super) path: String,
    /// From here on, if anything was said.
    pub(super) from: Option<i64>,
    /// Before here, if anything was said.
    pub(super) to: Option<i64>,
    pub(super) types: Option<Vec<String>>,
    pub(super) time_column: String,
    pub(super) type_column: String,
    pub(super) speed: Option<f64>,
}

impl Options {
    /// Finds what the schema allows but cannot work.
    pub(super) fn understand(self) -> Result<Replay, InvalidOptions> {
        let location = Location::parse(&self.path).map_err(|message| invalid("path", message))?;
        let moment = |key: &str, moment: Option<&Moment>| match moment {
            None => Ok(None),
            Some(moment) => moment.instant().map(Some).ok_or_else(|| {
                invalid(
                    key,
                    format!("`{key}` is no moment: write `2026-11-22T13:00:00Z`, a date, or milliseconds since 1970"),
                )
            }),
        };
        let (from, to) = (moment("from", self.from.as_ref())?, moment("to", self.to.as_ref())?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(invalid("to", "`to` must be later than `from`".to_owned()));
        }
        if self.event_types.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid(
                "eventTypes",
                "an empty list would replay nothing: name the types, or leave it out".to_owned(),
            ));
        }
        Ok(Replay {
            location,
            path: self.path,
            from,
            to,
            types: self.event_types,
            time_column: self.time_column,
            type_column: self.type_column,
            speed: self.speed.0,
        })
    }
}

fn invalid(key: &str, message: String) -> InvalidOptions {
    InvalidOptions {
        pointer: format!("/{key}"),
        message,
        help: None,
    }
}

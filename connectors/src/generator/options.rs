//! What a document may say about the generator.

use dataflow::contract::InvalidOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most splits a generator can have.
const SPLITS_MAX: u32 = 1024;

/// Makes events that look real, the same for the same seed: for trials, demonstrations, tests and benchmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// What the events are: `shop` (JSON of about 395 bytes, 20 event types), `nexmark` (persons, auctions and bids) or `keys` (a key and a value).
    #[serde(default)]
    pub events: Kind,
    /// How many events there are in all splits together. Without it the stream never ends.
    #[serde(default)]
    pub count: Option<u64>,
    /// Which stream of all possible ones: the same seed and options give the same bytes.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Events per second of event time: 5000 for `shop` and 10000 for `nexmark`, unless given.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0, "x-unit" = "rows/s"))]
    pub rate: Option<f64>,
    /// Event time of the first event, in milliseconds since 1970 UTC; 2023-11-14T22:13:20Z unless given.
    #[serde(default)]
    #[schemars(range(max = 4_102_444_800_000_u64))]
    pub start_ms: Option<u64>,
    /// How far, in milliseconds, the event time of one event in ten may lie behind.
    #[serde(default = "out_of_order_ms")]
    #[schemars(range(max = 86_400_000), extend("x-unit" = "ms"))]
    pub out_of_order_ms: u64,
    /// Into how many splits the stream is dealt out, that is how many subtasks may generate at once.
    #[serde(default = "splits")]
    #[schemars(range(min = 1, max = 1024))]
    pub splits: u32,
    /// Rows per second of real time, of all splits together. Without it as fast as they are taken.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0, "x-unit" = "rows/s"))]
    pub throughput: Option<f64>,
    /// `shop`: share of the records, from 0 to 1, that are cut off or are no JSON.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1), extend("x-unit" = "share"))]
    pub malformed: Option<f64>,
    /// `shop`: share of the events, from 0 to 1, that repeat an earlier one byte for byte.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1), extend("x-unit" = "share"))]
    pub duplicates: Option<f64>,
    /// `shop`: how many events back a duplicate repeats one at most; 5000 unless given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub duplicate_window: Option<u64>,
    /// `shop`: share of the events, from 0 to 1, whose event time is 1 to 10 minutes behind.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1), extend("x-unit" = "share"))]
    pub late: Option<f64>,
    /// `shop`: how `eventTime` is written; `ms` unless given.
    #[serde(default)]
    pub time_format: Option<TimeFormat>,
    /// `shop`: how many subscribers there are; 1000000 unless given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub subscribers: Option<u64>,
    /// `shop`: how many companies there are; 1000 unless given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub companies: Option<u64>,
    /// `keys`: how many keys there are; 10000000 unless given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub keys: Option<u64>,
    /// `nexmark`: which events, and whether they are wrapped; `mixed` unless given.
    #[serde(default)]
    pub layout: Option<Layout>,
}

/// What the events are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Events of a shop platform: views, carts, purchases, with a nested payload.
    #[default]
    Shop,
    /// The Nexmark benchmark's persons, auctions and bids, 1 to 3 to 46.
    Nexmark,
    /// `{"k":…,"v":…}`, uniform over the keys.
    Keys,
}

/// How event time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimeFormat {
    /// Milliseconds since 1970, a number.
    #[default]
    Ms,
    /// `2023-11-14T22:13:20.000Z`, a string.
    Iso,
}

/// Which Nexmark events a stream holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Layout {
    /// All of them, each as `{"event_type":N,"person"|"auction"|"bid":{…}}`.
    #[default]
    Mixed,
    /// Persons only, unwrapped.
    Person,
    /// Auctions only, unwrapped.
    Auction,
    /// Bids only, unwrapped.
    Bid,
}

fn seed() -> u64 {
    42
}

fn out_of_order_ms() -> u64 {
    2000
}

fn splits() -> u32 {
    2
}

impl Options {
    /// Finds what the schema allows but cannot work.
    pub(super) fn check(&self) -> Result<(), InvalidOptions> {
        let positive = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value > 0.0);
        let share = |value: Option<f64>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
        let above_zero = |value: Option<u64>| value.is_none_or(|value| value > 0);
        let day = 86_400_000;
        let rules = [
            (
                "splits",
                (1..=SPLITS_MAX).contains(&self.splits),
                "must be from 1 to 1024",
            ),
            (
                "outOfOrderMs",
                self.out_of_order_ms <= day,
                "must be a day (86400000) at most",
            ),
            ("rate", positive(self.rate), "must be greater than 0"),
            ("throughput", positive(self.throughput), "must be greater than 0"),
            ("malformed", share(self.malformed), "must be a share from 0 to 1"),
            ("duplicates", share(self.duplicates), "must be a share from 0 to 1"),
            ("late", share(self.late), "must be a share from 0 to 1"),
            (
                "duplicateWindow",
                above_zero(self.duplicate_window),
                "must be 1 or more",
            ),
            ("subscribers", above_zero(self.subscribers), "must be 1 or more"),
            ("companies", above_zero(self.companies), "must be 1 or more"),
            ("keys", above_zero(self.keys), "must be 1 or more"),
        ];
        for (key, holds, rule) in rules {
            if !holds {
                return Err(invalid(key, format!("`{key}` {rule}"), None));
            }
        }
        self.check_kind()
    }

    /// An option that says nothing about these events is a mistake of the writer's.
    fn check_kind(&self) -> Result<(), InvalidOptions> {
        let owners = [
            ("malformed", self.malformed.is_some(), Kind::Shop),
            ("duplicates", self.duplicates.is_some(), Kind::Shop),
            ("duplicateWindow", self.duplicate_window.is_some(), Kind::Shop),
            ("late", self.late.is_some(), Kind::Shop),
            ("timeFormat", self.time_format.is_some(), Kind::Shop),
            ("subscribers", self.subscribers.is_some(), Kind::Shop),
            ("companies", self.companies.is_some(), Kind::Shop),
            ("keys", self.keys.is_some(), Kind::Keys),
            ("layout", self.layout.is_some(), Kind::Nexmark),
        ];
        let stray = owners
            .into_iter()
            .find(|(_, given, owner)| *given && *owner != self.events);
        let Some((key, _, owner)) = stray else { return Ok(()) };
        let (owner, kind) = (owner.word(), self.events.word());
        let message = format!("`{key}` belongs to `events: {owner}`, these are `{kind}` events");
        Err(invalid(
            key,
            message,
            Some(format!("remove `{key}`, or write `events: {owner}`")),
        ))
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Nexmark => "nexmark",
            Self::Keys => "keys",
        }
    }
}

fn invalid(key: &str, message: String, help: Option<String>) -> InvalidOptions {
    InvalidOptions {
        pointer: format!("/{key}"),
        message,
        help,
    }
}

//! What changes from second to second: the overview, and how a datastream did lately.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cluster, Datastream, Summary};

/// Everything that an overview shows, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// This moment by the job manager's clock, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// Every datastream, by name.
    pub datastreams: Vec<Summary>,
    /// The cluster.
    pub cluster: Cluster,
}

/// How a datastream did lately, in columns of equal length, the oldest first; bounded.
///
/// There is no line for a time in which nothing was heard of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: Vec<i64>,
    /// Rows a second that its sources gave.
    pub rows_in_rate: Vec<f64>,
    /// Rows a second that reached its sinks.
    pub rows_out_rate: Vec<f64>,
    /// Bytes of input a second.
    pub bytes_rate: Vec<f64>,
    /// How old the lowest event time at the sinks was, in milliseconds; none without event time.
    pub freshness_ms: Vec<Option<i64>>,
    /// The highest share of back-pressure among its subtasks, from 0 to 1.
    pub backpressured: Vec<f64>,
}

/// One datastream at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    /// This moment by the job manager's clock, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// The datastream; its document is empty here, and has a path of its own.
    pub datastream: Datastream,
}

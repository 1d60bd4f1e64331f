//! What is asked of a datastream: the bodies of requests.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

/// How wide a datastream is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rescale {
    /// How many subtasks its steps have, but for those that say so themselves.
    #[serde(deserialize_with = "whole")]
    pub parallelism: u32,
}

/// How a datastream is to be stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stop {
    /// Whether time runs out first: windows fire, and the datastream is finished for good.
    #[serde(default)]
    pub drain: bool,
    /// The label under which its last checkpoint is kept.
    #[serde(default)]
    pub savepoint: Option<String>,
}

/// Under which name a checkpoint is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavepointRequest {
    /// The label; one made of the datastream's name and the time, where there is none.
    #[serde(default)]
    pub label: Option<String>,
}

/// A whole number as JSON Schema means it: `4.0` is one.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let whole = number.as_u64().or_else(|| {
        // Beyond this a floating-point number is not exact, and no parallelism either.
        let float = number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && (0.0..4e9).contains(float))?;
        format!("{float:.0}").parse().ok()
    });
    let whole = whole.and_then(|whole| u32::try_from(whole).ok());
    whole.ok_or_else(|| Error::custom(format!("{number} is not a whole number from 0 to {}", u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |text: &str| serde_json::from_str::<Rescale>(&format!("{{\"parallelism\":{text}}}"));
        for text in ["4", "4.0", "4e0", "40e-1"] {
            assert_eq!(read(text).unwrap().parallelism, 4, "{text}");
        }
        for text in ["4.5", "-1", "1e12", "\"4\"", "null", "4294967296"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

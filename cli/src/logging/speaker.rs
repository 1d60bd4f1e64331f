//! Who speaks, and what they say: from the fields of an event and of the spans around it.

use std::fmt::{Debug, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// Who speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Speaker {
    pub(super) job: Option<String>,
    pub(super) vertex: Option<String>,
    pub(super) subtask: Option<String>,
    pub(super) attempt: Option<String>,
    pub(super) epoch: Option<String>,
    /// As W3C writes it: the trace is its second part.
    pub(super) traceparent: Option<String>,
}

impl Speaker {
    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "job" => Some(&mut self.job),
            "vertex" => Some(&mut self.vertex),
            "subtask" => Some(&mut self.subtask),
            "attempt" => Some(&mut self.attempt),
            "epoch" => Some(&mut self.epoch),
            "traceparent" => Some(&mut self.traceparent),
            _ => None,
        }
    }

    /// Takes what it does not know from who is around it.
    pub(super) fn or(self, around: &Self) -> Self {
        let known = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        Self {
            job: known(self.job, &around.job),
            vertex: known(self.vertex, &around.vertex),
            subtask: known(self.subtask, &around.subtask),
            attempt: known(self.attempt, &around.attempt),
            epoch: known(self.epoch, &around.epoch),
            traceparent: known(self.traceparent, &around.traceparent),
        }
    }

    /// Whether anything is known of it.
    pub(super) fn is_somebody(&self) -> bool {
        *self != Self::default()
    }
}

impl Visit for Speaker {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(known) = self.field(field.name()) {
            *known = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// What an event says: its message, its other fields, and who says it where it names them itself.
#[derive(Default)]
pub(super) struct Words {
    pub(super) speaker: Speaker,
    pub(super) message: String,
    pub(super) facts: Map<String, Value>,
}

impl Words {
    /// The message, and the facts as ` name=value` behind it.
    pub(super) fn line(self) -> String {
        let mut line = self.message;
        for (name, value) in &self.facts {
            // Nothing can go wrong in writing to a string.
            let _ = match value {
                Value::String(text) => write!(line, " {name}={text}"),
                value => write!(line, " {name}={value}"),
            };
        }
        line
    }

    fn say(&mut self, field: &Field, value: Value) {
        let text = || match &value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        if field.name() == "message" {
            self.message += &text();
        } else if let Some(known) = self.speaker.field(field.name()) {
            *known = Some(text());
        } else {
            self.facts.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.say(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.say(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.say(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.say(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.say(field, format!("{value:?}").into());
    }
}

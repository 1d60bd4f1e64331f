//! Keeps the cuts of one node: what a snapshot says of them, and which of them are still needed.

use std::collections::VecDeque;

use dataflow::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cut, Restored};
use crate::task::mailbox::Mail;
use crate::writer::Notice;

/// What a snapshot says of a node's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Cuts, older ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cuts: Vec<KeptCut>,
    /// The newest note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Value>,
}

/// Where a cut's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum KeptCut {
    /// Here, in hexadecimal: small ones.
    Inline(String),
}

/// The cuts of one node, as its subtask keeps them.
#[derive(Debug)]
pub(crate) struct Keeper {
    node: usize,
    mail: Mail,
    cuts: VecDeque<(u64, KeptCut)>,
}

impl Keeper {
    /// Goes on from what was restored, which counts as cut 0.
    pub(crate) fn new(node: usize, mail: Mail, restored: Vec<KeptCut>) -> Self {
        Self {
            node,
            mail,
            cuts: restored.into_iter().map(|cut| (0, cut)).collect(),
        }
    }

    /// Keeps what was cut at the barrier `counter`; the answer comes as a notice.
    pub(crate) fn keep(&mut self, counter: u64, cut: Cut) {
        let (number, needed_from) = (cut.number(), cut.needed_from());
        let (bytes, note) = cut.into_parts();
        if !bytes.is_empty() {
            self.cuts.push_back((number, KeptCut::Inline(hex(&bytes))));
        }
        while self.cuts.front().is_some_and(|(number, _)| *number < needed_from) {
            self.cuts.pop_front();
        }
        let kept = Kept {
            cuts: self.cuts.iter().map(|(_, cut)| cut.clone()).collect(),
            note,
        };
        self.mail.notice(self.node, Notice::Kept { counter, kept });
    }
}

impl Kept {
    /// The state that several subtasks kept of one node.
    ///
    /// # Errors
    /// Cuts that cannot be read.
    pub(crate) fn restore(parts: Vec<Self>) -> Result<Restored, Failure> {
        let mut restored = Restored::default();
        for part in parts {
            restored.notes.extend(part.note);
            for cut in part.cuts {
                let KeptCut::Inline(text) = cut;
                restored.cuts.push(unhex(&text)?.into());
            }
        }
        Ok(restored)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let malformed = || Failure::fail("a part of the state cannot be read: it is not hexadecimal");
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    digits.map(byte).collect::<Option<_>>().ok_or_else(malformed)
}

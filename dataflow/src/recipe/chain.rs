//! A chain of recipes fused into one vertex, and the blob it travels as.

use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use super::Recipe;
use crate::id::EdgeId;

/// The version of the blob. A reader refuses any other: task managers and job managers of one cluster are of one build.
const VERSION: u32 = 1;

/// The operators of one vertex, fused: plain calls inside, channels only at the edges.
///
/// Node 0 takes what enters the vertex (splits, or the elements of all incoming edges); every other node is the
/// target of exactly one earlier node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// The operators, each before the ones it feeds.
    pub nodes: Vec<Node>,
}

/// One operator in its chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The step's name in the document; with the datastream it is the identity of the step's state.
    pub name: String,
    /// What it does.
    pub recipe: Recipe,
    /// The schema of what reaches it; empty for a source.
    pub input: SchemaRef,
    /// The schema of what leaves by [`Port::Main`].
    pub output: SchemaRef,
    /// Where its output goes. Several targets of one port each get every element.
    pub targets: Vec<(Port, Target)>,
}

/// Which output of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Port {
    /// The rows.
    Main,
    /// Rows that came after their time, in the schema of the node's input.
    Late,
    /// Dead letters, in the schema of [`crate::contract::dead::schema`].
    Dead,
}

/// Where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A later node of the same chain, by index.
    Node(usize),
    /// An edge to another vertex.
    Edge(EdgeId),
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    chain: T,
}

impl Chain {
    /// The blob.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&Envelope {
            version: VERSION,
            chain: self,
        })
        .expect("recipes hold only what JSON can say: strings, numbers, lists and maps with string keys")
    }

    /// Reads a blob and checks what [`Chain`] promises.
    ///
    /// # Errors
    /// When the bytes are not a chain, are of another version, or feed a node that is not there.
    pub fn decode(blob: &[u8]) -> Result<Self, InvalidChain> {
        let envelope: Envelope<serde_json::Value> = serde_json::from_slice(blob).map_err(InvalidChain::Malformed)?;
        if envelope.version != VERSION {
            return Err(InvalidChain::Version {
                found: envelope.version,
                known: VERSION,
            });
        }
        let chain: Self = serde_json::from_value(envelope.chain).map_err(InvalidChain::Malformed)?;
        chain.check()?;
        Ok(chain)
    }

    fn check(&self) -> Result<(), InvalidChain> {
        let mut fed = vec![0_u32; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for (_, target) in &node.targets {
                let Target::Node(next) = target else { continue };
                if *next <= index || *next >= self.nodes.len() {
                    return Err(InvalidChain::Target {
                        node: node.name.clone(),
                        target: *next,
                    });
                }
                fed[*next] += 1;
            }
        }
        let orphan = fed.iter().skip(1).position(|times| *times != 1);
        match orphan {
            Some(index) => Err(InvalidChain::Fed {
                node: self.nodes[index + 1].name.clone(),
            }),
            None if self.nodes.is_empty() => Err(InvalidChain::Empty),
            None => Ok(()),
        }
    }
}

/// A blob that is not a chain of this version.
#[derive(Debug, thiserror::Error)]
pub enum InvalidChain {
    /// Not the JSON of a chain.
    #[error("malformed chain")]
    Malformed(#[source] serde_json::Error),
    /// Written by another build.
    #[error("chain of version {found}, this build reads version {known}")]
    Version {
        /// What the blob says.
        found: u32,
        /// What this build reads.
        known: u32,
    },
    /// A node feeds itself, an earlier node, or none.
    #[error("node `{node}` feeds node {target}, which is not a later node of its chain")]
    Target {
        /// Who feeds.
        node: String,
        /// The index it names.
        target: usize,
    },
    /// A node is fed by nobody or by several.
    #[error("node `{node}` must be fed by exactly one node of its chain")]
    Fed {
        /// Which node.
        node: String,
    },
    /// No nodes at all.
    #[error("a chain without nodes")]
    Empty,
}

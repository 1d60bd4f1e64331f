//! What an operator under test stands on: nothing restored, no spill, all key groups, unless the test says otherwise.

use std::sync::Arc;
use std::time::Duration;

use dataflow::Registry;
use dataflow::recipe::Node;
use dataflow::time::ManualClock;

use super::Json;
use crate::chain::dead::Origin;
use crate::operators::Ground;
use crate::state::{KeyGroups, Restored};
use crate::task::gauges::NodeGauges;

/// What a ground borrows.
pub(crate) struct Footing {
    registry: Registry,
    origin: Origin,
    pub(crate) gauges: Arc<NodeGauges>,
}

impl Footing {
    pub(crate) fn of(node: &Node) -> Self {
        Self {
            registry: Registry::new(vec![], vec![Arc::new(Json)]),
            origin: Origin {
                job: "orders@1".parse().unwrap(),
                attempt: "a1".to_owned(),
                clock: Arc::new(ManualClock::new()),
                hidden: Arc::default(),
            },
            gauges: Arc::new(NodeGauges::new(node.name.clone())),
        }
    }

    /// Where a subtask with these key groups goes on from what was restored.
    pub(crate) fn ground<'a>(&'a self, groups: KeyGroups, restored: &'a Restored) -> Ground<'a> {
        Ground {
            registry: &self.registry,
            origin: &self.origin,
            gauges: &self.gauges,
            writer: None,
            groups,
            buffer_timeout: Duration::from_millis(5),
            restored,
            spill: None,
        }
    }
}

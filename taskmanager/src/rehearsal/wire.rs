//! What a rehearsal is begun with: the message that a job manager would send.

use dataflow::Failure;
use proto::v1::{ToTaskManager, to_task_manager};

use crate::deploy::Deployment;

/// A deployment, as it goes over the wire.
pub type Message = ToTaskManager;

/// The deployment in a message.
pub(super) fn deployment(message: Message) -> Result<Deployment, Failure> {
    match message.message {
        Some(to_task_manager::Message::Deploy(deploy)) => Deployment::try_from(deploy),
        Some(_) | None => Err(Failure::bug("a rehearsal begins with a deployment")),
    }
}

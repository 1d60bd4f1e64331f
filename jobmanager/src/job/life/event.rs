//! What a job's life hears, and what it wants done.

use dataflow::Failure;

use crate::checkpoint::Purpose;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chain was read; the job may be placed.
    Start,
    /// It has slots.
    Placed,
    /// It has none, for this reason.
    TooFewSlots(Failure),
    /// Slots may have become free.
    SlotsChanged,
    /// Every subtask has restored, committed again, and works.
    AllRunning,
    /// Every subtask has committed a last record again; nothing else is left to do.
    AllRepeated,
    /// Every subtask is at the end of its input.
    AllEnded,
    /// A checkpoint was committed.
    Committed(Purpose),
    /// Something failed that concerns all of the job.
    Failed(Failure),
    /// Something failed, and what is not connected with it can run on.
    PartFailed(Failure),
    /// Those who were told to go are gone, and the head of the chain is known.
    Gone,
    /// The head is the last record: all are restored from it, to commit it again, also those who would have run on.
    LastIsMade,
    /// A person wants it cancelled.
    CancelAsked,
    /// A person wants it stopped with a last checkpoint.
    StopAsked,
    /// A person wants it to go on with another document; the shell has it.
    ChangeAsked,
    /// The record with the other document is made, or it is known that it cannot be.
    Amended,
    /// The time that [`Life::deadline`](super::Life::deadline) named, or any other.
    Tick,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the cluster for slots.
    Place,
    /// Send the subtasks to their places.
    Deploy,
    /// Let checkpoints begin.
    Arm,
    /// Ask for the last checkpoint before a stop.
    TakeLastCheckpoint,
    /// Ask for the checkpoint from which the other document goes on.
    TakeChangeCheckpoint,
    /// Make the record with the other document; answer with [`Event::Amended`].
    Amend,
    /// Ask all subtasks to go, stop the enumerators; answer with [`Event::Gone`].
    TakeDown(String),
    /// Ask those to go that are connected with what failed; answer with [`Event::Gone`] when they are.
    TakeDownPart(String),
    /// Count the subtasks that have not answered as lost.
    Abandon,
    /// Tell people what came of a failure.
    Answered(Failure, String),
    /// It is over; write it down.
    Conclude(End),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All input read, all committed.
    Finished,
    /// By a person, with its state kept.
    Stopped,
    /// By a person, without a last checkpoint.
    Cancelled,
    /// By a failure.
    Failed(Failure),
}

//! The life of a job. Pure.
//!
//! ```text
//!   Created ──Start──> Scheduling ──Placed──> Deploying ──AllRunning──> Running ──AllEnded──> Finishing
//!                        ^   ^ too few slots: waits                        │ StopAsked            │
//!                        │                                                 v                      │ the last
//!                        │                                              Stopping ─────────────────┤ checkpoint
//!                        │                                                 │                      │ is committed
//!                        │ due                                             v                      v
//!                     Down(Restart) <── a failure that may pass        Down(Stop)            Down(Finish)
//!                     Down(Fail)    <── any other failure                  │ all subtasks gone   │
//!                     Down(Cancel)  <── CancelAsked, from anywhere         v                     v
//!                        └────── gone ──> Failed, Cancelled             Stopped               Finished
//!
//!   Running ──ChangeAsked──> Changing ── its checkpoint is committed ──> Down(Change) ──gone──> Amending ──Amended──> Scheduling
//!   nothing runs ──ChangeAsked──> Amending
//! ```
//!
//! Where what failed is not connected with all of the job, only its regions go down and are placed and deployed again, by the
//! same way, with survivors that run on: the life is told `PartFailed`, and says `TakeDownPart`. A person's word ends that:
//! then all go down.
//!
//! Must stay true: what is over stays over; subtasks are placed only when those before them are gone (or their time is
//! up) and the head of the chain is known; only a person's word cancels; a failure during a stop does not undo the stop,
//! nor one during a change the change: then the head is as good as the checkpoint that was to be taken.

mod event;
mod machine;
mod phase;

pub use event::{Action, End, Event};
pub use machine::Life;

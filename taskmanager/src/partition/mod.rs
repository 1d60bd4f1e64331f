//! Partition: which subtask of the next vertex a row goes to, and when it is sent.
//!
//! ```text
//!   Output::send(batch) ─> split (rows to targets) ─> merge (small batches) ─> Outlet of each target
//! ```
//!
//! Enters: what a chain emits into one edge. Leaves: elements into the channels of that edge, one for each subtask of the
//! target vertex. Who calls: the chain's thread; nothing here blocks.
//! Must stay true: equal keys go to one target; each row goes to exactly one target (each target for broadcast); rows of
//! one target keep their order; barriers, watermarks, `Idle` and `End` go to every target behind all rows before them.
//!
//! How a subtask uses its outputs:
//! ```text
//!   loop:  wake-up or timer  -> output.pump()          credit may have come
//!          output.is_clear() -> take one more input    else wait; Output::waits_for says for what
//!          mailbox empty     -> output.flush()         small batches need not wait for company
//!          flush_at() passed -> output.flush()         nor longer than bufferTimeout
//!   after End: pump until is_clear, and drop it only then
//! ```
//! Not here: credit (`channel`), the meaning of a key (`dataflow::key`).

mod merge;
mod output;
mod split;
#[cfg(test)]
mod tests;

pub use output::Output;
pub use split::Partitioner;

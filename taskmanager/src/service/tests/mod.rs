//! A task manager with a scripted job manager at the other end of a real connection, and toys for connectors.

mod chains;
mod play;

mod checkpoints;
mod lines;
mod troubles;
mod taps;

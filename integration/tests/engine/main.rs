//! The engine as a person meets it: real processes, their files, their words and their exit codes.

mod beyond;
mod dev;
mod drift;
mod examples;
mod flink;
mod flips;
mod judge;
mod lag;
mod letters;
mod logs;
mod openapi;
mod looking;
mod overtake;
mod past;
mod recovery;
mod refusals;
mod regions;
mod rehearsal;
mod rescale;
mod resume;
mod savepoint;
mod schema;
mod unread;
mod versions;
mod standby;

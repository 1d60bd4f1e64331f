//! REST `/v1`: what people and programs ask the job manager.

pub mod types;

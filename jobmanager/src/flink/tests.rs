//! Flink's API over a job that a scripted task manager runs.

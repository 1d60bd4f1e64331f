//! The one list of metrics. docs/guides/observe.md has them as a table; a test holds the two together, and the dashboards and
//! alerts in `deploy/` to this.

use super::{By, Kind, Metric, Of};

/// Declares each metric as a constant, and all of them as one list.
macro_rules! metrics {
    ($($constant:ident: $kind:ident $of:ident $by:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: &Metric = &Metric {
                name: $name,
                kind: Kind::$kind,
                of: Of::$of,
                labels: &[$($label),*],
                by: By::$by,
                help: $help,
            };
        )*
        /// Every metric that there is.
        pub const ALL: &[&Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO: Gauge Process Both "weir_build_info" ["build", "role"] "Always 1; its labels say what was built and what it does.";
    CPU_SECONDS: Counter Process Both "process_cpu_seconds_total" [] "Time on processors, in user and system mode together.";
    RESIDENT_BYTES: Gauge Process Both "process_resident_memory_bytes" [] "Memory of the process that is really there.";
    THREADS: Gauge Process Both "process_threads" [] "Threads of the process.";
    OPEN_FDS: Gauge Process Both "process_open_fds" [] "Open file descriptors.";
    MAX_FDS: Gauge Process Both "process_max_fds" [] "File descriptors that it may open.";
    START_TIME: Gauge Process Both "process_start_time_seconds" [] "When the process began, in seconds since 1970 UTC.";
    SERIES: Gauge Process Both "weir_metric_series" [] "Series on this page.";
    SERIES_LEFT_OUT: Gauge Process Both "weir_metric_series_left_out" [] "Series that this page leaves out, because a vertex or the page has enough.";
    MESSAGES_DROPPED: Counter Process Both "weir_control_messages_dropped_total" [] "Control messages that were meant for nobody who is still there.";

    LEADER_TERM: Gauge Cluster Jobmanager "weir_leader_term" [] "The term of this leader; only the leader answers.";
    TASKMANAGERS: Gauge Cluster Jobmanager "weir_taskmanagers" [] "Living task managers.";
    SLOTS: Gauge Cluster Jobmanager "weir_slots" ["kind"] "Slots of the task managers: all of them, and those that are free.";
    TASKMANAGER_SILENT: Gauge Cluster Jobmanager "weir_taskmanager_silent_seconds" ["taskmanager"] "Since a task manager was last heard.";
    REST_REQUESTS: Counter Cluster Jobmanager "weir_rest_requests_total" ["route", "method", "status"] "Requests that were answered, by the pattern of their path.";
    REST_DURATION: Histogram Cluster Jobmanager "weir_rest_request_duration_seconds" ["route"] "Time from a request to the head of its answer.";
    REST_LISTENERS: Gauge Cluster Jobmanager "weir_rest_listeners" [] "Who listens to server-sent events.";

    STATE: Gauge Datastream Jobmanager "weir_datastream_state" ["state"] "1 for the state that a datastream is in, else 0.";
    RESTARTS: Counter Datastream Jobmanager "weir_restarts_total" [] "Restarts after failures, since this job manager took the datastream.";
    DATASTREAM_SUBTASKS: Gauge Datastream Jobmanager "weir_datastream_subtasks" ["kind"] "Subtasks: those it has, and those at work.";
    PROGRESS_RECORDS: Gauge Datastream Jobmanager "weir_datastream_progress_records" ["at"] "Rows that its sources gave and that reached its sinks, in this life; a restart goes back to the last checkpoint.";
    PROGRESS_BYTES: Gauge Datastream Jobmanager "weir_datastream_progress_read_bytes" [] "Bytes of input read, in this life; a restart goes back to the last checkpoint.";
    DATASTREAM_RATE: Gauge Datastream Jobmanager "weir_datastream_records_rate" ["at"] "Rows a second from its sources and into its sinks, lately.";
    FRESHNESS: Gauge Datastream Jobmanager "weir_freshness_seconds" [] "Now minus the lowest watermark at its sinks: how old the newest complete result is.";
    EPOCH: Gauge Datastream Jobmanager "weir_checkpoint_epoch" [] "The newest epoch of its chain.";
    CHECKPOINTS: Counter Datastream Jobmanager "weir_checkpoints_total" ["result"] "Checkpoints that were committed, given up by their barrier, or lost because they could not be recorded.";
    CHECKPOINT_DURATION: Gauge Datastream Jobmanager "weir_last_checkpoint_duration_seconds" [] "From the trigger of the last checkpoint to its last commit.";
    CHECKPOINT_PHASE: Gauge Datastream Jobmanager "weir_last_checkpoint_phase_seconds" ["phase"] "The parts of that time: collect, record, commit; and within collect, in the subtask that answered last, start, align, sync, upload.";
    CHECKPOINT_SIZE: Gauge Datastream Jobmanager "weir_last_checkpoint_size_bytes" ["kind"] "Bytes of the last checkpoint: all that it names, and what was written for it.";
    CHECKPOINT_AGE: Gauge Datastream Jobmanager "weir_last_checkpoint_age_seconds" [] "Since the last checkpoint was committed, while the datastream is at work.";

    LAG: Gauge Datastream Jobmanager "weir_lag_seconds" ["percentile"] "How old rows are lately when they come to the sink that is worst: so many of a hundred are no older.";
    LOST: Gauge Datastream Jobmanager "weir_lost_records" [] "Rows that are missing at the last checkpoint and that nobody left out on purpose; below 0 where there are more than came.";
    LOSS_ALARM: Gauge Datastream Jobmanager "weir_loss_alarm" [] "1 where more is missing than is borne (`lossAlarm`), else 0.";

    VERTEX_PARALLELISM: Gauge Vertex Jobmanager "weir_vertex_parallelism" [] "Subtasks of the vertex.";
    VERTEX_BUSY: Gauge Vertex Jobmanager "weir_vertex_busy_ratio" ["over"] "Share of the last second at work, of the subtask with most and with least of it.";
    VERTEX_PRESSED: Gauge Vertex Jobmanager "weir_vertex_backpressured_ratio" ["over"] "Share of the last second held up, of the subtask with most and with least of it.";
    VERTEX_RATE: Gauge Vertex Jobmanager "weir_vertex_records_in_rate" ["over"] "Rows a second into the subtask with most and with least of them: skew.";

    RECORDS_IN: Counter Vertex Taskmanager "weir_records_in_total" [] "Rows that entered the vertex.";
    RECORDS_OUT: Counter Vertex Taskmanager "weir_records_out_total" [] "Rows that left the vertex, by edges and to sinks.";
    BYTES_IN: Counter Vertex Taskmanager "weir_bytes_in_total" [] "Bytes of rows that entered the vertex.";
    BYTES_OUT: Counter Vertex Taskmanager "weir_bytes_out_total" [] "Bytes of rows that left the vertex.";
    SOURCE_READ: Counter Vertex Taskmanager "weir_source_read_bytes_total" [] "Bytes that its readers have read of the world.";
    BUSY: Counter Vertex Taskmanager "weir_busy_seconds_total" [] "Time at work, of all its subtasks here.";
    BACKPRESSURED: Counter Vertex Taskmanager "weir_backpressured_seconds_total" [] "Time held up by others, of all its subtasks here.";
    IDLE: Counter Vertex Taskmanager "weir_idle_seconds_total" [] "Time without anything to do, of all its subtasks here.";
    DEAD: Counter Vertex Taskmanager "weir_dead_letters_total" [] "Rows that no step of the vertex could take.";
    LATE: Counter Vertex Taskmanager "weir_late_records_total" [] "Rows that came after their time.";
    DROPPED: Counter Vertex Taskmanager "weir_dropped_records_total" [] "Rows that were left out on purpose: by a filter, a sample.";
    STRANGERS: Counter Vertex Taskmanager "weir_stranger_keys_total" [] "Changes of keys that another subtask has; must be 0.";
    VERTEX_SUBTASKS: Gauge Vertex Taskmanager "weir_vertex_subtasks" [] "Its subtasks that run here.";
    WATERMARK_LAG: Gauge Vertex Taskmanager "weir_watermark_lag_seconds" [] "Now minus the lowest watermark of its subtasks here.";
    CHANNEL_QUEUED: Gauge Vertex Taskmanager "weir_channel_queued_bytes" [] "Bytes that have come by its channels and wait to be taken.";
    CHANNEL_BACKLOG: Gauge Vertex Taskmanager "weir_channel_backlog_bytes" [] "Bytes that wait at those who send to it, as they last said.";
    CHANNEL_CREDIT: Gauge Vertex Taskmanager "weir_channel_credit_bytes" [] "Bytes that those who send to it may still send.";

    STEP_IN: Counter Step Taskmanager "weir_step_records_in_total" [] "Rows that reached a step.";
    STEP_OUT: Counter Step Taskmanager "weir_step_records_out_total" [] "Rows that left a step.";
    WATERMARK: Gauge Step Taskmanager "weir_watermark_timestamp_seconds" [] "How far event time has come, in seconds since 1970 UTC: in the subtask here that is furthest back.";
    STEP_DROPPED: Counter Step Taskmanager "weir_step_dropped_total" [] "Rows that a step left out on purpose; shown once there are any.";
    STEP_LATE: Counter Step Taskmanager "weir_step_late_records_total" [] "Rows that came to a step after their time; shown once there are any.";
    STEP_DEAD: Counter Step Taskmanager "weir_step_dead_letters_total" [] "Rows that a step could not take; shown once there are any.";
    STEP_UNFOLDED: Counter Step Taskmanager "weir_step_unfolded_records_total" [] "Rows that the first half of an aggregate passed on as they were; shown once there are any.";

    SUBTASK_IN: Counter Subtask Taskmanager "weir_subtask_records_in_total" [] "Rows that entered a subtask.";
    SUBTASK_OUT: Counter Subtask Taskmanager "weir_subtask_records_out_total" [] "Rows that left a subtask.";
    SUBTASK_BUSY: Counter Subtask Taskmanager "weir_subtask_busy_seconds_total" [] "Time of a subtask at work.";
    SUBTASK_BACKPRESSURED: Counter Subtask Taskmanager "weir_subtask_backpressured_seconds_total" [] "Time of a subtask held up by others.";
    SUBTASK_IDLE: Counter Subtask Taskmanager "weir_subtask_idle_seconds_total" [] "Time of a subtask without anything to do.";

    SUBTASKS: Gauge Process Taskmanager "weir_subtasks" [] "Subtasks that run here.";
    MEMORY_LIMIT: Gauge Process Taskmanager "weir_memory_limit_bytes" [] "The one memory number: what flows and waits never holds more.";
    MEMORY_BUDGET: Gauge Process Taskmanager "weir_memory_budget_bytes" ["user"] "What of it is handed out, by who may use it; the rest is free.";
    STATE_MEMORY: Gauge Process Taskmanager "weir_state_memory_bytes" ["user"] "Memory that keyed state holds: of tables, and of the cache of what they spilled to disk.";
    SPILL_LIMIT: Gauge Process Taskmanager "weir_spill_cache_limit_bytes" [] "What RocksDB may hold of spilled state: its cache, in which write buffers count.";
}

//! The life of one subtask as a pure machine: what happened goes in, what is to be done comes out.
//!
//! ```text
//!                    Restored            InputEnded            Released
//!   Restoring ─────────────► Running ─────────────► Ended ─────────────► Over
//!       │                       │                     │                   ▲
//!       └───────────────────────┴─────────────────────┴── Cancel, Failed ─┘
//! ```

use dataflow::Failure;

/// Where a subtask is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The sinks commit again what the restored epoch holds; no row has entered.
    Restoring,
    /// At work.
    Running,
    /// The end of its input has left it; it answers barriers and commits.
    Ended,
    /// Nothing more happens.
    Over,
}

/// What can happen to a subtask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Every sink has committed again.
    Restored,
    /// The end of the input has left the chain.
    InputEnded,
    /// The final record is committed.
    Released,
    /// It is to stop now.
    Cancel,
    /// It cannot go on.
    Failed(Failure),
}

/// What the job manager is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Restored and at work.
    Running,
    /// The end has left it.
    Ended,
    /// Stopped as asked.
    Cancelled,
    /// Could not go on.
    Failed(Failure),
}

impl Life {
    /// Moves on; what is returned is reported.
    pub fn on(&mut self, happened: Happened) -> Option<Status> {
        let (next, status) = match (*self, happened) {
            (Self::Restoring, Happened::Restored) => (Self::Running, Some(Status::Running)),
            (Self::Running, Happened::InputEnded) => (Self::Ended, Some(Status::Ended)),
            (Self::Ended, Happened::Released) => (Self::Over, None),
            (Self::Restoring | Self::Running | Self::Ended, Happened::Cancel) => (Self::Over, Some(Status::Cancelled)),
            (Self::Restoring | Self::Running | Self::Ended, Happened::Failed(failure)) => {
                (Self::Over, Some(Status::Failed(failure)))
            }
            (state @ (Self::Running | Self::Ended), impossible @ Happened::Restored)
            | (state @ (Self::Restoring | Self::Ended), impossible @ Happened::InputEnded)
            | (state @ (Self::Restoring | Self::Running), impossible @ Happened::Released) => {
                let failure = Failure::bug(format!("a subtask that is {state:?} met {impossible:?}"));
                (Self::Over, Some(Status::Failed(failure)))
            }
            // A cancel, a failure and the last record may cross on their way; the first decides.
            (
                Self::Over,
                Happened::Restored | Happened::InputEnded | Happened::Released | Happened::Cancel | Happened::Failed(_),
            ) => (Self::Over, None),
        };
        *self = next;
        status
    }

    /// Whether the thread may leave.
    #[must_use]
    pub fn is_over(self) -> bool {
        self == Self::Over
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn happened() -> impl Strategy<Value = Happened> {
        prop_oneof![
            Just(Happened::Restored),
            Just(Happened::InputEnded),
            Just(Happened::Released),
            Just(Happened::Cancel),
            Just(Happened::Failed(Failure::retry("gone"))),
        ]
    }

    #[test]
    fn a_quiet_life_is_restored_runs_ends_and_goes() {
        let mut life = Life::Restoring;
        assert_eq!(life.on(Happened::Restored), Some(Status::Running));
        assert_eq!(life.on(Happened::InputEnded), Some(Status::Ended));
        assert!(!life.is_over());
        assert_eq!(life.on(Happened::Released), None);
        assert!(life.is_over());
    }

    #[test]
    fn what_cannot_happen_is_a_bug_and_not_a_shrug() {
        let mut life = Life::Restoring;
        let Some(Status::Failed(failure)) = life.on(Happened::InputEnded) else {
            panic!("rows before the restore")
        };
        assert_eq!(failure.disposition, dataflow::Disposition::Bug);
    }

    proptest! {
        #[test]
        fn a_life_is_told_at_most_once_how_it_ended_and_never_comes_back(events in prop::collection::vec(happened(), 0..12)) {
            let mut life = Life::Restoring;
            let mut endings = 0;
            for event in events {
                let was_over = life.is_over();
                let status = life.on(event);
                if was_over {
                    prop_assert_eq!(&status, &None);
                    prop_assert!(life.is_over());
                }
                if matches!(status, Some(Status::Cancelled | Status::Failed(_))) {
                    endings += 1;
                    prop_assert!(life.is_over());
                }
            }
            prop_assert!(endings <= 1);
        }

        #[test]
        fn cancel_ends_any_life_at_once(events in prop::collection::vec(happened(), 0..6)) {
            let mut life = Life::Restoring;
            for event in events {
                life.on(event);
            }
            life.on(Happened::Cancel);
            prop_assert!(life.is_over());
        }
    }
}

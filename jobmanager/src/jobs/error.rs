//! Why something that was asked about a datastream is not done, and what to do instead.

use dataflow::Failure;
use planner::tap::Refusal;

use super::Rejected;
use crate::letters;
use crate::rest::types::State;
use crate::store;
use crate::tap::TAPS_MAX;

/// Something is not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no datastream of that name.
    #[error("there is no datastream `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// Its document has no version of that number, or it is kept no more.
    #[error("datastream `{name}` has no version {number}")]
    NoVersion {
        /// The name.
        name: String,
        /// The number.
        number: u64,
    },
    /// It has no sink that can be looked into, or none of that name.
    #[error("datastream `{name}` keeps no archive that can be looked into")]
    NoArchive {
        /// The name.
        name: String,
    },
    /// What it keeps cannot be looked into.
    #[error("{}", .0.message)]
    Archive(Failure),
    /// A datastream of that name is at work.
    #[error("datastream `{name}` is already there and {state}")]
    AlreadyThere {
        /// The name.
        name: String,
        /// Where it is in its life.
        state: State,
    },
    /// It is over; there is nothing to stop or cancel.
    #[error("datastream `{name}` is {state}; there is nothing to do")]
    Over {
        /// The name.
        name: String,
        /// How it ended.
        state: State,
    },
    /// It has finished, and the new document is another one.
    #[error("datastream `{name}` has finished, and this is another document")]
    FinishedOther {
        /// The name.
        name: String,
    },
    /// Its state does not fit the new document.
    #[error("datastream `{name}` has state that does not fit this document: {}", .failure.message)]
    Incompatible {
        /// The name.
        name: String,
        /// What does not fit, and what to do about it.
        failure: Failure,
        /// The same in the document.
        shown: Option<Box<Rejected>>,
    },
    /// It is not changed, for this reason.
    #[error("datastream `{name}` goes on as it was: {}", .failure.message)]
    Unchanged {
        /// The name.
        name: String,
        /// Why, and what to do about it.
        failure: Failure,
        /// The same in the document.
        shown: Option<Box<Rejected>>,
    },
    /// The name cannot be one of a datastream.
    #[error("`{name}` cannot name a datastream")]
    Name {
        /// The name.
        name: String,
    },
    /// A savepoint cannot be made, or nothing can be begun from it.
    #[error("{}", .0.message)]
    Savepoint(Failure),
    /// What is to be begun from does not fit the document.
    #[error("{}", .failure.message)]
    Unfit {
        /// What does not fit, and what to do about it.
        failure: Failure,
        /// The same in the document.
        shown: Option<Box<Rejected>>,
    },
    /// Garbage cannot be found or taken away.
    #[error("{}", .0.message)]
    Garbage(Failure),
    /// There is nothing to look at.
    #[error("{0}")]
    Tap(Refusal),
    /// So many look at the rows of a datastream that nobody else can.
    #[error("{TAPS_MAX} look at rows of datastream `{name}` already, which is as many as may")]
    Taps {
        /// The name.
        name: String,
    },
    /// There are no dead letters to show.
    #[error("{0}")]
    Letters(letters::Error),
    /// It does not answer in time.
    #[error("datastream `{name}` is busy and does not answer")]
    Silent {
        /// The name.
        name: String,
    },
    /// The job manager is about to end.
    #[error("the job manager is shutting down")]
    ShuttingDown,
    /// The state folder fails.
    #[error("nothing was changed, or it is not known: {}", .0.failure().message)]
    Store(#[from] store::Error),
}

impl Error {
    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } | Self::NoVersion { .. } | Self::NoArchive { .. } => "not-found",
            Self::AlreadyThere { .. } => "already-running",
            Self::Over { .. } => "over",
            Self::FinishedOther { .. } => "finished",
            Self::Incompatible { .. } => "incompatible",
            Self::Unchanged { .. } => "not-changed",
            Self::Name { .. } => "invalid-name",
            Self::Savepoint(_) | Self::Unfit { .. } => "savepoint",
            Self::Garbage(_) => "state-folder",
            Self::Archive(_) => "archive",
            Self::Tap(Refusal::Step { .. }) => "step",
            Self::Tap(Refusal::Condition { .. }) => "condition",
            Self::Taps { .. } => "taps",
            Self::Letters(letters::Error::Nowhere) => "no-dead-letters",
            Self::Letters(letters::Error::Unknown(_)) => "not-found",
            Self::Letters(letters::Error::Store) => "dead-letters",
            Self::Silent { .. } => "busy",
            Self::ShuttingDown => "shutting-down",
            Self::Store(_) => "state-folder",
        }
    }

    /// What is wrong in the document, where a word of it is the reason.
    #[must_use]
    pub fn shown(&self) -> Option<&Rejected> {
        match self {
            Self::Incompatible { shown, .. } | Self::Unchanged { shown, .. } | Self::Unfit { shown, .. } => {
                shown.as_deref()
            }
            Self::Unknown { .. }
            | Self::NoVersion { .. }
            | Self::NoArchive { .. }
            | Self::Archive(_)
            | Self::AlreadyThere { .. }
            | Self::Over { .. }
            | Self::FinishedOther { .. }
            | Self::Name { .. }
            | Self::Savepoint(_)
            | Self::Garbage(_)
            | Self::Tap(_)
            | Self::Taps { .. }
            | Self::Letters(_)
            | Self::Silent { .. }
            | Self::ShuttingDown
            | Self::Store(_) => None,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Unknown { name, known } => match planner::diagnostic::nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`weir list` shows all there are".to_owned(),
            },
            Self::NoVersion { name, .. } => format!("`weir history {name}` lists those that are kept"),
            Self::NoArchive { .. } => "`archive: { path: … }` in its document keeps one".to_owned(),
            Self::Archive(failure) => failure
                .help
                .clone()
                .unwrap_or_else(|| "look whether its folder is there and can be read by the job manager".to_owned()),
            Self::AlreadyThere { name, .. } => {
                format!("stop it first with `weir stop {name}`; then submit again, and it goes on where it was")
            }
            Self::Over { name, .. } => format!("submit it again to go on; `weir describe {name}` says what became of it"),
            Self::FinishedOther { .. } => "`--fresh` starts it anew with this document".to_owned(),
            Self::Incompatible { failure, .. } | Self::Unchanged { failure, .. } => failure.help.clone().unwrap_or_else(|| {
                "undo the change to go on where it was, give the new one another `datastreamName`, or start anew with `--fresh`".to_owned()
            }),
            Self::Name { .. } => "use up to 100 letters, digits, `-`, `_` and `.`, and begin with a letter or digit".to_owned(),
            Self::Savepoint(failure) | Self::Unfit { failure, .. } | Self::Garbage(failure) => failure
                .help
                .clone()
                .unwrap_or_else(|| "look at the state folder; `weir describe` shows the savepoints of a datastream".to_owned()),
            Self::Tap(Refusal::Step { help, .. }) => help.clone(),
            Self::Tap(Refusal::Condition { help, .. }) => {
                help.clone().unwrap_or_else(|| "it is an SQL expression over the rows of the step".to_owned())
            }
            Self::Letters(error) => error.help(),
            Self::Taps { .. } => "end one of them, or wait: each ends by itself".to_owned(),
            Self::Silent { .. } => "try again in a moment; its log says what it is doing".to_owned(),
            Self::ShuttingDown => "start the job manager again".to_owned(),
            Self::Store(error) => {
                let help = error.failure().help;
                let help = help.unwrap_or_else(|| "check that the state folder is there and can be written".to_owned());
                format!("{help}; then look with `weir list`")
            }
        }
    }
}

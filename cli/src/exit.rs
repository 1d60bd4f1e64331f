//! Exit codes that mean something; written down for users in `docs/guides/cli.md`.

use std::fmt;
use std::process::ExitCode;

/// What the process says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success,
    /// The job failed, or the command did.
    Failed,
    /// The document has mistakes (they were printed).
    Document,
    /// A job manager or a store could not be reached.
    Unreachable,
    /// Refused: the name is taken, the port is in use, the folder belongs to another process, there is no such datastream.
    Refused,
    /// Interrupted by the person.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // 2 is clap's own, for wrong flags; 130 is what shells say of Ctrl-C.
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Document => 3,
            Exit::Unreachable => 4,
            Exit::Refused => 5,
            Exit::Interrupted => 130,
        })
    }
}

/// An error that knows its exit code and what to do about it.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Stop {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Stop {}

impl From<dataflow::Failure> for Stop {
    fn from(failure: dataflow::Failure) -> Self {
        Self {
            exit: Exit::Failed,
            message: failure.message,
            help: failure.help,
        }
    }
}

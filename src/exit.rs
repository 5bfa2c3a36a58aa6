//! The exit codes: part of the interface, documented in the README, never reused.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Ran to completion, whatever the decision.
    Success = 0,
    /// Could not complete, or is wrong itself (a panic, which names its place).
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was asked of anybody.
    Usage = 2,
    /// Partly done: something is left for the next run. So it is too where a panic ended the work on one app of several.
    Partial = 3,
    /// The lease ended or was taken over while the run was active. A lease that another run holds from the start is no
    /// failure: [`Exit::Success`], and nothing was done.
    LostLease = 4,
    /// Data is missing or stale (only with `--fail-on`), or the export of crashes has stopped (always).
    Data = 5,
    /// A warning (only with `--fail-on`).
    Warn = 10,
    /// A halt (only with `--fail-on`).
    Halt = 11,
    /// Nothing to do (only with `--fail-on`).
    Hold = 12,
    /// Interrupted (SIGINT).
    Interrupted = 130,
    /// Terminated (SIGTERM).
    Terminated = 143,
}

impl Exit {
    /// Whether a run that ends with it did what it was started for, for every app or for some.
    #[must_use]
    pub fn is_complete(self) -> bool {
        match self {
            Self::Success | Self::Partial | Self::Data | Self::Warn | Self::Halt | Self::Hold => true,
            Self::Failed | Self::Usage | Self::LostLease | Self::Interrupted | Self::Terminated => false,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a command, with the code to end with.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Ended {
    /// The code.
    pub exit: Exit,
    /// What a person reads.
    pub message: String,
}

impl Ended {
    /// The command line or the configuration is wrong.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// The command could not complete.
    pub fn failed(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }
}

//! Fail points: places at which a run ends at once, as if it were killed there, so that tests can meet exactly what such a
//! run leaves behind.
//!
//! The environment names one. They are there only in a build with the cargo feature `fail-points`, which no release has;
//! any other build has nothing at these places, and refuses every command that is asked for one, so that nobody takes a
//! run that went on for one that was killed. `cfg!` and no `#[cfg]`, so that each build checks all of this file.

use super::environment;
use crate::domain::ledger::Kind;
use crate::ports::Write;

/// Names the place at which the run ends.
pub const VARIABLE: &str = "TIDEGATE_FAIL_POINT";

/// The exit code of a process that was killed, as shells tell it: 128 and the number of SIGKILL.
const KILLED: i32 = 137;

/// Whether this build has fail points.
const IS_BUILT: bool = cfg!(feature = "fail-points");

/// A place at which a run can be made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailPoint {
    /// A change of a store has been written down, and the store was not asked for it yet.
    AfterT1,
    /// The request that changes the store would be sent next: Play's commit of the edit, Apple's PATCH.
    BeforeCommit,
    /// The store has accepted that request, and was not read back.
    AfterCommit,
    /// The change is noted as confirmed, and nobody was told.
    AfterT2,
    /// Slack has accepted a message, and that is not noted.
    AfterSlackPost,
}

impl FailPoint {
    /// All of them, in the order in which a run that changes a store passes them.
    pub const ALL: [Self; 5] =
        [Self::AfterT1, Self::BeforeCommit, Self::AfterCommit, Self::AfterT2, Self::AfterSlackPost];

    /// The name in the environment.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AfterT1 => "after_t1",
            Self::BeforeCommit => "before_commit",
            Self::AfterCommit => "after_commit",
            Self::AfterT2 => "after_t2",
            Self::AfterSlackPost => "after_slack_post",
        }
    }
}

/// Why a command does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The build has no fail points.
    #[error(
        "{VARIABLE} is set, and this build has no fail points\n  fix: unset it; only tests set it, and build with \
         --features fail-points"
    )]
    NotBuilt,
    /// There is no such point.
    #[error("{VARIABLE}: unknown fail point {given:?}\n  fix: use one of {known}")]
    Unknown {
        /// What the environment names.
        given: String,
        /// What it could name.
        known: String,
    },
}

/// Looks at the environment before a command begins.
///
/// # Errors
/// Where it names a fail point that this build does not have.
pub fn check() -> Result<(), Refused> {
    asked().map(drop)
}

fn asked() -> Result<Option<FailPoint>, Refused> {
    environment::variable(VARIABLE).map(|given| named(IS_BUILT, &given)).transpose()
}

fn named(is_built: bool, given: &str) -> Result<FailPoint, Refused> {
    if !is_built {
        return Err(Refused::NotBuilt);
    }
    let known = || FailPoint::ALL.map(FailPoint::as_str).join(", ");
    let found = FailPoint::ALL.into_iter().find(|point| point.as_str() == given);
    found.ok_or_else(|| Refused::Unknown { given: given.to_owned(), known: known() })
}

/// Ends the process where the environment names this place. Nothing is told, noted or given back.
#[expect(
    clippy::disallowed_methods,
    reason = "it stands for a kill, after which nothing is given back either"
)]
pub(super) fn reached(point: FailPoint) {
    if IS_BUILT && asked() == Ok(Some(point)) {
        std::process::exit(KILLED);
    }
}

/// The places behind a commit of the state: T1 enters what is intended, T2 what was confirmed.
pub(super) fn committed(writes: &[Write]) {
    if IS_BUILT {
        writes.iter().filter_map(place_behind).for_each(reached);
    }
}

fn place_behind(write: &Write) -> Option<FailPoint> {
    match write {
        Write::Ledger(noted) if matches!(noted.kind, Kind::Intended { .. }) => Some(FailPoint::AfterT1),
        Write::Ledger(noted) if matches!(noted.kind, Kind::Confirmed { .. }) => Some(FailPoint::AfterT2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        for point in FailPoint::ALL {
            assert_eq!(named(true, point.as_str()), Ok(point));
        }
        let refused = named(true, "after_t3").unwrap_err().to_string();
        insta::assert_snapshot!(refused, @r#"
        TIDEGATE_FAIL_POINT: unknown fail point "after_t3"
          fix: use one of after_t1, before_commit, after_commit, after_t2, after_slack_post
        "#);
    }

    #[test]
    fn a_build_without_them_refuses_every_name() {
        for given in FailPoint::ALL.map(FailPoint::as_str).into_iter().chain(["after_t3"]) {
            assert_eq!(named(false, given), Err(Refused::NotBuilt));
        }
        insta::assert_snapshot!(Refused::NotBuilt, @r"
        TIDEGATE_FAIL_POINT is set, and this build has no fail points
          fix: unset it; only tests set it, and build with --features fail-points
        ");
    }
}

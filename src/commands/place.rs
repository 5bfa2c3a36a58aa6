//! The place of a run in GitHub Actions: which event and which branch may act.
//!
//! A workflow that runs for a pull request runs what somebody else wrote, and one of another branch runs with settings
//! that nobody has reviewed. Neither may act on a store or speak for a person. Outside of GitHub Actions there is nothing
//! to look at.

use crate::adapters::environment;
use crate::exit::Ended;

/// What GitHub says of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    event: String,
    /// `refs/heads/main`.
    reference: String,
    /// `main`; none where the event does not tell.
    default_branch: Option<String>,
}

/// Refuses to act for an event or a branch that may not.
///
/// # Errors
/// A usage error that says which, and how it is done right.
pub fn may_act() -> Result<(), Ended> {
    if environment::variable("GITHUB_ACTIONS").as_deref() != Some("true") {
        return Ok(());
    }
    let variable = |name| environment::variable(name).unwrap_or_default();
    let place = Place {
        event: variable("GITHUB_EVENT_NAME"),
        reference: variable("GITHUB_REF"),
        default_branch: default_branch(&variable("GITHUB_EVENT_PATH")),
    };
    refusal(&place).map_or(Ok(()), |why| {
        Err(Ended::usage(format!(
            "{why}\n  fix: act from schedule or workflow_dispatch on the default branch, or use --dry-run"
        )))
    })
}

/// The default branch, as the event tells it.
fn default_branch(path: &str) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    event.pointer("/repository/default_branch")?.as_str().map(str::to_owned)
}

fn refusal(place: &Place) -> Option<String> {
    let event = &place.event;
    if event.starts_with("pull_request") || event == "workflow_run" {
        return Some(format!("nothing may be done to a store by a workflow of the event {event}"));
    }
    let reference = &place.reference;
    match &place.default_branch {
        Some(branch) if *reference == format!("refs/heads/{branch}") => None,
        Some(branch) => Some(format!(
            "nothing may be done to a store by a workflow of {reference}, which is not the default branch {branch}"
        )),
        // GitHub runs a schedule on the default branch only.
        None if event == "schedule" => None,
        None => Some(format!(
            "the event {event} does not tell the default branch, so it is not known whether {reference} may act"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(event: &str, reference: &str, default_branch: Option<&str>) -> Option<String> {
        let default_branch = default_branch.map(str::to_owned);
        refusal(&Place { event: event.to_owned(), reference: reference.to_owned(), default_branch })
    }

    #[test]
    fn only_the_default_branch_acts_and_no_pull_request() {
        for event in ["schedule", "workflow_dispatch", "push", "repository_dispatch"] {
            assert_eq!(refused(event, "refs/heads/main", Some("main")), None, "{event}");
            assert!(refused(event, "refs/heads/topic", Some("main")).unwrap().contains("refs/heads/topic"));
            assert!(refused(event, "refs/tags/main", Some("main")).is_some(), "a tag of that name");
        }
        for event in ["pull_request", "pull_request_target", "pull_request_review", "workflow_run"] {
            assert!(refused(event, "refs/heads/main", Some("main")).unwrap().contains(event));
        }
        assert_eq!(refused("schedule", "refs/heads/main", None), None);
        assert!(refused("workflow_dispatch", "refs/heads/main", None).is_some(), "it is not known");
    }
}

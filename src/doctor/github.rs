//! The repository that is told of a halt: is the token taken, and is the repository there for it. That the token may
//! write there only a write would show, so the permissions that it needs are named.

use super::Patient;
use super::secrets::Secrets;
use crate::adapters::github::{GitHub, Issues};
use crate::config::{App, GitHub as Settings, GitHubDispatch};
use crate::report::checks::Check;

const REPOSITORY: &str = "github-repository";
const ISSUES: &str = "github-issues";
const RIGHT: &str = "github-right";
/// A key that no message has.
const NO_MESSAGE: &str = "doctor";

/// Looks at the repository of an app. Nothing is written there.
pub async fn check(patient: &Patient<'_>, app: &App, secrets: &Secrets) -> Vec<Check> {
    let Some(settings) = &app.github else { return Vec::new() };
    if !secrets.has(&settings.token) {
        let missing = format!("the secret {} is missing", settings.token);
        return vec![Check::skipped(REPOSITORY, "GitHub", missing)];
    }
    let github = match patient.parts.github(app, settings).await {
        Ok(github) => github,
        Err(ended) => return vec![Check::failed(REPOSITORY, "GitHub", &ended)],
    };
    let subject = format!("GitHub repository {}", github.repository());
    match github.default_branch().await {
        Ok(branch) => {
            let found = Check::ok(REPOSITORY, subject, format!("is there; its default branch is {branch}"));
            let issues = issues(&github, settings).await;
            [Some(found), issues, right(settings)].into_iter().flatten().collect()
        }
        Err(error) => vec![Check::failed(REPOSITORY, subject, &error)],
    }
}

/// Whether issues can be looked through: without that, an issue whose answer was lost could not be found again.
async fn issues(github: &GitHub, settings: &Settings) -> Option<Check> {
    let issue = settings.issue.as_ref()?;
    let issues = Issues::new(github.clone(), issue.labels.clone(), issue.assignees.clone());
    let subject = format!("issues of {}", github.repository());
    Some(match issues.issue(NO_MESSAGE, None).await {
        Ok(_) => Check::ok(ISSUES, subject, "can be looked through"),
        Err(error) => Check::failed(ISSUES, subject, &error),
    })
}

/// What the token must be allowed, for what is told.
fn right(settings: &Settings) -> Option<Check> {
    let dispatch = settings.dispatch.as_ref().map(|dispatch| match dispatch {
        GitHubDispatch::Event { .. } => "contents: write",
        GitHubDispatch::Workflow { .. } => "actions: write",
    });
    let issue = settings.issue.as_ref().map(|_| "issues: write");
    let deployment = settings.deployment_environment.as_ref().map(|_| "deployments: write");
    let needed: Vec<&str> = [issue, deployment, dispatch].into_iter().flatten().collect();
    let place = format!(
        "permissions of the workflow's job, or of the token of another repository: {}",
        needed.join(", ")
    );
    let why = "not proved: only a write would show it";
    (!needed.is_empty())
        .then(|| Check::skipped(RIGHT, "right to write in the repository", why).with_fix(place))
}

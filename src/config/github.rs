//! `[github]`: the repository that is told of a halt, and how.
//!
//! A token turns it on; other keys without one are a mistake, for somebody would wait for an issue that never comes. Of the
//! two ways to start workflows one is chosen, and an app that chooses another one takes nothing of the top level's.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, own_or, value_or};
use super::error::Problem;
use super::secret::SecretRef;
use super::suggest;
use super::text::{EnvironmentName, EventType, GitRef, LabelName, LoginName, RepositoryText, WorkflowFile};
use crate::domain::ids::AppId;

/// The event that workflows listen to unless another is named.
pub const DEFAULT_EVENT_TYPE: &str = "tidegate-halted";
/// The label of an issue unless others are named.
const DEFAULT_LABEL: &str = "tidegate";
/// What may stand in braces in the value of an input.
pub const PLACEHOLDERS: [&str; 6] = ["app", "platform", "version", "builds", "decision", "headline"];
/// The most inputs that GitHub takes.
const MOST_INPUTS: usize = 25;
/// The length of a full commit id, in characters.
const SHA_LENGTH: usize = 40;

/// The repository that is told of a halt, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GitHub {
    /// The token.
    pub token: SecretRef,
    /// `owner/name`; none is the repository of the workflow that runs.
    pub repository: Option<String>,
    /// The issue; none opens none.
    pub issue: Option<GitHubIssue>,
    /// The environment that shows a failed deployment; none shows nothing.
    pub deployment_environment: Option<String>,
    /// The branch, tag or commit that it is about; none is the commit of the workflow that runs, else the default branch.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The workflows that are started; none starts none.
    pub dispatch: Option<GitHubDispatch>,
}

/// What an issue is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GitHubIssue {
    /// Its labels.
    pub labels: Vec<String>,
    /// The logins of those it is assigned to.
    pub assignees: Vec<String>,
}

/// Which workflows are started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitHubDispatch {
    /// Those that listen to an event.
    Event {
        /// Its type.
        event_type: String,
    },
    /// One by its file.
    Workflow {
        /// The file in `.github/workflows`.
        file: String,
        /// Its inputs; words in braces stand for what [`PLACEHOLDERS`] lists.
        inputs: BTreeMap<String, String>,
    },
}

/// The repository that is told of a halt, and how. Left out, none is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GitHub")]
pub(super) struct RawGitHub {
    /// The token, by reference. Left out, nothing is told.
    #[schemars(extend("examples" = ["env:GITHUB_TOKEN"]))]
    token: Option<At<SecretRef>>,
    /// The repository, `owner/name`. Left out, the one whose workflow runs (`GITHUB_REPOSITORY`).
    #[schemars(extend("examples" = ["example/app"]))]
    repository: Option<At<RepositoryText>>,
    /// Whether an issue is opened for a halted release. With a token, true unless false is said.
    #[schemars(extend("examples" = [true]))]
    issue: Option<At<bool>>,
    /// The labels of the issue. Left out, tidegate.
    #[schemars(extend("examples" = [["tidegate"]]))]
    labels: Option<At<Vec<LabelName>>>,
    /// The logins of those that the issue is assigned to. Left out, nobody.
    #[schemars(extend("examples" = [["octocat"]]))]
    assignees: Option<At<Vec<LoginName>>>,
    /// The environment that shows a failed deployment for a halted release. Left out, none does.
    #[schemars(extend("examples" = ["production"]))]
    deployment_environment: Option<At<EnvironmentName>>,
    /// The branch, tag or commit that the deployment is about, and the branch or tag that a workflow is started on. Left
    /// out, the commit of the workflow that runs (`GITHUB_SHA`), else the default branch.
    #[serde(rename = "ref")]
    #[schemars(extend("examples" = ["main"]))]
    reference: Option<At<GitRef>>,
    /// The workflows that are started for a halted release. Left out, none are.
    dispatch: Option<At<RawDispatch>>,
}

/// The workflows that are started for a halted release.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GitHubDispatch")]
struct RawDispatch {
    /// The type of the event that workflows listen to with `on: repository_dispatch`. Left out, without a workflow:
    /// tidegate-halted.
    #[schemars(extend("examples" = [DEFAULT_EVENT_TYPE]))]
    event_type: Option<At<EventType>>,
    /// The file of one workflow with `on: workflow_dispatch`, instead of an event.
    #[schemars(extend("examples" = ["halted.yml"]))]
    workflow: Option<At<WorkflowFile>>,
    /// The inputs of the workflow. `{app}`, `{platform}`, `{version}`, `{builds}`, `{decision}` and `{headline}` are filled in.
    #[schemars(extend("examples" = [{"version": "{version}"}]))]
    inputs: Option<At<BTreeMap<String, At<String>>>>,
}

impl Section for RawGitHub {
    fn over(&self, base: &Self) -> Self {
        Self {
            token: own_or(self.token.as_ref(), base.token.as_ref()),
            repository: own_or(self.repository.as_ref(), base.repository.as_ref()),
            issue: own_or(self.issue.as_ref(), base.issue.as_ref()),
            labels: own_or(self.labels.as_ref(), base.labels.as_ref()),
            assignees: own_or(self.assignees.as_ref(), base.assignees.as_ref()),
            deployment_environment: own_or(
                self.deployment_environment.as_ref(),
                base.deployment_environment.as_ref(),
            ),
            reference: own_or(self.reference.as_ref(), base.reference.as_ref()),
            dispatch: own_or(self.dispatch.as_ref(), base.dispatch.as_ref()),
        }
    }
}

impl RawGitHub {
    /// What GitHub is told of an app; none where nothing is.
    pub(super) fn check(&self, app: &AppId) -> Result<Option<GitHub>, Problem> {
        let dispatch = self.dispatch.as_ref().map(|dispatch| dispatch.get().check(app)).transpose()?;
        let Some(token) = &self.token else { return self.without_token(app) };
        self.refuse_commit_for_workflow(app, dispatch.as_ref())?;
        let github = GitHub {
            token: token.get().clone(),
            repository: self.repository.as_ref().map(|name| name.get().to_text()),
            issue: value_or(self.issue.as_ref(), true).then(|| self.issue_settings()),
            deployment_environment: self.deployment_environment.as_ref().map(|name| name.get().to_text()),
            reference: self.reference.as_ref().map(|name| name.get().to_text()),
            dispatch,
        };
        // An app that says `issue = false` and nothing else is told of nowhere.
        let is_told =
            github.issue.is_some() || github.deployment_environment.is_some() || github.dispatch.is_some();
        Ok(is_told.then_some(github))
    }

    fn issue_settings(&self) -> GitHubIssue {
        let labels = self.labels.as_ref().map(|labels| labels.get().iter().map(LabelName::to_text).collect());
        let assignees = self.assignees.iter().flat_map(|logins| logins.get()).map(LoginName::to_text);
        GitHubIssue {
            labels: labels.unwrap_or_else(|| vec![DEFAULT_LABEL.to_owned()]),
            assignees: assignees.collect(),
        }
    }

    fn without_token(&self, app: &AppId) -> Result<Option<GitHub>, Problem> {
        let off = self.issue.as_ref().is_some_and(|issue| !*issue.get());
        let given: [Option<(Range<usize>, &str)>; 7] = [
            self.repository.as_ref().map(|value| (value.span(), "repository")),
            self.issue.as_ref().filter(|_| !off).map(|value| (value.span(), "issue")),
            self.labels.as_ref().map(|value| (value.span(), "labels")),
            self.assignees.as_ref().map(|value| (value.span(), "assignees")),
            self.deployment_environment.as_ref().map(|value| (value.span(), "deployment_environment")),
            self.reference.as_ref().map(|value| (value.span(), "ref")),
            self.dispatch.as_ref().map(|value| (value.span(), "dispatch")),
        ];
        match given.into_iter().flatten().min_by_key(|(span, _)| span.start) {
            None => Ok(None),
            Some((span, key)) => Err(Problem::new(
                span,
                format!("app `{app}` has `{key}` and no `token` in [github], so nothing would be told"),
                "add `token = \"env:GITHUB_TOKEN\"` to [github]",
            )),
        }
    }

    /// GitHub starts a workflow on a branch or a tag only.
    fn refuse_commit_for_workflow(
        &self,
        app: &AppId,
        dispatch: Option<&GitHubDispatch>,
    ) -> Result<(), Problem> {
        let is_commit =
            |text: &str| text.len() == SHA_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let commit = self.reference.as_ref().filter(|reference| is_commit(&reference.get().to_text()));
        match (commit, dispatch) {
            (Some(commit), Some(GitHubDispatch::Workflow { file, .. })) => Err(Problem::new(
                commit.span(),
                format!("app `{app}` starts the workflow {file:?} on a commit: `ref` in [github] is one"),
                "write a branch or a tag, or leave `ref` out",
            )),
            _ => Ok(()),
        }
    }
}

impl RawDispatch {
    fn check(&self, app: &AppId) -> Result<GitHubDispatch, Problem> {
        match (&self.event_type, &self.workflow) {
            (Some(_), Some(workflow)) => Err(Problem::new(
                workflow.span(),
                format!("app `{app}` has both `event_type` and `workflow` in [github.dispatch]"),
                "keep one of the two: `event_type` starts every workflow that listens to it, `workflow` one by its file",
            )),
            (_, Some(workflow)) => {
                Ok(GitHubDispatch::Workflow { file: workflow.get().to_text(), inputs: self.inputs(app)? })
            }
            (event_type, None) => {
                if let Some(inputs) = &self.inputs {
                    return Err(Problem::new(
                        inputs.span(),
                        format!("app `{app}` has `inputs` and no `workflow` in [github.dispatch]"),
                        "add `workflow = \"halted.yml\"`; an event carries the release without inputs",
                    ));
                }
                let event_type = event_type.as_ref().map(|event_type| event_type.get().to_text());
                let event_type = event_type.unwrap_or_else(|| DEFAULT_EVENT_TYPE.to_owned());
                Ok(GitHubDispatch::Event { event_type })
            }
        }
    }

    fn inputs(&self, app: &AppId) -> Result<BTreeMap<String, String>, Problem> {
        let Some(inputs) = &self.inputs else { return Ok(BTreeMap::new()) };
        if inputs.get().len() > MOST_INPUTS {
            return Err(Problem::new(
                inputs.span(),
                format!("app `{app}` has {} `inputs` in [github.dispatch]", inputs.get().len()),
                format!("keep at most {MOST_INPUTS}: GitHub takes no more"),
            ));
        }
        for (name, value) in inputs.get() {
            check_placeholders(name, value)?;
        }
        Ok(inputs.get().iter().map(|(name, value)| (name.clone(), value.get().clone())).collect())
    }
}

/// Refuses a word in braces that nothing is known to fill.
fn check_placeholders(name: &str, value: &At<String>) -> Result<(), Problem> {
    for part in value.get().split('{').skip(1) {
        let word = part.split_once('}').map(|(word, _)| word);
        match word {
            Some(word) if PLACEHOLDERS.contains(&word) => {}
            Some(word) => {
                return Err(Problem::new(
                    value.span(),
                    format!("`{name}` in [github.dispatch.inputs] holds {{{word}}}, which nothing fills"),
                    suggest::fix(word, PLACEHOLDERS),
                ));
            }
            None => {
                return Err(Problem::new(
                    value.span(),
                    format!("`{name}` in [github.dispatch.inputs] holds a brace that is not closed"),
                    format!("write one of these words in braces: {}", suggest::list(PLACEHOLDERS)),
                ));
            }
        }
    }
    Ok(())
}

//! What a repository is set up with, and what a person does to it.

use serde::{Deserialize, Serialize};

/// A repository that the token can see.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubRepositorySeed {
    /// `owner/name`.
    pub full_name: String,
    /// The default branch.
    #[serde(default = "main_branch")]
    pub default_branch: String,
    /// Other branches.
    #[serde(default)]
    pub branches: Vec<BranchSeed>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Full SHAs of commits that a deployment may name.
    #[serde(default)]
    pub commits: Vec<String>,
    /// Status checks that every commit lacks.
    #[serde(default)]
    pub failing_contexts: Vec<String>,
    /// Labels; new ones are made when an issue names them, as at GitHub.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The people to whom an issue can be assigned.
    #[serde(default)]
    pub assignable: Vec<String>,
    /// The workflow files.
    #[serde(default)]
    pub workflows: Vec<WorkflowSeed>,
    /// Whether the repository has issues.
    #[serde(default)]
    pub issues: IssuesFeature,
    /// What the token may do in it.
    #[serde(default)]
    pub permissions: GitHubPermissions,
}

fn main_branch() -> String {
    "main".to_owned()
}

/// Whether a repository has issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuesFeature {
    /// It has.
    #[default]
    Enabled,
    /// They are switched off: each call about issues is answered with 410.
    Disabled,
}

/// A branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchSeed {
    /// Its name.
    pub name: String,
    /// How it stands to the default branch.
    #[serde(default)]
    pub standing: BranchStanding,
}

/// How a branch stands to the default branch, which a deployment with `auto_merge` merges into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchStanding {
    /// It has all of it.
    #[default]
    UpToDate,
    /// It lacks commits that can be merged.
    Behind,
    /// It lacks commits that can't be merged.
    Conflicting,
}

/// A workflow file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowSeed {
    /// Its name in `.github/workflows`.
    pub file: String,
    /// Whether it has `on: workflow_dispatch`.
    #[serde(default)]
    pub trigger: WorkflowTrigger,
    /// The inputs that it declares.
    #[serde(default)]
    pub inputs: Vec<WorkflowInput>,
}

/// Whether a workflow can be started by a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkflowTrigger {
    /// It has `on: workflow_dispatch`.
    #[default]
    Dispatch,
    /// It runs on other events only.
    Other,
}

/// An input of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowInput {
    /// Its name.
    pub name: String,
    /// Whether a run needs it.
    #[serde(default)]
    pub need: InputNeed,
}

/// Whether a run needs an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputNeed {
    /// It may be left out.
    #[default]
    Optional,
    /// It may not.
    Required,
}

/// What the token may do in a repository.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitHubPermissions {
    /// For issues and comments.
    pub issues: GitHubAccess,
    /// For deployments and their statuses.
    pub deployments: GitHubAccess,
    /// For `repository_dispatch`.
    pub contents: GitHubAccess,
    /// For `workflow_dispatch`.
    pub actions: GitHubAccess,
}

impl Default for GitHubPermissions {
    fn default() -> Self {
        let write = GitHubAccess::Write;
        Self { issues: write, deployments: write, contents: write, actions: write }
    }
}

/// How far a permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitHubAccess {
    /// Nothing.
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// Whose token the sandbox takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitHubCaller {
    /// That of a workflow, as `GITHUB_TOKEN`: its issues are by `github-actions[bot]`, and it may not ask who it is.
    #[default]
    Workflow,
    /// That of a person.
    Person,
}

/// An issue that somebody else opens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignIssue {
    /// The login of who opens it.
    pub login: String,
    /// The title.
    pub title: String,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// The labels.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// A state that a person gives an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssueState {
    /// Open.
    Open,
    /// Closed.
    Closed,
}

impl IssueState {
    /// As GitHub writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl GitHubRepositorySeed {
    /// A repository with the branch `main` and nothing else, in which the token may do everything.
    pub fn new(full_name: &str) -> Self {
        Self {
            full_name: full_name.to_owned(),
            default_branch: main_branch(),
            branches: Vec::new(),
            tags: Vec::new(),
            commits: Vec::new(),
            failing_contexts: Vec::new(),
            labels: Vec::new(),
            assignable: Vec::new(),
            workflows: Vec::new(),
            issues: IssuesFeature::Enabled,
            permissions: GitHubPermissions::default(),
        }
    }

    /// The same repository with a workflow that can be started, and the inputs that it declares.
    #[must_use]
    pub fn with_workflow(mut self, file: &str, inputs: &[&str]) -> Self {
        let input = |name: &&str| WorkflowInput { name: (*name).to_owned(), need: InputNeed::Optional };
        let inputs = inputs.iter().map(input).collect();
        let workflow = WorkflowSeed { file: file.to_owned(), trigger: WorkflowTrigger::Dispatch, inputs };
        self.workflows.push(workflow);
        self
    }
}

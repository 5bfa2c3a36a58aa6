//! The state of GitHub: repositories with what is in them, whose token is taken, and the hour's budget of requests.
//! Pure; the instant comes as a parameter. Ids rise over everything, so none is found twice.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::deployments::Deployment;
use super::dispatches::Dispatch;
use super::error::{Budget, GitHubError};
use super::issues::Issue;
use super::seed::{ForeignIssue, GitHubCaller, GitHubRepositorySeed, IssueState};
use super::show::{Account, Links};

/// Requests of an hour for the token of a workflow.
/// Source: <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
const REQUESTS_PER_HOUR: u32 = 1_000;
/// The period of the budget.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// GitHub.
#[derive(Debug)]
pub(crate) struct GitHubModel {
    repositories: Vec<Repository>,
    caller: GitHubCaller,
    requests_per_hour: u32,
    hour: Option<Budget>,
    last_id: u64,
}

impl Default for GitHubModel {
    fn default() -> Self {
        Self {
            repositories: Vec::new(),
            caller: GitHubCaller::default(),
            requests_per_hour: REQUESTS_PER_HOUR,
            hour: None,
            last_id: 0,
        }
    }
}

/// A repository and what is in it.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) seed: GitHubRepositorySeed,
    pub(super) created_at: Timestamp,
    pub(super) issues: Vec<Issue>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) dispatches: Vec<Dispatch>,
}

/// One call's view: who calls, when, and from where replies link.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) account: Account,
    pub(super) now: Timestamp,
    pub(super) host: String,
}

impl GitHubModel {
    /// Adds a repository; false if the name exists.
    pub(crate) fn add_repository(&mut self, seed: GitHubRepositorySeed, now: Timestamp) -> bool {
        let is_new = self.find(&seed.full_name).is_none();
        if is_new {
            let id = self.next_id();
            let (issues, deployments, dispatches) = (Vec::new(), Vec::new(), Vec::new());
            self.repositories.push(Repository { id, seed, created_at: now, issues, deployments, dispatches });
        }
        is_new
    }

    /// Sets whose token is taken.
    pub(crate) fn set_caller(&mut self, caller: GitHubCaller) {
        self.caller = caller;
    }

    /// Sets the requests of an hour; `None` goes back to those of a workflow's token. The hour starts anew.
    pub(crate) fn set_budget(&mut self, requests_per_hour: Option<u32>) {
        self.requests_per_hour = requests_per_hour.unwrap_or(REQUESTS_PER_HOUR);
        self.hour = None;
    }

    /// An issue that somebody else opens; its number, or nothing if the repository is unknown.
    pub(crate) fn open_issue(&mut self, full_name: &str, issue: ForeignIssue, now: Timestamp) -> Option<u64> {
        let id = self.next_id();
        let repository = self.find_mut(full_name)?;
        let author = Account::person(&issue.login);
        Some(repository.add_issue(Issue::new(id, author, issue.title, Some(issue.body), issue.labels, now)))
    }

    /// A person's change of an issue's state; false if there is no such issue.
    pub(crate) fn set_issue_state(
        &mut self,
        full_name: &str,
        number: u64,
        state: IssueState,
        now: Timestamp,
    ) -> bool {
        let issue = self.find_mut(full_name).and_then(|repository| repository.issue_mut(number).ok());
        issue.map(|issue| issue.set_state(state, now)).is_some()
    }

    /// Everything, for the control surface: by `owner/name`.
    pub(crate) fn state(&self) -> Value {
        let links = Links::control();
        self.repositories
            .iter()
            .map(|repository| (repository.seed.full_name.clone(), repository.state(&links)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The names of the repositories.
    pub(crate) fn names(&self) -> Vec<String> {
        self.repositories.iter().map(|repository| repository.seed.full_name.clone()).collect()
    }

    pub(super) fn caller_kind(&self) -> GitHubCaller {
        self.caller
    }

    pub(super) fn account(&self) -> Account {
        match self.caller {
            GitHubCaller::Workflow => Account::workflow(),
            GitHubCaller::Person => Account::person("tidegate-sandbox"),
        }
    }

    /// Counts a request, and says what is left of the hour's budget and whether the request may be answered.
    pub(super) fn spend(&mut self, now: Timestamp) -> (Budget, Result<(), GitHubError>) {
        let fresh = Budget { limit: self.requests_per_hour, used: 0, reset_at: now + HOUR };
        let hour = self.hour.filter(|hour| hour.reset_at > now).unwrap_or(fresh);
        let allowed = if hour.used < hour.limit { Ok(()) } else { Err(GitHubError::RateLimited) };
        let hour = Budget { used: (hour.used + 1).min(hour.limit), ..hour };
        self.hour = Some(hour);
        (hour, allowed)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn repository(&mut self, owner: &str, name: &str) -> Result<&mut Repository, GitHubError> {
        self.find_mut(&format!("{owner}/{name}")).ok_or(GitHubError::NotFound)
    }

    /// Names are not case sensitive.
    fn find(&self, full_name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|known| known.seed.full_name.eq_ignore_ascii_case(full_name))
    }

    fn find_mut(&mut self, full_name: &str) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|known| known.seed.full_name.eq_ignore_ascii_case(full_name))
    }
}

impl Repository {
    fn state(&self, links: &Links) -> Value {
        let links = links.of(&self.seed.full_name);
        json!({
            "seed": self.seed,
            "issues": self.issues.iter().map(|issue| {
                let mut shown = issue.show(&links);
                shown["comment_list"] = issue.show_comments(&links);
                shown
            }).collect::<Vec<_>>(),
            "deployments": self.deployments.iter().map(|deployment| {
                let mut shown = deployment.show(&links);
                shown["status_list"] = deployment.show_statuses(&links);
                shown
            }).collect::<Vec<_>>(),
            "dispatches": self.dispatches.iter().map(Dispatch::show).collect::<Vec<_>>(),
        })
    }

    /// Whether a branch or a tag has this name, bare or in full.
    pub(super) fn has_branch_or_tag(&self, name: &str) -> bool {
        let bare =
            name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name);
        let seed = &self.seed;
        let branches = seed.branches.iter().map(|branch| branch.name.as_str());
        let mut known =
            branches.chain(seed.tags.iter().map(String::as_str)).chain([seed.default_branch.as_str()]);
        known.any(|known| known == bare)
    }
}

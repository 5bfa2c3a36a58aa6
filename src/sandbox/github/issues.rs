//! Issues and their comments.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::GitHubError;
use super::model::{Caller, Repository};
use super::seed::IssueState;
use super::show::{Account, Links, label};

/// The longest title and the longest body, in characters.
const LONGEST_TITLE: usize = 256;
const LONGEST_BODY: usize = 65_536;
/// The most people to whom an issue can be assigned.
const MOST_ASSIGNEES: usize = 10;

/// An issue.
#[derive(Clone, Debug)]
pub(super) struct Issue {
    id: u64,
    number: u64,
    title: String,
    body: Option<String>,
    author: Account,
    labels: Vec<String>,
    assignees: Vec<String>,
    state: IssueState,
    comments: Vec<Comment>,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Comment {
    id: u64,
    author: Account,
    body: String,
    created_at: Timestamp,
}

/// Which issues are listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// None for both.
    pub(super) state: Option<IssueState>,
    pub(super) labels: Vec<String>,
    pub(super) creator: Option<String>,
    pub(super) since: Option<Timestamp>,
}

/// What a call says of an issue. An absent field is left as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) title: Option<String>,
    pub(super) body: Option<Option<String>>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) assignees: Option<Vec<String>>,
    pub(super) state: Option<IssueState>,
}

impl Issue {
    pub(super) fn new(
        id: u64,
        author: Account,
        title: String,
        body: Option<String>,
        labels: Vec<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            number: 0,
            title,
            body,
            author,
            labels,
            assignees: Vec::new(),
            state: IssueState::Open,
            comments: Vec::new(),
            created_at: now,
            updated_at: now,
            closed_at: None,
        }
    }

    pub(super) fn set_state(&mut self, state: IssueState, now: Timestamp) {
        self.state = state;
        self.updated_at = now;
        self.closed_at = (state == IssueState::Closed).then_some(now);
    }

    pub(super) fn show(&self, links: &Links) -> Value {
        let (api, web) = (format!("{}/issues/{}", links.repository(), self.number), links.web());
        let assignees: Vec<Value> =
            self.assignees.iter().map(|login| Account::person(login).show(links)).collect();
        let closed = self.state == IssueState::Closed;
        json!({
            "id": self.id, "node_id": format!("I_{}", self.id), "url": api, "repository_url": links.repository(),
            "labels_url": format!("{api}/labels{{/name}}"), "comments_url": format!("{api}/comments"),
            "events_url": format!("{api}/events"), "html_url": format!("{web}/issues/{}", self.number),
            "number": self.number, "state": self.state.as_str(),
            "state_reason": if closed { json!("completed") } else { Value::Null },
            "title": self.title, "body": self.body, "user": self.author.show(links),
            "labels": self.labels.iter().map(|name| label(name, links)).collect::<Vec<_>>(),
            "assignee": assignees.first(), "assignees": assignees, "milestone": null, "locked": false,
            "active_lock_reason": null, "comments": self.comments.len(),
            "closed_at": self.closed_at.map(seconds), "created_at": seconds(self.created_at),
            "updated_at": seconds(self.updated_at), "author_association": "NONE",
        })
    }

    pub(super) fn show_comments(&self, links: &Links) -> Value {
        self.comments.iter().map(|comment| self.show_comment(comment, links)).collect()
    }

    fn show_comment(&self, comment: &Comment, links: &Links) -> Value {
        let (api, web) = (links.repository(), links.web());
        json!({
            "id": comment.id, "node_id": format!("IC_{}", comment.id),
            "url": format!("{api}/issues/comments/{}", comment.id),
            "html_url": format!("{web}/issues/{}#issuecomment-{}", self.number, comment.id),
            "issue_url": format!("{api}/issues/{}", self.number), "body": comment.body,
            "user": comment.author.show(links), "created_at": seconds(comment.created_at),
            "updated_at": seconds(comment.created_at), "author_association": "NONE",
        })
    }

    fn fits(&self, filter: &Filter) -> bool {
        let has = |label: &String| self.labels.iter().any(|own| own.eq_ignore_ascii_case(label));
        filter.state.is_none_or(|state| state == self.state)
            && filter.labels.iter().all(has)
            && filter.creator.as_ref().is_none_or(|login| login.eq_ignore_ascii_case(&self.author.login))
            // Instants are told in whole seconds.
            && filter.since.is_none_or(|since| self.updated_at.as_second() >= since.as_second())
    }
}

/// GitHub tells whole seconds.
pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Draft {
    fn check(&self, repository: &Repository) -> Result<(), GitHubError> {
        let too_long = |text: &str, most: usize| text.chars().count() > most;
        let title = self.title.as_deref();
        if title.is_some_and(|title| title.trim().is_empty()) {
            return Err(GitHubError::field("Issue", "title", "missing_field"));
        }
        if title.is_some_and(|title| too_long(title, LONGEST_TITLE)) {
            let message = format!("title is too long (maximum is {LONGEST_TITLE} characters)");
            return Err(GitHubError::custom("Issue", "title", &message));
        }
        if self.body.as_ref().is_some_and(|body| too_long(body.as_deref().unwrap_or_default(), LONGEST_BODY))
        {
            let message = format!("body is too long (maximum is {LONGEST_BODY} characters)");
            return Err(GitHubError::custom("Issue", "body", &message));
        }
        let assignees = self.assignees.as_deref().unwrap_or_default();
        let unknown = assignees.iter().find(|login| !repository.seed.assignable.contains(login));
        if let Some(login) = unknown {
            let problem =
                json!({"value": login, "resource": "Issue", "field": "assignees", "code": "invalid"});
            return Err(GitHubError::Invalid(vec![problem]));
        }
        match assignees.len() > MOST_ASSIGNEES {
            true => Err(GitHubError::custom("Issue", "assignees", "no more than 10 assignees")),
            false => Ok(()),
        }
    }
}

impl Repository {
    /// Gives an issue the next number and keeps it.
    pub(super) fn add_issue(&mut self, mut issue: Issue) -> u64 {
        let number = self.issues.len() as u64 + 1;
        issue.number = number;
        self.seed.labels.extend(issue.labels.iter().cloned());
        self.seed.labels.sort();
        self.seed.labels.dedup();
        self.issues.push(issue);
        number
    }

    pub(super) fn issue_mut(&mut self, number: u64) -> Result<&mut Issue, GitHubError> {
        self.issues.iter_mut().find(|issue| issue.number == number).ok_or(GitHubError::NotFound)
    }

    pub(super) fn issue(&self, number: u64) -> Result<&Issue, GitHubError> {
        self.issues.iter().find(|issue| issue.number == number).ok_or(GitHubError::NotFound)
    }

    /// The issues that fit, newest first.
    pub(super) fn list_issues(&self, filter: &Filter, links: &Links) -> Vec<Value> {
        self.issues.iter().rev().filter(|issue| issue.fits(filter)).map(|issue| issue.show(links)).collect()
    }

    pub(super) fn create_issue(
        &mut self,
        id: u64,
        draft: Draft,
        caller: &Caller,
        links: &Links,
    ) -> Result<Value, GitHubError> {
        draft.check(self)?;
        let title = draft.title.ok_or_else(|| GitHubError::request("\"title\" wasn't supplied."))?;
        let (body, labels) = (draft.body.flatten(), draft.labels.unwrap_or_default());
        let mut issue = Issue::new(id, caller.account.clone(), title, body, labels, caller.now);
        issue.assignees = draft.assignees.unwrap_or_default();
        let number = self.add_issue(issue);
        Ok(self.issue(number)?.show(links))
    }

    pub(super) fn update_issue(
        &mut self,
        number: u64,
        draft: Draft,
        caller: &Caller,
        links: &Links,
    ) -> Result<Value, GitHubError> {
        draft.check(self)?;
        let issue = self.issue_mut(number)?;
        if let Some(title) = draft.title {
            issue.title = title;
        }
        if let Some(body) = draft.body {
            issue.body = body;
        }
        if let Some(labels) = draft.labels {
            issue.labels = labels;
        }
        if let Some(assignees) = draft.assignees {
            issue.assignees = assignees;
        }
        match draft.state {
            Some(state) => issue.set_state(state, caller.now),
            None => issue.updated_at = caller.now,
        }
        Ok(issue.show(links))
    }

    pub(super) fn create_comment(
        &mut self,
        number: u64,
        id: u64,
        body: &str,
        caller: &Caller,
        links: &Links,
    ) -> Result<Value, GitHubError> {
        if body.trim().is_empty() || body.chars().count() > LONGEST_BODY {
            return Err(GitHubError::custom("IssueComment", "data", "Body cannot be blank or too long"));
        }
        let issue = self.issue_mut(number)?;
        let comment =
            Comment { id, author: caller.account.clone(), body: body.to_owned(), created_at: caller.now };
        issue.comments.push(comment.clone());
        issue.updated_at = caller.now;
        Ok(issue.show_comment(&comment, links))
    }
}

/// Reads what a call says of an issue; other fields than these are refused.
pub(super) fn draft(body: &Map<String, Value>) -> Result<Draft, GitHubError> {
    let mut draft = Draft::default();
    for (name, value) in body {
        let wrong = || GitHubError::request(format!("For '{name}', {value} is not of the right type."));
        match name.as_str() {
            "title" => draft.title = Some(value.as_str().ok_or_else(wrong)?.to_owned()),
            "body" if value.is_null() => draft.body = Some(None),
            "body" => draft.body = Some(Some(value.as_str().ok_or_else(wrong)?.to_owned())),
            "labels" => draft.labels = Some(texts(value).ok_or_else(wrong)?),
            "assignees" => draft.assignees = Some(texts(value).ok_or_else(wrong)?),
            "state" => draft.state = Some(serde_json::from_value(value.clone()).map_err(|_| wrong())?),
            "state_reason" => {}
            _ => return Err(GitHubError::request(format!("\"{name}\" is not a permitted key."))),
        }
    }
    Ok(draft)
}

pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

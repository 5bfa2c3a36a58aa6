//! One issue for each thing that is told, found again by a hidden first line.
//!
//! The line holds a key and no secret, so anybody can copy it. An issue is ours only if it begins with the line and was
//! opened by the owner of our token. It is not looked for by label: people take labels off, and GitHub leaves them out
//! where a token may not set them, and then the issue would be opened twice.
//! API: <https://docs.github.com/rest/issues/issues>.

use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::future::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use octocrab::models::issues::Issue;
use octocrab::params::State;

use super::client::{GitHub, MOST_PAGES, Owner, PER_PAGE, time_to_arrive};
use super::error::Purpose;
use super::text;
use crate::domain::message::Note;
use crate::domain::outbox::Posted;
use crate::ports::{Found, Notifier, PortError};

/// Looking for an issue starts this long before the first attempt, for clocks that differ.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(300);
/// What GitHub calls the accounts of apps.
const BOT: &str = "Bot";

/// What an issue says: Markdown that is made safe already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueText {
    /// One line of at most 256 characters.
    pub title: String,
    /// At most 65,000 characters; the hidden line comes before it.
    pub body: String,
}

/// An issue of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedIssue {
    /// Its number in the repository.
    pub number: u64,
    /// Where people see it.
    pub url: String,
}

/// The issues of one repository.
#[derive(Clone)]
pub struct Issues {
    github: GitHub,
    labels: Vec<String>,
    assignees: Vec<String>,
}

impl Issues {
    /// The issues of a repository, and what new ones are given.
    #[must_use]
    pub fn new(github: GitHub, labels: Vec<String>, assignees: Vec<String>) -> Self {
        Self { github, labels, assignees }
    }

    /// Looks for the issue with a key that was opened since a little before `since`, open or closed; without `since` it is
    /// looked for among the newest only. Where there are two, it is the older one.
    ///
    /// # Errors
    /// Where GitHub could not be asked, or has more issues since then than are looked at.
    pub async fn issue(&self, key: &str, since: Option<Timestamp>) -> Result<Option<OpenedIssue>, PortError> {
        let owner = self.github.owner(&Purpose::LookForIssue).await?;
        let since = since.map(|since| since.checked_sub(LOOK_BACK).unwrap_or(since));
        let line = marker(key);
        let mut found = None;
        for page in 1..=MOST_PAGES {
            let issues = self.page(owner, since, page).await?;
            let last = issues.len() < usize::from(PER_PAGE);
            // The newest come first, so the last one found is the oldest.
            found = issues.into_iter().rfind(|issue| is_ours(issue, owner, &line)).or(found);
            if last || since.is_none() {
                return Ok(found.map(|issue| opened(&issue)));
            }
        }
        Err(PortError::new(
            format!("{} has too many new issues to look for ours", self.github.repository()),
            "look for the issue of this release by hand",
        ))
    }

    /// Opens an issue. The caller has looked for it before.
    ///
    /// # Errors
    /// Where it was refused, or whether it was opened is unclear.
    pub async fn open(&self, key: &str, text: &IssueText) -> Result<OpenedIssue, PortError> {
        let handler = self.handler();
        let call = handler
            .create(text.title.as_str())
            .body(format!("{}\n{}", marker(key), text.body))
            .labels(some(&self.labels))
            .assignees(some(&self.assignees))
            .send();
        self.github.write(&Purpose::OpenIssue, Box::pin(call)).await.map(|issue| opened(&issue))
    }

    /// Puts another text in the place of an issue's. A closed one stays closed. One that a person deleted is left alone.
    ///
    /// # Errors
    /// Where it was refused, or whether it was edited is unclear.
    pub async fn edit(&self, number: u64, key: &str, text: &IssueText) -> Result<(), PortError> {
        let (handler, body) = (self.handler(), format!("{}\n{}", marker(key), text.body));
        let call = handler.update(number).title(&text.title).body(&body).send();
        match self.github.write(&Purpose::EditIssue, Box::pin(call)).await {
            Err(error) if error.what.contains(DELETED) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    fn posted(&self, issue: &OpenedIssue) -> Posted {
        Posted { channel: self.github.repository().to_string(), id: issue.number.to_string(), thread: None }
    }

    fn handler(&self) -> octocrab::issues::IssueHandler<'_> {
        let repository = self.github.repository();
        self.github.crab().issues(&repository.owner, &repository.name)
    }

    async fn list(
        &self,
        owner: &Owner,
        since: Option<Timestamp>,
        page: u32,
    ) -> octocrab::Result<octocrab::Page<Issue>> {
        let handler = self.handler();
        let list = handler.list().state(State::All).per_page(PER_PAGE).page(page);
        let list = match since {
            Some(since) => list.since(SystemTime::from(since)),
            None => list,
        };
        match owner {
            Owner::Person(login) => list.creator(login).send().await,
            Owner::App => list.send().await,
        }
    }

    async fn page(
        &self,
        owner: &Owner,
        since: Option<Timestamp>,
        page: u32,
    ) -> Result<Vec<Issue>, PortError> {
        let call = || self.list(owner, since, page).boxed();
        self.github.read(&Purpose::LookForIssue, call).await.map(|page| page.items)
    }
}

#[async_trait]
impl Notifier for Issues {
    async fn post(&self, key: &str, note: &Note, _parent: Option<&Posted>) -> Result<Posted, PortError> {
        // One more look costs little: a state that was lost, or a second program, must not open a second issue.
        let issue = match self.issue(key, None).await? {
            Some(issue) => issue,
            None => self.open(key, &text::issue(note)).await?,
        };
        Ok(self.posted(&issue))
    }

    async fn update(&self, posted: &Posted, key: &str, note: &Note) -> Result<(), PortError> {
        let repository = self.github.repository().to_string();
        let number = posted.id.parse().ok().filter(|_| posted.channel == repository);
        let Some(number) = number else {
            return Err(PortError::new(
                format!(
                    "the issue {} of {} is in another repository than {repository}",
                    posted.id, posted.channel
                ),
                "edit or close it by hand; the next halt is told in the new repository",
            )
            .lasting());
        };
        self.edit(number, key, &text::issue(note)).await
    }

    async fn find(
        &self,
        key: &str,
        _parent: Option<&Posted>,
        since: Timestamp,
        age: SignedDuration,
    ) -> Result<Found, PortError> {
        let mut found = self.issue(key, Some(since)).await?;
        if let Some(rest) = time_to_arrive(age).filter(|_| found.is_none()) {
            tokio::time::sleep(rest).await;
            found = self.issue(key, Some(since)).await?;
        }
        Ok(found.map_or(Found::Nowhere, |issue| Found::There(self.posted(&issue))))
    }
}

/// How GitHub answers where an issue was deleted.
const DELETED: &str = "This issue was deleted";

/// None where there is nothing, so that nothing is sent.
fn some(names: &[String]) -> Option<Vec<String>> {
    (!names.is_empty()).then(|| names.to_vec())
}

/// The hidden first line. Keys are letters, digits and single signs; whatever else there is could end the comment.
fn marker(key: &str) -> String {
    let plain: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("<!-- tidegate:{plain} -->")
}

fn is_ours(issue: &Issue, owner: &Owner, line: &str) -> bool {
    let begins = issue.body.as_deref().and_then(|body| body.lines().next()).map(str::trim_end) == Some(line);
    let by_us = match owner {
        Owner::Person(login) => issue.user.login.eq_ignore_ascii_case(login),
        // A person can't have such an account, and an app is installed by those who own the repository.
        Owner::App => issue.user.r#type == BOT,
    };
    begins && by_us && issue.pull_request.is_none()
}

fn opened(issue: &Issue) -> OpenedIssue {
    OpenedIssue { number: issue.number, url: issue.html_url.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_can_end_the_hidden_line() {
        assert_eq!(marker("halt-0123abcd"), "<!-- tidegate:halt-0123abcd -->");
        assert_eq!(marker("halt@github-issue-0123"), "<!-- tidegate:halt-github-issue-0123 -->");
        assert_eq!(marker("x>@y<\n"), "<!-- tidegate:x--y-- -->");
    }
}

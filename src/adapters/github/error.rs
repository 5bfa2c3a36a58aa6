//! What went wrong at GitHub: whether a write may have taken effect, whether it passes, how long GitHub asked to wait, and
//! what a person can do about it.
//!
//! GitHub hides what a token can't see behind 404, says 403 for a missing permission as well as for both of its rate
//! limits, and tells waits in two headers; here they are told apart.
//! Source: <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api> and
//! <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api>.

use std::time::Duration;

use jiff::fmt::rfc2822;
use octocrab::{Error, GitHubError};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::super::clock::SystemClock;
use super::super::http::{excerpt, retry};
use super::client::RepositoryName;
use crate::ports::{Clock as _, PortError};

/// What GitHub asks to wait after its secondary limit where no header says more.
const SECONDARY_WAIT: Duration = Duration::from_secs(60);
/// How the HTTP client below octocrab begins the error of a connection that never was.
const NOT_CONNECTED: &str = "client error (Connect)";

/// What a call is for; names the permission and the settings that a fix speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    LookForIssue,
    OpenIssue,
    EditIssue,
    LookForDeployment,
    CreateDeployment,
    SetStatus,
    DispatchEvent,
    DispatchWorkflow,
    SeeRepository,
}

impl Purpose {
    fn doing(self) -> &'static str {
        match self {
            Self::LookForIssue => "look for an issue",
            Self::OpenIssue => "open an issue",
            Self::EditIssue => "edit an issue",
            Self::LookForDeployment => "look for a deployment",
            Self::CreateDeployment => "create a deployment",
            Self::SetStatus => "set the status of a deployment",
            Self::DispatchEvent => "send a repository_dispatch",
            Self::DispatchWorkflow => "start a workflow",
            Self::SeeRepository => "look up the default branch",
        }
    }

    /// The permission that the token needs, as a workflow names it.
    fn permission(self) -> &'static str {
        match self {
            Self::LookForIssue | Self::OpenIssue | Self::EditIssue => "issues: write",
            Self::LookForDeployment | Self::CreateDeployment | Self::SetStatus => "deployments: write",
            Self::DispatchEvent => "contents: write",
            Self::DispatchWorkflow => "actions: write",
            Self::SeeRepository => "contents: read",
        }
    }

    /// What to look at where GitHub refuses a value.
    fn settings(self) -> &'static str {
        match self {
            Self::LookForIssue | Self::OpenIssue | Self::EditIssue => {
                "check [github] labels and assignees: each assignee must be able to see the repository"
            }
            Self::LookForDeployment | Self::CreateDeployment | Self::SetStatus => {
                "check [github] ref and deployment_environment: the ref must be a branch, a tag or a commit"
            }
            Self::DispatchEvent => "check [github.dispatch] event_type: at most 100 characters",
            Self::DispatchWorkflow => {
                "check [github.dispatch] workflow and inputs, and [github] ref: the workflow needs `on: \
                 workflow_dispatch` on that branch or tag and must declare each input"
            }
            Self::SeeRepository => "set [github] ref",
        }
    }

    /// What follows where nobody knows whether it was done.
    fn afterwards(self) -> &'static str {
        match self {
            Self::DispatchEvent | Self::DispatchWorkflow => {
                "look into the repository's Actions: a dispatch can't be looked up, so it is not sent again"
            }
            _ => "nothing: the next run looks whether it was done, and does it if not",
        }
    }
}

/// How a call ended that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    kind: Kind,
    /// GitHub's own words.
    words: String,
    /// How long it asked to wait.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The request never left, or could not be made.
    NotSent,
    /// No connection came about, so nothing was asked.
    NotConnected,
    /// The request may have been received; its answer was not, or not whole, or can't be read.
    Lost,
    /// One of the rate limits.
    Limited,
    /// GitHub refused.
    Refused(u16),
}

impl Trouble {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::GitHub { source, .. } => Self::answered(source),
            Error::Service { source, .. } => {
                let words = chain(source.as_ref());
                let kind = if words.contains(NOT_CONNECTED) { Kind::NotConnected } else { Kind::Lost };
                Self { kind, words, retry_after: None }
            }
            Error::Uri { .. }
            | Error::UriParse { .. }
            | Error::Http { .. }
            | Error::InvalidHeaderValue { .. }
            | Error::SerdeUrlEncoded { .. }
            | Error::Encoder { .. } => Self { kind: Kind::NotSent, words: chain(error), retry_after: None },
            // What remains is an answer that broke off or can't be read; a kind that is new here counts as one.
            _ => Self { kind: Kind::Lost, words: chain(error), retry_after: None },
        }
    }

    pub(super) fn late(limit: Duration) -> Self {
        let words = format!("no whole answer came within {} s", limit.as_secs());
        Self { kind: Kind::Lost, words, retry_after: None }
    }

    fn answered(error: &GitHubError) -> Self {
        let status = error.status_code.as_u16();
        let headers = error.headers.clone().unwrap_or_default();
        let words = excerpt(&words(error));
        let retry_after = asked_to_wait(status, &headers, &words);
        let limited = status == 429 || (status == 403 && retry_after.is_some());
        let kind = if limited { Kind::Limited } else { Kind::Refused(status) };
        Self { kind, words, retry_after }
    }

    /// Whether the same call may well succeed a little later.
    pub(super) fn is_passing(&self) -> bool {
        match self.kind {
            Kind::NotSent => false,
            Kind::NotConnected | Kind::Lost | Kind::Limited => true,
            Kind::Refused(status) => matches!(status, 408 | 425 | 500 | 502 | 503 | 504),
        }
    }

    /// Whether only a token of a person may ask that. The words are those of GitHub and of GitHub Enterprise alike.
    pub(super) fn is_for_persons_only(&self) -> bool {
        self.kind == Kind::Refused(403) && self.words.contains("not accessible by integration")
    }

    fn effect_is_unclear(&self) -> bool {
        match self.kind {
            Kind::NotSent | Kind::NotConnected | Kind::Limited => false,
            Kind::Lost => true,
            Kind::Refused(status) => status >= 500 || status == 408,
        }
    }

    pub(super) fn of_read(&self, purpose: &Purpose, repository: &RepositoryName) -> PortError {
        let error = PortError::new(self.what(purpose, repository), self.fix(*purpose, repository));
        self.with_outlook(error)
    }

    pub(super) fn of_write(&self, purpose: &Purpose, repository: &RepositoryName) -> PortError {
        match self.effect_is_unclear() {
            true => {
                self.with_outlook(PortError::unclear(self.what(purpose, repository), purpose.afterwards()))
            }
            false => self.of_read(purpose, repository),
        }
    }

    fn with_outlook(&self, error: PortError) -> PortError {
        let error = error.after(self.retry_after);
        if self.is_passing() || self.effect_is_unclear() { error } else { error.lasting() }
    }

    fn what(&self, purpose: &Purpose, repository: &RepositoryName) -> String {
        let how = match self.kind {
            Kind::NotSent => "the request could not be made".to_owned(),
            Kind::NotConnected => "could not connect".to_owned(),
            Kind::Lost => "the answer was lost".to_owned(),
            Kind::Limited => "it asked to wait".to_owned(),
            Kind::Refused(status) => format!("it answered {status}"),
        };
        format!("GitHub did not {} in {repository}: {how}: {}", purpose.doing(), self.words)
    }

    fn fix(&self, purpose: Purpose, repository: &RepositoryName) -> String {
        let permission = purpose.permission();
        match self.kind {
            Kind::NotSent => "check [github] token, repository and GITHUB_API_URL".to_owned(),
            Kind::Limited => "nothing: it is tried again when GitHub allows it".to_owned(),
            Kind::Refused(401) => {
                "set [github] token to a token that is valid; in a workflow, GITHUB_TOKEN: ${{ github.token }}".to_owned()
            }
            Kind::Refused(403) => format!(
                "give the token `{permission}` in {repository}: under `permissions` of the workflow, or in the token's \
                 own settings"
            ),
            Kind::Refused(404) => format!(
                "check that {repository} is there and that the token can see it and has `{permission}`; {}",
                purpose.settings()
            ),
            Kind::Refused(410) => {
                "switch issues on in the settings of the repository, or set [github] issue = false".to_owned()
            }
            Kind::Refused(301 | 302 | 307 | 308) => {
                "set [github] repository to where it is now: a redirect is not followed with a token".to_owned()
            }
            Kind::Refused(400 | 409 | 422) => purpose.settings().to_owned(),
            Kind::NotConnected | Kind::Lost | Kind::Refused(_) => {
                "nothing, if it passes: every run tries again; https://www.githubstatus.com tells of outages".to_owned()
            }
        }
    }
}

/// GitHub's message, and what it says of single values.
fn words(error: &GitHubError) -> String {
    let details = error.errors.iter().flatten();
    let details: String = details.map(|detail| format!("; {detail}")).collect();
    format!("{}{details}", error.message)
}

/// How long GitHub asks to wait: by a header, by the end of the hour's budget, or in words alone.
fn asked_to_wait(status: u16, headers: &HeaderMap, words: &str) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(asked) = retry::seconds(header(RETRY_AFTER.as_str())) {
        return Some(asked);
    }
    if !matches!(status, 403 | 429) {
        return None;
    }
    if header("x-ratelimit-remaining") == Some("0") {
        let reset: i64 = header("x-ratelimit-reset")?.parse().ok()?;
        // GitHub's own clock, where it tells it, so that a wrong one here does not matter.
        let date = header(DATE.as_str()).and_then(|date| rfc2822::parse(date).ok());
        let now = date.map_or_else(|| SystemClock.now(), |date| date.timestamp());
        return Some(Duration::from_secs(u64::try_from(reset - now.as_second()).unwrap_or(0)));
    }
    let limited = status == 429 || words.to_lowercase().contains("rate limit");
    limited.then_some(SECONDARY_WAIT)
}

/// An error with its causes, the innermost last, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    excerpt(&texts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn each_way_to_ask_for_a_wait_is_read() {
        let wait =
            |status, pairs: &[(&'static str, &str)], words| asked_to_wait(status, &headers(pairs), words);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(403, &[("retry-after", "7")], ""), seconds(7));
        let spent = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1445412590"),
            ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ];
        assert_eq!(wait(403, &spent, "API rate limit exceeded"), seconds(110));
        assert_eq!(wait(200, &spent, ""), None);
        assert_eq!(wait(403, &[], "You have exceeded a secondary rate limit."), seconds(60));
        assert_eq!(wait(429, &[], ""), seconds(60));
        assert_eq!(wait(403, &[("x-ratelimit-remaining", "17")], "Resource not accessible"), None);
    }

    #[test]
    fn what_may_have_happened_is_unclear_and_what_was_refused_is_not() {
        let repository = RepositoryName { owner: "acme".into(), name: "app".into() };
        let effect = |kind| {
            let trouble = Trouble { kind, words: String::new(), retry_after: None };
            trouble.of_write(&Purpose::DispatchEvent, &repository)
        };
        use crate::ports::{Effect, Outlook};
        for kind in [Kind::NotConnected, Kind::NotSent, Kind::Limited, Kind::Refused(403), Kind::Refused(422)]
        {
            assert_eq!(effect(kind).effect, Effect::None, "{kind:?}");
        }
        for kind in [Kind::Lost, Kind::Refused(502), Kind::Refused(408)] {
            assert_eq!(effect(kind).effect, Effect::Unclear, "{kind:?}");
            assert!(effect(kind).fix.contains("not sent again"));
            assert_eq!(effect(kind).outlook, Outlook::Passing);
        }
        for (kind, outlook) in [
            (Kind::Limited, Outlook::Passing),
            (Kind::NotConnected, Outlook::Passing),
            (Kind::Refused(401), Outlook::Lasting),
            (Kind::Refused(403), Outlook::Lasting),
            (Kind::Refused(404), Outlook::Lasting),
            (Kind::Refused(410), Outlook::Lasting),
            (Kind::Refused(422), Outlook::Lasting),
            (Kind::Refused(301), Outlook::Lasting),
        ] {
            assert_eq!(effect(kind).outlook, outlook, "{kind:?}");
        }
    }
}

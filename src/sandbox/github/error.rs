//! GitHub's refusals: a status, a message and, where values are wrong, a list of them.
//! Words: <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api>, and public issues where a
//! page has none.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::call::Reply;

/// Where GitHub sends people.
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GitHubError {
    /// No token, or another one.
    BadCredentials,
    /// The token may not do that.
    NotAccessible,
    /// It is not there, or the token can't see it.
    NotFound,
    /// The repository has no issues.
    IssuesDisabled,
    /// The body is no JSON object.
    NotJson,
    /// The hour's requests are used up.
    RateLimited,
    /// What was asked contradicts the state of the repository.
    Conflict(String),
    /// A value is wrong; the message alone.
    Unprocessable(String),
    /// Values are wrong; one object each.
    Invalid(Vec<Value>),
}

impl GitHubError {
    /// A field of a resource that is wrong, with GitHub's code for how.
    pub(super) fn field(resource: &str, field: &str, code: &str) -> Self {
        Self::Invalid(vec![json!({"resource": resource, "field": field, "code": code})])
    }

    /// A field whose wrongness has words of its own.
    pub(super) fn custom(resource: &str, field: &str, message: &str) -> Self {
        let problem = json!({"resource": resource, "field": field, "code": "custom", "message": message});
        Self::Invalid(vec![problem])
    }

    /// A body that the description of the call does not allow.
    pub(super) fn request(problem: impl std::fmt::Display) -> Self {
        Self::Unprocessable(format!("Invalid request.\n\n{problem}"))
    }

    fn status(&self) -> u16 {
        match self {
            Self::BadCredentials => 401,
            Self::NotAccessible | Self::RateLimited => 403,
            Self::NotFound => 404,
            Self::IssuesDisabled => 410,
            Self::NotJson => 400,
            Self::Conflict(_) => 409,
            Self::Unprocessable(_) | Self::Invalid(_) => 422,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::BadCredentials => "Bad credentials".to_owned(),
            Self::NotAccessible => "Resource not accessible by integration".to_owned(),
            Self::NotFound => "Not Found".to_owned(),
            Self::IssuesDisabled => "Issues are disabled for this repo".to_owned(),
            Self::NotJson => "Problems parsing JSON".to_owned(),
            Self::RateLimited => "API rate limit exceeded for installation ID 1.".to_owned(),
            Self::Conflict(message) | Self::Unprocessable(message) => message.clone(),
            Self::Invalid(_) => "Validation Failed".to_owned(),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({"message": self.message(), "documentation_url": DOCUMENTATION});
        match self {
            Self::Invalid(errors) => body["errors"] = json!(errors),
            Self::Unprocessable(_) => {}
            _ => body["status"] = json!(self.status().to_string()),
        }
        Reply::json(self.status(), body)
    }
}

/// The document that GitHub sends with a status.
pub(in crate::sandbox) fn document(code: u16) -> Value {
    match code {
        422 => json!({"message": "Validation Failed", "documentation_url": DOCUMENTATION, "errors": []}),
        503 => {
            json!({"code": "unavailable", "message": "Service unavailable", "documentation_url": DOCUMENTATION})
        }
        403 | 429 => json!({
            "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "documentation_url": DOCUMENTATION,
            "status": code.to_string(),
        }),
        _ => {
            json!({"message": "The service refused the request.", "documentation_url": DOCUMENTATION,
            "status": code.to_string()})
        }
    }
}

/// The hour's budget of requests, as the headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub limit: u32,
    pub used: u32,
    pub reset_at: Timestamp,
}

impl Budget {
    /// The reply with what is left of the budget.
    pub(super) fn on(self, reply: Reply) -> Reply {
        let remaining = self.limit.saturating_sub(self.used);
        reply
            .with_header("x-ratelimit-limit", &self.limit.to_string())
            .with_header("x-ratelimit-remaining", &remaining.to_string())
            .with_header("x-ratelimit-used", &self.used.to_string())
            .with_header("x-ratelimit-reset", &self.reset_at.as_second().to_string())
            .with_header("x-ratelimit-resource", "core")
    }
}

//! GitHub by token: an issue, a deployment status and workflow starts for a halted release.
//!
//! Issues and deployments carry the key of what they tell, so that one whose answer was lost is found again instead of
//! being made twice. A dispatch leaves nothing that could be looked up, and its errors say so. Every write is made once:
//! octocrab's retries, which repeat writes too, are not compiled in. Redirects are not followed, so no token goes where
//! nobody sent it. Nothing here decides whether a release is halted.
//! API: <https://docs.github.com/rest>. GitHub sees octocrab's own user agent, because it offers no way to replace it.

mod client;
mod deployments;
mod dispatches;
mod error;
mod issues;
mod text;

pub use client::{GitHub, RepositoryName, is_api_address};
pub use deployments::{Deployments, Standing};
pub use dispatches::{Dispatches, Start};
pub use issues::{IssueText, Issues, OpenedIssue};

/// Where the API is. GitHub Enterprise has addresses of its own, which a workflow finds in `GITHUB_API_URL`.
pub const BASE_URL: &str = "https://api.github.com";

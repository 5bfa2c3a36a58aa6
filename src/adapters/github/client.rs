//! One token at one repository: how calls are made, how long they may take, and which are made again.
//!
//! A read is tried a few times, a write once. A call that has not been answered in time is given up, however slowly its
//! bytes drip, and counts as lost.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::SignedDuration;
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::super::exchange::milliseconds;
use super::super::http::retry;
use super::error::{Purpose, Trouble};
use crate::config;
use crate::ports::PortError;

/// A call that has not connected by then will not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that is silent for so long is dead.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// A whole call, slow answers included; far below the run's deadline.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What is not found this long after sending began did not arrive: a call ends sooner.
const ARRIVAL: SignedDuration = SignedDuration::from_secs(30);
/// Items on a page: GitHub's most.
pub(super) const PER_PAGE: u8 = 100;
/// More pages than these are not read: what is looked for was made a short while ago and stands on the first.
pub(super) const MOST_PAGES: u32 = 20;

/// The name of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryName {
    /// The person or organization.
    pub owner: String,
    /// The name within.
    pub name: String,
}

impl RepositoryName {
    /// Reads `owner/name`; none where it is not of that form, or could lead elsewhere in an address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/').filter(|_| config::is_repository(text))?;
        Some(Self { owner: owner.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A person's, by the login.
    Person(String),
    /// That of an app, such as GitHub Actions: its issues are by a bot, and it may not ask which.
    App,
}

/// One repository, with a token for it. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct GitHub {
    crab: Octocrab,
    repository: RepositoryName,
    known: Arc<Known>,
}

/// What was asked once and stays as it is.
#[derive(Default)]
struct Known {
    owner: OnceCell<Owner>,
    default_branch: OnceCell<String>,
}

impl GitHub {
    /// A repository at an address without a trailing slash. Nothing is asked before the first call.
    ///
    /// # Errors
    /// Where the token can't be sent, the address is none, or TLS can't be set up.
    pub fn connect(
        address: &str,
        token: &SecretString,
        repository: RepositoryName,
    ) -> Result<Self, PortError> {
        let problem = |error: octocrab::Error| {
            PortError::new(
                format!("can't set up the connection to GitHub at {address}: {error}"),
                "check GITHUB_API_URL, and that the system's CA certificates are there (package ca-certificates)",
            )
        };
        let builder = Octocrab::builder().base_uri(address).map_err(problem)?;
        let crab = builder
            .personal_token(sendable(token)?)
            .set_connect_timeout(Some(CONNECT_TIMEOUT))
            .set_read_timeout(Some(READ_TIMEOUT))
            .set_write_timeout(Some(READ_TIMEOUT))
            .build()
            .map_err(problem)?;
        Ok(Self { crab, repository, known: Arc::default() })
    }

    /// Another repository with the same token.
    #[must_use]
    pub fn of(&self, repository: RepositoryName) -> Self {
        match repository == self.repository {
            true => self.clone(),
            false => Self { crab: self.crab.clone(), repository, known: Arc::default() },
        }
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    pub(super) fn crab(&self) -> &Octocrab {
        &self.crab
    }

    /// A path below the repository.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.repository.owner, self.repository.name)
    }

    /// A call that changes nothing, made again a few times where that may help.
    pub(super) async fn read<'c, T>(
        &self,
        purpose: &Purpose,
        call: impl Fn() -> BoxFuture<'c, octocrab::Result<T>> + Send,
    ) -> Result<T, PortError> {
        tried(call).await.map_err(|trouble| trouble.of_read(purpose, &self.repository))
    }

    /// A call that changes something, made once.
    pub(super) async fn write<T>(
        &self,
        purpose: &Purpose,
        call: impl Future<Output = octocrab::Result<T>>,
    ) -> Result<T, PortError> {
        once(call).await.map_err(|trouble| trouble.of_write(purpose, &self.repository))
    }

    /// Reads one page of a list.
    pub(super) async fn page<T: DeserializeOwned + Send>(
        &self,
        purpose: &Purpose,
        path: &str,
        query: &[(&str, &str)],
        page: u32,
    ) -> Result<Vec<T>, PortError> {
        let (size, page) = (PER_PAGE.to_string(), page.to_string());
        let query = [query, &[("per_page", size.as_str()), ("page", page.as_str())]].concat();
        let (path, query) = (self.path(path), &query);
        self.read(purpose, || self.crab.get(path.clone(), Some(query)).boxed()).await
    }

    /// Posts what octocrab has no call for.
    pub(super) async fn post<B: Serialize + Sync, T: DeserializeOwned + Send>(
        &self,
        purpose: &Purpose,
        path: &str,
        body: &B,
    ) -> Result<T, PortError> {
        self.write(purpose, self.crab.post(self.path(path), Some(body))).await
    }

    /// Whose token it is: <https://docs.github.com/rest/users/users#get-the-authenticated-user>.
    pub(super) async fn owner(&self, purpose: &Purpose) -> Result<&Owner, PortError> {
        #[derive(Deserialize)]
        struct User {
            login: String,
        }
        let ask = async {
            match tried(|| self.crab.get::<User, _, _>("/user", None::<&()>).boxed()).await {
                Ok(user) => Ok(Owner::Person(user.login)),
                Err(trouble) if trouble.is_for_persons_only() => Ok(Owner::App),
                Err(trouble) => Err(trouble.of_read(purpose, &self.repository)),
            }
        };
        self.known.owner.get_or_try_init(|| ask).await
    }

    /// The default branch: <https://docs.github.com/rest/repos/repos#get-a-repository>.
    ///
    /// # Errors
    /// Where GitHub could not be asked, or has no such repository for the token.
    pub async fn default_branch(&self) -> Result<&str, PortError> {
        #[derive(Deserialize)]
        struct Repository {
            default_branch: String,
        }
        let ask = async {
            let get = || self.crab.get::<Repository, _, _>(self.path(""), None::<&()>).boxed();
            self.read(&Purpose::SeeRepository, get).await.map(|repository| repository.default_branch)
        };
        self.known.default_branch.get_or_try_init(|| ask).await.map(String::as_str)
    }
}

/// Whether a token may be sent there: an address of the web that is read only by whom it is for, and leads nowhere else.
#[must_use]
pub fn is_api_address(address: &str) -> bool {
    let rest = address.strip_prefix("https://").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/' | '_');
    rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && rest.chars().all(plain) && !rest.ends_with('/')
}

/// How long to wait before looking again for what is not there, where sending it began only `age` ago.
pub(super) fn time_to_arrive(age: SignedDuration) -> Option<Duration> {
    ARRIVAL.checked_sub(age).and_then(|rest| Duration::try_from(rest).ok())
}

/// A call, made again a few times where that may help.
async fn tried<'c, T>(call: impl Fn() -> BoxFuture<'c, octocrab::Result<T>> + Send) -> Result<T, Trouble> {
    let mut failures = 0;
    loop {
        let trouble = match once(call()).await {
            Ok(answer) => return Ok(answer),
            Err(trouble) => trouble,
        };
        failures += 1;
        match retry::wait(failures, trouble.retry_after).filter(|_| trouble.is_passing()) {
            Some(wait) => {
                tracing::debug!(
                    peer.service = "GitHub",
                    failures,
                    wait_ms = milliseconds(wait),
                    "a request is made again"
                );
                tokio::time::sleep(wait).await;
            }
            None => return Err(trouble),
        }
    }
}

/// A token that fits into a header: octocrab would end the program over another.
fn sendable(token: &SecretString) -> Result<SecretString, PortError> {
    let text = token.expose_secret().trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(SecretString::from(text));
    }
    Err(PortError::new(
        "the token for GitHub is no token: it is empty, or holds blanks or characters that no token has",
        "set [github] token to a token of GitHub; in a workflow, GITHUB_TOKEN: ${{ github.token }}",
    ))
}

/// One call, which ends in time.
async fn once<T>(call: impl Future<Output = octocrab::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(outcome) => outcome.map_err(|error| Trouble::of(&error)),
        Err(_) => Err(Trouble::late(CALL_TIMEOUT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_whole_addresses_only() {
        assert!(is_api_address("https://api.github.com") && is_api_address("https://ghe.example/api/v3"));
        for bad in [
            "",
            "http://api.github.com",
            "https://",
            "https://x@evil.example",
            "https://a.example?x",
            "https://a.example/",
            "https://a.example#x",
            "https:///x",
        ] {
            assert!(!is_api_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_token_that_fits_no_header_is_refused_without_being_shown() {
        for bad in ["", " ", "ghs_a\nghs_b", "ghs_ü", "ghs_a b"] {
            let error = sendable(&SecretString::from(bad)).unwrap_err().to_string();
            assert!(bad.trim().is_empty() || !error.contains(bad), "{error}");
        }
        let good = sendable(&SecretString::from("ghs_sandbox1\n")).unwrap();
        assert_eq!(good.expose_secret(), "ghs_sandbox1");
    }
}

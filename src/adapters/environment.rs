//! The one place that reads the environment and files of secrets.
//!
//! `sm://` references are read by `secret_manager`. A secret comes out as a [`SecretString`], which does not print, and
//! [`redact`] is told of it before anybody else. Errors name the reference, never the value.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::redact;
use crate::config::SecretRef;
use crate::ports::PortError;

/// The value of an environment variable, if it is set and not empty.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one adapter that may read the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The page of this run in GitHub Actions, where it is one.
#[must_use]
pub fn run_page() -> Option<String> {
    let server = variable("GITHUB_SERVER_URL").filter(|server| server.starts_with("https://"))?;
    let (repository, run) = (variable("GITHUB_REPOSITORY")?, variable("GITHUB_RUN_ID")?);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let is_plain = repository.chars().all(plain) && run.chars().all(|c| c.is_ascii_digit());
    is_plain.then(|| format!("{server}/{repository}/actions/runs/{run}"))
}

/// Reads what a reference points to. Relative paths start at `directory`, the configuration file's.
///
/// # Errors
/// Where the variable or file is missing or empty; the text names it and says how to set it.
pub fn secret(reference: &SecretRef, directory: &Path) -> Result<SecretString, PortError> {
    match reference {
        SecretRef::Env(name) => variable(name).map(told).ok_or_else(|| {
            PortError::new(
                format!("the secret {reference} is missing: the environment variable {name} is not set"),
                format!(
                    "set {name} in the environment of the run, or change the reference in the configuration"
                ),
            )
        }),
        SecretRef::File(path) => from_file(reference, &directory.join(path)),
        SecretRef::SecretManager(_) => Err(PortError::new(
            format!("the secret {reference} can't be read here: it is not in the environment and in no file"),
            "use env:NAME or file:PATH",
        )),
    }
}

/// What the environment says of who runs here, for Google.
#[derive(Debug, Clone, Default)]
pub struct GoogleVariables {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`: where a workflow of GitHub gets its token.
    pub oidc_request_url: Option<String>,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`: the right to get it.
    pub oidc_request_token: Option<SecretString>,
    /// Where the credentials file is, or would be.
    pub credentials: Option<CredentialsPlace>,
    /// `GCE_METADATA_HOST`: another metadata server.
    pub metadata_host: Option<String>,
}

/// Where a credentials file is looked for.
#[derive(Debug, Clone)]
pub enum CredentialsPlace {
    /// `GOOGLE_APPLICATION_CREDENTIALS` names it, so it must be there.
    Named(PathBuf),
    /// gcloud's own place; it need not be there.
    WellKnown(PathBuf),
}

impl fmt::Display for CredentialsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(path) => write!(f, "{} (named by GOOGLE_APPLICATION_CREDENTIALS)", path.display()),
            Self::WellKnown(path) => write!(f, "{} (gcloud's sign-in)", path.display()),
        }
    }
}

/// What this process's environment says, for Google.
#[must_use]
pub fn google() -> GoogleVariables {
    let named = variable("GOOGLE_APPLICATION_CREDENTIALS").map(|path| CredentialsPlace::Named(path.into()));
    GoogleVariables {
        oidc_request_url: variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
        oidc_request_token: variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN").map(told),
        credentials: named.or_else(well_known),
        metadata_host: variable("GCE_METADATA_HOST"),
    }
}

/// What a workflow of GitHub is told of itself.
#[derive(Debug, Clone, Default)]
pub struct WorkflowVariables {
    /// `GITHUB_API_URL`: where the API is.
    pub api_url: Option<String>,
    /// `GITHUB_REPOSITORY`: `owner/name`.
    pub repository: Option<String>,
    /// `GITHUB_SHA`: the commit.
    pub commit: Option<String>,
    /// Where people see the run and its log.
    pub run_url: Option<String>,
}

/// What this process's environment says of the workflow that runs it, if one does.
/// Source: <https://docs.github.com/actions/reference/workflows-and-actions/variables>.
#[must_use]
pub fn workflow() -> WorkflowVariables {
    let (server, repository) = (variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY"));
    let run = server.zip(repository.clone()).zip(variable("GITHUB_RUN_ID"));
    let run_url = run.map(|((server, repository), run)| format!("{server}/{repository}/actions/runs/{run}"));
    WorkflowVariables {
        api_url: variable("GITHUB_API_URL"),
        commit: variable("GITHUB_SHA"),
        repository,
        run_url: run_url.filter(|url| url.starts_with("https://")),
    }
}

/// The file that `gcloud auth application-default login` writes.
fn well_known() -> Option<CredentialsPlace> {
    let folder = match cfg!(windows) {
        true => variable("APPDATA").map(PathBuf::from),
        false => variable("HOME").map(|home| PathBuf::from(home).join(".config")),
    };
    Some(CredentialsPlace::WellKnown(folder?.join("gcloud").join("application_default_credentials.json")))
}

/// The text of a credentials file; none where gcloud's own is not there.
///
/// # Errors
/// Where it can't be read, or is not there though it was named.
pub fn credentials_file(place: &CredentialsPlace) -> Result<Option<SecretString>, PortError> {
    let (CredentialsPlace::Named(path) | CredentialsPlace::WellKnown(path)) = place;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(told(text))),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && matches!(place, CredentialsPlace::WellKnown(_)) =>
        {
            Ok(None)
        }
        Err(error) => Err(PortError::new(
            format!("the credentials file {place} can't be read: {error}"),
            "correct the path, or unset GOOGLE_APPLICATION_CREDENTIALS",
        )),
    }
}

fn from_file(reference: &SecretRef, path: &Path) -> Result<SecretString, PortError> {
    let place = path.display();
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(told(text)),
        Ok(_) => Err(PortError::new(
            format!("the secret {reference} is empty: {place}"),
            "put the secret into the file",
        )),
        Err(error) => Err(PortError::new(
            format!("the secret {reference} can't be read from {place}: {error}"),
            "check the path (it starts at the folder of the configuration file) and the file's permissions",
        )),
    }
}

/// A secret, of which nothing that is written says anything from here on.
fn told(text: String) -> SecretString {
    let secret = SecretString::from(text);
    redact::know(&secret);
    secret
}

/// Variables that name a proxy, whose address can hold a password. Source: the crate reqwest, which reads them itself.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Tells [`redact`] of the passwords of proxies, which nobody else reads here.
pub fn cover_proxies() {
    let with_password = |address: &String| address.contains('@');
    for address in PROXIES.into_iter().filter_map(variable).filter(with_password) {
        let after_scheme = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let user = after_scheme.rsplit_once('@').map_or("", |(user, _)| user);
        let password = user.split_once(':').map_or(user, |(_, password)| password);
        redact::know(&SecretString::from(password));
    }
}

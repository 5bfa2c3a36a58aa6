//! Why there is no token: the step that failed, how, and what to do about it.
//!
//! Only hosts and statuses are shown. What a token endpoint says in its body can hold a credential, and
//! google-cloud-auth puts it into its texts, so those are looked through for a status and thrown away.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use google_cloud_auth::errors::CredentialsError;

use crate::adapters::http::{HttpError, Kind};
use crate::ports::PortError;

/// How a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was answered with this status.
    Status(u16),
    /// Nobody answered.
    NotReached,
    /// The answer took longer than this.
    Late(Duration),
    /// The answer holds no token.
    NoToken,
    /// The answer holds a token for somebody else.
    WrongAudience,
    /// Something else; google-cloud-auth's words about it are not safe to show.
    Unclear,
}

impl Failure {
    /// Whether the same step may well succeed a little later.
    pub(super) fn is_passing(self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::NotReached | Self::Late(_) | Self::NoToken | Self::WrongAudience => true,
            Self::Unclear => false,
        }
    }

    /// How a call of our own failed.
    pub(super) fn of_call(error: &HttpError) -> Self {
        match error.kind {
            Kind::Status { status, .. } => Self::Status(status),
            Kind::NotSent(_) | Kind::Lost(_) => Self::NotReached,
            Kind::NotJson { .. } => Self::NoToken,
        }
    }

    fn of_request(error: &reqwest::Error) -> Self {
        match error.status() {
            Some(status) => Self::Status(status.as_u16()),
            None if error.is_decode() => Self::NoToken,
            None => Self::NotReached,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status @ 300..=399) => {
                write!(f, "answered {status}, a redirect, which is not followed")
            }
            Self::Status(status) => write!(f, "answered {status}"),
            Self::NotReached => f.write_str("could not be reached, or its answer was lost"),
            Self::Late(limit) => write!(f, "did not answer within {} s", limit.as_secs()),
            Self::NoToken => f.write_str("answered without a token"),
            Self::WrongAudience => f.write_str("answered with a token that is not for the provider"),
            Self::Unclear => f.write_str("gave no token"),
        }
    }
}

/// A step towards a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// GitHub proves who the workflow is.
    GitHub,
    /// Another issuer proves who runs: the source of an external account.
    Subject,
    /// The token service exchanges the proof.
    Exchange,
    /// A service account is impersonated.
    Impersonation,
    /// A person's sign-in is refreshed.
    Refresh,
    /// The metadata server is asked.
    Metadata,
}

impl Step {
    fn of_path(path: &str) -> Self {
        match path {
            path if path.ends_with(":generateAccessToken") => Self::Impersonation,
            path if path.starts_with("/computeMetadata/") => Self::Metadata,
            "/v1/token" => Self::Exchange,
            path if path.ends_with("/token") => Self::Refresh,
            _ => Self::Subject,
        }
    }

    fn who(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub's token endpoint",
            Self::Subject => "the source of the external account",
            Self::Exchange => "the token service",
            Self::Impersonation => "the impersonation of the service account",
            Self::Refresh => "the refresh of the sign-in",
            Self::Metadata => "the metadata server",
        }
    }
}

/// Where tokens come from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// As a sentence names it.
    pub(super) name: String,
    /// The step that an answer without an address belongs to.
    pub(super) last_step: Step,
    /// The account that is impersonated, where it is known.
    pub(super) account: Option<String>,
    /// The pool of the provider, where it is known.
    pub(super) pool: Option<String>,
}

impl Origin {
    /// What to tell where a step failed.
    pub(super) fn problem(&self, step: Step, failure: Failure, host: Option<&str>) -> PortError {
        let host = host.map(|host| format!(" ({host})")).unwrap_or_default();
        let what = format!("no Google token from {}: {}{host} {failure}", self.name, step.who());
        PortError::new(what, self.fix(step, failure))
    }

    fn fix(&self, step: Step, failure: Failure) -> String {
        match (step, failure) {
            (Step::Metadata, _) => NO_CREDENTIALS.to_owned(),
            (Step::GitHub, Failure::Status(_)) if !failure.is_passing() => {
                "give the job `permissions: id-token: write`".to_owned()
            }
            (_, Failure::Status(429 | 500..) | Failure::NotReached | Failure::Late(_)) => {
                "the next run tries again; if it lasts, see https://status.cloud.google.com and \
                 https://www.githubstatus.com"
                    .to_owned()
            }
            (Step::Impersonation, Failure::Status(401 | 403 | 404)) => self.may_not_impersonate(),
            (Step::Exchange, _) => "check [gcp] workload_identity_provider (or `audience` in the credentials file), and \
                                    that the provider's attribute condition lets this repository, branch and event in: \
                                    `gcloud iam workload-identity-pools providers describe` shows it"
                .to_owned(),
            (Step::Refresh, _) => {
                "sign in again: `gcloud auth application-default login`, with the scopes of docs/credentials.md".to_owned()
            }
            (Step::GitHub, _) => "check that ACTIONS_ID_TOKEN_REQUEST_URL is the runner's own".to_owned(),
            (Step::Subject, _) => "check `credential_source` in the credentials file".to_owned(),
            (Step::Impersonation, _) => "check the service account's e-mail address".to_owned(),
        }
    }

    fn may_not_impersonate(&self) -> String {
        let account = self.account.as_deref().unwrap_or("ACCOUNT");
        let pool = self.pool.as_deref().unwrap_or("POOL");
        format!(
            "let the provider's identities impersonate it (a grant takes up to 5 minutes): `gcloud iam service-accounts \
             add-iam-policy-binding {account} --role roles/iam.workloadIdentityUser --member \
             'principalSet://iam.googleapis.com/{pool}/attribute.repository_id/REPOSITORY_ID'`; where an account \
             impersonates another, it needs roles/iam.serviceAccountTokenCreator"
        )
    }

    /// What to tell of an error of google-cloud-auth.
    pub(super) fn explain(&self, error: &CredentialsError) -> PortError {
        for cause in causes(error) {
            if let Some(told) = cause.downcast_ref::<PortError>() {
                return told.clone();
            }
            if let Some(request) = cause.downcast_ref::<reqwest::Error>() {
                let step = request.url().map_or(self.last_step, |url| Step::of_path(url.path()));
                let host = request.url().and_then(|url| url.host_str());
                return self.problem(step, Failure::of_request(request), host);
            }
            let status = cause.downcast_ref::<google_cloud_gax::error::Error>();
            if let Some(status) = status.and_then(google_cloud_gax::error::Error::http_status_code) {
                return self.problem(self.last_step, Failure::Status(status), None);
            }
            if let Some(file) = cause.downcast_ref::<std::io::Error>() {
                return PortError::new(
                    format!("no Google token from {}: its file can't be read: {}", self.name, file.kind()),
                    "check `credential_source` in the credentials file",
                );
            }
        }
        self.problem(self.last_step, Failure::Unclear, None)
    }
}

/// What to do where nothing says who the program is.
const NO_CREDENTIALS: &str = "say who the program is: [gcp] workload_identity_provider in GitHub Actions, `gcloud auth \
                              application-default login` on a laptop, a service account that is attached to the \
                              machine on Google Cloud, or the key that [google_play] credentials refers to";

/// An error and what caused it, the outermost first.
fn causes(error: &CredentialsError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let outermost: &(dyn Error + 'static) = error;
    std::iter::successors(Some(outermost), |error| (*error).source())
}

/// What the wrapper of every source has put into its errors.
pub(super) fn told(error: &CredentialsError) -> PortError {
    let told = causes(error).find_map(|cause| cause.downcast_ref::<PortError>());
    told.cloned().unwrap_or_else(|| PortError::new("no Google token", NO_CREDENTIALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(last_step: Step) -> Origin {
        Origin { name: "the tests".to_owned(), last_step, account: Some("a@p.iam".to_owned()), pool: None }
    }

    #[test]
    fn a_refused_impersonation_names_the_right_and_the_command() {
        let told =
            origin(Step::Impersonation).problem(Step::Impersonation, Failure::Status(403), Some("host"));
        insta::assert_snapshot!(told, @r"
        no Google token from the tests: the impersonation of the service account (host) answered 403
          fix: let the provider's identities impersonate it (a grant takes up to 5 minutes): `gcloud iam service-accounts add-iam-policy-binding a@p.iam --role roles/iam.workloadIdentityUser --member 'principalSet://iam.googleapis.com/POOL/attribute.repository_id/REPOSITORY_ID'`; where an account impersonates another, it needs roles/iam.serviceAccountTokenCreator
        ");
    }

    #[test]
    fn the_words_of_google_cloud_auth_are_not_shown() {
        let error = CredentialsError::from_msg(false, "failed, body=<CANARY>");
        let told = origin(Step::Exchange).explain(&error).to_string();
        assert!(told.contains("the token service gave no token") && !told.contains("CANARY"), "{told}");
    }

    #[test]
    fn what_was_told_already_is_kept() {
        let told = PortError::new("first", "fix");
        let error = CredentialsError::new(true, "outer", CredentialsError::from_source(true, told.clone()));
        assert_eq!(origin(Step::Exchange).explain(&error), told);
    }

    #[test]
    fn the_path_tells_the_step() {
        for (path, step) in [
            ("/v1/token", Step::Exchange),
            ("/token", Step::Refresh),
            ("/v1/projects/-/serviceAccounts/a:generateAccessToken", Step::Impersonation),
            ("/computeMetadata/v1/instance/service-accounts/default/token", Step::Metadata),
            ("/1//idtoken/a", Step::Subject),
        ] {
            assert_eq!(Step::of_path(path), step, "{path}");
        }
    }
}

//! `[gcp] workload_identity_provider`: GitHub's token is exchanged for Google's, and a service account is impersonated.
//! No credential is ever on disk.
//!
//! google-cloud-auth's `ProgrammaticBuilder` takes our own source of the proof and exchanges it, at an address that can
//! be set. Its impersonation can't be used: `with_target_principal` fixes the address, and the JSON form, which takes
//! one, fetches the proof by itself, without our checks. So the last step is our own implementation of the crate's
//! `AccessTokenCredentialsProvider` (`impersonation`), on top of one federated source that all scopes share.

use std::sync::{Arc, OnceLock};

use google_cloud_auth::credentials::external_account::ProgrammaticBuilder;
use google_cloud_auth::credentials::{
    AccessToken, AccessTokenCredentials, AccessTokenCredentialsProvider, CacheableResource, Credentials,
    CredentialsProvider,
};
use google_cloud_auth::errors::CredentialsError;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use tonic::Extensions;

use super::Scope;
use super::github::GitHub;
use super::hosts::AllowList;
use super::impersonation::Impersonation;
use super::problem::{Origin, Step};
use super::tries;
use crate::adapters::environment::GoogleVariables;
use crate::adapters::http::Service;
use crate::config::Endpoints;
use crate::ports::PortError;

/// Where the token service is: <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>.
const STS: &str = "https://sts.googleapis.com";
/// Where impersonation is.
const IAM_CREDENTIALS: &str = "https://iamcredentials.googleapis.com";
/// All that a token needs for impersonation.
const IAM_SCOPE: &str = "https://www.googleapis.com/auth/iam";
/// What GitHub's tokens are.
const SUBJECT_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A provider, and the account that is impersonated through it.
pub(super) struct Federation {
    provider: String,
    token_url: String,
    github: Arc<GitHub>,
    origin: Origin,
    impersonated: Option<Impersonated>,
}

struct Impersonated {
    account: String,
    service: Arc<Service>,
    /// One proof and one exchange serve every scope.
    federated: OnceLock<AccessTokenCredentials>,
}

impl Federation {
    /// A federation by the configuration, with what the runner gives.
    ///
    /// # Errors
    /// Where the runner gives nothing, or an address that is not allowed.
    pub(super) fn new(
        provider: &str,
        account: Option<&str>,
        endpoints: &Endpoints,
        variables: &GoogleVariables,
        client: &Client,
    ) -> Result<Self, PortError> {
        let origin = Origin {
            name: format!("the workload identity provider {provider}"),
            last_step: Step::Exchange,
            account: account.map(str::to_owned),
            pool: provider.split_once("/providers/").map(|(pool, _)| pool.to_owned()),
        };
        let github = GitHub::new(provider, variables, AllowList::of(endpoints), origin.clone(), client)?;
        let iam = endpoints.iam_credentials.as_deref().unwrap_or(IAM_CREDENTIALS);
        let impersonated = account.map(|account| Impersonated {
            account: account.to_owned(),
            service: Arc::new(Service::new("IAM", iam, client.clone()).of_secrets()),
            federated: OnceLock::new(),
        });
        Ok(Self {
            provider: provider.to_owned(),
            token_url: format!("{}/v1/token", endpoints.sts.as_deref().unwrap_or(STS)),
            github: Arc::new(github),
            origin,
            impersonated,
        })
    }

    /// Where the tokens come from, for errors.
    pub(super) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// A source of tokens for a scope.
    ///
    /// # Errors
    /// Where google-cloud-auth finds a field missing, which none is.
    pub(super) fn credentials(&self, scope: Scope) -> Result<AccessTokenCredentials, PortError> {
        let Some(impersonated) = &self.impersonated else { return self.exchange(scope.as_str()) };
        let federated = match impersonated.federated.get() {
            Some(federated) => federated.clone(),
            None => {
                let federated = self.exchange(IAM_SCOPE)?;
                impersonated.federated.get_or_init(|| federated).clone()
            }
        };
        let (service, account) = (impersonated.service.clone(), impersonated.account.clone());
        let impersonation = Impersonation::new(federated, service, account, scope, self.origin.clone());
        Ok(AccessTokenCredentials::from(impersonation))
    }

    fn exchange(&self, scope: &str) -> Result<AccessTokenCredentials, PortError> {
        ProgrammaticBuilder::new(self.github.clone())
            .with_audience(format!("//iam.googleapis.com/{}", self.provider))
            .with_subject_token_type(SUBJECT_TOKEN_TYPE)
            .with_token_url(&self.token_url)
            .with_scopes([scope])
            .with_retry_policy(tries::policy())
            .with_backoff_policy(tries::backoff())
            .build()
            .map(|credentials| AccessTokenCredentials::from(Federated(credentials)))
            .map_err(|_| PortError::new(format!("can't use {}", self.origin.name), "check [gcp]"))
    }
}

/// The federated source. `ProgrammaticBuilder` gives one that knows headers only, so the token is read from its header.
#[derive(Debug)]
struct Federated(Credentials);

impl CredentialsProvider for Federated {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        self.0.headers(extensions).await
    }

    async fn universe_domain(&self) -> Option<String> {
        self.0.universe_domain().await
    }
}

impl AccessTokenCredentialsProvider for Federated {
    async fn access_token(&self) -> Result<AccessToken, CredentialsError> {
        let headers = match self.0.headers(Extensions::new()).await? {
            CacheableResource::New { data, .. } => data,
            CacheableResource::NotModified => HeaderMap::new(),
        };
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.split_once(' ')).map(|(_, token)| token.to_owned());
        let none = || CredentialsError::from_msg(false, "the headers hold no token");
        Ok(AccessToken { token: token.ok_or_else(none)? })
    }
}

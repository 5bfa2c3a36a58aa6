//! Every source of tokens, with a time limit and errors that are fit to be shown.
//!
//! google-cloud-auth's own calls have no time limit, so a token service that hangs would hang the run.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_auth::credentials::{
    AccessToken, AccessTokenCredentials, AccessTokenCredentialsProvider, CacheableResource,
    CredentialsProvider,
};
use google_cloud_auth::errors::CredentialsError;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::SecretString;
use tonic::Extensions;

use super::problem::{Failure, Origin};
use crate::adapters::redact;
use crate::ports::PortError;

/// A token with all of its steps and tries; far below the run's deadline.
const LIMIT: Duration = Duration::from_secs(60);

/// A source with a limit.
#[derive(Debug)]
pub(super) struct Limited {
    inner: AccessTokenCredentials,
    origin: Arc<Origin>,
}

impl Limited {
    /// The same source, with a limit.
    pub(super) fn wrap(inner: AccessTokenCredentials, origin: Arc<Origin>) -> AccessTokenCredentials {
        AccessTokenCredentials::from(Self { inner, origin })
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, CredentialsError>>,
    ) -> Result<T, CredentialsError> {
        let told = |passing, told: PortError| CredentialsError::new(passing, told.to_string(), told);
        match tokio::time::timeout(LIMIT, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(told(error.is_transient(), self.origin.explain(&error))),
            Err(_) => {
                let late = self.origin.problem(self.origin.last_step, Failure::Late(LIMIT), None);
                Err(told(true, late))
            }
        }
    }
}

impl CredentialsProvider for Limited {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let headers = self.within(self.inner.headers(extensions)).await?;
        if let CacheableResource::New { data, .. } = &headers {
            let value = data.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let token = value.and_then(|value| value.split_once(' '));
            token.iter().for_each(|(_, token)| redact::know(&SecretString::from(*token)));
        }
        Ok(headers)
    }

    async fn universe_domain(&self) -> Option<String> {
        self.inner.universe_domain().await
    }
}

impl AccessTokenCredentialsProvider for Limited {
    async fn access_token(&self) -> Result<AccessToken, CredentialsError> {
        self.within(self.inner.access_token()).await
    }
}

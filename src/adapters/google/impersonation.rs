//! Tokens of a service account for a federated identity, kept until shortly before they end.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>.
//!
//! A call that fails while the old token still holds is no failure. One that fails without a token is remembered for
//! some seconds, so that a hundred apps do not ask a service that is down one after the other.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_auth::credentials::{
    AccessToken, AccessTokenCredentials, AccessTokenCredentialsProvider, CacheableResource,
    CredentialsProvider, EntityTag,
};
use google_cloud_auth::errors::CredentialsError;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tonic::Extensions;

use super::Scope;
use super::problem::{Failure, Origin, Step};
use super::tries;
use crate::adapters::clock::SystemClock;
use crate::adapters::http::{Call, Service};
use crate::adapters::redact;
use crate::ports::Clock;

/// The lifetime that is asked for: the longest that needs no policy of the organisation.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// A token is renewed so long before its end, or at half of its life where that is later.
const RENEWED_BEFORE_END: SignedDuration = SignedDuration::from_secs(240);
/// How long a failure is remembered.
const FAILURE_HOLDS: SignedDuration = SignedDuration::from_secs(10);

/// The source of one account's tokens for one scope.
pub(super) struct Impersonation {
    federated: AccessTokenCredentials,
    service: Arc<Service>,
    account: String,
    scope: Scope,
    origin: Origin,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    token: Option<Held>,
    failure: Option<(CredentialsError, Timestamp)>,
}

#[derive(Clone)]
struct Held {
    text: SecretString,
    tag: EntityTag,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

impl Impersonation {
    /// The source of an account's tokens, on top of a federated source.
    pub(super) fn new(
        federated: AccessTokenCredentials,
        service: Arc<Service>,
        account: String,
        scope: Scope,
        origin: Origin,
    ) -> Self {
        Self { federated, service, account, scope, origin, kept: Mutex::default() }
    }

    /// The token that is kept, or a new one. Callers wait for one another, so one call serves them all.
    async fn held(&self) -> Result<Held, CredentialsError> {
        let mut kept = self.kept.lock().await;
        let now = SystemClock.now();
        if let Some(fresh) = kept.token.as_ref().filter(|held| now < held.renew_at) {
            return Ok(fresh.clone());
        }
        let valid = kept.token.clone().filter(|held| now < held.ends_at);
        if let Some((error, _)) = kept.failure.as_ref().filter(|(_, until)| now < *until) {
            return valid.ok_or_else(|| error.clone());
        }
        match self.fetch().await {
            Ok(held) => {
                *kept = Kept { token: Some(held.clone()), failure: None };
                Ok(held)
            }
            Err(error) => {
                kept.failure = Some((error.clone(), SystemClock.now() + FAILURE_HOLDS));
                valid.ok_or(error)
            }
        }
    }

    async fn fetch(&self) -> Result<Held, CredentialsError> {
        let bearer = SecretString::from(self.federated.access_token().await?.token);
        redact::know(&bearer);
        tries::three(|| self.once(&bearer)).await.map_err(|failure| {
            let told = self.origin.problem(Step::Impersonation, failure, None);
            CredentialsError::from_source(failure.is_passing(), told)
        })
    }

    async fn once(&self, bearer: &SecretString) -> Result<Held, Failure> {
        let path = format!("/v1/projects/-/serviceAccounts/{}:generateAccessToken", self.account);
        let body = json!({"scope": [self.scope.as_str()], "lifetime": format!("{}s", LIFETIME.as_secs())});
        let answer = self.service.once(&Call::new(Method::POST, path).with(body), bearer).await;
        read(&answer.map_err(|error| Failure::of_call(&error))?, SystemClock.now()).ok_or(Failure::NoToken)
    }
}

/// The token of an answer.
fn read(answer: &Value, now: Timestamp) -> Option<Held> {
    let text = answer["accessToken"].as_str().filter(|text| !text.is_empty())?;
    let ends_at: Timestamp = answer["expireTime"].as_str()?.parse().ok()?;
    let half = now + now.duration_until(ends_at) / 2;
    Some(Held {
        text: SecretString::from(text),
        tag: EntityTag::new(),
        renew_at: half.max(ends_at - RENEWED_BEFORE_END),
        ends_at,
    })
}

impl std::fmt::Debug for Impersonation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account, scope, .. } = self;
        f.debug_struct("Impersonation")
            .field("account", account)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

impl CredentialsProvider for Impersonation {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let held = self.held().await?;
        if extensions.get::<EntityTag>() == Some(&held.tag) {
            return Ok(CacheableResource::NotModified);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {}", held.text.expose_secret()))
            .map_err(|_| CredentialsError::from_msg(false, "the token is no header"))?;
        value.set_sensitive(true);
        let data = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        Ok(CacheableResource::New { entity_tag: held.tag, data })
    }

    async fn universe_domain(&self) -> Option<String> {
        self.federated.universe_domain().await
    }
}

impl AccessTokenCredentialsProvider for Impersonation {
    async fn access_token(&self) -> Result<AccessToken, CredentialsError> {
        Ok(AccessToken { token: self.held().await?.text.expose_secret().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_token_is_renewed_minutes_before_its_end_and_a_short_one_at_half_of_its_life() {
        let now: Timestamp = "2026-11-18T12:00:00Z".parse().unwrap();
        let renewed = |ends: &str| {
            let held = read(&json!({"accessToken": "t", "expireTime": ends}), now).unwrap();
            held.renew_at.to_string()
        };
        assert_eq!(renewed("2026-11-18T13:00:00Z"), "2026-11-18T12:56:00Z");
        assert_eq!(renewed("2026-11-18T12:00:10Z"), "2026-11-18T12:00:05Z");
    }

    #[test]
    fn an_answer_without_a_token_or_an_end_is_none() {
        let now = Timestamp::UNIX_EPOCH;
        for bad in [
            json!({}),
            json!({"accessToken": "t"}),
            json!({"accessToken": "", "expireTime": "2026-11-18T12:00:00Z"}),
        ] {
            assert!(read(&bad, now).is_none(), "{bad}");
        }
    }
}

//! GitHub's own token, which proves to a workload identity provider which workflow runs.
//! <https://docs.github.com/en/actions/reference/security/oidc>.
//!
//! The runner gives a job with `permissions: id-token: write` an address and a token for it. It is asked anew whenever
//! a proof is needed: a proof lives five minutes. One that is not for the provider is refused here, before it is sent on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use google_cloud_auth::credentials::subject_token::{Builder, SubjectToken, SubjectTokenProvider};
use google_cloud_auth::errors::SubjectTokenProviderError;
use reqwest::{Client, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::hosts::{AllowList, Purpose};
use super::problem::{Failure, Origin, Step};
use super::tries;
use crate::adapters::environment::GoogleVariables;
use crate::adapters::http::{Call, Service};
use crate::adapters::redact;
use crate::ports::PortError;

/// Where GitHub's tokens come from.
pub(super) struct GitHub {
    service: Service,
    path: String,
    host: String,
    request_token: SecretString,
    audience: String,
    origin: Origin,
}

impl GitHub {
    /// The source of tokens for a provider.
    ///
    /// # Errors
    /// Where the runner's variables are missing, or its address is none of GitHub's.
    pub(super) fn new(
        provider: &str,
        variables: &GoogleVariables,
        allowed: AllowList,
        origin: Origin,
        client: &Client,
    ) -> Result<Self, PortError> {
        let (Some(address), Some(request_token)) =
            (&variables.oidc_request_url, &variables.oidc_request_token)
        else {
            return Err(PortError::new(
                "[gcp] workload_identity_provider needs GitHub's token, and ACTIONS_ID_TOKEN_REQUEST_URL and \
                 ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set",
                "give the job `permissions: id-token: write`; outside of GitHub Actions take workload_identity_provider \
                 out, and sign in with `gcloud auth application-default login`",
            ));
        };
        let mut url = allowed.check(address, Purpose::Tokens).map_err(|problem| {
            PortError::new(
                format!("ACTIONS_ID_TOKEN_REQUEST_URL {problem}"),
                "leave the variable as the runner sets it: a host under actions.githubusercontent.com",
            )
        })?;
        let audience = format!("https://iam.googleapis.com/{provider}");
        url.query_pairs_mut().append_pair("audience", &audience);
        Ok(Self {
            service: Service::new("GitHub", url.origin().ascii_serialization(), client.clone()).of_secrets(),
            path: path_and_query(&url),
            host: url.host_str().unwrap_or_default().to_owned(),
            request_token: request_token.clone(),
            audience,
            origin,
        })
    }

    async fn once(&self) -> Result<SecretString, Failure> {
        let call = Call::new(Method::GET, &self.path);
        let answer = self.service.once(&call, &self.request_token).await;
        let answer = answer.map_err(|error| Failure::of_call(&error))?;
        let token = answer["value"].as_str().filter(|token| !token.is_empty()).ok_or(Failure::NoToken)?;
        let proof = SecretString::from(token);
        redact::know(&proof);
        if is_for(token, &self.audience) { Ok(proof) } else { Err(Failure::WrongAudience) }
    }
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHub")
            .field("host", &self.host)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

fn path_and_query(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Whether a token names the audience. Its signature is the token service's business.
fn is_for(token: &str, audience: &str) -> bool {
    let claims = token.split('.').nth(1).and_then(|claims| BASE64_URL_SAFE_NO_PAD.decode(claims).ok());
    let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    claims.is_some_and(|claims| claims["aud"] == audience)
}

/// Why GitHub gave no token, after all tries.
#[derive(Debug, thiserror::Error)]
#[error("GitHub gave no token")]
pub(super) struct NoProof(#[source] PortError);

impl SubjectTokenProviderError for NoProof {
    /// The tries are used up: google-cloud-auth must not multiply them.
    fn is_transient(&self) -> bool {
        false
    }
}

impl SubjectTokenProvider for GitHub {
    type Error = NoProof;

    async fn subject_token(&self) -> Result<SubjectToken, NoProof> {
        match tries::three(|| self.once()).await {
            Ok(token) => Ok(Builder::new(token.expose_secret()).build()),
            Err(failure) => Err(NoProof(self.origin.problem(Step::GitHub, failure, Some(&self.host)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn only_the_audience_that_was_asked_for_will_do() {
        assert!(is_for(&token(r#"{"aud": "us"}"#), "us"));
        for bad in
            [token(r#"{"aud": "them"}"#), token("{}"), token("no JSON"), "opaque".to_owned(), String::new()]
        {
            assert!(!is_for(&bad, "us"), "{bad}");
        }
    }
}

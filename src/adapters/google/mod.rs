//! Who the program is at Google: one source of tokens for Play, BigQuery, Firestore and Secret Manager.
//!
//! Three ways, in this order: a key that a setting refers to, `[gcp] workload_identity_provider` with GitHub's own
//! token (`federation`), and the application default credentials (`adc`), which are a file or the metadata server.
//! google-cloud-auth signs, exchanges, caches and refreshes. What it leaves open is set here: which hosts may ever see
//! a credential (`hosts`), retries and a time limit (`tries`, `limited`), and words for people (`problem`): its own
//! texts hold the bodies of token endpoints, so they are never shown. Refused are credentials that run a program.
//!
//! It asks nobody before the first token is needed, and holds one source per scope, which all apps share.

mod adc;
mod federation;
mod github;
mod hosts;
mod impersonation;
mod limited;
mod problem;
mod tries;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use google_cloud_auth::credentials::AccessTokenCredentials;
use reqwest::Client;
use secrecy::SecretString;

use self::adc::Adc;
use self::federation::Federation;
use self::hosts::AllowList;
use self::limited::Limited;
use crate::adapters::environment::{self, GoogleVariables};
use crate::adapters::redact;
use crate::config::{Endpoints, Gcp};
use crate::ports::PortError;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Queries and tables of BigQuery.
    BigQuery,
    /// Documents of Firestore.
    Firestore,
    /// Google Play's publishing API.
    Play,
    /// Secret Manager, which knows no narrower scope than the whole platform's; IAM decides which secrets.
    SecretManager,
}

impl Scope {
    /// The scope as Google writes it: <https://developers.google.com/identity/protocols/oauth2/scopes>.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BigQuery => "https://www.googleapis.com/auth/bigquery",
            Self::Firestore => "https://www.googleapis.com/auth/datastore",
            Self::Play => "https://www.googleapis.com/auth/androidpublisher",
            Self::SecretManager => "https://www.googleapis.com/auth/cloud-platform",
        }
    }
}

/// Who the program is at Google, for a whole run.
pub struct Identity {
    source: Source,
    tokens: Mutex<BTreeMap<Scope, GoogleToken>>,
}

enum Source {
    Adc(Adc),
    Federation(Federation),
}

impl Identity {
    /// The identity that the configuration and the environment give.
    ///
    /// # Errors
    /// Where GitHub's variables are missing, a credentials file can't be used, or an address is not allowed.
    pub fn new(
        gcp: &Gcp,
        endpoints: &Endpoints,
        variables: &GoogleVariables,
        client: &Client,
    ) -> Result<Self, PortError> {
        let allowed = AllowList::of(endpoints);
        let source = match &gcp.workload_identity_provider {
            Some(provider) => {
                let account = gcp.service_account.as_deref();
                Source::Federation(Federation::new(provider, account, endpoints, variables, client)?)
            }
            None => Source::Adc(match &variables.credentials {
                Some(place) => match environment::credentials_file(place)? {
                    Some(text) => Adc::from_file(&text, &place.to_string(), &allowed)?,
                    None => Adc::metadata(variables.metadata_host.as_deref(), &allowed)?,
                },
                None => Adc::metadata(variables.metadata_host.as_deref(), &allowed)?,
            }),
        };
        Ok(Self::of(source))
    }

    /// The identity of a service account, from the text of its key file. `reference` names it, for errors.
    ///
    /// # Errors
    /// Where the text is not the key of a service account.
    pub fn from_key(key: &SecretString, reference: &str, endpoints: &Endpoints) -> Result<Self, PortError> {
        let allowed = AllowList::of(endpoints);
        Ok(Self::of(Source::Adc(Adc::from_key(key, reference, &allowed)?)))
    }

    fn of(source: Source) -> Self {
        Self { source, tokens: Mutex::default() }
    }

    /// Where its tokens come from, as a sentence names it.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.source {
            Source::Adc(adc) => adc.origin().name,
            Source::Federation(federation) => federation.origin().name,
        }
    }

    /// The service account that it acts as, where that is known without asking anybody.
    #[must_use]
    pub fn account(&self) -> Option<String> {
        match &self.source {
            Source::Adc(adc) => adc.account(),
            Source::Federation(federation) => federation.origin().account,
        }
    }

    /// The source of tokens for a scope; the same one each time. Needs a Tokio runtime, in which it refreshes.
    ///
    /// # Errors
    /// Where a field of the credentials is missing or damaged.
    pub fn token_source(&self, scope: Scope) -> Result<GoogleToken, PortError> {
        // Nothing between here and the end can panic half-way through a change.
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = tokens.get(&scope) {
            return Ok(token.clone());
        }
        let (credentials, origin) = match &self.source {
            Source::Adc(adc) => (adc.credentials(scope)?, adc.origin()),
            Source::Federation(federation) => (federation.credentials(scope)?, federation.origin()),
        };
        let token = GoogleToken { credentials: Limited::wrap(credentials, Arc::new(origin)) };
        tokens.insert(scope, token.clone());
        Ok(token)
    }

    /// The same source as [`Identity::token_source`], for crates that take google-cloud-auth's credentials: firestore
    /// takes `Credentials::from` of it. Errors that come out of it are fit to be shown.
    ///
    /// # Errors
    /// Where a field of the credentials is missing or damaged.
    pub fn access_token_credentials(&self, scope: Scope) -> Result<AccessTokenCredentials, PortError> {
        Ok(self.token_source(scope)?.credentials)
    }
}

/// A source of tokens for one scope. Clones share the token.
#[derive(Debug, Clone)]
pub struct GoogleToken {
    credentials: AccessTokenCredentials,
}

impl GoogleToken {
    /// A token that is valid now.
    ///
    /// # Errors
    /// Where none can be had within the time limit; the text says which step failed and what to do.
    pub async fn get(&self) -> Result<SecretString, PortError> {
        match self.credentials.access_token().await {
            Ok(token) => {
                let token = SecretString::from(token.token);
                redact::know(&token);
                Ok(token)
            }
            Err(error) => Err(problem::told(&error)),
        }
    }
}

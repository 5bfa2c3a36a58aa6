//! The exchanges of tokens, and the secrets. Pure but for chance and the real time of token lifetimes.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::error::GoogleError;
use super::seed::{SecretAccess, SecretSeed};
use super::tokens::{Purpose, Tokens, random};

/// The provider that trusts the sandbox's GitHub.
pub(crate) const PROVIDER: &str =
    "projects/100000000001/locations/global/workloadIdentityPools/sandbox/providers/github";
/// The pool of the provider, as principals name it.
const POOL: &str = "projects/100000000001/locations/global/workloadIdentityPools/sandbox";
/// How the name of a federated identity begins.
pub(crate) const FEDERATED: &str = "principal://";
/// The subject of the workflow that asks.
const SUBJECT: &str = "repo:example/app:ref:refs/heads/main";
/// The person who has signed in with gcloud.
const PERSON: &str = "person@example.com";
/// What that person's sign-in covers.
const PERSON_SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/androidpublisher"];
/// The scopes with which a federated token may ask for a service account's.
pub(crate) const IAM_SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/iam", "https://www.googleapis.com/auth/cloud-platform"];
/// What a token of the metadata server opens where no scope is asked for.
const METADATA_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The scope of Secret Manager.
pub(crate) const SECRET_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The longest life of an impersonated token that can be asked for, in seconds.
const LONGEST_LIFETIME_SECONDS: u32 = 3_600;

/// What signs a person in: the contents of gcloud's own file.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignIn {
    /// The id of the client.
    pub client_id: String,
    /// The secret of the client.
    pub client_secret: String,
    /// The token that is exchanged for access tokens.
    pub refresh_token: String,
}

/// What is set up at Google, beside the tokens.
#[derive(Debug, Default)]
pub(crate) struct GoogleModel {
    /// The account of the metadata server, which the provider's identities may impersonate too.
    account: String,
    impersonable: BTreeSet<String>,
    oidc_request_token: String,
    sign_in: SignIn,
    secrets: BTreeMap<String, SecretSeed>,
}

/// The body of a token exchange (RFC 8693).
pub(crate) struct Exchange<'c> {
    /// The kind of exchange.
    pub grant_type: &'c str,
    /// For whom: the provider, after `//iam.googleapis.com/`.
    pub audience: &'c str,
    /// What the subject token is.
    pub subject_token_type: &'c str,
    /// The token of GitHub.
    pub subject_token: &'c str,
    /// Scopes, with blanks between them.
    pub scope: &'c str,
}

impl GoogleModel {
    /// A Google with one service account, a workflow of GitHub and a person.
    pub(crate) fn new(account: &str, oidc_request_token: &str, sign_in: SignIn) -> Self {
        Self {
            account: account.to_owned(),
            impersonable: BTreeSet::from([account.to_owned()]),
            oidc_request_token: oidc_request_token.to_owned(),
            sign_in,
            secrets: BTreeMap::new(),
        }
    }

    /// Lets the provider's identities impersonate one more account.
    pub(crate) fn add_service_account(&mut self, email: String) {
        self.impersonable.insert(email);
    }

    /// Adds a secret; false if the name is taken.
    pub(crate) fn add_secret(&mut self, secret: SecretSeed) -> bool {
        if self.secrets.contains_key(&secret.name) {
            return false;
        }
        self.secrets.insert(secret.name.clone(), secret);
        true
    }

    /// The names of the secrets, and how many versions each has.
    pub(crate) fn state(&self) -> Value {
        let secrets = self.secrets.values().map(|secret| (secret.name.clone(), json!(secret.versions.len())));
        json!({"service_accounts": self.impersonable, "secrets": secrets.collect::<serde_json::Map<_, _>>()})
    }

    /// GitHub mints a subject token for an audience.
    pub(crate) fn mint_subject(
        &self,
        tokens: &mut Tokens,
        bearer: Option<&str>,
        audience: Option<&str>,
    ) -> Result<Value, GoogleError> {
        if bearer != Some(self.oidc_request_token.as_str()) {
            return Err(GoogleError::GitHub { refusal: "not the request token of this run".to_owned() });
        }
        let audience = audience.unwrap_or("https://github.com/example");
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let word = random().map_err(|_| GoogleError::Random)?;
        let text = format!(
            "{}.{}.{word}",
            part(json!({"typ": "JWT", "alg": "RS256", "kid": "sandbox"})),
            part(
                json!({"iss": "https://token.actions.githubusercontent.com", "sub": SUBJECT, "aud": audience,
                "exp": tokens.end().as_second(), "ref": "refs/heads/main", "event_name": "schedule"})
            ),
        );
        tokens.keep(&text, SUBJECT, Purpose::Subject { audience: audience.to_owned() });
        Ok(json!({"count": text.len(), "value": text}))
    }

    /// The Security Token Service exchanges a subject token for a federated access token.
    pub(crate) fn exchange(&self, tokens: &mut Tokens, asked: &Exchange<'_>) -> Result<Value, GoogleError> {
        if asked.grant_type != "urn:ietf:params:oauth:grant-type:token-exchange" {
            return Err(GoogleError::OAuth {
                code: "unsupported_grant_type",
                description: format!("Invalid grant_type: {:?}", asked.grant_type),
            });
        }
        if asked.audience != format!("//iam.googleapis.com/{PROVIDER}") {
            return Err(GoogleError::OAuth {
                code: "invalid_target",
                description: "The target service indicated by the \"audience\" parameters is invalid. This might \
                              either be because the pool or provider is disabled or deleted or because it doesn't \
                              exist."
                    .to_owned(),
            });
        }
        let known = ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
        if !known.contains(&asked.subject_token_type) {
            return Err(GoogleError::request(format!(
                "Invalid subject_token_type: {}",
                asked.subject_token_type
            )));
        }
        if asked.scope.trim().is_empty() {
            return Err(GoogleError::request("Invalid scopes."));
        }
        self.check_subject(tokens, asked.subject_token)?;
        let scopes: Vec<&str> = asked.scope.split_whitespace().collect();
        let principal = format!("{FEDERATED}iam.googleapis.com/{POOL}/subject/{SUBJECT}");
        let token = tokens.access(&principal, &scopes).map_err(|_| GoogleError::Random)?;
        Ok(json!({"access_token": token, "token_type": "Bearer", "expires_in": tokens.lifetime_seconds(),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}))
    }

    fn check_subject(&self, tokens: &Tokens, text: &str) -> Result<(), GoogleError> {
        let issued = tokens
            .find(text)
            .map_err(|refusal| GoogleError::grant(format!("The ID Token is not valid: {refusal}")))?;
        let expected = format!("https://iam.googleapis.com/{PROVIDER}");
        match &issued.purpose {
            Purpose::Subject { audience } if *audience == expected => Ok(()),
            Purpose::Subject { audience } => Err(GoogleError::grant(format!(
                "The audience in ID Token [{audience}] does not match the expected audience."
            ))),
            Purpose::Access { .. } => Err(GoogleError::grant("The ID Token is not valid.")),
        }
    }

    /// IAM makes an access token of a service account for a federated identity, or for the account itself.
    pub(crate) fn impersonate(
        &self,
        tokens: &mut Tokens,
        caller: &str,
        email: &str,
        asked: &Value,
    ) -> Result<Value, GoogleError> {
        let is_known = caller.starts_with(FEDERATED) || caller == self.account;
        if !is_known || !self.impersonable.contains(email) {
            return Err(GoogleError::Permission {
                permission: "iam.serviceAccounts.getAccessToken",
                resource: format!("projects/-/serviceAccounts/{email}"),
            });
        }
        let lifetime =
            asked["lifetime"].as_str().and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok());
        if !lifetime.is_some_and(|seconds| seconds > 0.0 && seconds <= f64::from(LONGEST_LIFETIME_SECONDS)) {
            return Err(GoogleError::Argument("The token lifetime is invalid.".to_owned()));
        }
        let scopes: Vec<&str> =
            asked["scope"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if scopes.is_empty() {
            return Err(GoogleError::Argument("Scope required.".to_owned()));
        }
        let token = tokens.access(email, &scopes).map_err(|_| GoogleError::Random)?;
        Ok(json!({"accessToken": token, "expireTime": tokens.end().to_string()}))
    }

    /// OAuth exchanges a person's refresh token for an access token.
    pub(crate) fn refresh(
        &self,
        tokens: &mut Tokens,
        asked: impl Fn(&str) -> Option<String>,
    ) -> Result<Value, GoogleError> {
        if asked("grant_type").as_deref() != Some("refresh_token") {
            return Err(GoogleError::OAuth {
                code: "unsupported_grant_type",
                description: "Invalid grant_type".to_owned(),
            });
        }
        let is = |name: &str, expected: &str| asked(name).as_deref() == Some(expected);
        if !is("client_id", &self.sign_in.client_id) || !is("client_secret", &self.sign_in.client_secret) {
            return Err(GoogleError::OAuth {
                code: "invalid_client",
                description: "The OAuth client was not found.".to_owned(),
            });
        }
        if !is("refresh_token", &self.sign_in.refresh_token) {
            return Err(GoogleError::grant("Token has been expired or revoked."));
        }
        let token = tokens.access(PERSON, &PERSON_SCOPES).map_err(|_| GoogleError::Random)?;
        Ok(json!({"access_token": token, "expires_in": tokens.lifetime_seconds(), "token_type": "Bearer",
            "scope": PERSON_SCOPES.join(" ")}))
    }

    /// The metadata server gives a token of the machine's account.
    pub(crate) fn metadata_token(
        &self,
        tokens: &mut Tokens,
        flavor: Option<&str>,
        scopes: Option<&str>,
    ) -> Result<Value, GoogleError> {
        if flavor != Some("Google") {
            return Err(GoogleError::Flavor);
        }
        let scopes: Vec<&str> = scopes.unwrap_or(METADATA_SCOPE).split(',').collect();
        let token = tokens.access(&self.account, &scopes).map_err(|_| GoogleError::Random)?;
        Ok(json!({"access_token": token, "expires_in": tokens.lifetime_seconds(), "token_type": "Bearer"}))
    }

    /// Secret Manager gives the payload of a version.
    pub(crate) fn access_secret(&self, name: &str, version: &str) -> Result<Value, GoogleError> {
        let secret = self.secrets.get(name).ok_or_else(|| GoogleError::Secret(name.to_owned()))?;
        if secret.access == SecretAccess::Denied {
            return Err(GoogleError::Permission {
                permission: "secretmanager.versions.access",
                resource: format!("{name}/versions/{version}"),
            });
        }
        if secret.versions.is_empty() {
            return Err(GoogleError::Secret(name.to_owned()));
        }
        let number = match version {
            "latest" => secret.versions.len(),
            number => number.parse().unwrap_or_default(),
        };
        let text = number.checked_sub(1).and_then(|index| secret.versions.get(index));
        let text = text.ok_or_else(|| GoogleError::Version(format!("{name}/versions/{version}")))?;
        Ok(
            json!({"name": format!("{name}/versions/{number}"), "payload": {"data": BASE64_STANDARD.encode(text)}}),
        )
    }
}

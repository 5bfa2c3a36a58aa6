//! Credentials of the sandbox's own, made anew for each start, and the checks that the services make with them.
//! They have the shape of real ones, so that a client signs in the sandbox exactly as it signs in earnest;
//! there is no way in without a valid signature. Private keys are written to files that only their owner can read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Serialize;
use serde_json::{Value, json};

use super::github::error::GitHubError;
use super::google::model::{GoogleModel, PROVIDER, SignIn};
use super::google::tokens::{Tokens, random};

const ASC_KEY_ID: &str = "SANDBOXKEY";
const ASC_ISSUER_ID: &str = "5a7db0c5-0000-4000-8000-000000000001";
const ASC_AUDIENCE: &str = "appstoreconnect-v1";
/// The longest life of an App Store Connect token, from `iat` to `exp`.
const ASC_TOKEN_SECONDS: i64 = 1_200;
/// How far ahead of the service's clock a token may be issued.
const CLOCK_SKEW_SECONDS: i64 = 10;
const PLAY_SCOPE: &str = "https://www.googleapis.com/auth/androidpublisher";
/// Either opens BigQuery.
pub(crate) const BIGQUERY_SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/cloud-platform"];
/// How every token in JWT form begins.
const SIGNED: &str = "eyJ";
const PLAY_PROJECT: &str = "tidegate-sandbox";
const PLAY_KEY_ID: &str = "5a7db0c50000000000000000000000000000c0de";
const PLAY_CLIENT_ID: &str = "100000000000000000001";
/// Bytes of chance in the tokens of Slack and GitHub.
const TOKEN_BYTES: usize = 12;
/// Characters in a line of a PEM file.
const PEM_LINE: usize = 64;

/// Where the credentials of a running sandbox are, for printing and for a configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Credentials {
    /// The directory that holds the files.
    pub directory: PathBuf,
    /// The key id of the App Store Connect key.
    pub asc_key_id: String,
    /// The issuer id of the App Store Connect key; leave it out of a token to sign as an individual key.
    pub asc_issuer_id: String,
    /// The App Store Connect private key, PKCS#8 PEM (`.p8`).
    pub asc_private_key_path: PathBuf,
    /// The Google service-account key, JSON.
    pub play_service_account_path: PathBuf,
    /// The e-mail address of the Google service account.
    pub play_client_email: String,
    /// The Slack bot token. It opens nothing but this sandbox.
    pub slack_token: String,
    /// The GitHub token. It opens nothing but this sandbox.
    pub github_token: String,
    /// What a workflow of GitHub and a person have at Google.
    pub google: GoogleCredentials,
}

/// What a client without a key has, to become somebody at the sandbox's Google.
#[derive(Clone, Debug, Serialize)]
pub struct GoogleCredentials {
    /// For `[gcp] workload_identity_provider`; the account to impersonate is `play_client_email`.
    pub workload_identity_provider: String,
    /// The path of GitHub's OIDC endpoint, after the address of `google`, for `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub oidc_request_path: String,
    /// For `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub oidc_request_token: String,
    /// A person's sign-in, as in gcloud's file of type `authorized_user`: the client.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// The person's refresh token.
    pub refresh_token: String,
}

/// Why the credentials could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file could not be written.
    #[error("write the sandbox credential {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The cryptographic library made no key.
    #[error("make a sandbox key: the cryptographic library refused")]
    Key,
}

impl From<Unspecified> for CredentialsError {
    fn from(_: Unspecified) -> Self {
        Self::Key
    }
}

impl Credentials {
    /// Makes keys and a token and writes the key files into a directory, which is made if it is missing.
    ///
    /// # Errors
    /// If a file can't be written or the library makes no key.
    pub(crate) fn create(directory: &Path) -> Result<(Self, Gatekeeper), CredentialsError> {
        let failed = |source| CredentialsError::Write { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let asc_key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let play_key = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let credentials = Self {
            directory: directory.to_owned(),
            asc_key_id: ASC_KEY_ID.to_owned(),
            asc_issuer_id: ASC_ISSUER_ID.to_owned(),
            asc_private_key_path: directory.join(format!("AuthKey_{ASC_KEY_ID}.p8")),
            play_service_account_path: directory.join("play-service-account.json"),
            play_client_email: format!("sandbox@{PLAY_PROJECT}.iam.gserviceaccount.com"),
            slack_token: token("xoxb-sandbox-")?,
            github_token: token("ghs_sandbox")?,
            google: google()?,
        };
        write_private(&credentials.asc_private_key_path, &pem(asc_key.to_pkcs8v1()?.as_ref()))?;
        let play_pem = pem(AsDer::<Pkcs8V1Der<'_>>::as_der(&play_key)?.as_ref());
        let account = service_account(&credentials.play_client_email, &play_pem);
        write_private(&credentials.play_service_account_path, &format!("{account:#}\n"))?;
        let gatekeeper = Gatekeeper {
            asc_key: DecodingKey::from_ec_der(asc_key.public_key().as_ref()),
            play_key: DecodingKey::from_rsa_der(play_key.public_key().as_ref()),
            play_client_email: credentials.play_client_email.clone(),
            slack_token: credentials.slack_token.clone(),
            github_token: credentials.github_token.clone(),
            tokens: Tokens::default(),
        };
        Ok((credentials, gatekeeper))
    }
}

impl Credentials {
    /// A Google that knows these credentials.
    pub(crate) fn google_model(&self) -> GoogleModel {
        let sign_in = SignIn {
            client_id: self.google.client_id.clone(),
            client_secret: self.google.client_secret.clone(),
            refresh_token: self.google.refresh_token.clone(),
        };
        GoogleModel::new(&self.play_client_email, &self.google.oidc_request_token, sign_in)
    }
}

/// The fields of a real service-account key file.
fn service_account(email: &str, private_key: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": PLAY_PROJECT,
        "private_key_id": PLAY_KEY_ID,
        "private_key": private_key,
        "client_email": email,
        "client_id": PLAY_CLIENT_ID,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "universe_domain": "googleapis.com",
    })
}

fn google() -> Result<GoogleCredentials, Unspecified> {
    Ok(GoogleCredentials {
        workload_identity_provider: PROVIDER.to_owned(),
        oidc_request_path: "/github/idtoken?api-version=2.0".to_owned(),
        oidc_request_token: format!("sandbox-run-{}", random()?),
        client_id: "sandbox.apps.googleusercontent.com".to_owned(),
        client_secret: format!("sandbox-client-{}", random()?),
        refresh_token: format!("1//sandbox-{}", random()?),
    })
}

/// A token that begins as the real ones of its service do.
fn token(start: &str) -> Result<String, Unspecified> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::fill(&mut bytes)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{start}{hex}"))
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<String> =
        text.as_bytes().chunks(PEM_LINE).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// Writes a file that only its owner can read. An old one goes first, for an existing file would keep its mode.
fn write_private(path: &Path, text: &str) -> Result<(), CredentialsError> {
    let failed = |source| CredentialsError::Write { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

/// Checks tokens against the public halves of the keys.
pub(crate) struct Gatekeeper {
    asc_key: DecodingKey,
    play_key: DecodingKey,
    play_client_email: String,
    slack_token: String,
    github_token: String,
    /// The tokens that the sandbox's own Google gave out.
    pub(crate) tokens: Tokens,
}

/// Why a token was refused, in words for the person who debugs a client.
pub(crate) type Refusal = String;

impl Gatekeeper {
    /// Checks an App Store Connect token at an instant of Apple's own clock (ES256; team or individual key; at most 20
    /// minutes of life).
    pub(crate) fn app_store_connect(&self, bearer: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        let token = bearer.ok_or("no bearer token")?;
        check_header(token, ASC_KEY_ID)?;
        let mut rules = rules(Algorithm::ES256);
        rules.set_required_spec_claims(&["exp", "aud"]);
        rules.set_audience(&[ASC_AUDIENCE]);
        // The library would judge the end by this machine's clock.
        rules.validate_exp = false;
        let claims = decode::<Value>(token, &self.asc_key, &rules).map_err(|error| error.to_string())?.claims;
        // Other clients sign without `iat`, and Apple takes them: their life begins now then.
        let issued = if claims["iat"].is_null() { now.as_second() } else { seconds(&claims, "iat")? };
        let expires = seconds(&claims, "exp")?;
        if issued > now.as_second() + CLOCK_SKEW_SECONDS {
            return Err("iat is in the future".to_owned());
        }
        if claims["nbf"].as_i64().is_some_and(|not_before| not_before > now.as_second()) {
            return Err("nbf is in the future".to_owned());
        }
        if expires <= now.as_second() {
            return Err("exp is in the past".to_owned());
        }
        if expires - issued > ASC_TOKEN_SECONDS {
            return Err(format!("exp is more than {ASC_TOKEN_SECONDS} seconds after iat"));
        }
        match (claims["iss"].as_str(), claims["sub"].as_str()) {
            (Some(ASC_ISSUER_ID), _) => Ok(()),
            (None, Some("user")) => Ok(()),
            _ => Err("neither the issuer id of this team nor an individual key".to_owned()),
        }
    }

    /// Checks a token for Google Play and returns who calls.
    pub(crate) fn google_play(&self, bearer: Option<&str>) -> Result<String, Refusal> {
        self.google(bearer, &[PLAY_SCOPE])
    }

    /// Checks a token for one of some scopes of Google and returns who calls: one that a client signed itself (RS256), or
    /// one that the sandbox's own Google gave out.
    pub(crate) fn google(&self, bearer: Option<&str>, scopes: &[&str]) -> Result<String, Refusal> {
        let token = bearer.ok_or("no bearer token")?;
        if !token.starts_with(SIGNED) {
            return self.tokens.caller(token, scopes);
        }
        check_header(token, PLAY_KEY_ID)?;
        let mut rules = rules(Algorithm::RS256);
        rules.validate_aud = false;
        let claims =
            decode::<Value>(token, &self.play_key, &rules).map_err(|error| error.to_string())?.claims;
        if claims["iss"] != self.play_client_email || claims["sub"] != self.play_client_email {
            return Err("iss and sub are not the service account".to_owned());
        }
        let held = claims["scope"].as_str().unwrap_or_default();
        if !held.split(' ').any(|scope| scopes.contains(&scope)) {
            return Err(format!("scope lacks {}", scopes.join(" or ")));
        }
        Ok(self.play_client_email.clone())
    }

    /// Checks a Slack token; the error is Slack's own.
    pub(crate) fn slack(&self, bearer: Option<&str>) -> Result<(), &'static str> {
        match bearer {
            None => Err("not_authed"),
            Some(token) if token == self.slack_token => Ok(()),
            Some(_) => Err("invalid_auth"),
        }
    }

    /// Checks a GitHub token.
    pub(crate) fn github(&self, bearer: Option<&str>) -> Result<(), GitHubError> {
        if bearer == Some(self.github_token.as_str()) { Ok(()) } else { Err(GitHubError::BadCredentials) }
    }
}

fn rules(algorithm: Algorithm) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.leeway = 0;
    rules
}

fn check_header(token: &str, key_id: &str) -> Result<(), Refusal> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    if header.typ.as_deref() != Some("JWT") {
        return Err("header typ is not JWT".to_owned());
    }
    if header.kid.as_deref() != Some(key_id) {
        return Err("header kid is not a known key".to_owned());
    }
    Ok(())
}

fn seconds(claims: &Value, name: &str) -> Result<i64, Refusal> {
    claims[name].as_i64().ok_or_else(|| format!("{name} is missing"))
}

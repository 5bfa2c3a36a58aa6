//! Who the program is at Google, and whether it gets a token for each thing that it needs one for.

use std::collections::BTreeSet;

use reqwest::Client;

use super::{Patient, SOME_ACCOUNT};
use crate::adapters::environment;
use crate::adapters::google::{Identity, Scope};
use crate::config::{SecretRef, State, Target, Warehouse};
use crate::report::checks::Check;

/// Set by every runner of GitHub Actions.
const IN_GITHUB: &str = "GITHUB_ACTIONS";
/// What a job of GitHub lacks that signs in without `[gcp]`.
const GITHUB_FIX: &str = "set [gcp] workload_identity_provider and service_account, and give the job `permissions: \
                          id-token: write` (docs/credentials.md)";

/// The id of the repository, in a run of GitHub Actions.
const REPOSITORY_ID: &str = "GITHUB_REPOSITORY_ID";

/// What is known of the identity.
pub struct Google {
    /// As the commands of gcloud name it.
    member: Option<String>,
    tokens: BTreeSet<Scope>,
}

impl Google {
    /// Looks at the identity, if anything needs it.
    pub async fn check(patient: &Patient<'_>, client: &Client, checks: &mut Vec<Check>) -> Self {
        let needed = needed(patient);
        let mut google = Self { member: None, tokens: BTreeSet::new() };
        if needed.is_empty() {
            return google;
        }
        let identity = match patient.loaded.identity(client) {
            Ok(identity) => identity,
            Err(error) => {
                checks.push(Check::failed("google-identity", "Google identity", &error));
                return google;
            }
        };
        google.member = member(patient, identity);
        let account = identity.account().map(|account| format!(", as {account}")).unwrap_or_default();
        let found = format!("{}{account}", identity.describe());
        checks.push(Check::ok("google-identity", "Google identity", found));
        for scope in needed {
            google.token(patient, identity, scope, checks).await;
        }
        google
    }

    async fn token(
        &mut self,
        patient: &Patient<'_>,
        identity: &Identity,
        scope: Scope,
        checks: &mut Vec<Check>,
    ) {
        let subject = format!("Google token for {}", name(scope));
        let had = match identity.token_source(scope) {
            Ok(source) => source.get().await.map(drop),
            Err(error) => Err(error),
        };
        checks.push(match had {
            Ok(()) => {
                self.tokens.insert(scope);
                Check::ok("google-token", subject, format!("given, with the scope {}", scope.as_str()))
            }
            Err(error) => {
                let failed = Check::failed("google-token", subject, &error);
                let keyless = patient.loaded.config.gcp.workload_identity_provider.is_none();
                match keyless && environment::variable(IN_GITHUB).is_some() {
                    true => failed.with_fix(GITHUB_FIX),
                    false => failed,
                }
            }
        });
    }

    /// Whether a token was had.
    pub fn has(&self, scope: Scope) -> bool {
        self.tokens.contains(&scope)
    }

    /// Puts the account into a fix that names none.
    pub fn name_account(&self, check: &mut Check) {
        if let (Some(member), Some(fix)) = (&self.member, &mut check.fix) {
            *fix = fix.replace(SOME_ACCOUNT, member);
        }
    }
}

/// A federated identity without an account is granted rights by the repository that it comes from.
fn member(patient: &Patient<'_>, identity: &Identity) -> Option<String> {
    if let Some(account) = identity.account() {
        return Some(format!("serviceAccount:{account}"));
    }
    let provider = patient.loaded.config.gcp.workload_identity_provider.as_deref()?;
    let (pool, _) = provider.split_once("/providers/")?;
    let repository = environment::variable(REPOSITORY_ID).unwrap_or_else(|| "REPOSITORY_ID".to_owned());
    Some(format!("principalSet://iam.googleapis.com/{pool}/attribute.repository_id/{repository}"))
}

fn needed(patient: &Patient<'_>) -> BTreeSet<Scope> {
    let config = &patient.loaded.config;
    let mut needed = BTreeSet::new();
    if matches!(config.warehouse, Warehouse::BigQuery { .. }) {
        needed.insert(Scope::BigQuery);
    }
    if matches!(config.state, State::Firestore { .. }) && config.endpoints.firestore.is_none() {
        needed.insert(Scope::Firestore);
    }
    for app in &patient.apps {
        if matches!(app.target, Target::GooglePlay { credentials: None, .. }) {
            needed.insert(Scope::Play);
        }
        let references = super::secrets::references(app);
        if references.iter().any(|reference| matches!(reference, SecretRef::SecretManager(_))) {
            needed.insert(Scope::SecretManager);
        }
    }
    needed
}

fn name(scope: Scope) -> &'static str {
    match scope {
        Scope::BigQuery => "BigQuery",
        Scope::Firestore => "Firestore",
        Scope::Play => "Google Play",
        Scope::SecretManager => "Secret Manager",
    }
}

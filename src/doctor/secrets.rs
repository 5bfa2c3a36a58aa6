//! Whether each reference of a secret leads to one. Its value is never shown, nor is anything about it.

use std::collections::BTreeMap;

use super::Patient;
use super::google::Google;
use crate::adapters::google::Scope;
use crate::config::{App, SecretRef, Target};
use crate::report::checks::Check;

const CHECK: &str = "secret";

/// Which references lead to a secret.
pub struct Secrets(BTreeMap<String, bool>);

impl Secrets {
    /// Follows the references of all apps, each once.
    pub async fn check(patient: &Patient<'_>, google: &Google, checks: &mut Vec<Check>) -> Self {
        let mut known = BTreeMap::new();
        for app in &patient.apps {
            for reference in references(app) {
                let name = reference.to_string();
                if known.contains_key(&name) {
                    continue;
                }
                let check = follow(patient, app, reference, google).await;
                known.insert(name, check.status == crate::report::checks::Status::Ok);
                checks.push(check);
            }
        }
        Self(known)
    }

    /// Whether a reference leads to a secret.
    pub fn has(&self, reference: &SecretRef) -> bool {
        self.0.get(&reference.to_string()) == Some(&true)
    }
}

async fn follow(patient: &Patient<'_>, app: &App, reference: &SecretRef, google: &Google) -> Check {
    let subject = format!("secret {reference}");
    if matches!(reference, SecretRef::SecretManager(_)) && !google.has(Scope::SecretManager) {
        return Check::skipped(CHECK, subject, "there is no Google token for Secret Manager");
    }
    match patient.parts.secret(app, reference).await {
        Ok(_) => Check::ok(CHECK, subject, "is there"),
        Err(ended) => Check::failed(CHECK, subject, &ended),
    }
}

/// The references of an app.
pub fn references(app: &App) -> Vec<&SecretRef> {
    let of_store = match &app.target {
        Target::GooglePlay { credentials, .. } => credentials.as_ref(),
        Target::AppStore { private_key, .. } => Some(private_key),
    };
    let of_slack = app.slack.as_ref().map(|slack| slack.secret());
    let of_github = app.github.as_ref().map(|github| &github.token);
    of_store.into_iter().chain(of_slack).chain(of_github).collect()
}

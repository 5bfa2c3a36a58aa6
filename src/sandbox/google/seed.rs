//! What can be set up at the sandbox's Google.

use serde::{Deserialize, Serialize};

/// Accounts and secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GoogleSeed {
    /// E-mail addresses of service accounts that the provider's identities may impersonate, besides the one of the key.
    pub service_accounts: Vec<String>,
    /// Secrets of Secret Manager.
    pub secrets: Vec<SecretSeed>,
}

/// A secret of Secret Manager.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSeed {
    /// The name, `projects/P/secrets/S`.
    pub name: String,
    /// The texts of its versions, oldest first; version 1 is the first.
    pub versions: Vec<String>,
    /// Who may read it.
    #[serde(default)]
    pub access: SecretAccess,
}

/// Who may read a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretAccess {
    /// Every caller with a token.
    #[default]
    Granted,
    /// Nobody: reading is refused with 403.
    Denied,
}

impl SecretSeed {
    /// A secret with one version that every caller may read.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), versions: vec![text.to_owned()], access: SecretAccess::Granted }
    }
}

//! `[app_store_connect]`: how iOS apps are reached.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, Section, own_or};
use super::error::Problem;
use super::secret::SecretRef;
use super::text::KeyPart;
use crate::domain::ids::AppId;

/// How iOS apps are reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AppStoreConnect")]
pub(super) struct RawAppStoreConnect {
    /// The id of the key. Needed for iOS apps.
    #[schemars(extend("examples" = ["ABC1234567"]))]
    key_id: Option<At<KeyPart>>,
    /// The issuer of a team key. Left out for an individual key.
    #[schemars(extend("examples" = ["57246542-96fe-1a63-e053-0824d011072a"]))]
    issuer_id: Option<At<KeyPart>>,
    /// The private key, by reference. Needed for iOS apps.
    #[schemars(extend("examples" = ["env:ASC_PRIVATE_KEY"]))]
    private_key: Option<At<SecretRef>>,
}

/// A complete key.
pub(super) struct Key {
    pub(super) key_id: String,
    pub(super) issuer_id: Option<String>,
    pub(super) private_key: SecretRef,
}

impl Section for RawAppStoreConnect {
    fn over(&self, base: &Self) -> Self {
        Self {
            key_id: own_or(self.key_id.as_ref(), base.key_id.as_ref()),
            issuer_id: own_or(self.issuer_id.as_ref(), base.issuer_id.as_ref()),
            private_key: own_or(self.private_key.as_ref(), base.private_key.as_ref()),
        }
    }
}

impl RawAppStoreConnect {
    /// The key of an app, which is declared at `declared`.
    pub(super) fn check(&self, app: &AppId, declared: &Range<usize>) -> Result<Key, Problem> {
        let missing = |key: &str, example: &str| {
            Problem::new(
                declared.clone(),
                format!("app `{app}` needs `{key}` in [app_store_connect]"),
                format!(
                    "add `{key} = \"{example}\"` to [app_store_connect], or to the same section of the app"
                ),
            )
        };
        let key_id = self.key_id.as_ref().ok_or_else(|| missing("key_id", "ABC1234567"))?;
        let private_key =
            self.private_key.as_ref().ok_or_else(|| missing("private_key", "env:ASC_PRIVATE_KEY"))?;
        Ok(Key {
            key_id: key_id.get().to_text(),
            issuer_id: self.issuer_id.as_ref().map(|issuer| issuer.get().to_text()),
            private_key: private_key.get().clone(),
        })
    }
}

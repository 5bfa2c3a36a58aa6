//! `[gcp]`: who the program is at Google, where it has no key of its own. For the whole program, never for one app.
//!
//! It names identities and holds no secret: the token that proves them is fetched by the run itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app::{App, Target};
use super::at::At;
use super::error::Problem;
use super::secret::SecretRef;
use super::text::{ProjectId, ProviderName, ServiceAccountEmail};

/// Who the program is at Google. Nothing set means the application default credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gcp {
    /// The provider that trusts GitHub's tokens: `projects/N/locations/global/workloadIdentityPools/P/providers/X`.
    pub workload_identity_provider: Option<String>,
    /// The service account that is impersonated with such a token; none means the token itself is used.
    pub service_account: Option<String>,
    /// The project of the warehouse and of the state, and the one that pays, where nothing else is said.
    pub project: Option<String>,
    /// The key of a service account, for where GitHub's token is not: a run by hand, another CI.
    pub credentials: Option<SecretRef>,
}

/// Who the program is at Google. For the whole program.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gcp")]
pub(super) struct RawGcp {
    /// The workload identity provider that trusts this workflow of GitHub Actions. Left out, the application default credentials are used.
    #[schemars(extend("examples" = ["projects/123456789012/locations/global/workloadIdentityPools/github/providers/tidegate"]))]
    workload_identity_provider: Option<At<ProviderName>>,
    /// The service account that is impersonated through the provider. Needed for Android apps without google_play.credentials.
    #[schemars(extend("examples" = ["tidegate@my-project.iam.gserviceaccount.com"]))]
    service_account: Option<At<ServiceAccountEmail>>,
    /// The project of BigQuery and Firestore, and the one that pays, where their own sections name none.
    #[schemars(extend("examples" = ["my-project"]))]
    project: Option<At<ProjectId>>,
    /// The key of a service account, by reference, for runs outside of GitHub Actions. Left out, the application default credentials are used there.
    #[schemars(extend("examples" = ["file:tidegate-key.json"]))]
    credentials: Option<At<SecretRef>>,
}

impl RawGcp {
    pub(super) fn check(&self) -> Result<Gcp, Problem> {
        if let (None, Some(account)) = (&self.workload_identity_provider, &self.service_account) {
            return Err(Problem::new(
                account.span(),
                "`service_account` in [gcp] is impersonated through a provider, and there is none",
                "add `workload_identity_provider`, or leave `service_account` out to use the application default credentials",
            ));
        }
        Ok(Gcp {
            workload_identity_provider: self.workload_identity_provider.as_ref().map(|at| at.get().to_text()),
            service_account: self.service_account.as_ref().map(|at| at.get().to_text()),
            project: self.project.as_ref().map(|at| at.get().to_text()),
            credentials: self.credentials.as_ref().map(|at| at.get().clone()),
        })
    }

    /// The Play Console invites e-mail addresses only, so a federated identity reaches no app there.
    pub(super) fn refuse_play_without_account(&self, apps: &[App]) -> Result<(), Problem> {
        let (Some(provider), None) = (&self.workload_identity_provider, &self.service_account) else {
            return Ok(());
        };
        let keyless = |app: &&App| matches!(app.target, Target::GooglePlay { credentials: None, .. });
        apps.iter().find(keyless).map_or(Ok(()), |app| {
            Err(Problem::new(
                provider.span(),
                format!(
                    "app `{}` needs `service_account` in [gcp]: Google Play lets only e-mail addresses in, and a \
                     federated identity has none",
                    app.id
                ),
                "add `service_account = \"tidegate@my-project.iam.gserviceaccount.com\"`, invited in the Play Console, \
                 next to it",
            ))
        })
    }
}

//! `[endpoints]`: stand-ins for the remote services, on this machine only.
//!
//! They receive tokens, so anything but a loopback address is refused: a configuration can't send a credential away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::text::LoopbackUrl;

/// Addresses of stand-ins: scheme, host and port; the services' real paths follow. None is the real service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// Instead of Google Play.
    pub google_play: Option<String>,
    /// Instead of App Store Connect.
    pub app_store_connect: Option<String>,
    /// Instead of Slack.
    pub slack: Option<String>,
    /// Instead of GitHub.
    pub github: Option<String>,
    /// Instead of Google's token service; it also lets the other sources of tokens be on this machine: GitHub's, OAuth's
    /// and the metadata server.
    pub sts: Option<String>,
    /// Instead of Google's impersonation of service accounts.
    pub iam_credentials: Option<String>,
    /// Instead of Google Secret Manager.
    pub secret_manager: Option<String>,
    /// Instead of Firestore.
    pub firestore: Option<String>,
    /// Instead of BigQuery.
    pub bigquery: Option<String>,
}

/// Stand-ins for the remote services, for tests and the sandbox: `http://127.0.0.1:PORT`. For the whole program.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Endpoints")]
pub(super) struct RawEndpoints {
    /// Instead of Google Play. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4001"]))]
    google_play: Option<At<LoopbackUrl>>,
    /// Instead of App Store Connect. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4002"]))]
    app_store_connect: Option<At<LoopbackUrl>>,
    /// Instead of Slack. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4003"]))]
    slack: Option<At<LoopbackUrl>>,
    /// Instead of GitHub. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4006"]))]
    github: Option<At<LoopbackUrl>>,
    /// Instead of Google's token service. With it the tokens of GitHub, OAuth and the metadata server may come from this machine too. Left out, the real services.
    #[schemars(extend("examples" = ["http://127.0.0.1:4004"]))]
    sts: Option<At<LoopbackUrl>>,
    /// Instead of Google's impersonation of service accounts. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4004"]))]
    iam_credentials: Option<At<LoopbackUrl>>,
    /// Instead of Google Secret Manager. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4004"]))]
    secret_manager: Option<At<LoopbackUrl>>,
    /// Instead of Firestore: Google's emulator. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:8080"]))]
    firestore: Option<At<LoopbackUrl>>,
    /// Instead of BigQuery. Left out, the real service.
    #[schemars(extend("examples" = ["http://127.0.0.1:4005"]))]
    bigquery: Option<At<LoopbackUrl>>,
}

impl RawEndpoints {
    pub(super) fn check(&self) -> Endpoints {
        let url = |given: &Option<At<LoopbackUrl>>| given.as_ref().map(|url| url.get().to_text());
        Endpoints {
            google_play: url(&self.google_play),
            app_store_connect: url(&self.app_store_connect),
            slack: url(&self.slack),
            github: url(&self.github),
            sts: url(&self.sts),
            iam_credentials: url(&self.iam_credentials),
            secret_manager: url(&self.secret_manager),
            firestore: url(&self.firestore),
            bigquery: url(&self.bigquery),
        }
    }
}

//! `[google_play]`: how Android apps are reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, own_or, value_or};
use super::secret::SecretRef;

/// What a halt does to changes that Google is reviewing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InReview {
    /// Takes them out of review and submits them anew together with the halt.
    CancelReview,
    /// Is refused, and people are told.
    Refuse,
}

/// What is done for devices that have a halted version already, by Google Play's app recovery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AppRecovery {
    /// Nothing.
    #[default]
    Off,
    /// An action is drafted after a confirmed halt; a person deploys it.
    Draft,
    /// An action is drafted and deployed after a confirmed halt: users are asked to update.
    Deploy,
}

/// How Android apps are reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GooglePlay")]
pub(super) struct RawGooglePlay {
    /// The key of the service account, by reference. Left out, the program is who `[gcp]` says.
    #[schemars(extend("examples" = ["file:play-service-account.json"]))]
    credentials: Option<At<SecretRef>>,
    /// Whether a halt may take changes out of Google's review, where it can't be made otherwise. Default: true.
    #[schemars(extend("default" = true))]
    halt_cancels_review: Option<At<bool>>,
    /// What is done after a confirmed halt for devices that have the version already: off, draft or deploy. Default: off.
    #[schemars(extend("default" = AppRecovery::Off))]
    app_recovery: Option<At<AppRecovery>>,
}

impl Section for RawGooglePlay {
    fn over(&self, base: &Self) -> Self {
        Self {
            credentials: own_or(self.credentials.as_ref(), base.credentials.as_ref()),
            halt_cancels_review: own_or(self.halt_cancels_review.as_ref(), base.halt_cancels_review.as_ref()),
            app_recovery: own_or(self.app_recovery.as_ref(), base.app_recovery.as_ref()),
        }
    }
}

impl RawGooglePlay {
    pub(super) fn credentials(&self) -> Option<SecretRef> {
        self.credentials.as_ref().map(|reference| reference.get().clone())
    }

    pub(super) fn in_review(&self) -> InReview {
        match value_or(self.halt_cancels_review.as_ref(), true) {
            true => InReview::CancelReview,
            false => InReview::Refuse,
        }
    }

    pub(super) fn app_recovery(&self) -> AppRecovery {
        value_or(self.app_recovery.as_ref(), AppRecovery::Off)
    }
}

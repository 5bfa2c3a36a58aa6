//! The calls to one app on Google Play: where they go, with whose token, and what became of those that failed.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::super::google::GoogleToken;
use super::super::http::{Call, HttpError, Service};
use super::refusal::Refusal;
use crate::domain::ids::ApplicationId;
use crate::ports::{Effect, Outlook, PortError};

/// One app of one account.
pub struct Api {
    service: Service,
    token: GoogleToken,
    /// The app.
    pub package: ApplicationId,
    /// The track, for texts; empty where a call belongs to none.
    pub track: String,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// What Google Play said; none where it said nothing that can be understood.
    pub refusal: Option<Refusal>,
    /// The same for the caller of the port.
    pub error: PortError,
}

/// Whether a call changes anything that users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It does not, or no more when it happens twice: it is made again where that may help.
    Harmless,
    /// It does: it is made again only where it certainly had no effect.
    Publishing,
}

impl Api {
    /// The calls to an app.
    pub fn new(service: Service, token: GoogleToken, package: ApplicationId, track: String) -> Self {
        Self { service, token, package, track }
    }

    /// Where it is, for texts.
    pub fn place(&self) -> String {
        match self.track.as_str() {
            "" => self.package.to_string(),
            track => format!("track {track} of {}", self.package),
        }
    }

    /// Makes a call; the path follows that of the app.
    ///
    /// # Errors
    /// Where it was refused, or not answered.
    pub async fn call(
        &self,
        kind: Kind,
        method: Method,
        rest: &str,
        body: Option<Value>,
    ) -> Result<Value, Failed> {
        let token = self.token.get().await.map_err(Failed::of_port)?;
        let path = format!("/androidpublisher/v3/applications/{}{rest}", self.package);
        let call = Call { method, path, body };
        let answer = match kind {
            Kind::Harmless => self.service.read(&call, &token).await,
            Kind::Publishing => self.service.write(&call, &token).await,
        };
        answer.map_err(|error| self.failed(kind, &error))
    }

    fn failed(&self, kind: Kind, error: &HttpError) -> Failed {
        let refusal = Refusal::of(error);
        let what = format!("{error} ({})", self.place());
        let fix = refusal.unwrap_or(Refusal::Failing).fix(self.package.as_str(), &self.track);
        let unclear = kind == Kind::Publishing && error.effect_is_unclear();
        let failure = PortError {
            effect: if unclear { Effect::Unclear } else { Effect::None },
            outlook: refusal.map_or(Outlook::Passing, Refusal::outlook),
            ..PortError::new(what, fix).after(error.retry_after)
        };
        Failed { refusal, error: failure }
    }

    /// An answer that is not what was asked for.
    pub fn odd_answer(&self, problem: &str) -> Failed {
        Failed::of_port(PortError::new(
            format!("Google Play answered {problem} for {}", self.place()),
            "look at the track in the Play Console; if it looks right there, update tidegate",
        ))
    }
}

impl Failed {
    /// A failure that no answer of Google Play is the cause of.
    pub fn of_port(error: PortError) -> Self {
        Self { refusal: None, error }
    }

    /// Whether the edit is gone.
    pub fn has_ended_the_edit(&self) -> bool {
        self.refusal.is_some_and(Refusal::has_ended_the_edit)
    }

    /// How long to wait before the transaction is made anew; none where that is of no use.
    pub fn anew_after(&self, failures: u32) -> Option<Duration> {
        self.refusal.and_then(|refusal| refusal.anew_after(failures, self.error.retry_after))
    }
}

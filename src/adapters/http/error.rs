//! Why an HTTP call failed, made for the `match` of the adapters: was anything sent, did the service answer, and what.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// A failed call.
#[derive(Debug, Clone)]
pub struct HttpError {
    /// The service.
    pub service: &'static str,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What happened.
    pub kind: Kind,
    /// How long the service asked to wait.
    pub retry_after: Option<Duration>,
    /// Whether an earlier try of the same call may have taken effect, whatever this one says.
    pub earlier_is_unclear: bool,
    /// What time the service says it is, where it answered and said so.
    pub server_time: Option<Timestamp>,
}

/// What happened to a call.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing was sent: no such host, no connection, no TLS.
    NotSent(String),
    /// Something may have been sent; the answer did not come, or not whole.
    Lost(String),
    /// The service answered that it failed or refused.
    Status {
        /// The status.
        status: u16,
        /// The body, where it is JSON.
        body: Option<Value>,
        /// The body as it came.
        text: String,
    },
    /// Success by its status, but not the JSON that was asked for.
    NotJson {
        /// The status.
        status: u16,
        /// What is wrong with the body.
        problem: String,
        /// The body as it came.
        text: String,
    },
}

impl Kind {
    /// Sorts the errors of the transport.
    pub(super) fn of_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() {
            return Self::NotSent(super::chain(error));
        }
        Self::Lost(super::chain(error))
    }
}

impl HttpError {
    /// The status that the service answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            Kind::Status { status, .. } | Kind::NotJson { status, .. } => Some(status),
            Kind::NotSent(_) | Kind::Lost(_) => None,
        }
    }

    /// The body as it came, for matching a vendor's words.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.kind {
            Kind::Status { text, .. } | Kind::NotJson { text, .. } => text,
            Kind::NotSent(text) | Kind::Lost(text) => text,
        }
    }

    /// Whether the same call may well succeed a little later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.kind {
            Kind::NotSent(_) | Kind::Lost(_) | Kind::NotJson { .. } => true,
            Kind::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
        }
    }

    /// Whether a write may be repeated without reading back.
    pub(super) fn certainly_had_no_effect_and_is_passing(&self) -> bool {
        matches!(self.kind, Kind::NotSent(_) | Kind::Status { status: 429, .. })
    }

    /// Whether a write may have taken effect all the same.
    #[must_use]
    pub fn effect_is_unclear(&self) -> bool {
        match self.kind {
            Kind::NotSent(_) => false,
            Kind::Lost(_) | Kind::NotJson { .. } => true,
            Kind::Status { status, .. } => status >= 500 || status == 408,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not do {} {}: ", self.service, self.method, self.path)?;
        match &self.kind {
            Kind::NotSent(why) => write!(f, "could not connect: {why}"),
            Kind::Lost(why) => write!(f, "the answer was lost: {why}"),
            Kind::Status { status, text, .. } => write!(f, "it answered {status}: {}", excerpt(text)),
            Kind::NotJson { status, problem, text } => {
                write!(f, "it answered {status}, but not JSON ({problem}): {}", excerpt(text))
            }
        }
    }
}

/// The beginning of a body on one line.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start: String = line.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if start.is_empty() { "(empty body)".to_owned() } else { start }
}

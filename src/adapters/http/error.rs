//! Why an HTTP call failed, made for the `match` of the adapters: was anything sent, did the service answer, and what.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::redact;
use crate::domain::plain;

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
    pub(super) fn of_transport(error: reqwest::Error) -> Self {
        let is_sent = !(error.is_connect() || error.is_builder());
        let class = Transport::of(&error);
        // Its address is told with the path of the call; the query is nobody's business.
        let why = redact::redacted(&format!("{class}: {}", super::chain(&error.without_url())));
        if is_sent { Self::Lost(why) } else { Self::NotSent(why) }
    }

    /// An answer whose body did not come, or not whole.
    pub(super) fn lost(error: reqwest::Error) -> Self {
        match Self::of_transport(error) {
            Self::NotSent(why) => Self::Lost(why),
            kind => kind,
        }
    }

    /// The same without anything of what the service has answered.
    pub(super) fn without_answer(self) -> Self {
        let text = "(it may hold a secret)".to_owned();
        match self {
            Self::Status { status, .. } => Self::Status { status, body: None, text },
            Self::NotJson { status, problem, .. } => Self::NotJson { status, problem, text },
            kind @ (Self::NotSent(_) | Self::Lost(_)) => kind,
        }
    }
}

/// What kind of trouble the transport had: each is put right elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Name,
    Tls,
    Time,
    Connection,
}

impl Transport {
    fn of(error: &reqwest::Error) -> Self {
        // Neither the resolver's error nor that of an ended handshake has a type of its own that could be asked for.
        const RESOLVER: &str = "dns error";
        const HANDSHAKE: &str = "tls handshake";
        let words = super::chain(error);
        match () {
            () if words.contains(RESOLVER) => Self::Name,
            () if words.contains(HANDSHAKE) || super::causes(error).any(is_tls) => Self::Tls,
            () if error.is_timeout() => Self::Time,
            () => Self::Connection,
        }
    }
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name, or that of a proxy, was not found (DNS)",
            Self::Tls => "no trusted connection could be made (TLS)",
            Self::Time => "it took too long",
            Self::Connection => "the connection failed",
        })
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

/// The beginning of a body on one line, in plain text.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 300;
    let words = plain::line(text);
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "(empty body)".to_owned() } else { plain::cut(&line, LONGEST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line_of_plain_text() {
        assert_eq!(excerpt("a\r\n  b\u{1b}[31m\u{202e}c\u{0}"), "a b[31mc");
        assert_eq!(excerpt(&"x".repeat(10_000)).chars().count(), 300);
        assert_eq!(excerpt("\u{200b}\n"), "(empty body)");
    }
}

//! One request to the outside, as a span and as one event: who was asked, for what, how it ended, how long it took.
//!
//! Never the query, a header, a body or a vendor's words: those hold tokens, names and people. Fields have the names of
//! OpenTelemetry's conventions where there is one, so that the log and the telemetry speak alike.

use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use super::clock;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was answered by HTTP, with so many bytes of body.
    Http {
        /// The status.
        status: u16,
        /// The length of the body as it was read, after decompression.
        bytes: usize,
    },
    /// It was answered by gRPC.
    Grpc {
        /// The code, 0 for success.
        code: i32,
    },
    /// Nothing was sent: no such host, no connection, no TLS.
    NotSent,
    /// Something may have been sent, and no whole answer came.
    Lost,
}

/// The lowest HTTP status of a refusal.
const FIRST_REFUSAL: u16 = 400;

impl End {
    fn is_failure(self) -> bool {
        match self {
            Self::Http { status, .. } => status >= FIRST_REFUSAL,
            Self::Grpc { code } => code != 0,
            Self::NotSent | Self::Lost => true,
        }
    }
}

/// A request that is under way. One that is dropped before its end counts as lost.
pub struct Exchange {
    service: &'static str,
    method: String,
    path: String,
    began: Instant,
    span: Span,
    end: End,
}

impl Exchange {
    /// A request to a service. What follows a `?` in the path is left out.
    #[must_use]
    pub fn begin(service: &'static str, method: &str, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let span = tracing::debug_span!(
            "request",
            otel.name = format!("{method} {service}"),
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            peer.service = service,
            http.request.method = method,
            url.path = path,
            http.response.status_code = tracing::field::Empty,
            rpc.grpc.status_code = tracing::field::Empty,
            "error.type" = tracing::field::Empty,
            response_bytes = tracing::field::Empty,
        );
        let began = clock::steady();
        Self { service, method: method.to_owned(), path, began, span, end: End::Lost }
    }

    /// The span to make the request in.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Says how it ended.
    pub fn ended(mut self, end: End) {
        self.end = end;
    }

    fn tell(&self) {
        let (status, code, error, bytes) = match self.end {
            // Telemetry has signed integers only; others become texts.
            End::Http { status, bytes } => {
                (Some(i64::from(status)), None, None, Some(i64::try_from(bytes).unwrap_or(i64::MAX)))
            }
            End::Grpc { code } => (None, Some(i64::from(code)), None, None),
            End::NotSent => (None, None, Some("not-sent"), None),
            End::Lost => (None, None, Some("lost"), None),
        };
        if self.end.is_failure() {
            self.span.record("otel.status_code", "ERROR");
        }
        let span = &self.span;
        let _ = status.map(|status| span.record("http.response.status_code", status));
        let _ = code.map(|code| span.record("rpc.grpc.status_code", code));
        let _ = error.map(|error| span.record("error.type", error));
        let _ = bytes.map(|bytes| span.record("response_bytes", bytes));
        tracing::debug!(
            peer.service = self.service,
            http.request.method = self.method,
            url.path = self.path,
            http.response.status_code = status,
            rpc.grpc.status_code = code,
            "error.type" = error,
            duration_ms = milliseconds(self.began.elapsed()),
            response_bytes = bytes,
            "request ended"
        );
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.tell();
    }
}

/// Says that a request will be made again, after so many failures and a wait.
pub fn again(service: &'static str, method: &str, path: &str, failures: u32, wait: Duration) {
    let path = path.split('?').next().unwrap_or_default();
    tracing::debug!(
        peer.service = service,
        http.request.method = method,
        url.path = path,
        failures,
        wait_ms = milliseconds(wait),
        "request is made again"
    );
}

/// Whole milliseconds, as the log counts them.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

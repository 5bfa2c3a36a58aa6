//! The scripted faults: a queue of what goes wrong, at which service, on which requests, before or after the effect.
//! One queue serves all services, so a fault behaves the same everywhere. A fault decides how a request ends;
//! it never touches a model, and it never fires on the control surface.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Service;
use super::call::{Reply, ReplyBody};

/// The pace of a slow reply unless the script sets another: one byte a second.
const SLOW_BYTE_INTERVAL_MS: u64 = 1_000;

/// What a captive portal answers, with status 200.
const PORTAL_PAGE: &str = "<!DOCTYPE html><html><body><h1>Please sign in to this network</h1></body></html>";

/// One entry of the fault script.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The service that misbehaves.
    pub service: Service,
    /// Only requests with this HTTP method; left out, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests whose path and query contain this; left out, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// How many matching requests pass before the fault begins.
    #[serde(default)]
    pub after_matches: u32,
    /// How many requests it hits; one unless set.
    #[serde(default = "once")]
    pub count: u32,
    /// What happens to them.
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

/// What happens to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// The request has no effect and is answered with this.
    Status(CannedReply),
    /// The request has its effect, and its answer is replaced by this.
    StatusAfter(CannedReply),
    /// The request has no effect and is never answered; the connection stays open until the sandbox ends.
    Hang,
    /// The request has its effect and is never answered; the connection stays open until the sandbox ends.
    HangAfter,
    /// The request has no effect and the connection ends without a byte.
    Close,
    /// The request has its effect and the connection ends without a byte.
    CloseAfter,
    /// The request has no effect and is answered 200 with a web page, as a captive portal does.
    Html,
    /// The request has its effect and is answered with its status and without a body.
    Empty,
    /// The request has its effect and the connection ends in the middle of the answer's body.
    Truncated,
    /// The request has its effect and the answer is a gzip body of which the second half is missing; nothing but the
    /// gzip body tells.
    TruncatedGzip,
    /// The request has its effect and the answer comes one byte at a time.
    Slow {
        /// Milliseconds from one byte to the next.
        #[serde(default = "slow_byte_interval_ms")]
        byte_interval_ms: u64,
    },
    /// The request has no effect and is sent elsewhere with status 307.
    Redirect {
        /// The address in the `Location` header.
        location: String,
    },
}

fn slow_byte_interval_ms() -> u64 {
    SLOW_BYTE_INTERVAL_MS
}

/// A written answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedReply {
    /// The HTTP status.
    pub code: u16,
    /// Extra headers, as pairs of name and value.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The JSON body; left out, the error document that the service would send with this status.
    #[serde(default)]
    pub body: Option<Value>,
}

impl CannedReply {
    /// An answer with the service's own error document.
    pub fn status(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    /// The same answer with a header, such as `Retry-After`.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same answer with a body.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn reply(&self, service: Service) -> Reply {
        let body = self.body.clone().unwrap_or_else(|| service.error_document(self.code));
        Reply { status: self.code, headers: self.headers.clone(), body: ReplyBody::Json(body) }
    }
}

impl Fault {
    /// A fault that hits the next request to a service.
    pub fn new(service: Service, kind: FaultKind) -> Self {
        Self { service, method: None, path_contains: None, after_matches: 0, count: once(), kind }
    }

    /// Only requests with this method whose path and query contain the text.
    #[must_use]
    pub fn on(mut self, method: &str, path_contains: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path_contains = Some(path_contains.to_owned());
        self
    }

    /// Hits so many requests.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(mut self, after_matches: u32) -> Self {
        self.after_matches = after_matches;
        self
    }

    fn matches(&self, service: Service, method: &str, path: &str) -> bool {
        self.service == service
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_deref().is_none_or(|part| path.contains(part))
    }
}

/// The script: faults in the order in which they get a chance.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    faults: Vec<Fault>,
    chance: Option<Chance>,
}

/// Faults by chance: the same seed and the same requests give the same faults.
#[derive(Debug)]
struct Chance {
    percent: u8,
    random: ChaCha8Rng,
}

impl Chance {
    /// The fault that hits the next request, if any: one of those that end at once.
    fn draw(&mut self) -> Option<FaultKind> {
        let hits = self.random.random_range(0..PERCENT) < self.percent;
        let unavailable = || CannedReply::status(503);
        let kinds = [
            FaultKind::Status(unavailable()),
            FaultKind::StatusAfter(unavailable()),
            FaultKind::Status(CannedReply::status(429).with_header("Retry-After", "1")),
            FaultKind::Close,
            FaultKind::CloseAfter,
            FaultKind::Html,
            FaultKind::Empty,
            FaultKind::Truncated,
            FaultKind::TruncatedGzip,
        ];
        let chosen = self.random.random_range(0..kinds.len());
        hits.then(|| kinds.into_iter().nth(chosen)).flatten()
    }
}

/// Percent in one.
const PERCENT: u8 = 100;

impl FaultQueue {
    /// Adds a fault at the end.
    pub(crate) fn push(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Forgets all faults, and lets nothing more to chance.
    pub(crate) fn clear(&mut self) {
        self.faults.clear();
        self.chance = None;
    }

    /// Lets so many percent of the requests fail that no entry of the script hits.
    pub(crate) fn by_chance(&mut self, seed: u64, percent: u8) {
        self.chance = Some(Chance { percent, random: ChaCha8Rng::seed_from_u64(seed) });
    }

    /// What is still to come.
    pub(crate) fn pending(&self) -> &[Fault] {
        &self.faults
    }

    /// The fault that hits this request, if any. A later entry does not see a request that an earlier one hit.
    pub(crate) fn take(&mut self, service: Service, method: &str, path: &str) -> Option<FaultKind> {
        self.faults.retain(|fault| fault.count > 0);
        for fault in self.faults.iter_mut().filter(|fault| fault.matches(service, method, path)) {
            if fault.after_matches > 0 {
                fault.after_matches -= 1;
                continue;
            }
            fault.count -= 1;
            return Some(fault.kind.clone());
        }
        self.chance.as_mut()?.draw()
    }
}

/// How a request ends on the wire.
#[derive(Debug, PartialEq)]
pub(crate) enum Ending {
    /// The reply is sent.
    Send(Reply),
    /// Nothing is sent and the connection stays open.
    Hang,
    /// Nothing is sent and the connection ends.
    Cut,
    /// Half of the reply's body is sent and the connection ends.
    Truncate(Reply),
    /// Half of the reply's body is sent, compressed, as if it were whole.
    TruncateGzip(Reply),
    /// The reply is sent one byte per interval.
    Drip(Reply, Duration),
}

impl Ending {
    /// The ending of a request; `serve` is called only if the request has its effect.
    pub(crate) fn of(fault: Option<&FaultKind>, service: Service, serve: impl FnOnce() -> Reply) -> Self {
        let Some(kind) = fault else { return Self::Send(serve()) };
        match kind {
            FaultKind::Status(canned) => Self::Send(canned.reply(service)),
            FaultKind::StatusAfter(canned) => {
                serve();
                Self::Send(canned.reply(service))
            }
            FaultKind::Hang => Self::Hang,
            FaultKind::HangAfter => {
                serve();
                Self::Hang
            }
            FaultKind::Close => Self::Cut,
            FaultKind::CloseAfter => {
                serve();
                Self::Cut
            }
            FaultKind::Html => {
                Self::Send(Reply { body: ReplyBody::Html(PORTAL_PAGE.to_owned()), ..Reply::empty(200) })
            }
            FaultKind::Empty => Self::Send(Reply { body: ReplyBody::Empty, ..serve() }),
            FaultKind::Truncated => Self::Truncate(serve()),
            FaultKind::TruncatedGzip => Self::TruncateGzip(serve()),
            FaultKind::Slow { byte_interval_ms } => {
                Self::Drip(serve(), Duration::from_millis(*byte_interval_ms))
            }
            FaultKind::Redirect { location } => {
                Self::Send(Reply::empty(307).with_header("location", location))
            }
        }
    }

    /// The reply of which the client gets to see at least the status.
    pub(crate) fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Send(reply) | Self::Truncate(reply) | Self::TruncateGzip(reply) | Self::Drip(reply, _) => {
                Some(reply)
            }
            Self::Hang | Self::Cut => None,
        }
    }
}

impl Service {
    /// The error document that the service sends with a status, for faults that name only the status.
    fn error_document(self, code: u16) -> Value {
        match self {
            Self::GooglePlay | Self::Google => {
                super::play::error::document(code, grpc_status(code), "The service refused the request.")
            }
            Self::AppStoreConnect => super::asc::error::document(code),
            Self::Slack if code == 429 => json!({"ok": false, "error": "ratelimited"}),
            Self::Slack => json!({"ok": false, "error": "internal_error"}),
            Self::GitHub => super::github::error::document(code),
            Self::BigQuery => super::bigquery::error::document(code, grpc_status(code)),
            Self::Control => json!({"error": "scripted fault"}),
        }
    }
}

/// The canonical status name of Google APIs for an HTTP status.
fn grpc_status(code: u16) -> &'static str {
    match code {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_matches_then_hits_then_ends() {
        let mut queue = FaultQueue::default();
        queue.push(Fault::new(Service::Slack, FaultKind::Hang).on("post", "chat.").after(1).times(2));
        let mut hits = |method, path| queue.take(Service::Slack, method, path).is_some();
        let seen = [
            hits("POST", "/api/chat.update"),
            hits("GET", "/api/chat.update"),
            hits("POST", "/api/chat.update"),
            hits("POST", "/api/auth.test"),
            hits("POST", "/api/chat.postMessage"),
            hits("POST", "/api/chat.postMessage"),
        ];
        assert_eq!(seen, [false, false, true, false, true, false]);
        assert!(queue.take(Service::GooglePlay, "POST", "/api/chat.update").is_none());
    }

    #[test]
    fn unknown_kinds_are_errors_that_list_the_known_ones() {
        let error =
            serde_json::from_value::<Fault>(json!({"service": "slack", "kind": "explode"})).unwrap_err();
        assert!(error.to_string().contains("hang-after"), "{error}");
    }
}

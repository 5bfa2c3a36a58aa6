//! Every HTTP call: one client, time limits, no redirects, and one place that decides what may be tried again.
//!
//! A read may be repeated. A write is repeated only where it certainly had no effect: the connection failed before
//! anything was sent, or the server said "too many requests". Every other unclear outcome is the caller's, who reads
//! back. An answer that is not the JSON that was asked for (a captive portal, a proxy's page, a cut body) is an error.
//!
//! No credential leaves by an error: what a service sends back of it is covered, addresses are shown without their
//! query, headers and bodies of requests never.

mod deliver;
mod error;
pub mod retry;

pub use deliver::{Content, Delivered};
pub use error::{HttpError, Kind, excerpt};

use std::error::Error;
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AGE, AUTHORIZATION, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::adapters::clock::{self, ServerClock, SystemClock};
use crate::adapters::exchange::{self, End, Exchange};
use crate::adapters::redact;
use crate::ports::{Clock as _, PortError};

/// A call that has not connected by then will not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A whole call, slow answers included; far below the run's deadline.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the one client that all adapters share: loading the system's certificates is slow.
///
/// # Errors
/// Where TLS can't be set up.
pub fn client() -> Result<Client, PortError> {
    // A second installation in one process answers with an error that says it is already there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| {
            PortError::new(
                format!("can't set up TLS: {error}"),
                "install the system's CA certificates (package ca-certificates)",
            )
        })
}

/// A call to one service.
#[derive(Debug)]
pub struct Call {
    /// GET, POST, ...
    pub method: Method,
    /// Path and query, after the base URL.
    pub path: String,
    /// The JSON body, if there is one.
    pub body: Option<Value>,
}

impl Call {
    /// A call without a body.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None }
    }

    /// The same call with a body.
    #[must_use]
    pub fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// A remote service that speaks JSON.
pub struct Service {
    /// Its name, for errors.
    pub name: &'static str,
    base: String,
    client: Client,
    clock: ServerClock,
    answers: Answers,
}

/// An answer as it came.
struct Answer {
    status: u16,
    headers: HeaderMap,
    /// The body, or why it did not come whole.
    text: Result<String, Kind>,
}

/// Whether what a service answers may be shown where it is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    MayBeShown,
    AreSecrets,
}

impl Service {
    /// A service at a base URL without a trailing slash.
    #[must_use]
    pub fn new(name: &'static str, base: impl Into<String>, client: Client) -> Self {
        let (clock, answers) = (ServerClock::default(), Answers::MayBeShown);
        Self { name, base: base.into(), client, clock, answers }
    }

    /// The same service, whose answers tell a shared clock what time it is there.
    #[must_use]
    pub fn with_clock(self, clock: &ServerClock) -> Self {
        Self { clock: clock.clone(), ..self }
    }

    /// The same service, whose answers are secrets: no part of one is kept in an error.
    #[must_use]
    pub fn of_secrets(self) -> Self {
        Self { answers: Answers::AreSecrets, ..self }
    }

    /// A call that changes nothing, or nothing that matters when it happens twice.
    ///
    /// # Errors
    /// After the last of a few tries, or at once where trying again is of no use.
    pub async fn read(&self, call: &Call, token: &SecretString) -> Result<Value, HttpError> {
        self.retried(call, token, &Terms::of(HttpError::is_passing)).await
    }

    /// A call that changes something.
    ///
    /// # Errors
    /// At once, unless it certainly had no effect.
    pub async fn write(&self, call: &Call, token: &SecretString) -> Result<Value, HttpError> {
        self.retried(call, token, &Terms::of(HttpError::certainly_had_no_effect_and_is_passing)).await
    }

    /// A call that may be repeated where the caller says so, that must be answered with a document, and that waits for
    /// nothing beyond an instant.
    ///
    /// # Errors
    /// As for [`Service::read`]; also where the answer is empty.
    pub async fn ask(
        &self,
        call: &Call,
        token: &SecretString,
        again: fn(&HttpError) -> bool,
        until: Instant,
    ) -> Result<Value, HttpError> {
        self.retried(call, token, &Terms { again, until: Some(until), empty: Empty::Wrong }).await
    }

    async fn retried(&self, call: &Call, token: &SecretString, terms: &Terms) -> Result<Value, HttpError> {
        let (mut failures, mut unclear) = (0, false);
        loop {
            let mut error = match self.once(call, token).await {
                Ok(Value::Null) if terms.empty == Empty::Wrong => self.empty(call),
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            error.earlier_is_unclear = unclear;
            unclear |= error.effect_is_unclear();
            failures += 1;
            let wait = retry::wait(failures, error.retry_after);
            match wait.filter(|wait| (terms.again)(&error) && terms.leaves_time_for(*wait)) {
                Some(wait) => {
                    exchange::again(self.name, call.method.as_str(), &call.path, failures, wait);
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error),
            }
        }
    }

    /// One try. For callers that judge themselves what may be tried again.
    ///
    /// # Errors
    /// At once.
    pub async fn once(&self, call: &Call, token: &SecretString) -> Result<Value, HttpError> {
        self.exchange(call, token).await.map(|(answer, _)| answer)
    }

    /// One try, with one of the answer's headers, which some services write what they know of the caller into.
    ///
    /// # Errors
    /// At once.
    pub async fn once_with_header(
        &self,
        call: &Call,
        token: &SecretString,
        name: &str,
    ) -> Result<(Value, Option<String>), HttpError> {
        let (answer, headers) = self.exchange(call, token).await?;
        Ok((answer, header(&headers, name).map(|value| redact::without(value.to_owned(), token))))
    }

    /// What time the service says it is: the `Date` of an answer to a question about nothing, asked without a token.
    /// None where it does not say. Source: RFC 9110, sections 5.6.7 and 6.6.1; `Age` is of RFC 9111, section 5.1.
    ///
    /// # Errors
    /// Where it could not be reached.
    pub async fn time(&self) -> Result<Option<Timestamp>, HttpError> {
        let call = Call::new(Method::HEAD, "/");
        let request = self.client.head(format!("{}/", self.base));
        let exchange = Exchange::begin(self.name, Method::HEAD.as_str(), "/");
        let answer = match request.send().instrument(exchange.span()).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.not_answered(&call, exchange, error)),
        };
        exchange.ended(End::Http { status: answer.status().as_u16(), bytes: 0 });
        Ok(server_time(answer.headers()))
    }

    /// One try, with every value of one of the answer's headers, whether or not it succeeded.
    pub async fn once_with_values(
        &self,
        call: &Call,
        token: &SecretString,
        name: &str,
    ) -> (Result<Value, HttpError>, Vec<String>) {
        let answer = match self.send(call, token).await {
            Ok(answer) => answer,
            Err(error) => return (Err(error), Vec::new()),
        };
        let values = answer.headers.get_all(name).into_iter();
        let values = values.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect();
        (self.understood(call, token, answer), values)
    }

    /// Path and query of an address at this service; none where it is an address elsewhere.
    #[must_use]
    pub fn path_of<'a>(&self, address: &'a str) -> Option<&'a str> {
        address.strip_prefix(self.base.as_str()).filter(|path| path.starts_with('/'))
    }

    async fn exchange(&self, call: &Call, token: &SecretString) -> Result<(Value, HeaderMap), HttpError> {
        let answer = self.send(call, token).await?;
        let headers = answer.headers.clone();
        self.understood(call, token, answer).map(|answer| (answer, headers))
    }

    /// One request, as a span and as one event of the log.
    async fn send(&self, call: &Call, token: &SecretString) -> Result<Answer, HttpError> {
        let exchange = Exchange::begin(self.name, call.method.as_str(), &call.path);
        // A request is too big for the stacks that many callers would have to share with it.
        let answer = Box::pin(self.answer(call, token)).instrument(exchange.span()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.not_answered(call, exchange, error)),
        };
        let whole = |text: &String| End::Http { status: answer.status, bytes: text.len() };
        exchange.ended(answer.text.as_ref().map_or(End::Lost, whole));
        Ok(answer)
    }

    async fn answer(&self, call: &Call, token: &SecretString) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(call.method.clone(), format!("{}{}", self.base, call.path));
        request = request.header(AUTHORIZATION, bearer(token));
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let before = SystemClock.now();
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if let Some(there) = server_time(&headers) {
            self.clock.hear(self.name, before, SystemClock.now(), there);
        }
        Ok(Answer { status, headers, text: answer.text().await.map_err(Kind::lost) })
    }

    fn not_answered(&self, call: &Call, exchange: Exchange, error: reqwest::Error) -> HttpError {
        let kind = Kind::of_transport(error);
        exchange.ended(if matches!(kind, Kind::NotSent(_)) { End::NotSent } else { End::Lost });
        self.error(call, kind, None)
    }

    #[expect(clippy::result_large_err, reason = "a failed call is rare, and its error goes on as it is")]
    fn understood(&self, call: &Call, token: &SecretString, answer: Answer) -> Result<Value, HttpError> {
        let Answer { status, headers, text } = answer;
        let retry_after = retry::seconds(header(&headers, RETRY_AFTER.as_str()));
        let is_elsewhere = matches!(status, 300..=399);
        let read = match text {
            _ if is_elsewhere => {
                let text = redirection(header(&headers, LOCATION.as_str()));
                Err(Kind::Status { status, body: None, text })
            }
            Ok(text) => read(status, &redact::without(text, token)),
            Err(kind) => Err(kind),
        };
        read.map_err(|kind| {
            let server_time = server_time(&headers);
            HttpError { server_time, ..self.error(call, kind, retry_after) }
        })
    }

    fn empty(&self, call: &Call) -> HttpError {
        let status = reqwest::StatusCode::OK.as_u16();
        let problem = "nothing at all".to_owned();
        self.error(call, Kind::NotJson { status, problem, text: String::new() }, None)
    }

    fn error(&self, call: &Call, kind: Kind, retry_after: Option<Duration>) -> HttpError {
        // A query may hold ids; the path is enough to find the call.
        let path = call.path.split('?').next().unwrap_or_default();
        HttpError {
            service: self.name,
            method: call.method.to_string(),
            path: path.to_owned(),
            kind: if self.answers == Answers::AreSecrets { kind.without_answer() } else { kind },
            retry_after,
            earlier_is_unclear: false,
            server_time: None,
        }
    }
}

/// When a call is made again.
struct Terms {
    again: fn(&HttpError) -> bool,
    until: Option<Instant>,
    empty: Empty,
}

/// What an answer without a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Fine,
    Wrong,
}

impl Terms {
    fn of(again: fn(&HttpError) -> bool) -> Self {
        Self { again, until: None, empty: Empty::Fine }
    }

    fn leaves_time_for(&self, wait: Duration) -> bool {
        self.until.is_none_or(|until| clock::steady() + wait < until)
    }
}

fn bearer(token: &SecretString) -> HeaderValue {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret().trim()))
        .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    value
}

/// What time the service says it is.
fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    let date = header(headers, DATE.as_str()).and_then(|date| rfc2822::parse(date).ok())?;
    // An answer out of a cache bears the date of its making.
    let age = header(headers, AGE.as_str()).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    date.timestamp().checked_add(SignedDuration::from_secs(age)).ok()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The document of an answer, or what is wrong with it. Nothing of a refusal is needed as it came, so every known secret
/// is covered in it; a document that was asked for may well hold one.
fn read(status: u16, text: &str) -> Result<Value, Kind> {
    match (status, parse(text)) {
        (200..=299, Ok(body)) => Ok(body),
        (200..=299, Err(problem)) => Err(Kind::NotJson { status, problem, text: redact::redacted(text) }),
        _ => {
            let text = redact::redacted(text);
            Err(Kind::Status { status, body: parse(&text).ok(), text })
        }
    }
}

/// What is said of an answer that leads elsewhere: a credential must not go to a host that it was not meant for.
fn redirection(location: Option<&str>) -> String {
    let url = location.and_then(|location| Url::parse(location).ok());
    let host = url.as_ref().and_then(Url::host_str).map(|host| format!(" to {host:?}")).unwrap_or_default();
    format!("a redirect{host}, which is not followed: credentials go to no other host")
}

/// An empty body is JSON's nothing: several calls answer 204.
fn parse(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// An error with its causes, the innermost last.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error and its causes, the outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_tells_the_host_and_nothing_else_of_the_address() {
        let told = redirection(Some("https://user:canary@evil.example/canary?token=canary"));
        assert!(told.contains("\"evil.example\"") && !told.contains("canary"), "{told}");
        assert!(redirection(Some("/elsewhere")).starts_with("a redirect, which"));
        assert!(redirection(None).contains("not followed"));
    }

    #[test]
    fn a_refusal_is_shown_without_secrets_and_a_document_is_kept() {
        let secret = SecretString::from("a-secret-that-is-known");
        redact::know(&secret);
        let text = serde_json::json!({"error": {"message": "bad a-secret-that-is-known"}}).to_string();
        let Err(Kind::Status { body: Some(body), text: shown, .. }) = read(401, &text) else {
            panic!("a refusal is an error");
        };
        assert_eq!(body["error"]["message"], "bad ***");
        assert!(!shown.contains("known"), "{shown}");
        assert_eq!(read(200, &text).unwrap()["error"]["message"], "bad a-secret-that-is-known");
        assert!(matches!(read(200, "<html>"), Err(Kind::NotJson { .. })));
    }

    #[test]
    fn nothing_that_a_service_of_secrets_answers_is_kept_in_an_error() {
        let service = Service::new("Secrets", "http://127.0.0.1:9", client().unwrap()).of_secrets();
        let call = Call::new(Method::GET, "/v1/x?key=canary");
        for kind in [read(500, "{\"canary\": 1}"), read(200, "canary")].map(Result::unwrap_err) {
            let error = service.error(&call, kind, None);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}

//! The way to the collector: one client that sends there and nowhere else, and remembers the first thing that went wrong.
//!
//! It follows no redirect, connects to no address that a cloud serves its own machines on, whatever name leads there,
//! and reads nothing of an answer but its status. Its own requests are in no log and in no span.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::runtime::Handle;

use crate::config::TelemetryEndpoint;
use crate::config::telemetry::may_be_told;
use crate::ports::PortError;

/// A collector that has not taken a connection by then will not.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// The client.
pub(super) struct Transport {
    client: reqwest::Client,
    /// The exporters' own threads have no runtime.
    runtime: Handle,
    base: String,
    failure: Mutex<Option<String>>,
}

impl Transport {
    pub(super) fn new(endpoint: &TelemetryEndpoint, limit: Duration) -> Result<Self, PortError> {
        // A second installation in one process answers with an error that says it is already there.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(limit)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Guarded)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                PortError::new(
                    format!("can't set up TLS for telemetry: {error}"),
                    "install the system's CA certificates (package ca-certificates)",
                )
            })?;
        Ok(Self {
            client,
            runtime: Handle::current(),
            base: endpoint.with_path("/"),
            failure: Mutex::new(None),
        })
    }

    /// The first thing that went wrong.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, why: String) -> HttpError {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| why.clone());
        why.into()
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let url = request.uri().to_string();
        if !url.starts_with(&self.base) {
            return Err("a request to another address was held back".to_owned());
        }
        let (parts, body) = request.into_parts();
        let sending = self.client.post(url).headers(parts.headers).body(body);
        // Even beginning to send needs the runtime's clock.
        let answer = self.runtime.spawn(async move { sending.send().await });
        let answer = answer.await.map_err(|_| "the run ended first".to_owned())?;
        let status = answer.map_err(|error| told(&error).to_owned())?.status();
        if !status.is_success() {
            return Err(format!("the collector answered {}", status.as_u16()));
        }
        Ok(Response::new(Bytes::new()))
    }
}

/// Why there was no answer, without the address and without a header.
fn told(error: &reqwest::Error) -> &'static str {
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => "the collector did not answer in time",
        (false, true) => "the collector could not be reached",
        (false, false) => "the connection to the collector was lost",
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.send(request).await.map_err(|why| self.failed(why))
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Resolves names, without the addresses that nothing may be sent to.
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| may_be_told(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be told anything".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport() -> Transport {
        let endpoint = TelemetryEndpoint::new("http://127.0.0.1:9/base").unwrap();
        Transport::new(&endpoint, Duration::from_secs(5)).unwrap()
    }

    fn request(url: &str) -> Request<Bytes> {
        Request::post(url).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn it_sends_to_its_collector_only_and_remembers_the_first_failure() {
        let transport = transport();
        for url in ["http://127.0.0.1:9/basement", "http://127.0.0.1:90/base/", "https://127.0.0.1:9/base/"] {
            assert!(transport.send_bytes(request(url)).await.is_err(), "{url}");
        }
        assert!(transport.send_bytes(request("http://127.0.0.1:9/base/v1/traces")).await.is_err());
        assert_eq!(transport.failure().unwrap(), "a request to another address was held back");
    }

    #[tokio::test]
    async fn nobody_there_is_said_without_the_address() {
        let transport = transport();
        drop(transport.send_bytes(request("http://127.0.0.1:9/base/v1/traces")).await);
        assert_eq!(transport.failure().unwrap(), "the collector could not be reached");
    }
}

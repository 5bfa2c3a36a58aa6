//! `[telemetry]`: where spans and metrics of a run are sent. Off unless an address is set.
//!
//! The address is a collector's, over TLS or on this machine. Addresses that a cloud serves its own machines on are
//! refused: what is sent there could be answered with a credential, and nobody collects telemetry there.

// Addresses as values: there is no socket in `core`.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::error::{Problem, Refused};

/// Where telemetry is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Telemetry {
    /// The collector; none where nothing is sent.
    pub endpoint: Option<TelemetryEndpoint>,
}

impl Telemetry {
    /// Whether nothing is sent.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.endpoint.is_none()
    }
}

/// Where spans and metrics are sent, in the protocol of OpenTelemetry over HTTP. For the whole program.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Telemetry")]
pub(super) struct RawTelemetry {
    /// The collector: https, or http on this machine; `/v1/traces` and `/v1/metrics` follow. OTEL_EXPORTER_OTLP_ENDPOINT goes before it. Left out, nothing is sent.
    #[schemars(extend("examples" = ["https://otlp.example.com"]))]
    endpoint: Option<At<String>>,
}

impl RawTelemetry {
    pub(super) fn check(&self) -> Result<Telemetry, Problem> {
        let checked = self.endpoint.as_ref().map(|given| {
            TelemetryEndpoint::new(given.get()).map_err(|refused| {
                let (problem, fix) = (refused.0.problem, refused.0.fix);
                Problem::new(given.span(), format!("`endpoint` in [telemetry] {problem}"), fix)
            })
        });
        Ok(Telemetry { endpoint: checked.transpose()? })
    }
}

/// The address of a collector, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TelemetryEndpoint(String);

/// Why an address is no collector's. The text does not repeat the address, which might hold a secret.
#[derive(Debug)]
pub struct RefusedEndpoint(Refused);

impl std::fmt::Display for RefusedEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  fix: {}", self.0.problem, self.0.fix)
    }
}

/// Names of services that a cloud has for its own machines only.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];
/// Their addresses beyond the link-local ones: Alibaba's, Azure's and Oracle's.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
/// The same of Amazon's and Google's for version 6: fd00:ec2::254 and fd20:ce::254.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

impl TelemetryEndpoint {
    /// Checks an address.
    ///
    /// # Errors
    /// Where it is neither https nor on this machine, names a cloud's own services, or has more than a path.
    pub fn new(given: &str) -> Result<Self, RefusedEndpoint> {
        check(given).map_err(RefusedEndpoint)?;
        Ok(Self(given.trim_end_matches('/').to_owned()))
    }

    /// The address of one kind of telemetry.
    #[must_use]
    pub fn with_path(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether telemetry may be sent to this address: to a machine's own cloud services and to nobody in particular, never.
#[must_use]
pub fn may_be_told(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let nobody = v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast();
            !nobody && !v4.is_link_local() && !METADATA_V4.contains(&v4)
        }
        IpAddr::V6(v6) => {
            let nobody = v6.is_unspecified() || v6.is_multicast();
            !nobody && !v6.is_unicast_link_local() && !METADATA_V6.contains(&v6)
        }
    }
}

fn check(given: &str) -> Result<(), Refused> {
    let encrypted = given.strip_prefix("https://");
    let Some(rest) = encrypted.or_else(|| given.strip_prefix("http://")) else { return Err(not_encrypted()) };
    let plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c));
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host(authority).filter(|_| plain).ok_or_else(|| {
        Refused::new(
            "is not an address with a host, and perhaps a port and a path",
            "write https://HOST, https://HOST:PORT or either with a path; no name, password, ? or # belongs into it",
        )
    })?;
    if !host.may_be_told() {
        return Err(Refused::new(
            "is an address that a cloud serves its own machines on, or nobody's",
            "write the address of a collector",
        ));
    }
    if encrypted.is_none() && !host.is_here() {
        return Err(not_encrypted());
    }
    Ok(())
}

fn not_encrypted() -> Refused {
    Refused::new(
        "is neither https nor on this machine",
        "write https://HOST, or http://127.0.0.1:PORT for a collector on this machine",
    )
}

enum Host {
    Address(IpAddr),
    Name(String),
}

impl Host {
    fn may_be_told(&self) -> bool {
        match self {
            Self::Address(address) => may_be_told(*address),
            Self::Name(name) => !METADATA_NAMES.contains(&name.as_str()),
        }
    }

    fn is_here(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }
}

/// The host of an authority without a user. A name that a browser would read as a number is none: `2852039166` and
/// `0xa9fea9fe` are spellings of an address.
fn host(authority: &str) -> Option<Host> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (
                Host::Address(address.parse::<Ipv6Addr>().ok()?.into()),
                rest.strip_prefix(':').or(rest.is_empty().then_some("443"))?,
            )
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
            (named(host)?, port)
        }
    };
    let is_port = port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_port.then_some(host)
}

fn named(host: &str) -> Option<Host> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let last = name.rsplit('.').next()?;
    let is_number = last.starts_with(|c: char| c.is_ascii_digit());
    (name.split('.').all(is_label) && !is_number).then_some(Host::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_collector_is_reached_by_tls_or_on_this_machine() {
        for good in [
            "https://otlp.example.com",
            "https://otlp.example.com:4318/otlp/",
            "https://10.0.0.7:4318",
            "https://[2001:db8::1]:4318",
            "http://127.0.0.1:4318",
            "http://localhost:4318",
            "http://[::1]:4318/base",
        ] {
            let endpoint = TelemetryEndpoint::new(good).unwrap_or_else(|refused| panic!("{good}: {refused}"));
            assert!(endpoint.with_path("/v1/traces").ends_with("/v1/traces"));
            assert!(!endpoint.with_path("/v1/traces").contains("//v1"), "{}", endpoint.as_str());
        }
        for bad in
            ["http://otlp.example.com", "http://10.0.0.7:4318", "otlp.example.com", "ftp://127.0.0.1", ""]
        {
            let refused = TelemetryEndpoint::new(bad).unwrap_err().to_string();
            assert!(refused.contains("neither https nor on this machine"), "{bad}: {refused}");
        }
    }

    #[test]
    fn a_clouds_own_services_are_told_nothing_however_they_are_spelled() {
        for bad in [
            "https://169.254.169.254",
            "https://169.254.170.2/v2",
            "http://169.254.169.254",
            "https://[fe80::1]",
            "https://[::ffff:169.254.169.254]",
            "https://[fd00:ec2::254]",
            "https://metadata.google.internal",
            "https://METADATA.google.internal.",
            "https://100.100.100.200",
            "https://0.0.0.0",
            "https://2852039166",
            "https://0xa9fea9fe",
            "https://0251.0376.0251.0376",
            "https://169.254.43518",
            "https://169.254.169.254.",
        ] {
            assert!(TelemetryEndpoint::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_a_host_a_port_and_a_path_belongs_into_it() {
        for bad in [
            "https://user:CANARY@otlp.example.com",
            "https://otlp.example.com?key=CANARY",
            "https://otlp.example.com#CANARY",
            "https://otlp.example.com:0",
            "https://otlp.example.com:99999",
            "https://otlp.example.com:+1",
            "https://[::1",
            "https://",
            "https://a b",
            "https://127.0.0.1\\@evil.example",
        ] {
            let refused = TelemetryEndpoint::new(bad).unwrap_err().to_string();
            assert!(!refused.contains("CANARY"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = TelemetryEndpoint::new(&text);
            let _ = TelemetryEndpoint::new(&format!("https://{text}"));
        }
    }
}

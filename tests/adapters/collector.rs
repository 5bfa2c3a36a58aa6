//! A collector of telemetry on this machine: keeps what it is sent, decoded, and misbehaves where it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use firestore::gcloud_sdk::prost::Message as _;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What a collector does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    Takes,
    Hangs,
    Answers500,
    /// Sends the caller elsewhere.
    Redirects,
}

/// A request as it came.
#[derive(Clone)]
struct Sent {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Clone)]
struct Shared {
    manners: Manners,
    sent: Arc<Mutex<Vec<Sent>>>,
}

pub struct Collector {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A span as it was sent.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub kind: i32,
    pub is_error: bool,
    pub events: usize,
    pub attributes: BTreeMap<String, Value>,
}

/// One number of a metric.
#[derive(Debug, Clone)]
pub struct Point {
    pub name: String,
    pub value: f64,
    pub attributes: BTreeMap<String, Value>,
}

impl Collector {
    pub async fn start(manners: Manners) -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(take).with_state(Shared { manners, sent: sent.clone() });
        drop(tokio::spawn(async move { axum::serve(listener, app).await }));
        Self { address, sent }
    }

    fn of(&self, path: &str) -> Vec<Sent> {
        self.sent.lock().unwrap().iter().filter(|sent| sent.path == path).cloned().collect()
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// The values of a header, one for each request.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter_map(|sent| Some(sent.headers.get(name)?.to_str().unwrap().to_owned())).collect()
    }

    /// Everything that was sent, as text: for words that must not be in it.
    pub fn everything(&self) -> String {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|sent| String::from_utf8_lossy(&sent.body).into_owned()).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let requests = self.of("/v1/traces").into_iter();
        let decoded = requests.map(|sent| ExportTraceServiceRequest::decode(sent.body).unwrap());
        let scopes = decoded.flat_map(|request| request.resource_spans).flat_map(|of| of.scope_spans);
        let span = |span: opentelemetry_proto::tonic::trace::v1::Span| Span {
            name: span.name,
            trace: span.trace_id,
            id: span.span_id,
            parent: span.parent_span_id,
            kind: span.kind,
            is_error: span.status.is_some_and(|status| status.code == 2),
            events: span.events.len(),
            attributes: attributes(span.attributes),
        };
        scopes.flat_map(|scope| scope.spans).map(span).collect()
    }

    pub fn points(&self) -> Vec<Point> {
        let requests = self.of("/v1/metrics").into_iter();
        let decoded = requests.map(|sent| ExportMetricsServiceRequest::decode(sent.body).unwrap());
        let scopes = decoded.flat_map(|request| request.resource_metrics).flat_map(|of| of.scope_metrics);
        let metrics = scopes.flat_map(|scope| scope.metrics);
        metrics
            .flat_map(|metric| {
                let points = match metric.data.unwrap() {
                    Data::Sum(sum) => sum.data_points,
                    Data::Gauge(gauge) => gauge.data_points,
                    other => panic!("{other:?}"),
                };
                let name = metric.name;
                points.into_iter().map(move |point| Point {
                    name: name.clone(),
                    value: match point.value.unwrap() {
                        Number::AsDouble(value) => value,
                        Number::AsInt(value) => value as f64,
                    },
                    attributes: attributes(point.attributes),
                })
            })
            .collect()
    }

    /// Who sent the spans.
    pub fn resource(&self) -> BTreeMap<String, Value> {
        let sent = self.of("/v1/traces").remove(0);
        let request = ExportTraceServiceRequest::decode(sent.body).unwrap();
        attributes(request.resource_spans[0].resource.clone().unwrap().attributes)
    }
}

async fn take(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let mut answer = HeaderMap::new();
    shared.sent.lock().unwrap().push(Sent { path: uri.path().to_owned(), headers, body });
    match shared.manners {
        Manners::Takes => (StatusCode::OK, answer),
        Manners::Hangs => std::future::pending().await,
        Manners::Answers500 => (StatusCode::INTERNAL_SERVER_ERROR, answer),
        Manners::Redirects => {
            answer.insert("location", "http://127.0.0.1:1/elsewhere".parse().unwrap());
            (StatusCode::TEMPORARY_REDIRECT, answer)
        }
    }
}

fn attributes(given: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let value = |value: Option<AnyValue>| match value.and_then(|any| any.value) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        other => panic!("{other:?}"),
    };
    given.into_iter().map(|pair| (pair.key, value(pair.value))).collect()
}

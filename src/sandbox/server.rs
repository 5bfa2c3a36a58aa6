//! One HTTP server per service: reads a request, lets the script decide its fate, asks the model, writes the reply.
//! All rules live elsewhere; here are only bytes. Servers bind to 127.0.0.1 and nowhere else.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::call::{Call, CallBody, Reply, ReplyBody, pairs};
use super::faults::Ending;
use super::model::Model;
use super::wire::{Wire, WireListener};
use super::{SandboxError, Service};

/// The largest request body in bytes; the real calls that are modelled here need far less.
const BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;

#[derive(Clone)]
struct Server {
    service: Service,
    model: Model,
    closing: watch::Receiver<bool>,
}

/// Starts the server of one service and returns its address, as `http://127.0.0.1:PORT`, and its task.
pub(super) async fn start(
    service: Service,
    port: u16,
    model: Model,
    closing: watch::Receiver<bool>,
) -> Result<(String, JoinHandle<()>), SandboxError> {
    let failed = |source| SandboxError::Bind { service, port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let server = Server { service, model, closing: closing.clone() };
    let app = Router::new().fallback(answer).with_state(server).into_make_service_with_connect_info::<Wire>();
    let task = tokio::spawn(async move {
        let serving = axum::serve(WireListener(listener), app).with_graceful_shutdown(closed(closing));
        // Serving only ends by the shutdown signal; it has no error to report.
        let _ = serving.await;
    });
    Ok((format!("http://{address}"), task))
}

/// Ends when the sandbox shuts down, or is dropped.
async fn closed(mut closing: watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn answer(
    State(server): State<Server>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response {
    let Some(call) = read(request).await else {
        return render(Reply::empty(StatusCode::PAYLOAD_TOO_LARGE.as_u16()));
    };
    let service = server.service;
    if service != Service::Control {
        tokio::time::sleep(server.model.latency()).await;
    }
    if service == Service::Control {
        return render(super::control::answer(&server.model, &call));
    }
    let (number, fault) = server.model.admit(service, &call);
    let ending = Ending::of(fault.as_ref(), service, || server.model.serve(service, &call));
    server.model.answered(number, ending.reply());
    finish(ending, &wire, server.closing).await
}

/// Turns an ending into what happens on the wire.
async fn finish(ending: Ending, wire: &Wire, closing: watch::Receiver<bool>) -> Response {
    match ending {
        Ending::Send(reply) => render(reply),
        Ending::Hang => {
            closed(closing).await;
            wire.cut();
            Response::new(Body::empty())
        }
        Ending::Cut => {
            wire.cut();
            Response::new(Body::empty())
        }
        Ending::Truncate(reply) => {
            wire.cut_in_body(body_text(&reply.body).len() / 2);
            render(reply)
        }
        Ending::TruncateGzip(reply) => {
            let zipped = gzip(&body_text(&reply.body));
            let half = zipped.get(..zipped.len() / 2).unwrap_or_default().to_vec();
            let mut response = render(reply.with_header("content-encoding", "gzip"));
            *response.body_mut() = Body::from(half);
            response
        }
        Ending::Drip(reply, interval) => {
            wire.drip(interval.max(Duration::from_millis(1)));
            render(reply.with_header("connection", "close"))
        }
    }
}

async fn read(request: Request) -> Option<Call> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY_LIMIT_BYTES).await.ok()?;
    Some(Call {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default()),
        body: read_body(&parts.headers, &bytes),
        bearer: text(&parts.headers, header::AUTHORIZATION).strip_prefix("Bearer ").map(str::to_owned),
        host: text(&parts.headers, header::HOST).to_owned(),
        metadata_flavor: parts
            .headers
            .get("metadata-flavor")
            .and_then(|value| Some(value.to_str().ok()?.to_owned())),
    })
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn read_body(headers: &HeaderMap, bytes: &[u8]) -> CallBody {
    if bytes.is_empty() {
        return CallBody::Empty;
    }
    if text(headers, header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded") {
        return CallBody::Form(pairs(&String::from_utf8_lossy(bytes)));
    }
    if text(headers, header::CONTENT_TYPE) == "application/octet-stream" {
        return CallBody::Json(serde_json::json!({"file": {"bytes": bytes.len(), "sha256": digest(bytes)}}));
    }
    serde_json::from_slice(bytes).map_or_else(|error| CallBody::Invalid(error.to_string()), CallBody::Json)
}

/// A file is known by its digest, so that a test can see that it came whole.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body_text(body: &ReplyBody) -> String {
    match body {
        ReplyBody::Empty => String::new(),
        ReplyBody::Json(value) => value.to_string(),
        ReplyBody::Html(page) => page.clone(),
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut zipped = Vec::new();
    let mut encoder = GzEncoder::new(&mut zipped, Compression::default());
    // Memory takes every byte.
    let _ = encoder.write_all(text.as_bytes());
    drop(encoder);
    zipped
}

fn render(reply: Reply) -> Response {
    let content_type = match &reply.body {
        ReplyBody::Empty => None,
        ReplyBody::Json(_) => Some("application/json; charset=utf-8"),
        ReplyBody::Html(_) => Some("text/html; charset=utf-8"),
    };
    let mut response = Response::new(Body::from(body_text(&reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fixed = content_type.map(|value| ("content-type".to_owned(), value.to_owned()));
    for (name, value) in fixed.into_iter().chain(reply.headers) {
        // A header that HTTP can't carry comes from a script; leaving it out shows in the test that wanted it.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            let headers = response.headers_mut();
            // A header may have several values, but a document has one type and one date.
            if [header::CONTENT_TYPE, header::DATE].contains(&name) {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
    }
    response
}

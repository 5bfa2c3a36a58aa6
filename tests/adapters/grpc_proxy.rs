//! A loopback gRPC proxy with a script of faults, in front of the real emulator: what a network does to a real server.
//!
//! It forwards whole calls over unencrypted HTTP/2, trailers included, and keeps a list of them. A fault hits calls of
//! one kind, before they have their effect or after.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use firestore::gcloud_sdk::google::firestore::v1::CommitRequest;
use firestore::gcloud_sdk::prost::Message as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tonic::Code;

/// What happens to a call.
#[derive(Clone)]
pub enum Fate {
    /// No effect, and this status as the answer.
    Refused(Code),
    /// Its effect, and this status instead of the answer.
    AnswerLost(Code),
    /// Its effect, and then the connection breaks.
    Cut,
    /// No effect and no answer.
    Hangs,
    /// Its effect and no answer.
    HangsAfter,
    /// Waits until the test lets it go on.
    Held(Arc<Notify>),
}

/// One entry of the script.
#[derive(Clone)]
pub struct Fault {
    rpc: &'static str,
    about: &'static str,
    after: usize,
    times: usize,
    fate: Fate,
}

impl Fault {
    /// Hits the next call of an RPC such as `Commit`; an empty name hits any.
    pub fn new(rpc: &'static str, fate: Fate) -> Self {
        Self { rpc, about: "", after: 0, times: 1, fate }
    }

    /// Only calls whose message holds these words, such as a part of a document's name.
    pub fn about(self, words: &'static str) -> Self {
        Self { about: words, ..self }
    }

    /// Lets so many matching calls pass first.
    pub fn after(self, passed: usize) -> Self {
        Self { after: passed, ..self }
    }

    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

/// A call that came through.
#[derive(Clone)]
pub struct Call {
    pub rpc: String,
    pub hit: bool,
    message: Bytes,
}

impl Call {
    /// The message of a commit, without the five bytes that gRPC puts before it.
    pub fn commit(&self) -> CommitRequest {
        CommitRequest::decode(self.message.slice(5..)).unwrap()
    }

    pub fn is_about(&self, words: &str) -> bool {
        words.is_empty() || self.message.windows(words.len()).any(|part| part == words.as_bytes())
    }
}

#[derive(Default)]
struct Script {
    faults: Vec<Fault>,
    calls: Vec<Call>,
}

/// The proxy.
pub struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    script: Arc<Mutex<Script>>,
}

impl Proxy {
    /// A proxy in front of a server, `http://127.0.0.1:PORT`.
    pub async fn start(server: &str) -> Self {
        let server: SocketAddr = server.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, server, Arc::clone(&shared)));
            }
        });
        Self { address, script }
    }

    pub fn add(&self, fault: Fault) {
        self.script.lock().unwrap().faults.push(fault);
    }

    /// Forgets the faults and the calls.
    pub fn clear(&self) {
        *self.script.lock().unwrap() = Script::default();
    }

    /// The calls of an RPC whose message holds these words.
    pub fn calls(&self, rpc: &str, words: &str) -> Vec<Call> {
        let script = self.script.lock().unwrap();
        let matching = |call: &&Call| (rpc.is_empty() || call.rpc == rpc) && call.is_about(words);
        script.calls.iter().filter(matching).cloned().collect()
    }

    /// Whether a fault has hit a call.
    pub fn has_hit(&self) -> bool {
        self.hit().is_some()
    }

    /// The first call that a fault has hit.
    pub fn hit(&self) -> Option<Call> {
        self.script.lock().unwrap().calls.iter().find(|call| call.hit).cloned()
    }
}

impl Script {
    /// Writes the call down and says what becomes of it, and which number it has.
    fn admit(&mut self, rpc: &str, message: Bytes) -> (usize, Option<Fate>) {
        let call = Call { rpc: rpc.to_owned(), hit: false, message };
        let matching = |fault: &&mut Fault| {
            fault.times > 0 && (fault.rpc.is_empty() || fault.rpc == rpc) && call.is_about(fault.about)
        };
        let fate = self.faults.iter_mut().find(matching).and_then(|fault| {
            if fault.after > 0 {
                fault.after -= 1;
                return None;
            }
            fault.times -= 1;
            Some(fault.fate.clone())
        });
        self.calls.push(call);
        (self.calls.len() - 1, fate)
    }
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// One connection, with one of its own to the server.
async fn serve(stream: TcpStream, server: SocketAddr, script: Arc<Mutex<Script>>) {
    let upstream = TcpStream::connect(server).await.unwrap();
    // Small messages must not wait for each other.
    for side in [&stream, &upstream] {
        side.set_nodelay(true).unwrap();
    }
    let (send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(upstream)).await.unwrap();
    tokio::spawn(connection);
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| answer(request, send.clone(), Arc::clone(&script), Arc::clone(&cut)));
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that goes away, as a killed one does, ends its connection only.
        ended = serving => drop(ended),
        () = cut.notified() => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    mut send: SendRequest<Full<Bytes>>,
    script: Arc<Mutex<Script>>,
    cut: Arc<Notify>,
) -> Result<Answer, hyper::Error> {
    let (parts, body) = request.into_parts();
    let message = body.collect().await?.to_bytes();
    let rpc = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let (number, fate) = script.lock().unwrap().admit(&rpc, message.clone());
    // A call counts as hit once it has had what effect it will have. The script may have been cleared meanwhile.
    let hit = || script.lock().unwrap().calls.get_mut(number).into_iter().for_each(|call| call.hit = true);
    let mut forward = async || -> Result<Response<Incoming>, hyper::Error> {
        send.send_request(Request::from_parts(parts.clone(), Full::new(message.clone()))).await
    };
    match fate {
        None => Ok(forward().await?.map(BodyExt::boxed)),
        Some(Fate::Held(until)) => {
            hit();
            until.notified().await;
            Ok(forward().await?.map(BodyExt::boxed))
        }
        Some(Fate::Refused(code)) => {
            hit();
            Ok(status(code))
        }
        Some(Fate::AnswerLost(code)) => {
            forward().await?.into_body().collect().await?;
            hit();
            Ok(status(code))
        }
        Some(Fate::Cut) => {
            forward().await?.into_body().collect().await?;
            hit();
            cut.notify_one();
            std::future::pending().await
        }
        Some(Fate::HangsAfter) => {
            forward().await?.into_body().collect().await?;
            hit();
            std::future::pending().await
        }
        Some(Fate::Hangs) => {
            hit();
            std::future::pending().await
        }
    }
}

/// An answer that is nothing but a status.
fn status(code: Code) -> Answer {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", i32::from(code))
        .header("grpc-message", "scripted")
        .body(Empty::new().map_err(|never| match never {}).boxed())
        .unwrap()
}

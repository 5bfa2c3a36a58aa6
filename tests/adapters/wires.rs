//! Two things to put between the program and a service: one that listens in, and one that answers with what it was sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

/// Passes everything on, and keeps what the program sent.
pub struct Tap {
    pub address: String,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    /// In front of a service at `http://127.0.0.1:PORT`.
    pub fn before(service: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = service.strip_prefix("http://").unwrap().to_owned();
        let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = sent.clone();
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                let (service, kept) = (TcpStream::connect(&service).unwrap(), kept.clone());
                thread::spawn(move || listen_in(caller, service, &kept));
            }
        });
        Self { address, sent }
    }

    /// What was sent on each connection.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().unwrap().clone()
    }
}

fn listen_in(mut caller: TcpStream, mut service: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let (mut answers, mut back) = (service.try_clone().unwrap(), caller.try_clone().unwrap());
    thread::spawn(move || {
        // Whoever ends first ends both.
        drop(std::io::copy(&mut answers, &mut back));
        drop(back.shutdown(std::net::Shutdown::Both));
    });
    let place = {
        let mut kept = kept.lock().unwrap();
        kept.push(Vec::new());
        kept.len() - 1
    };
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = caller.read(&mut bytes) {
        kept.lock().unwrap()[place].extend(&bytes[..count]);
        if service.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(service.shutdown(std::net::Shutdown::Both));
}

/// The bearer tokens in what was sent.
pub fn bearers(sent: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(sent).into_owned();
    let lines = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_owned())
    });
    lines.filter_map(|value| value.strip_prefix("Bearer ").map(str::to_owned)).collect()
}

/// What was sent, without the values of the header that credentials belong into.
pub fn without_bearers(sent: &[u8]) -> String {
    let text = String::from_utf8_lossy(sent).into_owned();
    let is_header = |line: &&str| line.to_lowercase().starts_with("authorization: bearer ");
    text.split("\r\n").filter(|line| !is_header(line)).collect::<Vec<_>>().join("\r\n")
}

/// How a parrot answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parrot {
    /// The error document of all vendors at once, with this status.
    Json(u16),
    /// A page, as a proxy's, with status 200.
    Page,
    /// Slack's refusal, which has status 200.
    Refusal,
    /// A redirect to an address with the token in it.
    Redirect,
}

impl Parrot {
    /// Answers every request with what it was sent, credentials included, plain and in base64. Its address.
    pub fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut caller in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let heard = hear(&mut caller);
                    drop(caller.write_all(self.answer(&heard).as_bytes()));
                });
            }
        });
        address
    }

    fn answer(self, heard: &str) -> String {
        let token = bearers(heard.as_bytes()).pop().unwrap_or_default();
        let words =
            format!("bad token {token}, or {}, in {heard}", BASE64_STANDARD.encode(format!("a:{token}")));
        let error = json!({"code": 1, "message": words, "status": "UNAUTHENTICATED",
            "errors": [{"reason": "authError", "message": words}]});
        let asc = json!([{"status": "401", "code": "NOT_AUTHORIZED", "title": words, "detail": words}]);
        let (status, header, body) = match self {
            Self::Json(status) => (status, String::new(), json!({"error": error, "errors": asc}).to_string()),
            Self::Page => (200, String::new(), format!("<html><body>{words}</body></html>")),
            Self::Refusal => (
                200,
                String::new(),
                json!({"ok": false, "error": format!("invalid_auth {token}")}).to_string(),
            ),
            Self::Redirect => {
                (307, format!("location: http://127.0.0.2:1/{token}?t={token}\r\n"), String::new())
            }
        };
        format!(
            "HTTP/1.1 {status} Parrot\r\n{header}x-oauth-scopes: {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// One request, with its body.
pub fn hear(caller: &mut TcpStream) -> String {
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match caller.read(&mut bytes) {
            Ok(count @ 1..) => heard.extend(&bytes[..count]),
            _ => return text,
        }
    }
}

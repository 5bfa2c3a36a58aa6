//! The request log: what was asked of the services and what they answered, in order. It keeps bodies, never headers and
//! never credentials: of what the identity services answer, which is tokens and secrets, only refusals are kept.

use serde::Serialize;
use serde_json::Value;

use super::Service;
use super::call::{Call, Reply};

/// The first status that is a refusal.
const FIRST_REFUSAL: u16 = 400;
/// The rows of an answer of BigQuery that are kept; a long story would fill the memory else.
const LOGGED_ROWS: usize = 100;

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRequest {
    /// Its place in the order of all requests since the sandbox started, from 1.
    pub number: u64,
    /// The service.
    pub service: Service,
    /// The HTTP method.
    pub method: String,
    /// Path and query, without a token.
    pub path: String,
    /// The JSON body; a form as an object of texts; null without a body.
    pub body: Value,
    /// Whether a scripted fault hit it.
    pub fault: bool,
    /// The status that was answered; absent while it hangs, or if the connection was ended without an answer.
    pub status: Option<u16>,
    /// The JSON body of the answer, whole even where the wire cuts it, but for the rows after the hundredth; absent
    /// without one, for a web page, and where it is a token or a secret.
    pub reply: Option<Value>,
}

/// The log.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    last_number: u64,
    entries: Vec<LoggedRequest>,
}

impl RequestLog {
    /// Adds a request and returns its number.
    pub(crate) fn push(&mut self, service: Service, call: &Call, fault: bool) -> u64 {
        self.last_number += 1;
        self.entries.push(LoggedRequest {
            number: self.last_number,
            service,
            method: call.method.clone(),
            path: call.path_and_query(),
            body: call.body_value(),
            fault,
            status: None,
            reply: None,
        });
        self.last_number
    }

    /// Notes the answer to a request; one that was cleared meanwhile is left alone.
    pub(crate) fn answered(&mut self, number: u64, reply: Option<&Reply>) {
        let entry = self.entries.iter_mut().rev().find(|entry| entry.number == number);
        if let Some((entry, reply)) = entry.zip(reply) {
            entry.status = Some(reply.status);
            let tells_a_secret = entry.service == Service::Google && reply.status < FIRST_REFUSAL;
            entry.reply = reply.body.json().filter(|_| !tells_a_secret).cloned();
            let rows = entry.reply.as_mut().and_then(|reply| reply.get_mut("rows")?.as_array_mut());
            if let Some(rows) = rows {
                rows.truncate(LOGGED_ROWS);
            }
        }
    }

    /// All requests in order.
    pub(crate) fn entries(&self) -> &[LoggedRequest] {
        &self.entries
    }

    /// Forgets all requests.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

//! A call whose address is itself the secret, and whose answer is a line of text: a webhook, an upload.
//!
//! Whoever knows such an address may write there, so no error holds it: the transport's own words are taken without it,
//! and a placeholder stands for its path. No token is sent along: it would tell it to a host that needs none.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use tracing::Instrument as _;

use super::{Call, HttpError, Kind, Service, chain, header, retry};
use crate::adapters::exchange::{End, Exchange};

/// What is sent.
#[derive(Debug, Clone)]
pub enum Content {
    /// A JSON document.
    Json(Value),
    /// A file.
    Bytes(Vec<u8>),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The text of the answer.
    pub text: String,
}

impl Service {
    /// One POST to an address that is a secret. `shown` stands for its path in errors.
    ///
    /// # Errors
    /// At once. Every status but 200 is one.
    pub async fn deliver(
        &self,
        address: &str,
        shown: &str,
        content: Content,
    ) -> Result<Delivered, HttpError> {
        let call = Call::new(Method::POST, shown);
        let request = self.client.post(address);
        let request = match content {
            Content::Json(body) => request.json(&body),
            Content::Bytes(bytes) => request.header(CONTENT_TYPE, "application/octet-stream").body(bytes),
        };
        let exchange = Exchange::begin(self.name, Method::POST.as_str(), shown);
        let answer = match request.send().instrument(exchange.span()).await {
            Ok(answer) => answer,
            Err(error) => {
                let kind = of_transport(error);
                exchange.ended(if matches!(kind, Kind::NotSent(_)) { End::NotSent } else { End::Lost });
                return Err(self.error(&call, kind, None));
            }
        };
        let status = answer.status().as_u16();
        let retry_after = retry::seconds(header(answer.headers(), RETRY_AFTER.as_str()));
        let read = answer.text().instrument(exchange.span()).await;
        let text = read.map_err(|error| self.error(&call, Kind::Lost(chain(&error.without_url())), None))?;
        exchange.ended(End::Http { status, bytes: text.len() });
        match status {
            200 => Ok(Delivered { text }),
            _ => {
                let body = serde_json::from_str(&text).ok();
                Err(self.error(&call, Kind::Status { status, body, text }, retry_after))
            }
        }
    }
}

fn of_transport(error: reqwest::Error) -> Kind {
    let error = error.without_url();
    match error.is_connect() || error.is_builder() {
        true => Kind::NotSent(chain(&error)),
        false => Kind::Lost(chain(&error)),
    }
}

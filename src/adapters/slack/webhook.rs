//! Slack by an incoming webhook: a degraded way, which says so in every message.
//!
//! A webhook only posts. It answers no name for what it posted, so there is no thread, no edit and no look-up: an edit
//! that has something new to say is a new message, and after a lost answer nobody can tell whether it arrived. The
//! address is the secret: whoever has it can post, so it is in no error, and it must lead to Slack or to this machine.
//! API: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::time::Instant;

use super::super::clock;
use super::super::fail_point::{self, FailPoint};
use super::super::http::{Content, HttpError, Kind, Service, retry};
use super::blocks::{Dressed, dressed};
use crate::domain::message::Note;
use crate::domain::outbox::Posted;
use crate::ports::{Effect, Found, Notifier, Outlook, PortError};

/// Slack's host for webhooks.
const HOST: &str = "hooks.slack.com";
/// What stands for the address in errors.
const SHOWN: &str = "/services/***";
/// What a webhook answers where it posted.
const POSTED: &str = "ok";
/// The name of the place, where a channel would have its id: a webhook does not tell its channel.
pub const PLACE: &str = "incoming-webhook";
/// The small print of every message.
pub const FOOTER: &str = "posted through an incoming webhook: no threads, no edits, may come twice";
/// What a run says of it.
const SHORTCOMING: &str = "Slack by incoming webhook: no threads, no edits, and a message whose answer is lost may come \
                           twice (a warning: not at all); a bot token has none of this (docs/slack.md)";

/// Why a webhook did not post. Source: "Handling errors" of the page above, and the changelog of 2016-05-17.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// 400: the payload is not what Slack takes (`invalid_payload`, `no_text`, `invalid_blocks`, ...).
    Payload(String),
    /// 403: an administrator forbids it (`action_prohibited`), or the token is wrong (`invalid_token`).
    Prohibited(String),
    /// 404: the webhook or its channel is not there (`no_service`, `no_team`, `channel_not_found`).
    NotThere(String),
    /// 410: the channel is archived (`channel_is_archived`).
    Archived(String),
    /// 429: too many messages.
    RateLimited,
    /// 500 (`rollup_error`) and whatever else says nothing about the effect.
    Unclear(String),
}

impl WebhookRefusal {
    fn of(error: &HttpError) -> Self {
        let word = crate::adapters::http::excerpt(error.text());
        match error.status() {
            Some(400 | 413) => Self::Payload(word),
            Some(401 | 403) => Self::Prohibited(word),
            Some(404) => Self::NotThere(word),
            Some(410) => Self::Archived(word),
            Some(429) => Self::RateLimited,
            Some(_) | None => Self::Unclear(word),
        }
    }

    /// What a person does about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Payload(_) => "report it with this text: tidegate made a message that Slack does not take",
            Self::Prohibited(_) => {
                "let an administrator allow the webhook, or make a new one: https://api.slack.com/apps > the app > \
                 Incoming Webhooks"
            }
            Self::NotThere(_) => {
                "make a new webhook and put it into [slack] webhook: https://api.slack.com/apps > the app > Incoming \
                 Webhooks"
            }
            Self::Archived(_) => "unarchive the channel, or make a webhook for another",
            Self::RateLimited | Self::Unclear(_) => "nothing: the next run goes on",
        }
    }

    fn outlook(&self) -> Outlook {
        match self {
            Self::RateLimited | Self::Unclear(_) => Outlook::Passing,
            Self::Payload(_) | Self::Prohibited(_) | Self::NotThere(_) | Self::Archived(_) => {
                Outlook::Lasting
            }
        }
    }
}

/// A webhook of one channel.
pub struct Webhook {
    service: Service,
    address: SecretString,
    until: Instant,
}

impl Webhook {
    /// A webhook by its address. It waits for nothing beyond `until`.
    ///
    /// # Errors
    /// Where the address is not one of Slack's webhooks, nor on this machine. It is not repeated.
    pub fn new(service: Service, address: SecretString, until: Instant) -> Result<Self, PortError> {
        match is_webhook(address.expose_secret().trim()) {
            true => Ok(Self { service, address, until }),
            false => Err(PortError::new(
                "the secret of [slack] webhook is no address of an incoming webhook (it is not shown)",
                format!(
                    "give https://{HOST}/services/T.../B.../... as Slack shows it under Incoming Webhooks"
                ),
            )),
        }
    }

    async fn send(&self, message: &Dressed) -> Result<(), PortError> {
        let body = json!({
            "text": message.text,
            "blocks": message.blocks,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        let mut failures = 0;
        loop {
            let content = Content::Json(body.clone());
            let address = self.address.expose_secret().trim();
            let error = match self.service.deliver(address, SHOWN, content).await {
                Ok(delivered) if delivered.text.trim() == POSTED => return Ok(()),
                Ok(delivered) => return Err(odd(&delivered.text)),
                Err(error) => error,
            };
            failures += 1;
            // Nothing was posted where nothing was sent, or where it was one message too many.
            let may_be_repeated = matches!(error.kind, Kind::NotSent(_)) || error.status() == Some(429);
            let wait = retry::wait(failures, error.retry_after).filter(|_| may_be_repeated);
            match wait.filter(|wait| clock::steady() + *wait < self.until) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(named(&error)),
            }
        }
    }
}

fn odd(text: &str) -> PortError {
    let word = crate::adapters::http::excerpt(text);
    PortError::unclear(
        format!("the Slack webhook answered 200 and not {POSTED:?}: {word}"),
        "look whether a proxy answers in Slack's place",
    )
}

fn named(error: &HttpError) -> PortError {
    let refusal = WebhookRefusal::of(error);
    let effect = if error.effect_is_unclear() { Effect::Unclear } else { Effect::None };
    let named = PortError::new(format!("by the webhook of [slack]: {error}"), refusal.fix());
    PortError { effect, outlook: refusal.outlook(), ..named.after(error.retry_after) }
}

/// Whether an address is that of a webhook: Slack's, or one of a stand-in on this machine.
fn is_webhook(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let parts = url
        .path()
        .strip_prefix("/services/")
        .map(|rest| rest.split('/').filter(|part| !part.is_empty()).count());
    let is_place = match (url.scheme(), url.host_str()) {
        ("https", Some(host)) => host == HOST && url.port().is_none(),
        ("http", Some(host)) => matches!(host, "127.0.0.1" | "localhost" | "[::1]"),
        _ => false,
    };
    is_bare && is_place && parts == Some(3)
}

#[async_trait]
impl Notifier for Webhook {
    async fn post(&self, _key: &str, note: &Note, _parent: Option<&Posted>) -> Result<Posted, PortError> {
        self.send(&dressed(note, Some(FOOTER))).await?;
        fail_point::reached(FailPoint::AfterSlackPost);
        Ok(Posted { channel: PLACE.to_owned(), id: String::new(), thread: None })
    }

    async fn update(&self, _posted: &Posted, _key: &str, _note: &Note) -> Result<(), PortError> {
        let what = "an incoming webhook edits nothing";
        Err(PortError::new(what, "nothing: what is new is said in a new message").gone())
    }

    async fn find(
        &self,
        _key: &str,
        _parent: Option<&Posted>,
        _since: Timestamp,
        _age: SignedDuration,
    ) -> Result<Found, PortError> {
        Ok(Found::CannotTell("an incoming webhook keeps nothing that could be looked through".to_owned()))
    }

    fn holds(&self, _posted: &Posted) -> bool {
        false
    }

    fn shortcoming(&self) -> Option<&'static str> {
        Some(SHORTCOMING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slack_and_this_machine_have_webhooks() {
        for good in
            ["https://hooks.slack.com/services/T0/B0/secret", "http://127.0.0.1:4003/services/T0/B0/secret"]
        {
            assert!(is_webhook(good), "{good}");
        }
        for bad in [
            "http://hooks.slack.com/services/T0/B0/secret",
            "https://hooks.slack.com/services/T0/B0",
            "https://hooks.slack.com/workflows/T0/B0/secret",
            "https://hooks.slack.com.evil.example/services/T0/B0/secret",
            "https://hooks.slack.com@evil.example/services/T0/B0/secret",
            "https://user@hooks.slack.com/services/T0/B0/secret",
            "https://evil.example/services/T0/B0/secret",
            "xoxb-1",
            "",
        ] {
            assert!(!is_webhook(bad), "{bad}");
        }
    }

    #[test]
    fn a_refused_address_is_not_repeated() {
        let client = crate::adapters::http::client().unwrap();
        let service = Service::new("Slack", "", client);
        let address = SecretString::from("https://evil.example/services/T0/B0/canary");
        let error = Webhook::new(service, address, clock::steady()).err().unwrap().to_string();
        assert!(error.contains("[slack] webhook") && !error.contains("canary"), "{error}");
    }
}

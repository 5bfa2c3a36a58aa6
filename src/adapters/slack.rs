//! Slack by bot token: posts, edits and finds messages.
//!
//! Every message carries its key as metadata, so that one whose answer was lost can be found again instead of being
//! said twice. Slack answers 200 to refusals, so `ok` decides. A halt under a warning is broadcast to the channel.
//! API: <https://docs.slack.dev/reference/methods>.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::http::{Call, HttpError, Service};
use crate::domain::message::{Note, NoteKind};
use crate::domain::outbox::Posted;
use crate::domain::plain;
use crate::ports::{Notifier, PortError};

/// Where the API is; the methods follow under `/api/`.
pub const BASE_URL: &str = "https://slack.com";

/// The event type of our metadata.
const EVENT_TYPE: &str = "tidegate";
/// Looking for a message starts this long before the first attempt, for clocks that differ.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(60);
/// Messages per page when looking.
const PAGE: u32 = 100;
/// A message that is not found this long after sending began did not arrive: a call ends sooner.
const ARRIVAL: SignedDuration = SignedDuration::from_secs(30);
/// A page more than this is not looked at: our message was among the newest when it was sent.
const MOST_PAGES: u32 = 10;
/// Slack's limits for the text of a header and of a section, in characters.
const LONGEST_HEADER: usize = 150;
const LONGEST_SECTION: usize = 3000;

/// The header in which Slack names the scopes of the token.
const SCOPES_HEADER: &str = "x-oauth-scopes";

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The bot's name.
    pub name: String,
    /// The workspace's name.
    pub team: String,
    /// The scopes of the token, where Slack names them.
    pub scopes: Option<Vec<String>>,
}

/// Whether the channel can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// It can.
    Yes,
    /// The token lacks the scope; which one, where Slack says so.
    LacksScope(Option<String>),
}

/// One channel of one workspace.
pub struct Slack {
    service: Service,
    token: SecretString,
    channel: String,
}

impl Slack {
    /// A channel, by its id.
    #[must_use]
    pub fn new(service: Service, token: SecretString, channel: String) -> Self {
        Self { service, token, channel }
    }

    /// Asks whose token it is. <https://docs.slack.dev/reference/methods/auth.test>.
    ///
    /// # Errors
    /// Where Slack does not take it, or could not be asked.
    pub async fn bot(&self) -> Result<Bot, PortError> {
        let call = Call::new(Method::GET, "/api/auth.test");
        let answered = self.service.once_with_header(&call, &self.token, SCOPES_HEADER).await;
        let (answer, scopes) = answered.map_err(|error| named(&error))?;
        let answer = self.checked("auth.test", Ok(answer))?;
        let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or("?").to_owned();
        let split = |scopes: String| scopes.split(',').map(|scope| scope.trim().to_owned()).collect();
        Ok(Bot { name: text("user"), team: text("team"), scopes: scopes.map(split) })
    }

    /// Reads the newest message of the channel, which only a member with the scope may.
    ///
    /// # Errors
    /// Where the bot is not in the channel, there is none, or Slack could not be asked.
    pub async fn look_into_channel(&self) -> Result<Readable, PortError> {
        let method = "conversations.history";
        let path = format!("/api/{method}?channel={}&limit=1", self.channel);
        let answered = self.service.read(&Call::new(Method::GET, path), &self.token).await;
        let answer = answered.map_err(|error| named(&error))?;
        if answer.get("error").and_then(Value::as_str) == Some("missing_scope") {
            let needed = answer.get("needed").and_then(Value::as_str).map(str::to_owned);
            return Ok(Readable::LacksScope(needed));
        }
        self.checked(method, Ok(answer)).map(|_| Readable::Yes)
    }

    async fn write(&self, method: &str, body: Value) -> Result<Value, PortError> {
        let call = Call::new(Method::POST, format!("/api/{method}")).with(body);
        self.checked(method, self.service.write(&call, &self.token).await)
    }

    async fn read(&self, method: &str, query: &str) -> Result<Value, PortError> {
        let call = Call::new(Method::GET, format!("/api/{method}?{query}"));
        self.checked(method, self.service.read(&call, &self.token).await)
    }

    fn checked(&self, method: &str, outcome: Result<Value, HttpError>) -> Result<Value, PortError> {
        let answer = outcome.map_err(|error| named(&error))?;
        if answer.get("ok").and_then(Value::as_bool) == Some(true) {
            return Ok(answer);
        }
        let code = answer.get("error").and_then(Value::as_str).unwrap_or("no reason given");
        let what = format!("Slack refused {method} in channel {}: {code}", self.channel);
        match is_unclear(code) {
            true => Err(PortError::unclear(what, self.fix(code))),
            false => Err(PortError::new(what, self.fix(code))),
        }
    }

    fn fix(&self, code: &str) -> String {
        match code {
            "channel_not_found" => {
                format!("set [slack] channel to the channel's id (now {:?})", self.channel)
            }
            "not_in_channel" => "invite the bot: /invite @tidegate in the channel".to_owned(),
            "invalid_auth" | "not_authed" | "token_revoked" | "account_inactive" => {
                "set [slack] token to the bot token (xoxb-...) of an installed app".to_owned()
            }
            "missing_scope" => {
                "give the bot chat:write, channels:history and groups:history, and install it again"
                    .to_owned()
            }
            "is_archived" => "unarchive the channel, or set another in [slack] channel".to_owned(),
            _ => "look the error up under https://docs.slack.dev/reference/methods".to_owned(),
        }
    }

    /// Looks for a message by its key: in a thread, or in the channel.
    async fn look(
        &self,
        key: &str,
        parent: Option<&Posted>,
        since: Timestamp,
    ) -> Result<Option<Posted>, PortError> {
        let oldest = since.checked_sub(LOOK_BACK).unwrap_or(since).as_second();
        let (method, thread) = match parent {
            Some(parent) => ("conversations.replies", format!("&ts={}", parent.id)),
            None => ("conversations.history", String::new()),
        };
        let query = format!(
            "channel={}{thread}&oldest={oldest}&limit={PAGE}&include_all_metadata=true",
            self.channel
        );
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let answer = self.read(method, &format!("{query}{cursor}")).await?;
            // An answer without messages is not an answer that there are none.
            let messages = answer.get("messages").and_then(Value::as_array).ok_or_else(|| {
                let fix = "the message stays in the outbox, and the next run looks again";
                PortError::new(format!("Slack answered {method} without a list of messages"), fix)
            })?;
            let found = messages.iter().find(|message| has_key(message, key));
            if let Some(id) = found.and_then(|message| message.get("ts")?.as_str()) {
                return Ok(Some(Posted { channel: self.channel.clone(), id: id.to_owned() }));
            }
            match answer.pointer("/response_metadata/next_cursor").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => cursor = format!("&cursor={}", next.replace('=', "%3D")),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn posted(&self, answer: &Value) -> Option<Posted> {
        let channel = answer.get("channel").and_then(Value::as_str).unwrap_or(&self.channel).to_owned();
        Some(Posted { channel, id: answer.get("ts")?.as_str()?.to_owned() })
    }
}

#[async_trait]
impl Notifier for Slack {
    async fn post(&self, key: &str, note: &Note, parent: Option<&Posted>) -> Result<Posted, PortError> {
        let mut body = dressed(key, note);
        body["channel"] = json!(self.channel);
        body["unfurl_links"] = json!(false);
        if let Some(parent) = parent {
            body["thread_ts"] = json!(parent.id);
            body["reply_broadcast"] = json!(note.kind == NoteKind::Halt);
        }
        let answer = match self.write("chat.postMessage", body.clone()).await {
            // A person deleted what this is a reply to: it stands alone then.
            Err(error) if parent.is_some() && error.what.contains("thread_not_found") => {
                body["thread_ts"] = Value::Null;
                body["reply_broadcast"] = Value::Null;
                self.write("chat.postMessage", without_nulls(body)).await?
            }
            outcome => outcome?,
        };
        self.posted(&answer).ok_or_else(|| {
            PortError::unclear("Slack accepted a message and told no ts for it", "look into the channel")
        })
    }

    async fn update(&self, posted: &Posted, key: &str, note: &Note) -> Result<(), PortError> {
        let mut body = dressed(key, note);
        body["channel"] = json!(posted.channel);
        body["ts"] = json!(posted.id);
        match self.write("chat.update", body).await {
            // A person deleted it: there is nothing to edit, and no need to say it again.
            Err(error) if error.what.contains("message_not_found") => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    async fn find(
        &self,
        key: &str,
        parent: Option<&Posted>,
        since: Timestamp,
        age: SignedDuration,
    ) -> Result<Option<Posted>, PortError> {
        let found = self.look(key, parent, since).await?;
        let rest = ARRIVAL.checked_sub(age).and_then(|rest| std::time::Duration::try_from(rest).ok());
        match (found, rest) {
            (None, Some(rest)) => {
                tokio::time::sleep(rest).await;
                self.look(key, parent, since).await
            }
            (found, _) => Ok(found),
        }
    }
}

/// Refusals after which the message may be there all the same.
fn is_unclear(code: &str) -> bool {
    matches!(code, "internal_error" | "fatal_error" | "request_timeout" | "service_unavailable")
}

fn without_nulls(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

fn has_key(message: &Value, key: &str) -> bool {
    let ours = message.pointer("/metadata/event_type").and_then(Value::as_str) == Some(EVENT_TYPE);
    ours && message.pointer("/metadata/event_payload/key").and_then(Value::as_str) == Some(key)
}

/// A note as Slack shows it: the headline stands alone in notifications, the rest is for reading.
fn dressed(key: &str, note: &Note) -> Value {
    let section = |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, LONGEST_SECTION)}});
    json!({
        "text": escaped(&note.text()),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": cut(&header(&note.headline), LONGEST_HEADER)}},
            section(&escaped(&note.lines.join("\n"))),
            section(&escaped(&note.next)),
        ],
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
    })
}

/// Slack's three special characters, without which no mention and no link can be written.
fn escaped(text: &str) -> String {
    plain::text(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A header is plain text, in which entities are not for certain read; so the brackets of a mention go.
fn header(text: &str) -> String {
    plain::text(text).replace('<', "‹").replace('>', "›")
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}

fn named(error: &HttpError) -> PortError {
    let fix = "the message stays in the outbox, and the next run sends it";
    match error.effect_is_unclear() {
        true => PortError::unclear(error.to_string(), fix),
        false => PortError::new(error.to_string(), fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_mentions_nobody() {
        let note = Note {
            kind: NoteKind::Warning,
            headline: "<!channel> \u{202e}1.0 & more".into(),
            lines: vec!["<https://evil.example|click>".into()],
            next: "x".repeat(4000),
            topic: String::new(),
        };
        let body = dressed("warn-1", &note).to_string();
        assert!(!body.contains("<!") && !body.contains("<https") && !body.contains('\u{202e}'), "{body}");
        assert_eq!(
            dressed("k", &note)["blocks"][2]["text"]["text"].as_str().unwrap().chars().count(),
            LONGEST_SECTION
        );
    }
}

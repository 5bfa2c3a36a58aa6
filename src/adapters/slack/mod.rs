//! Slack by bot token: posts, edits and finds messages, and shows pictures. `webhook` is the lesser way.
//!
//! Every message carries its key as metadata, so that one whose answer was lost can be found again instead of being
//! said twice: a post is repeated only where it certainly had no effect. Slack answers 200 to refusals, so `ok`
//! decides (`refusal`). What asks for a person at once is broadcast from its thread to the channel.
//!
//! A reply whose parent a person deleted is not refused by Slack but stands alone in the channel; only the `thread_ts`
//! that its answer lacks tells (seen in public reports, not documented). So what was posted says where it is.
//! API: <https://docs.slack.dev/reference/methods>.

pub mod blocks;
pub mod refusal;
mod upload;
pub mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::blocks::dressed;
use self::refusal::Refusal;
use super::clock;
use super::fail_point::{self, FailPoint};
use super::http::{Call, HttpError, Kind, Service, retry};
use crate::domain::message::Note;
use crate::domain::outbox::Posted;
use crate::ports::{Found, Image, Notifier, PortError};

pub use self::webhook::Webhook;

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
/// The longest that one call waits for Slack altogether, so that an app that Slack keeps waiting holds up no other.
const PATIENCE: Duration = Duration::from_secs(30);
/// A message is refused at most so often for something that it can go without.
const MOST_SHAPES: u32 = 3;
/// What becomes of a message that could not be sent.
const FIX: &str = "the message stays in the outbox, and the next run sends it";

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

/// What a question about the channel found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<T> {
    /// The answer.
    Answered(T),
    /// The token lacks the scope; which one, where Slack says so.
    LacksScope(Option<String>),
}

/// What Slack says of the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name, without `#`.
    pub name: String,
    /// Whether it is open to everybody in the workspace, or only to those who were invited.
    pub openness: Openness,
    /// Whether anything can be posted.
    pub life: Life,
    /// Whether the bot is in it.
    pub membership: Membership,
}

/// Who may see a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// Everybody in the workspace.
    Public,
    /// Its members.
    Private,
}

/// Whether a channel is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It is.
    Open,
    /// It is archived.
    Archived,
}

/// Whether the bot is in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It is.
    Member,
    /// It is not.
    Stranger,
}

/// One channel of one workspace.
pub struct Slack {
    service: Service,
    token: SecretString,
    channel: String,
    until: Instant,
    fallback: Option<Box<Slack>>,
}

impl Slack {
    /// A channel, by its id. It waits for nothing beyond `until`.
    #[must_use]
    pub fn new(service: Service, token: SecretString, channel: String, until: Instant) -> Self {
        Self { service, token, channel, until, fallback: None }
    }

    /// The same channel, with another for what it refuses for good.
    #[must_use]
    pub fn with_fallback(self, other: Self) -> Self {
        Self { fallback: Some(Box::new(other)), ..self }
    }

    /// Asks whose token it is. <https://docs.slack.dev/reference/methods/auth.test>.
    ///
    /// # Errors
    /// Where Slack does not take it, or could not be asked.
    pub async fn bot(&self) -> Result<Bot, PortError> {
        let method = "auth.test";
        let call = Call::new(Method::GET, format!("/api/{method}"));
        let answered = self.service.once_with_header(&call, &self.token, SCOPES_HEADER).await;
        let (answer, scopes) = answered.map_err(|error| named(&error))?;
        self.checked(&answer, method)?;
        let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or("?").to_owned();
        let split = |scopes: String| scopes.split(',').map(|scope| scope.trim().to_owned()).collect();
        Ok(Bot { name: text("user"), team: text("team"), scopes: scopes.map(split) })
    }

    /// Asks what the channel is. <https://docs.slack.dev/reference/methods/conversations.info>.
    ///
    /// # Errors
    /// Where there is no such channel, or Slack could not be asked.
    pub async fn channel(&self) -> Result<Asked<Channel>, PortError> {
        Ok(self.question("conversations.info", "").await?.map(|answer| described(&answer)))
    }

    /// Reads the newest message of the channel, which only a member with the scope may.
    ///
    /// # Errors
    /// Where the bot is not in the channel, there is none, or Slack could not be asked.
    pub async fn look_into_channel(&self) -> Result<Asked<()>, PortError> {
        Ok(self.question("conversations.history", "&limit=1").await?.map(drop))
    }

    async fn question(&self, method: &str, more: &str) -> Result<Asked<Value>, PortError> {
        let call = Call::new(Method::GET, format!("/api/{method}?channel={}{more}", self.channel));
        match self.call(&call, HttpError::is_passing).await {
            Ok(answer) => Ok(Asked::Answered(answer)),
            Err(Failed::Refused(Refusal::MissingScope { needed, .. })) => Ok(Asked::LacksScope(needed)),
            Err(failed) => Err(failed.error(method, &self.channel)),
        }
    }

    /// Posts once, unless it certainly had no effect.
    async fn write(&self, method: &str, body: Value) -> Result<Value, PortError> {
        let channel = body.get("channel").and_then(Value::as_str).unwrap_or(&self.channel).to_owned();
        let call = Call::new(Method::POST, format!("/api/{method}")).with(body);
        self.call(&call, had_no_effect).await.map_err(|failed| failed.error(method, &channel))
    }

    async fn ask(
        &self,
        call: &Call,
        method: &str,
        again: fn(&HttpError) -> bool,
    ) -> Result<Value, PortError> {
        self.call(call, again).await.map_err(|failed| failed.error(method, &self.channel))
    }

    /// One call, made again where Slack asks for a little time, by its status or by its word.
    async fn call(&self, call: &Call, again: fn(&HttpError) -> bool) -> Result<Value, Failed> {
        let until = self.until.min(clock::steady() + PATIENCE);
        let mut failures = 0;
        loop {
            let answer = self.service.ask(call, &self.token, again, until).await?;
            let Some(refusal) = Refusal::of(&answer) else { return Ok(answer) };
            failures += 1;
            let wait = retry::wait(failures, None).filter(|_| refusal == Refusal::RateLimited);
            match wait.filter(|wait| clock::steady() + *wait < until) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(Failed::Refused(refusal)),
            }
        }
    }

    fn checked(&self, answer: &Value, method: &str) -> Result<(), PortError> {
        Refusal::of(answer).map_or(Ok(()), |refusal| Err(refusal.error(method, &self.channel)))
    }

    /// Looks for a message by its keys. What was sent as a reply may stand alone, where its parent was deleted.
    async fn look(
        &self,
        keys: &[&str],
        parent: Option<&Posted>,
        since: Timestamp,
    ) -> Result<Option<Posted>, Failed> {
        if let Some(parent) = parent {
            let thread = format!("&ts={}", parent.id);
            match self.look_in("conversations.replies", &thread, keys, since).await {
                Ok(None) | Err(Failed::Refused(Refusal::ThreadNotFound)) => {}
                found => return found,
            }
        }
        self.look_in("conversations.history", "", keys, since).await
    }

    async fn look_in(
        &self,
        method: &str,
        thread: &str,
        keys: &[&str],
        since: Timestamp,
    ) -> Result<Option<Posted>, Failed> {
        let oldest = since.checked_sub(LOOK_BACK).unwrap_or(since).as_second();
        let channel = &self.channel;
        let query =
            format!("channel={channel}{thread}&oldest={oldest}&limit={PAGE}&include_all_metadata=true");
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let call = Call::new(Method::GET, format!("/api/{method}?{query}{cursor}"));
            let answer = self.call(&call, HttpError::is_passing).await?;
            // An answer without messages is not an answer that there are none.
            let messages = answer.get("messages").and_then(Value::as_array).ok_or_else(|| {
                Failed::Refused(Refusal::Unclear("an answer without a list of messages".to_owned()))
            })?;
            let found = messages.iter().find(|message| keys.iter().any(|key| has_key(message, key)));
            if let Some(posted) = found.and_then(|message| place(channel.clone(), message)) {
                return Ok(Some(posted));
            }
            match answer.pointer("/response_metadata/next_cursor").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => cursor = format!("&cursor={}", next.replace('=', "%3D")),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn found(&self, looked: Result<Option<Posted>, Failed>) -> Result<Found, PortError> {
        match looked {
            Ok(found) => Ok(found.map_or(Found::Nowhere, Found::There)),
            Err(Failed::Refused(Refusal::MissingScope { needed, .. })) => {
                let needed = needed.unwrap_or_else(|| "channels:history or groups:history".to_owned());
                Ok(Found::CannotTell(format!(
                    "the bot lacks the scope {needed}, so it can't look into the channel"
                )))
            }
            Err(failed) => Err(failed.error("conversations.history", &self.channel)),
        }
    }

    /// The parent of a reply, where it is in this channel.
    fn parent<'p>(&self, parent: Option<&'p Posted>) -> Option<&'p Posted> {
        parent.filter(|parent| parent.channel == self.channel)
    }

    fn posted(&self, answer: &Value) -> Result<Posted, PortError> {
        let channel = answer.get("channel").and_then(Value::as_str).unwrap_or(&self.channel).to_owned();
        let message = answer.get("message").filter(|message| message.get("ts").is_some());
        place(channel, message.unwrap_or(answer)).ok_or_else(|| {
            PortError::unclear("Slack accepted a message and told no ts for it", "look into the channel")
        })
    }
}

#[async_trait]
impl Notifier for Slack {
    async fn post(&self, key: &str, note: &Note, parent: Option<&Posted>) -> Result<Posted, PortError> {
        let method = "chat.postMessage";
        let mut body = message(key, note, &self.channel);
        body["unfurl_links"] = json!(false);
        body["unfurl_media"] = json!(false);
        if let Some(parent) = self.parent(parent) {
            body["thread_ts"] = json!(parent.id);
            // What asks for a person at once is seen by the whole channel.
            body["reply_broadcast"] = json!(note.kind.must_arrive());
        }
        let mut refused = None;
        for _ in 0..MOST_SHAPES {
            let call = Call::new(Method::POST, format!("/api/{method}")).with(body.clone());
            let failed = match self.call(&call, had_no_effect).await {
                Ok(answer) => {
                    fail_point::reached(FailPoint::AfterSlackPost);
                    return self.posted(&answer);
                }
                Err(failed) => failed,
            };
            // A refusal had no effect, so the message may be said in a plainer shape.
            let needless: &[&str] = match &failed {
                Failed::Refused(Refusal::ThreadNotFound) => &["thread_ts", "reply_broadcast"],
                Failed::Refused(Refusal::InvalidBlocks(_)) => &["blocks"],
                Failed::Refused(_) | Failed::Http(_) => &[],
            };
            refused = Some(failed.error(method, &self.channel));
            if !without(&mut body, needless) {
                break;
            }
        }
        Err(refused.unwrap_or_else(|| PortError::new("Slack was not asked", FIX)))
    }

    async fn update(&self, posted: &Posted, key: &str, note: &Note) -> Result<(), PortError> {
        let mut body = message(key, note, &posted.channel);
        body["ts"] = json!(posted.id);
        self.write("chat.update", body).await.map(drop)
    }

    async fn find(
        &self,
        key: &str,
        parent: Option<&Posted>,
        since: Timestamp,
        age: SignedDuration,
    ) -> Result<Found, PortError> {
        let parent = self.parent(parent);
        let rest = ARRIVAL.checked_sub(age).and_then(|rest| Duration::try_from(rest).ok());
        let mut found = self.look(&[key], parent, since).await;
        if let (Ok(None), Some(rest)) = (&found, rest) {
            if clock::steady() + rest >= self.until {
                let what = "this run has no time left to see whether a message to Slack arrived";
                return Err(PortError::new(what, "nothing: the next run looks again"));
            }
            tokio::time::sleep(rest).await;
            found = self.look(&[key], parent, since).await;
        }
        self.found(found)
    }

    async fn find_any(&self, keys: &[String], since: Timestamp) -> Result<Found, PortError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.found(self.look(&keys, None, since).await)
    }

    fn holds(&self, posted: &Posted) -> bool {
        // What a webhook posted has no name.
        !posted.id.is_empty()
    }

    fn fallback(&self) -> Option<&dyn Notifier> {
        self.fallback.as_deref().map(|other| other as &dyn Notifier)
    }

    async fn upload(&self, image: &Image, parent: Option<&Posted>) -> Result<String, PortError> {
        Self::upload(self, image, parent).await
    }
}

/// A call that did not do what it should.
enum Failed {
    /// Slack said so.
    Refused(Refusal),
    /// There was no answer of Slack's.
    Http(HttpError),
}

impl From<HttpError> for Failed {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl Failed {
    fn error(self, method: &str, channel: &str) -> PortError {
        match self {
            Self::Refused(refusal) => refusal.error(method, channel),
            Self::Http(error) => named(&error),
        }
    }
}

impl<T> Asked<T> {
    /// The same with another answer.
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Asked<U> {
        match self {
            Self::Answered(answer) => Asked::Answered(map(answer)),
            Self::LacksScope(scope) => Asked::LacksScope(scope),
        }
    }
}

fn described(answer: &Value) -> Channel {
    let channel = answer.get("channel").unwrap_or(&Value::Null);
    let flag = |field: &str| channel.get(field).and_then(Value::as_bool) == Some(true);
    Channel {
        name: channel.get("name").and_then(Value::as_str).unwrap_or("?").to_owned(),
        openness: if flag("is_private") { Openness::Private } else { Openness::Public },
        life: if flag("is_archived") { Life::Archived } else { Life::Open },
        membership: if flag("is_member") { Membership::Member } else { Membership::Stranger },
    }
}

/// A post may be repeated where it was not sent, or was one too many.
fn had_no_effect(error: &HttpError) -> bool {
    matches!(error.kind, Kind::NotSent(_) | Kind::Status { status: 429, .. })
}

/// Takes fields out of a body; whether there was anything to take out.
fn without(body: &mut Value, fields: &[&str]) -> bool {
    let Some(body) = body.as_object_mut() else { return false };
    fields.iter().filter(|field| body.shift_remove(**field).is_some()).count() > 0
}

/// Where a message is that Slack shows.
fn place(channel: String, message: &Value) -> Option<Posted> {
    let text = |field: &str| message.get(field).and_then(Value::as_str).map(str::to_owned);
    let id = text("ts")?;
    let thread = text("thread_ts").filter(|thread| *thread != id);
    Some(Posted { channel, id, thread })
}

fn has_key(message: &Value, key: &str) -> bool {
    let ours = message.pointer("/metadata/event_type").and_then(Value::as_str) == Some(EVENT_TYPE);
    ours && message.pointer("/metadata/event_payload/key").and_then(Value::as_str) == Some(key)
}

/// A note as the body of a post or an edit.
fn message(key: &str, note: &Note, channel: &str) -> Value {
    let dressed = dressed(note, None);
    json!({
        "channel": channel,
        "text": dressed.text,
        "blocks": dressed.blocks,
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
    })
}

fn named(error: &HttpError) -> PortError {
    let named = match error.effect_is_unclear() {
        true => PortError::unclear(error.to_string(), FIX),
        false => PortError::new(error.to_string(), FIX),
    };
    named.after(error.retry_after)
}

//! The methods of the Slack Web API that the sandbox knows. Arguments come as JSON, as a form or in the query;
//! refusals are `ok: false` with status 200, as Slack sends them. Unknown arguments are refused, which Slack does not
//! always do: a misspelt one would have no effect there.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::super::call::{Call, CallBody, Reply};
use super::super::time::wall_clock;
use super::model::{BOT_ID, BOT_USER, Content, Doing, Place, Range, SlackError, SlackModel, TEAM, parse_ts};
use super::webhooks;

/// Messages on a page unless the caller sets a limit.
const DEFAULT_LIMIT: usize = 100;
/// The most messages on a page.
const MAX_LIMIT: usize = 999;
/// How long a caller who posts too often is asked to wait, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";
/// The status of such an answer.
const TOO_MANY: u16 = 429;

/// A refusal with what Slack says besides its word.
#[derive(Debug)]
struct Refused {
    error: SlackError,
    more: Map<String, Value>,
}

impl From<SlackError> for Refused {
    fn from(error: SlackError) -> Self {
        Self { error, more: Map::new() }
    }
}

/// Answers a call; `allowed` is what the check of the token said. Webhooks and uploads need no token.
pub(crate) fn answer(
    model: &mut SlackModel,
    call: &Call,
    allowed: Result<(), SlackError>,
    now: Timestamp,
) -> Reply {
    let segments = call.segments();
    match segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["services", ..] => return webhooks::answer(model, call, now),
        ["upload", "v1", id] => return model.files.receive(id, call),
        _ => {}
    }
    let result = allowed.map_err(Refused::from).and_then(|()| route(model, call, now));
    let (status, body) = match result {
        Ok(Value::Object(mut object)) => {
            object.shift_insert(0, "ok".to_owned(), true.into());
            (200, Value::Object(object))
        }
        Ok(_) => (200, json!({"ok": true})),
        Err(Refused { error, more }) => {
            let mut body = json!({"ok": false, "error": error});
            body.as_object_mut().into_iter().for_each(|body| body.extend(more.clone()));
            (if error == "ratelimited" { TOO_MANY } else { 200 }, body)
        }
    };
    let reply = Reply::json(status, body).with_header("x-oauth-scopes", &model.scopes());
    if status == TOO_MANY { reply.with_header("retry-after", RETRY_AFTER_SECONDS) } else { reply }
}

/// The arguments that a method has; none where there is no such method.
fn known_arguments(method: &str) -> Option<&'static [&'static str]> {
    Some(match method {
        "auth.test" => &[],
        "chat.postMessage" => &[
            "channel",
            "text",
            "blocks",
            "attachments",
            "thread_ts",
            "reply_broadcast",
            "metadata",
            "unfurl_links",
            "unfurl_media",
            "mrkdwn",
            "parse",
            "link_names",
            "username",
            "icon_emoji",
            "icon_url",
            "markdown_text",
        ],
        "chat.update" => &[
            "channel",
            "ts",
            "text",
            "blocks",
            "attachments",
            "metadata",
            "parse",
            "link_names",
            "reply_broadcast",
            "markdown_text",
        ],
        "conversations.history" => {
            &["channel", "oldest", "latest", "inclusive", "limit", "cursor", "include_all_metadata"]
        }
        "conversations.replies" => {
            &["channel", "ts", "oldest", "latest", "inclusive", "limit", "cursor", "include_all_metadata"]
        }
        "conversations.info" => &["channel", "include_locale", "include_num_members"],
        "files.getUploadURLExternal" => &["filename", "length", "alt_txt", "snippet_type"],
        "files.completeUploadExternal" => {
            &["files", "channel_id", "channels", "thread_ts", "initial_comment", "blocks"]
        }
        _ => return None,
    })
}

fn route(model: &mut SlackModel, call: &Call, now: Timestamp) -> Result<Value, Refused> {
    let segments = call.segments();
    let method = match segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["api", method] => (*method).to_owned(),
        _ => return Err("unknown_method".into()),
    };
    let known = known_arguments(&method).ok_or("unknown_method")?;
    let arguments = Arguments::read(call)?;
    arguments.check_names(known)?;
    match method.as_str() {
        "auth.test" => Ok(bot()),
        "chat.postMessage" => post(model, &arguments, now),
        "chat.update" => update(model, &arguments),
        "conversations.info" => {
            let channel = arguments.channel()?;
            allow(model, Doing::Describing, channel)?;
            Ok(json!({"channel": model.describe(channel)?}))
        }
        "conversations.history" => history(model, &arguments),
        "conversations.replies" => replies(model, &arguments),
        "files.getUploadURLExternal" => announce(model, &arguments, &call.host),
        _ => show_files(model, &arguments, now),
    }
}

fn bot() -> Value {
    json!({
        "url": "https://tidegate-sandbox.slack.com/",
        "team": "Sandbox",
        "user": "tidegate",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": false,
    })
}

/// Refuses what the token has no scope for, and says which one it lacks.
fn allow(model: &SlackModel, doing: Doing, channel: &str) -> Result<(), Refused> {
    let Some(needed) = model.lacks(doing, channel) else { return Ok(()) };
    let more = json!({"needed": needed, "provided": model.scopes()});
    Err(Refused { error: "missing_scope", more: super::super::call::object(&more) })
}

/// Says what is wrong with blocks, as Slack does.
fn check_blocks(content: &Content) -> Result<(), Refused> {
    let Some(fault) = content.block_fault() else { return Ok(()) };
    let more = json!({"response_metadata": {"messages": [format!("[ERROR] {fault}")]}});
    Err(Refused { error: "invalid_blocks", more: super::super::call::object(&more) })
}

fn post(model: &mut SlackModel, arguments: &Arguments, now: Timestamp) -> Result<Value, Refused> {
    let (content, place, channel) = (arguments.content()?, arguments.place()?, arguments.channel()?);
    allow(model, Doing::Writing, channel)?;
    model.count_post(wall_clock())?;
    check_blocks(&content)?;
    let (channel, message) = model.post(channel, content, &place, now)?;
    Ok(json!({"channel": channel, "ts": message["ts"], "message": message}))
}

fn update(model: &mut SlackModel, arguments: &Arguments) -> Result<Value, Refused> {
    let (content, channel) = (arguments.content()?, arguments.channel()?);
    allow(model, Doing::Writing, channel)?;
    check_blocks(&content)?;
    let ts = arguments.text("ts").and_then(parse_ts).ok_or("message_not_found")?;
    let (channel, message) = model.update(channel, ts, content)?;
    Ok(json!({"channel": channel, "ts": message["ts"], "text": message["text"],
        "message": only(&message, &["text", "user", "blocks"])}))
}

fn history(model: &SlackModel, arguments: &Arguments) -> Result<Value, Refused> {
    let (range, channel) = (arguments.range()?, arguments.channel()?);
    allow(model, Doing::Reading, channel)?;
    let (messages, more) = model.history(channel, &range)?;
    let reply = json!({"messages": messages, "has_more": more, "pin_count": 0, "channel_actions_ts": null,
        "channel_actions_count": 0});
    Ok(with_cursor(reply, &range, more))
}

fn replies(model: &SlackModel, arguments: &Arguments) -> Result<Value, Refused> {
    let (range, channel) = (arguments.range()?, arguments.channel()?);
    allow(model, Doing::Reading, channel)?;
    let ts = arguments.text("ts").and_then(parse_ts).ok_or("thread_not_found")?;
    let (mut messages, more) = model.replies(channel, ts, &range)?;
    // The description of replies has no subtype; only the history tells a broadcast.
    messages.iter_mut().filter_map(Value::as_object_mut).for_each(|message| {
        message.shift_remove("subtype");
    });
    Ok(with_cursor(json!({"messages": messages, "has_more": more}), &range, more))
}

fn announce(model: &mut SlackModel, arguments: &Arguments, host: &str) -> Result<Value, Refused> {
    allow(model, Doing::Filing, "")?;
    let name = arguments.text("filename").filter(|name| !name.is_empty()).ok_or("invalid_arguments")?;
    let length = arguments.number("length").filter(|length| *length > 0).ok_or("invalid_arguments")?;
    let alt = arguments.text("alt_txt").unwrap_or_default();
    Ok(model.files.announce(name, length as u64, alt, host))
}

fn show_files(model: &mut SlackModel, arguments: &Arguments, now: Timestamp) -> Result<Value, Refused> {
    allow(model, Doing::Filing, "")?;
    let Some(Value::Array(files)) = arguments.json("files") else { return Err("invalid_arguments".into()) };
    if files.is_empty() {
        return Err("invalid_arguments".into());
    }
    let place = arguments.place()?;
    let text = arguments.text("initial_comment").map(str::to_owned);
    let shown = model.show_files(&files, arguments.text("channel_id"), text, &place, now)?;
    Ok(json!({"files": shown}))
}

/// The named members of an object; an edited message is described by fewer than a posted one.
fn only(object: &Value, names: &[&str]) -> Value {
    let members = names.iter().filter_map(|name| Some(((*name).to_owned(), object.get(*name)?.clone())));
    Value::Object(members.collect())
}

fn with_cursor(mut reply: Value, range: &Range, more: bool) -> Value {
    if more {
        let next = BASE64_STANDARD.encode(format!("next:{}", range.offset + range.limit));
        reply["response_metadata"] = json!({"next_cursor": next});
    }
    reply
}

/// The arguments of a call, wherever they came from.
struct Arguments(Map<String, Value>);

impl Arguments {
    fn read(call: &Call) -> Result<Self, SlackError> {
        let texts = |pairs: &[(String, String)]| -> Map<String, Value> {
            pairs.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
        };
        let mut arguments = texts(&call.query);
        match &call.body {
            CallBody::Empty => {}
            CallBody::Json(Value::Object(object)) => arguments.extend(object.clone()),
            CallBody::Json(_) => return Err("json_not_object"),
            CallBody::Form(pairs) => arguments.extend(texts(pairs)),
            CallBody::Invalid(_) => return Err("invalid_json"),
        }
        Ok(Self(arguments))
    }

    fn check_names(&self, known: &[&str]) -> Result<(), SlackError> {
        let is_known = |name: &String| name == "token" || known.contains(&name.as_str());
        if self.0.keys().all(is_known) { Ok(()) } else { Err("invalid_arg_name") }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn channel(&self) -> Result<&str, SlackError> {
        self.text("channel").ok_or("channel_not_found")
    }

    fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            _ => false,
        }
    }

    /// An argument that is JSON, or JSON as text in a form.
    fn json(&self, name: &str) -> Option<Value> {
        match self.0.get(name)? {
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or(Value::Null)),
            value => Some(value.clone()),
        }
    }

    fn content(&self) -> Result<Content, SlackError> {
        let blocks = match self.json("blocks") {
            None => None,
            Some(Value::Array(blocks)) => Some(blocks),
            Some(_) => return Err("invalid_blocks_format"),
        };
        Ok(Content { text: self.text("text").map(str::to_owned), blocks, metadata: self.json("metadata") })
    }

    fn place(&self) -> Result<Place, SlackError> {
        let thread = match self.text("thread_ts") {
            None => None,
            Some(text) => Some(parse_ts(text).ok_or("thread_not_found")?),
        };
        let broadcast = self.flag("reply_broadcast");
        // Slack ignores it; it says that the caller takes a message for a reply.
        if broadcast && thread.is_none() {
            return Err("invalid_arguments");
        }
        Ok(Place { thread, broadcast })
    }

    fn range(&self) -> Result<Range, SlackError> {
        let limit = self.number("limit").filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT);
        Ok(Range {
            oldest: self.instant("oldest", "invalid_ts_oldest")?,
            latest: self.instant("latest", "invalid_ts_latest")?,
            inclusive: self.flag("inclusive"),
            limit: limit.min(MAX_LIMIT),
            offset: self.cursor()?,
            with_metadata: self.flag("include_all_metadata"),
        })
    }

    fn instant(&self, name: &str, error: SlackError) -> Result<Option<i64>, SlackError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => parse_ts(text).map(Some).ok_or(error),
            Some(number) => parse_ts(&number.to_string()).map(Some).ok_or(error),
        }
    }

    fn number(&self, name: &str) -> Option<usize> {
        let value = self.0.get(name)?;
        value.as_str().map_or_else(|| usize::try_from(value.as_u64()?).ok(), |text| text.parse().ok())
    }

    fn cursor(&self) -> Result<usize, SlackError> {
        let Some(text) = self.text("cursor").filter(|text| !text.is_empty()) else { return Ok(0) };
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| "invalid_cursor")?;
        let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_prefix("next:"));
        text.and_then(|number| number.parse().ok()).ok_or("invalid_cursor")
    }
}

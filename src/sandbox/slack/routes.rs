//! The methods of the Slack Web API that the sandbox knows. Arguments come as JSON, as a form or in the query;
//! refusals are `ok: false` with status 200, as Slack sends them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::super::call::{Call, CallBody, Reply};
use super::model::{BOT_ID, BOT_USER, Content, Place, Range, SlackError, SlackModel, TEAM, parse_ts};

/// The scopes of the bot token, which every reply names.
const SCOPES: &str = "chat:write,channels:history,groups:history";
/// Messages on a page unless the caller sets a limit.
const DEFAULT_LIMIT: usize = 100;
/// The most messages on a page.
const MAX_LIMIT: usize = 999;

/// Answers a call; `allowed` is what the check of the token said.
pub(crate) fn answer(
    model: &mut SlackModel,
    call: &Call,
    allowed: Result<(), SlackError>,
    now: Timestamp,
) -> Reply {
    let result = allowed.and_then(|()| route(model, call, now));
    let body = match result {
        Ok(Value::Object(mut object)) => {
            object.shift_insert(0, "ok".to_owned(), true.into());
            Value::Object(object)
        }
        Ok(_) => json!({"ok": true}),
        Err(error) => json!({"ok": false, "error": error}),
    };
    Reply::json(200, body).with_header("x-oauth-scopes", SCOPES)
}

fn route(model: &mut SlackModel, call: &Call, now: Timestamp) -> Result<Value, SlackError> {
    let segments = call.segments();
    let method = match segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["api", method] => (*method).to_owned(),
        _ => return Err("unknown_method"),
    };
    let arguments = Arguments::read(call)?;
    match method.as_str() {
        "auth.test" => Ok(json!({
            "url": "https://tidegate-sandbox.slack.com/",
            "team": "Sandbox",
            "user": "tidegate",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "is_enterprise_install": false,
        })),
        "chat.postMessage" => {
            let (content, place) = (arguments.content()?, arguments.place()?);
            let (channel, message) = model.post(arguments.channel()?, content, &place, now)?;
            Ok(json!({"channel": channel, "ts": message["ts"], "message": message}))
        }
        "chat.update" => {
            let ts = arguments.text("ts").and_then(parse_ts).ok_or("message_not_found")?;
            let (channel, message) = model.update(arguments.channel()?, ts, arguments.content()?)?;
            Ok(json!({"channel": channel, "ts": message["ts"], "text": message["text"],
                "message": only(&message, &["text", "user", "blocks"])}))
        }
        "conversations.history" => {
            let range = arguments.range()?;
            let (messages, more) = model.history(arguments.channel()?, &range)?;
            let reply = json!({"messages": messages, "has_more": more, "pin_count": 0, "channel_actions_ts": null,
                "channel_actions_count": 0});
            Ok(with_cursor(reply, &range, more))
        }
        "conversations.replies" => {
            let range = arguments.range()?;
            let ts = arguments.text("ts").and_then(parse_ts).ok_or("thread_not_found")?;
            let (mut messages, more) = model.replies(arguments.channel()?, ts, &range)?;
            // The description of replies has no subtype; only the history tells a broadcast.
            messages.iter_mut().filter_map(Value::as_object_mut).for_each(|message| {
                message.shift_remove("subtype");
            });
            Ok(with_cursor(json!({"messages": messages, "has_more": more}), &range, more))
        }
        _ => Err("unknown_method"),
    }
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
        Ok(Place { thread, broadcast: self.flag("reply_broadcast") })
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

//! Incoming webhooks: whoever knows the path may post to its channel, and gets a word and nothing else for it.
//! Source: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>, "Handling errors", and Slack's
//! changelog of May 2016 for the statuses.

use jiff::Timestamp;
use serde_json::Value;

use super::super::call::{Call, CallBody, Reply, ReplyBody};
use super::model::{Content, Place, SlackModel, parse_ts};

/// What a payload may hold.
const KNOWN: [&str; 7] =
    ["text", "blocks", "attachments", "thread_ts", "unfurl_links", "unfurl_media", "response_type"];

/// Answers a post to a webhook.
pub(super) fn answer(model: &mut SlackModel, call: &Call, now: Timestamp) -> Reply {
    let (status, word) = match posted(model, call, now) {
        Ok(()) => (200, "ok"),
        Err(refused) => refused,
    };
    Reply { body: ReplyBody::Html(word.to_owned()), ..Reply::empty(status) }
}

fn posted(model: &mut SlackModel, call: &Call, now: Timestamp) -> Result<(), (u16, &'static str)> {
    let channel = model.webhook(&call.path).ok_or((404, "no_service"))?;
    if call.method != "POST" {
        return Err((400, "invalid_payload"));
    }
    // The address is all that is needed; a token that comes with it went where it should not.
    if call.bearer.is_some() {
        return Err((403, "invalid_token"));
    }
    let CallBody::Json(Value::Object(payload)) = &call.body else { return Err((400, "invalid_payload")) };
    let text = payload.get("text").and_then(Value::as_str).map(str::to_owned);
    let blocks = payload.get("blocks").map(|blocks| blocks.as_array().cloned());
    let is_known = payload.keys().all(|name| KNOWN.contains(&name.as_str()));
    if !is_known || blocks == Some(None) {
        return Err((400, "invalid_payload"));
    }
    let thread = payload.get("thread_ts").and_then(Value::as_str).and_then(parse_ts);
    let content = Content { text, blocks: blocks.flatten(), metadata: None };
    let place = Place { thread, broadcast: false };
    model.post_by_webhook(&channel, content, &place, now).map_err(|error| match error {
        "is_archived" => (410, "channel_is_archived"),
        "channel_not_found" => (404, "channel_not_found"),
        "ratelimited" => (429, "ratelimited"),
        "no_text" => (400, "no_text"),
        "invalid_blocks" => (400, "invalid_blocks"),
        _ => (400, "invalid_payload"),
    })
}

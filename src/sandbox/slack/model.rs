//! The state of a Slack workspace: channels with messages and threads. Time stamps are unique and rise, whatever the
//! model clock does. Pure; the instant comes as a parameter.
//! A reply to a parent that is not there is refused with `thread_not_found`. Slack documents that word for
//! conversations.replies only; for chat.postMessage it is seen in public issues but not documented.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{ChannelAccess, ChannelSeed, blocks};

/// The bot's own ids.
pub(super) const BOT_USER: &str = "U0SANDBOX1";
pub(super) const BOT_ID: &str = "B0SANDBOX1";
pub(super) const TEAM: &str = "T0SANDBOX1";
/// Characters after which Slack refuses a text.
const TEXT_LIMIT: usize = 40_000;
/// Microseconds from one time stamp to the next when messages fall on the same instant.
const TS_STEP_MICROSECONDS: i64 = 100;
const MICROSECONDS: i64 = 1_000_000;

/// A refusal by Slack's word for it.
pub(crate) type SlackError = &'static str;

/// The workspace.
#[derive(Debug, Default)]
pub(crate) struct SlackModel {
    channels: Vec<Channel>,
    last_ts: i64,
}

#[derive(Debug)]
struct Channel {
    seed: ChannelSeed,
    messages: Vec<Message>,
}

/// A message; its place in a thread apart, its content as it is shown.
#[derive(Clone, Debug)]
struct Message {
    /// Microseconds since the epoch.
    ts: i64,
    /// The parent, for a reply.
    parent: Option<i64>,
    /// Whether a reply is shown in the channel too.
    broadcast: bool,
    text: String,
    blocks: Vec<Value>,
    metadata: Option<Value>,
}

/// What a post or an update says.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub text: Option<String>,
    pub blocks: Option<Vec<Value>>,
    pub metadata: Option<Value>,
}

/// Where a post goes.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub thread: Option<i64>,
    pub broadcast: bool,
}

/// Which messages are read; instants in microseconds.
#[derive(Debug)]
pub(super) struct Range {
    pub oldest: Option<i64>,
    pub latest: Option<i64>,
    pub inclusive: bool,
    pub limit: usize,
    pub offset: usize,
    pub with_metadata: bool,
}

impl SlackModel {
    /// Adds a channel; false if the id exists.
    pub(crate) fn add_channel(&mut self, seed: ChannelSeed) -> bool {
        let is_new = self.channels.iter().all(|channel| channel.seed.id != seed.id);
        if is_new {
            self.channels.push(Channel { seed, messages: Vec::new() });
        }
        is_new
    }

    /// Posts a message to a channel, given by id or name, and returns the channel's id and the message.
    pub(super) fn post(
        &mut self,
        channel: &str,
        content: Content,
        place: &Place,
        now: Timestamp,
    ) -> Result<(String, Value), SlackError> {
        let ts = self.next_ts(now);
        let name = channel.trim_start_matches('#');
        let mut channels = self.channels.iter_mut();
        let channel = channels.find(|known| known.seed.id == channel || known.seed.name == name);
        let channel = channel.ok_or("channel_not_found")?;
        channel.check_writable()?;
        content.check()?;
        let is_parent = |message: &Message| Some(message.ts) == place.thread && message.parent.is_none();
        if place.thread.is_some() && !channel.messages.iter().any(is_parent) {
            return Err("thread_not_found");
        }
        let message = Message {
            ts,
            parent: place.thread,
            broadcast: place.broadcast && place.thread.is_some(),
            text: content.text.unwrap_or_default(),
            blocks: content.blocks.unwrap_or_default(),
            metadata: content.metadata,
        };
        channel.messages.push(message);
        self.last_ts = ts;
        let channel = self.channel(&name_or_id(&self.channels, name)).ok_or("channel_not_found")?;
        Ok((channel.seed.id.clone(), channel.show(ts, true).ok_or("message_not_found")?))
    }

    /// Edits a message; what is not given stays, except that text and blocks together must not be empty.
    pub(super) fn update(
        &mut self,
        channel: &str,
        ts: i64,
        content: Content,
    ) -> Result<(String, Value), SlackError> {
        let channel =
            self.channels.iter_mut().find(|known| known.seed.id == channel).ok_or("channel_not_found")?;
        channel.check_writable()?;
        content.check()?;
        let message =
            channel.messages.iter_mut().find(|message| message.ts == ts).ok_or("message_not_found")?;
        message.text = content.text.unwrap_or_else(|| message.text.clone());
        message.blocks = content.blocks.unwrap_or_else(|| message.blocks.clone());
        message.metadata = content.metadata.or_else(|| message.metadata.clone());
        Ok((channel.seed.id.clone(), channel.show(ts, true).ok_or("message_not_found")?))
    }

    /// The messages of a channel that are not hidden in threads, newest first, and whether there are more.
    pub(super) fn history(&self, channel: &str, range: &Range) -> Result<(Vec<Value>, bool), SlackError> {
        let channel = self.readable(channel)?;
        let shown =
            channel.messages.iter().rev().filter(|message| message.parent.is_none() || message.broadcast);
        let found: Vec<i64> = shown.map(|message| message.ts).filter(|ts| range.contains(*ts)).collect();
        Ok(channel.page(&found, range))
    }

    /// A parent and its replies, oldest first, and whether there are more; the parent leads every page.
    pub(super) fn replies(
        &self,
        channel: &str,
        ts: i64,
        range: &Range,
    ) -> Result<(Vec<Value>, bool), SlackError> {
        let channel = self.readable(channel)?;
        let parent = channel.show(ts, range.with_metadata).ok_or("thread_not_found")?;
        let replies = channel.messages.iter().filter(|message| message.parent == Some(ts));
        let found: Vec<i64> = replies.map(|message| message.ts).filter(|ts| range.contains(*ts)).collect();
        let (mut messages, more) = channel.page(&found, range);
        messages.insert(0, parent);
        Ok((messages, more))
    }

    /// Deletes a message, as a person does.
    pub(crate) fn delete(&mut self, channel: &str, ts: &str) -> Result<(), SlackError> {
        let channel =
            self.channels.iter_mut().find(|known| known.seed.id == channel).ok_or("channel_not_found")?;
        let ts = parse_ts(ts).ok_or("message_not_found")?;
        let index =
            channel.messages.iter().position(|message| message.ts == ts).ok_or("message_not_found")?;
        channel.messages.remove(index);
        Ok(())
    }

    /// All messages of a channel with metadata, oldest first.
    pub(crate) fn messages(&self, channel: &str) -> Option<Vec<Value>> {
        let channel = self.channel(channel)?;
        Some(channel.messages.iter().filter_map(|message| channel.show(message.ts, true)).collect())
    }

    /// Everything, for the control surface.
    pub(crate) fn state(&self) -> Value {
        let channel = |channel: &Channel| {
            let mut state = json!(channel.seed);
            state["messages"] = self.messages(&channel.seed.id).into();
            state
        };
        self.channels.iter().map(channel).collect()
    }

    /// The channel ids.
    pub(crate) fn channel_ids(&self) -> Vec<String> {
        self.channels.iter().map(|channel| channel.seed.id.clone()).collect()
    }

    fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.seed.id == id)
    }

    fn readable(&self, id: &str) -> Result<&Channel, SlackError> {
        let channel = self.channel(id).ok_or("channel_not_found")?;
        if channel.seed.access == ChannelAccess::NotInChannel { Err("not_in_channel") } else { Ok(channel) }
    }

    fn next_ts(&self, now: Timestamp) -> i64 {
        let now = now.as_microsecond() / TS_STEP_MICROSECONDS * TS_STEP_MICROSECONDS;
        now.max(self.last_ts + TS_STEP_MICROSECONDS)
    }
}

impl Channel {
    fn check_writable(&self) -> Result<(), SlackError> {
        match self.seed.access {
            ChannelAccess::Member => Ok(()),
            ChannelAccess::NotInChannel => Err("not_in_channel"),
            ChannelAccess::Archived => Err("is_archived"),
        }
    }

    /// One page of the found messages.
    fn page(&self, found: &[i64], range: &Range) -> (Vec<Value>, bool) {
        let page = found.iter().skip(range.offset).take(range.limit);
        let messages: Vec<Value> = page.filter_map(|ts| self.show(*ts, range.with_metadata)).collect();
        let more = range.offset + messages.len() < found.len();
        (messages, more)
    }

    /// A message as the API shows it.
    fn show(&self, ts: i64, with_metadata: bool) -> Option<Value> {
        let message = self.messages.iter().find(|message| message.ts == ts)?;
        let mut shown = json!({"type": "message", "user": BOT_USER, "team": TEAM, "text": message.text,
            "ts": print_ts(ts)});
        let object = shown.as_object_mut()?;
        if !message.blocks.is_empty() {
            object.insert("blocks".to_owned(), message.blocks.clone().into());
        }
        if message.broadcast {
            object.insert("subtype".to_owned(), "thread_broadcast".into());
        }
        self.show_thread(message, object);
        if let Some(metadata) = message.metadata.as_ref().filter(|_| with_metadata) {
            object.insert("metadata".to_owned(), metadata.clone());
        }
        Some(shown)
    }

    fn show_thread(&self, message: &Message, shown: &mut Map<String, Value>) {
        let replies: Vec<i64> = self
            .messages
            .iter()
            .filter(|other| other.parent == Some(message.ts))
            .map(|reply| reply.ts)
            .collect();
        if let Some(parent) = message.parent {
            shown.insert("thread_ts".to_owned(), print_ts(parent).into());
            shown.insert("parent_user_id".to_owned(), BOT_USER.into());
        } else if let Some(latest) = replies.last() {
            shown.insert("thread_ts".to_owned(), print_ts(message.ts).into());
            shown.insert("reply_count".to_owned(), replies.len().into());
            shown.insert("reply_users".to_owned(), json!([BOT_USER]));
            shown.insert("reply_users_count".to_owned(), 1.into());
            shown.insert("latest_reply".to_owned(), print_ts(*latest).into());
            shown.insert("subscribed".to_owned(), false.into());
        }
    }
}

impl Content {
    fn check(&self) -> Result<(), SlackError> {
        let text = self.text.as_deref().unwrap_or_default();
        let blocks = self.blocks.as_deref().unwrap_or_default();
        if text.is_empty() && blocks.is_empty() {
            return Err("no_text");
        }
        if text.chars().count() > TEXT_LIMIT {
            return Err("msg_too_long");
        }
        if !blocks::are_valid(blocks) {
            return Err("invalid_blocks");
        }
        match &self.metadata {
            Some(metadata)
                if !(metadata["event_type"].is_string() && metadata["event_payload"].is_object()) =>
            {
                Err("invalid_metadata_format")
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Range {
    fn contains(&self, ts: i64) -> bool {
        let at_end = |end: i64| self.inclusive && end == ts;
        self.oldest.is_none_or(|oldest| ts > oldest || at_end(oldest))
            && self.latest.is_none_or(|latest| ts < latest || at_end(latest))
    }
}

fn name_or_id(channels: &[Channel], name: &str) -> String {
    let known = channels.iter().find(|channel| channel.seed.id == name || channel.seed.name == name);
    known.map(|channel| channel.seed.id.clone()).unwrap_or_default()
}

/// A time stamp as text, `1234567890.000100`.
pub(super) fn print_ts(ts: i64) -> String {
    format!("{:010}.{:06}", ts / MICROSECONDS, ts % MICROSECONDS)
}

/// A time stamp from text; the fraction may be short or missing.
pub(super) fn parse_ts(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 6 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    seconds.checked_mul(MICROSECONDS)?.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_unique_and_survive_printing() {
        let mut model = SlackModel::default();
        model.add_channel(ChannelSeed::new("C0000000001", "releases"));
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let mut post = |now| {
            let content = Content { text: Some("hi".into()), ..Content::default() };
            let (_, message) = model.post("#releases", content, &Place::default(), now).unwrap();
            message["ts"].as_str().unwrap().to_owned()
        };
        let stamps = [post(now), post(now), post("2020-01-01T00:00:00Z".parse().unwrap())];
        assert_eq!(stamps, ["1772359200.000000", "1772359200.000100", "1772359200.000200"]);
        assert_eq!(stamps.each_ref().map(|ts| print_ts(parse_ts(ts).unwrap())), stamps);
        assert_eq!(
            (parse_ts("17"), parse_ts("17.5"), parse_ts("now")),
            (Some(17_000_000), Some(17_500_000), None)
        );
    }
}

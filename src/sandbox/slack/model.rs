//! The state of a Slack workspace: channels with messages and threads. Time stamps are unique and rise, whatever the
//! model clock does. The instant comes as a parameter; only the limit of posts per second goes by real time, as waiting
//! does.
//!
//! A reply to what never was a parent is refused with `thread_not_found`, which Slack documents for
//! conversations.replies and which public issues show for chat.postMessage. A reply to a parent that was deleted stands
//! alone, and only the `thread_ts` that its answer lacks tells: <https://github.com/slack-go/slack/issues/1571>. A
//! parent that has replies leaves a tombstone when it is deleted, and its thread goes on.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::files::Files;
use super::{ChannelAccess, ChannelSeed, ChannelVisibility, check_blocks};

/// The bot's own ids.
pub(super) const BOT_USER: &str = "U0SANDBOX1";
pub(super) const BOT_ID: &str = "B0SANDBOX1";
pub(super) const TEAM: &str = "T0SANDBOX1";
/// A person of the workspace.
const PERSON: &str = "U0SANDBOX2";
/// The scopes of a bot that was set up as the documentation says.
const SCOPES: [&str; 6] =
    ["chat:write", "channels:history", "groups:history", "channels:read", "groups:read", "files:write"];
/// What stands where a parent was deleted that has replies.
const TOMBSTONE: &str = "This message was deleted.";
/// A second of real time.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// Characters after which Slack refuses a text.
const TEXT_LIMIT: usize = 40_000;
/// Microseconds from one time stamp to the next when messages fall on the same instant.
const TS_STEP_MICROSECONDS: i64 = 100;
const MICROSECONDS: i64 = 1_000_000;
/// When every channel was made, in seconds since the epoch: some day in 2026.
const CREATED: i64 = 1_772_000_000;

/// A refusal by Slack's word for it.
pub(crate) type SlackError = &'static str;

/// The workspace.
#[derive(Debug)]
pub(crate) struct SlackModel {
    channels: Vec<Channel>,
    last_ts: i64,
    scopes: Vec<String>,
    posts_per_second: Option<usize>,
    /// When the newest posts came, by real time.
    posts: Vec<Timestamp>,
    pub(super) files: Files,
}

impl Default for SlackModel {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            last_ts: 0,
            scopes: SCOPES.map(str::to_owned).to_vec(),
            posts_per_second: None,
            posts: Vec::new(),
            files: Files::default(),
        }
    }
}

#[derive(Debug)]
struct Channel {
    seed: ChannelSeed,
    messages: Vec<Message>,
    /// Time stamps of messages that were there once.
    deleted: BTreeSet<i64>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Author {
    Bot,
    Webhook,
    Person,
}

/// What a method does, which decides the scope that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Writing,
    Reading,
    Describing,
    Filing,
}

/// A message; its place in a thread apart, its content as it is shown.
#[derive(Clone, Debug)]
struct Message {
    /// Microseconds since the epoch.
    ts: i64,
    author: Author,
    /// The parent, for a reply.
    parent: Option<i64>,
    /// Whether a reply is shown in the channel too.
    broadcast: bool,
    text: String,
    blocks: Vec<Value>,
    metadata: Option<Value>,
    files: Vec<Value>,
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
            self.channels.push(Channel { seed, messages: Vec::new(), deleted: BTreeSet::new() });
        }
        is_new
    }

    /// Changes the bot's place in a channel; false if there is no such channel.
    pub(crate) fn set_access(&mut self, id: &str, access: ChannelAccess) -> bool {
        let channel = self.channels.iter_mut().find(|channel| channel.seed.id == id);
        channel.map(|channel| channel.seed.access = access).is_some()
    }

    /// Sets the scopes of the bot's token.
    pub(crate) fn set_scopes(&mut self, scopes: Vec<String>) {
        self.scopes = scopes;
    }

    /// Sets how many posts a second of real time are taken; `None` lifts the limit.
    pub(crate) fn set_posts_per_second(&mut self, posts: Option<usize>) {
        self.posts_per_second = posts;
    }

    /// The scopes of the token, as Slack lists them.
    pub(super) fn scopes(&self) -> String {
        self.scopes.join(",")
    }

    /// The scope that the token lacks for something in a channel; none where it has it.
    pub(super) fn lacks(&self, doing: Doing, channel: &str) -> Option<&'static str> {
        let is_private = self
            .channel(channel)
            .is_some_and(|channel| channel.seed.visibility == ChannelVisibility::Private);
        let needed = match (doing, is_private) {
            (Doing::Writing, _) => "chat:write",
            (Doing::Filing, _) => "files:write",
            (Doing::Reading, false) => "channels:history",
            (Doing::Reading, true) => "groups:history",
            (Doing::Describing, false) => "channels:read",
            (Doing::Describing, true) => "groups:read",
        };
        (!self.has(needed)).then_some(needed)
    }

    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }

    /// Counts a post at an instant of real time, unless it is one too many.
    pub(super) fn count_post(&mut self, real: Timestamp) -> Result<(), SlackError> {
        let Some(most) = self.posts_per_second else { return Ok(()) };
        self.posts.retain(|post| real.duration_since(*post) < SECOND);
        if self.posts.len() >= most {
            return Err("ratelimited");
        }
        self.posts.push(real);
        Ok(())
    }

    /// Posts a message to a channel, given by id or name, and returns the channel's id and the message.
    pub(super) fn post(
        &mut self,
        channel: &str,
        content: Content,
        place: &Place,
        now: Timestamp,
    ) -> Result<(String, Value), SlackError> {
        let may_post_unasked = self.has("chat:write.public");
        let index = self.index(channel)?;
        self.channels.get(index).ok_or("channel_not_found")?.check_writable(may_post_unasked)?;
        self.add(index, Author::Bot, content, Vec::new(), place, now)
    }

    /// Posts by a webhook of a channel, which needs no bot there.
    pub(super) fn post_by_webhook(
        &mut self,
        channel: &str,
        content: Content,
        place: &Place,
        now: Timestamp,
    ) -> Result<(), SlackError> {
        self.count_post(super::super::time::wall_clock())?;
        let index = self.index(channel)?;
        if self.channels.get(index).is_some_and(|channel| channel.seed.access == ChannelAccess::Archived) {
            return Err("is_archived");
        }
        self.add(index, Author::Webhook, content, Vec::new(), place, now).map(drop)
    }

    /// Posts as a person does, and returns the time stamp.
    pub(crate) fn post_as_person(
        &mut self,
        channel: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<String, SlackError> {
        let index = self.index(channel)?;
        let content = Content { text: Some(text.to_owned()), ..Content::default() };
        let (_, message) = self.add(index, Author::Person, content, Vec::new(), &Place::default(), now)?;
        Ok(message["ts"].as_str().unwrap_or_default().to_owned())
    }

    /// Shows files that were uploaded in a channel, or in none where none is named.
    pub(super) fn show_files(
        &mut self,
        wanted: &[Value],
        channel: Option<&str>,
        text: Option<String>,
        place: &Place,
        now: Timestamp,
    ) -> Result<Vec<Value>, SlackError> {
        let index = match channel {
            Some(channel) => Some(self.index(channel)?),
            None => None,
        };
        if let Some(channel) = index.and_then(|index| self.channels.get(index)) {
            channel.check_writable(false)?;
            channel.thread_of(place)?;
        }
        let shown = self.files.show(wanted).ok_or("file_not_found")?;
        if let Some(index) = index {
            let content = Content { text, ..Content::default() };
            self.add(index, Author::Bot, content, shown.clone(), place, now)?;
        }
        Ok(shown)
    }

    fn add(
        &mut self,
        index: usize,
        author: Author,
        content: Content,
        files: Vec<Value>,
        place: &Place,
        now: Timestamp,
    ) -> Result<(String, Value), SlackError> {
        let ts = self.next_ts(now);
        let channel = self.channels.get_mut(index).ok_or("channel_not_found")?;
        if files.is_empty() {
            content.check()?;
        }
        let parent = channel.thread_of(place)?;
        channel.messages.push(Message {
            ts,
            author,
            parent,
            broadcast: place.broadcast && parent.is_some(),
            text: content.text.unwrap_or_default(),
            blocks: content.blocks.unwrap_or_default(),
            metadata: content.metadata,
            files,
        });
        let shown = channel.show(ts, true).ok_or("message_not_found")?;
        let id = channel.seed.id.clone();
        self.last_ts = ts;
        Ok((id, shown))
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
        channel.check_writable(true)?;
        content.check()?;
        let message =
            channel.messages.iter_mut().find(|message| message.ts == ts).ok_or("message_not_found")?;
        if message.author != Author::Bot {
            return Err("cant_update_message");
        }
        if message.is_tombstone() {
            return Err("message_not_found");
        }
        message.text = content.text.unwrap_or_else(|| message.text.clone());
        message.blocks = content.blocks.unwrap_or_else(|| message.blocks.clone());
        message.metadata = content.metadata.or_else(|| message.metadata.clone());
        Ok((channel.seed.id.clone(), channel.show(ts, true).ok_or("message_not_found")?))
    }

    /// What a channel is.
    pub(super) fn describe(&self, channel: &str) -> Result<Value, SlackError> {
        let channel = self.channel(channel).ok_or("channel_not_found")?;
        if channel.is_secret() {
            return Err("channel_not_found");
        }
        let seed = &channel.seed;
        let is_private = seed.visibility == ChannelVisibility::Private;
        let nothing = json!({"value": "", "creator": "", "last_set": 0});
        Ok(json!({
            "id": seed.id, "name": seed.name, "name_normalized": seed.name, "created": CREATED, "creator": PERSON,
            "is_channel": !is_private, "is_group": is_private, "is_im": false, "is_mpim": false,
            "is_private": is_private, "is_archived": seed.access == ChannelAccess::Archived, "is_general": false,
            "is_shared": false, "is_org_shared": false, "is_ext_shared": false, "is_pending_ext_shared": false,
            "is_member": seed.access != ChannelAccess::NotInChannel, "unlinked": 0, "topic": nothing,
            "purpose": nothing, "previous_names": [],
        }))
    }

    /// The channel of a webhook.
    pub(super) fn webhook(&self, path: &str) -> Option<String> {
        let of = |channel: &&Channel| channel.seed.webhook.as_deref() == Some(path);
        self.channels.iter().find(of).map(|channel| channel.seed.id.clone())
    }

    fn index(&self, channel: &str) -> Result<usize, SlackError> {
        let name = channel.trim_start_matches('#');
        let is_it = |known: &Channel| known.seed.id == channel || known.seed.name == name;
        self.channels.iter().position(is_it).ok_or("channel_not_found")
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
        let has_replies = channel.messages.iter().any(|message| message.parent == Some(ts));
        match channel.messages.get_mut(index).filter(|_| has_replies) {
            Some(message) => message.bury(),
            None => drop(channel.messages.remove(index)),
        }
        channel.deleted.insert(ts);
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

    /// The files, for the control surface.
    pub(crate) fn files(&self) -> Value {
        self.files.state()
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
        match channel.seed.access {
            _ if channel.is_secret() => Err("channel_not_found"),
            ChannelAccess::NotInChannel => Err("not_in_channel"),
            ChannelAccess::Member | ChannelAccess::Archived => Ok(channel),
        }
    }

    fn next_ts(&self, now: Timestamp) -> i64 {
        let now = now.as_microsecond() / TS_STEP_MICROSECONDS * TS_STEP_MICROSECONDS;
        now.max(self.last_ts + TS_STEP_MICROSECONDS)
    }
}

impl Channel {
    fn check_writable(&self, may_post_unasked: bool) -> Result<(), SlackError> {
        match self.seed.access {
            ChannelAccess::Member => Ok(()),
            ChannelAccess::NotInChannel if self.is_secret() => Err("channel_not_found"),
            ChannelAccess::NotInChannel if may_post_unasked => Ok(()),
            ChannelAccess::NotInChannel => Err("not_in_channel"),
            ChannelAccess::Archived => Err("is_archived"),
        }
    }

    /// Whether the bot may not even know that it exists.
    fn is_secret(&self) -> bool {
        (self.seed.visibility, self.seed.access) == (ChannelVisibility::Private, ChannelAccess::NotInChannel)
    }

    /// The parent under which a message comes to stand; none where it stands alone.
    fn thread_of(&self, place: &Place) -> Result<Option<i64>, SlackError> {
        let Some(thread) = place.thread else { return Ok(None) };
        let is_parent = |message: &Message| message.ts == thread && message.parent.is_none();
        match self.messages.iter().any(is_parent) {
            true => Ok(Some(thread)),
            false if self.deleted.contains(&thread) => Ok(None),
            false => Err("thread_not_found"),
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
        let user = if message.author == Author::Person { PERSON } else { BOT_USER };
        let mut shown = json!({"type": "message", "user": user, "team": TEAM, "text": message.text,
            "ts": print_ts(ts)});
        let object = shown.as_object_mut()?;
        if !message.blocks.is_empty() {
            object.insert("blocks".to_owned(), message.blocks.clone().into());
        }
        if !message.files.is_empty() {
            object.insert("files".to_owned(), message.files.clone().into());
        }
        if message.is_tombstone() {
            object.insert("subtype".to_owned(), "tombstone".into());
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

impl Message {
    /// What is left of a parent that was deleted: its place.
    fn bury(&mut self) {
        self.text = TOMBSTONE.to_owned();
        self.blocks.clear();
        self.metadata = None;
        self.files.clear();
    }

    fn is_tombstone(&self) -> bool {
        self.text == TOMBSTONE && self.metadata.is_none() && self.blocks.is_empty()
    }
}

impl Content {
    /// What is wrong with the blocks, in words.
    pub(super) fn block_fault(&self) -> Option<String> {
        check_blocks(self.blocks.as_deref().unwrap_or_default()).err()
    }

    fn check(&self) -> Result<(), SlackError> {
        let text = self.text.as_deref().unwrap_or_default();
        let blocks = self.blocks.as_deref().unwrap_or_default();
        if text.is_empty() && blocks.is_empty() {
            return Err("no_text");
        }
        if text.chars().count() > TEXT_LIMIT {
            return Err("msg_too_long");
        }
        if check_blocks(blocks).is_err() {
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

    fn workspace() -> (SlackModel, Timestamp) {
        let mut model = SlackModel::default();
        model.add_channel(ChannelSeed::new("C0000000001", "releases"));
        (model, "2026-03-01T10:00:00Z".parse().unwrap())
    }

    fn say(model: &mut SlackModel, thread: Option<i64>, now: Timestamp) -> Result<Value, SlackError> {
        let content = Content { text: Some("hi".into()), ..Content::default() };
        let place = Place { thread, broadcast: thread.is_some() };
        model.post("C0000000001", content, &place, now).map(|(_, message)| message)
    }

    fn ts(message: &Value) -> i64 {
        parse_ts(message["ts"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_reply_to_a_deleted_parent_stands_alone_and_one_to_a_tombstone_does_not() {
        let (mut model, now) = workspace();
        let [lonely, parent] = [(); 2].map(|()| ts(&say(&mut model, None, now).unwrap()));
        let reply = say(&mut model, Some(parent), now).unwrap();
        assert_eq!(reply["thread_ts"], print_ts(parent));
        for deleted in [lonely, parent] {
            model.delete("C0000000001", &print_ts(deleted)).unwrap();
        }
        assert!(say(&mut model, Some(lonely), now).unwrap().get("thread_ts").is_none());
        assert_eq!(say(&mut model, Some(parent), now).unwrap()["thread_ts"], print_ts(parent));
        assert_eq!(say(&mut model, Some(ts(&reply)), now), Err("thread_not_found"), "a reply is no parent");
        assert_eq!(say(&mut model, Some(17), now), Err("thread_not_found"));
        let edit = Content { text: Some("x".into()), ..Content::default() };
        assert_eq!(model.update("C0000000001", parent, edit), Err("message_not_found"));
    }

    #[test]
    fn only_own_messages_can_be_edited() {
        let (mut model, now) = workspace();
        let of_person = model.post_as_person("C0000000001", "hello", now).unwrap();
        let edit = Content { text: Some("x".into()), ..Content::default() };
        assert_eq!(
            model.update("C0000000001", parse_ts(&of_person).unwrap(), edit),
            Err("cant_update_message")
        );
    }

    #[test]
    fn posts_are_counted_by_the_second() {
        let (mut model, now) = workspace();
        model.set_posts_per_second(Some(2));
        let at = |millis: i64| now + SignedDuration::from_millis(millis);
        let taken = [0, 10, 20, 999, 1_000, 1_005].map(|millis| model.count_post(at(millis)).is_ok());
        assert_eq!(taken, [true, true, false, false, true, false]);
    }

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

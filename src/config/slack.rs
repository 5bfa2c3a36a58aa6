//! `[slack]`: where people are told, by a bot with a token or, with less, by an incoming webhook.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, own_or};
use super::error::Problem;
use super::secret::SecretRef;
use super::text::{ChannelId, PageUrl};
use crate::domain::ids::AppId;

/// Where people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slack {
    /// By which way.
    pub way: Way,
    /// The page that says what to do about a message.
    pub runbook: Option<String>,
}

/// By which way people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Way {
    /// By a bot.
    Bot {
        /// The id of the channel.
        channel: String,
        /// The bot's token.
        token: SecretRef,
        /// The id of the channel for what the first refuses for good.
        fallback_channel: Option<String>,
    },
    /// By an incoming webhook: no threads, no edits, no look-up.
    Webhook {
        /// Its address.
        webhook: SecretRef,
    },
}

impl Slack {
    /// The secret that the way needs.
    #[must_use]
    pub fn secret(&self) -> &SecretRef {
        match &self.way {
            Way::Bot { token, .. } => token,
            Way::Webhook { webhook } => webhook,
        }
    }

    /// The id of the channel; none where only a webhook knows it.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        match &self.way {
            Way::Bot { channel, .. } => Some(channel),
            Way::Webhook { .. } => None,
        }
    }
}

/// Where people are told, by a bot (channel and token) or by an incoming webhook. Left out, nothing is told and nothing is done to a release.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Slack")]
pub(super) struct RawSlack {
    /// The id of the channel. No default.
    #[schemars(extend("examples" = ["C0123456"]))]
    channel: Option<At<ChannelId>>,
    /// The token of the bot, by reference. No default.
    #[schemars(extend("examples" = ["env:SLACK_BOT_TOKEN"]))]
    token: Option<At<SecretRef>>,
    /// The address of an incoming webhook, by reference, instead of channel and token: no threads, no edits, and a message may come twice. No default.
    #[schemars(extend("examples" = ["env:SLACK_WEBHOOK"]))]
    webhook: Option<At<SecretRef>>,
    /// The id of a channel for messages that the first one refuses for good, posted by the same bot. No default.
    #[schemars(extend("examples" = ["C0123458"]))]
    fallback_channel: Option<At<ChannelId>>,
    /// A page that says what to do about a message, as a button under it. No default.
    #[schemars(extend("examples" = ["https://wiki.example.com/releases"]))]
    runbook: Option<At<PageUrl>>,
}

impl Section for RawSlack {
    /// An app that names another way takes nothing of the top level's.
    fn over(&self, base: &Self) -> Self {
        let own_bot = self.channel.is_some() || self.token.is_some() || self.fallback_channel.is_some();
        let of_bot = if self.webhook.is_some() { None } else { Some(base) };
        let of_webhook = if own_bot { None } else { Some(base) };
        Self {
            channel: own_or(self.channel.as_ref(), of_bot.and_then(|base| base.channel.as_ref())),
            token: own_or(self.token.as_ref(), of_bot.and_then(|base| base.token.as_ref())),
            webhook: own_or(self.webhook.as_ref(), of_webhook.and_then(|base| base.webhook.as_ref())),
            fallback_channel: own_or(
                self.fallback_channel.as_ref(),
                of_bot.and_then(|base| base.fallback_channel.as_ref()),
            ),
            runbook: own_or(self.runbook.as_ref(), base.runbook.as_ref()),
        }
    }
}

impl RawSlack {
    /// The channel of an app; none where nothing is set.
    pub(super) fn check(&self, app: &AppId) -> Result<Option<Slack>, Problem> {
        let way = match (&self.webhook, self.first_of_bot()) {
            (Some(webhook), None) => Some(Way::Webhook { webhook: webhook.get().clone() }),
            (Some(webhook), Some(_)) => {
                return Err(Problem::new(
                    webhook.span(),
                    format!(
                        "app `{app}` has a `webhook` and a bot in [slack], and only one of them can tell"
                    ),
                    "keep `channel` and `token`, which can do more, or keep only `webhook`",
                ));
            }
            (None, Some(_)) => Some(self.bot(app)?),
            (None, None) => None,
        };
        let runbook = self.runbook.as_ref();
        match (way, runbook) {
            (Some(way), runbook) => {
                Ok(Some(Slack { way, runbook: runbook.map(|page| page.get().to_text()) }))
            }
            (None, None) => Ok(None),
            (None, Some(runbook)) => Err(Problem::new(
                runbook.span(),
                format!("app `{app}` has a `runbook` and nobody is told in [slack]"),
                "add `channel` and `token` to [slack]",
            )),
        }
    }

    /// The place of the first key that only a bot needs.
    fn first_of_bot(&self) -> Option<Range<usize>> {
        let channel = self.channel.as_ref().map(At::span);
        let fallback = self.fallback_channel.as_ref().map(At::span);
        channel.or_else(|| self.token.as_ref().map(At::span)).or(fallback)
    }

    fn bot(&self, app: &AppId) -> Result<Way, Problem> {
        match (&self.channel, &self.token, &self.fallback_channel) {
            (Some(channel), Some(_), Some(fallback)) if channel.get() == fallback.get() => Err(Problem::new(
                fallback.span(),
                format!("app `{app}` has the same `fallback_channel` as `channel` in [slack]"),
                "name another channel: it is for what the first one refuses",
            )),
            (Some(channel), Some(token), fallback) => Ok(Way::Bot {
                channel: channel.get().to_text(),
                token: token.get().clone(),
                fallback_channel: fallback.as_ref().map(|channel| channel.get().to_text()),
            }),
            (Some(channel), None, _) => Err(Problem::new(
                channel.span(),
                format!("app `{app}` has a channel and no `token` in [slack]"),
                "add `token = \"env:SLACK_BOT_TOKEN\"` to [slack]",
            )),
            (None, Some(token), _) => Err(Problem::new(
                token.span(),
                format!("app `{app}` has a token and no `channel` in [slack]"),
                "add `channel = \"C0123456\"`, the id of the channel, to [slack]",
            )),
            (None, None, fallback) => Err(Problem::new(
                fallback.as_ref().map(At::span).unwrap_or_default(),
                format!("app `{app}` has a `fallback_channel` and no `channel` in [slack]"),
                "add `channel` and `token` to [slack]",
            )),
        }
    }
}

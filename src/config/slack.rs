//! `[slack]`: where people are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, own_or};
use super::error::Problem;
use super::secret::SecretRef;
use super::text::ChannelId;
use crate::domain::ids::AppId;

/// Where people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slack {
    /// The id of the channel.
    pub channel: String,
    /// The bot's token.
    pub token: SecretRef,
}

/// Where people are told. Left out, nothing is told and nothing is done to a release.
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
}

impl Section for RawSlack {
    fn over(&self, base: &Self) -> Self {
        Self {
            channel: own_or(self.channel.as_ref(), base.channel.as_ref()),
            token: own_or(self.token.as_ref(), base.token.as_ref()),
        }
    }
}

impl RawSlack {
    /// The channel of an app; none where nothing is set.
    pub(super) fn check(&self, app: &AppId) -> Result<Option<Slack>, Problem> {
        match (&self.channel, &self.token) {
            (None, None) => Ok(None),
            (Some(channel), Some(token)) => {
                Ok(Some(Slack { channel: channel.get().to_text(), token: token.get().clone() }))
            }
            (Some(channel), None) => Err(Problem::new(
                channel.span(),
                format!("app `{app}` has a channel and no `token` in [slack]"),
                "add `token = \"env:SLACK_BOT_TOKEN\"` to [slack]",
            )),
            (None, Some(token)) => Err(Problem::new(
                token.span(),
                format!("app `{app}` has a token and no `channel` in [slack]"),
                "add `channel = \"C0123456\"`, the id of the channel, to [slack]",
            )),
        }
    }
}

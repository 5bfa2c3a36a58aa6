//! Slack Web API: posting, editing and reading messages and threads. The state is in `model`, limits of blocks in
//! `blocks`, methods and their arguments in `routes`.

mod blocks;
pub(super) mod model;
pub(super) mod routes;

use serde::{Deserialize, Serialize};

/// A channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSeed {
    /// The id, such as `C0000000001`.
    pub id: String,
    /// The name without `#`.
    pub name: String,
    /// The bot's place in it.
    #[serde(default)]
    pub access: ChannelAccess,
}

/// The bot's place in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelAccess {
    /// A member.
    #[default]
    Member,
    /// Not invited: posting and reading are refused with `not_in_channel`.
    NotInChannel,
    /// The channel is archived: posting is refused with `is_archived`.
    Archived,
}

impl ChannelSeed {
    /// A channel with the bot in it.
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), access: ChannelAccess::Member }
    }
}

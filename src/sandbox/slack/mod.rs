//! Slack: posting, editing and reading messages and threads, uploads, and incoming webhooks. The state is in `model`,
//! files in `files`, the rules of blocks in `blocks`, methods and their arguments in `routes`, webhooks in `webhooks`.

mod blocks;
mod files;
pub(super) mod model;
pub(super) mod routes;
mod webhooks;

use serde::{Deserialize, Serialize};

pub use blocks::{BlockFault, check_blocks};

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
    /// Who may see it.
    #[serde(default)]
    pub visibility: ChannelVisibility,
    /// The path of an incoming webhook of it, such as `/services/T0SANDBOX1/B0000000001/secret`; none without one.
    #[serde(default)]
    pub webhook: Option<String>,
}

/// The bot's place in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelAccess {
    /// A member.
    #[default]
    Member,
    /// Not invited: posting and reading are refused with `not_in_channel`, but with the scope `chat:write.public` the
    /// bot may post where everybody may look. A private channel is not even known to exist.
    NotInChannel,
    /// The channel is archived: posting is refused with `is_archived`.
    Archived,
}

/// Who may see a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelVisibility {
    /// Everybody in the workspace.
    #[default]
    Public,
    /// Its members.
    Private,
}

impl ChannelSeed {
    /// A channel with the bot in it.
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            access: ChannelAccess::Member,
            visibility: ChannelVisibility::Public,
            webhook: None,
        }
    }

    /// The same channel with an incoming webhook at this path.
    #[must_use]
    pub fn with_webhook(self, path: &str) -> Self {
        Self { webhook: Some(path.to_owned()), ..self }
    }
}

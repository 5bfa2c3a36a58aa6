//! Every refusal of the Web API that a sender of messages can meet: what it means for another try, whether the message
//! may be there all the same, and what a person does about it.
//!
//! Slack answers 200 to refusals, with `ok: false`, and names them in `error`. A word that is not known here counts as
//! lasting: it was a clear no, and a queue must not stand still behind a message that is refused for ever. An answer
//! without `ok` is neither a yes nor a no: the message may be there.
//! Source: the error tables of <https://docs.slack.dev/reference/methods/chat.postMessage>, chat.update,
//! conversations.history and files.completeUploadExternal.

use serde_json::Value;

use crate::ports::{Effect, Outlook, PortError};

/// Why Slack did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such channel, or the bot may not know of it.
    ChannelNotFound,
    /// The bot is not a member.
    NotInChannel,
    /// The channel is archived.
    IsArchived,
    /// A setting of the workspace or the channel keeps the bot from posting.
    RestrictedAction(String),
    /// No token was sent, or one that is none, or one that ended.
    BadToken(String),
    /// The account of the bot was deactivated or the app was removed.
    AccountInactive,
    /// The token lacks a scope.
    MissingScope {
        /// Which, where Slack says so.
        needed: Option<String>,
        /// Those that it has, where Slack says so.
        provided: Option<String>,
    },
    /// The blocks break a rule.
    InvalidBlocks(String),
    /// The text is too long.
    MsgTooLong,
    /// There is neither text nor blocks.
    NoText,
    /// The metadata break a rule.
    InvalidMetadata(String),
    /// The message to edit is not there.
    MessageNotFound,
    /// The message may not be edited: not ours, or too old.
    NotEditable(String),
    /// The thread to reply in is not there.
    ThreadNotFound,
    /// The file is not there, or was not uploaded.
    FileNotFound,
    /// Too many calls.
    RateLimited,
    /// Slack failed in the middle: it may be done all the same.
    Unclear(String),
    /// A word that this program does not know.
    Other(String),
}

impl Refusal {
    /// Reads the refusal of an answer; none where Slack did what it was asked.
    #[must_use]
    pub fn of(answer: &Value) -> Option<Self> {
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
        let code = text("error").filter(|code| !code.is_empty());
        let code = match (answer.get("ok").and_then(Value::as_bool), code) {
            (Some(true), _) => return None,
            (Some(false), Some(code)) => code,
            // What does not say no by Slack's own field is no answer of Slack's, whatever error it names: something
            // between here and there may have made it, so nothing is known of the effect.
            (Some(false) | None, _) => return Some(Self::Unclear("no answer of Slack's".to_owned())),
        };
        Some(match code.as_str() {
            "missing_scope" => Self::MissingScope { needed: text("needed"), provided: text("provided") },
            _ => Self::named(code),
        })
    }

    fn named(code: String) -> Self {
        match code.as_str() {
            "channel_not_found" => Self::ChannelNotFound,
            "not_in_channel" => Self::NotInChannel,
            "is_archived" => Self::IsArchived,
            "restricted_action"
            | "restricted_action_read_only_channel"
            | "restricted_action_thread_only_channel"
            | "restricted_action_non_threadable_channel"
            | "restricted_action_thread_locked"
            | "ekm_access_denied"
            | "no_permission"
            | "access_denied" => Self::RestrictedAction(code),
            "not_authed" | "invalid_auth" | "token_revoked" | "token_expired" | "not_allowed_token_type" => {
                Self::BadToken(code)
            }
            "account_inactive" => Self::AccountInactive,
            "invalid_blocks" | "invalid_blocks_format" => Self::InvalidBlocks(code),
            "msg_too_long" => Self::MsgTooLong,
            "no_text" => Self::NoText,
            "invalid_metadata_format" | "invalid_metadata_schema" | "metadata_too_large" => {
                Self::InvalidMetadata(code)
            }
            "message_not_found" => Self::MessageNotFound,
            "cant_update_message" | "edit_window_closed" => Self::NotEditable(code),
            "thread_not_found" | "cannot_reply_to_message" => Self::ThreadNotFound,
            "file_not_found" | "files_not_found" => Self::FileNotFound,
            "ratelimited" | "rate_limited" | "message_limit_exceeded" => Self::RateLimited,
            "internal_error" | "fatal_error" | "request_timeout" | "service_unavailable" => {
                Self::Unclear(code)
            }
            _ => Self::Other(code),
        }
    }

    /// Slack's word for it.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::ChannelNotFound => "channel_not_found",
            Self::NotInChannel => "not_in_channel",
            Self::IsArchived => "is_archived",
            Self::AccountInactive => "account_inactive",
            Self::MissingScope { .. } => "missing_scope",
            Self::MsgTooLong => "msg_too_long",
            Self::NoText => "no_text",
            Self::MessageNotFound => "message_not_found",
            Self::ThreadNotFound => "thread_not_found",
            Self::FileNotFound => "file_not_found",
            Self::RateLimited => "ratelimited",
            Self::RestrictedAction(code)
            | Self::BadToken(code)
            | Self::InvalidBlocks(code)
            | Self::InvalidMetadata(code)
            | Self::NotEditable(code)
            | Self::Unclear(code)
            | Self::Other(code) => code,
        }
    }

    /// What another try would find.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::RateLimited | Self::Unclear(_) => Outlook::Passing,
            Self::MessageNotFound | Self::NotEditable(_) | Self::ThreadNotFound => Outlook::Gone,
            Self::ChannelNotFound
            | Self::NotInChannel
            | Self::IsArchived
            | Self::RestrictedAction(_)
            | Self::BadToken(_)
            | Self::AccountInactive
            | Self::MissingScope { .. }
            | Self::InvalidBlocks(_)
            | Self::MsgTooLong
            | Self::NoText
            | Self::InvalidMetadata(_)
            | Self::FileNotFound
            | Self::Other(_) => Outlook::Lasting,
        }
    }

    /// Whether the call may have had its effect all the same.
    #[must_use]
    pub fn effect(&self) -> Effect {
        if matches!(self, Self::Unclear(_)) { Effect::Unclear } else { Effect::None }
    }

    /// What a person does about it.
    #[must_use]
    pub fn fix(&self, channel: &str) -> String {
        const REINSTALL: &str = "OAuth & Permissions > Bot Token Scopes, then Reinstall to Workspace";
        match self {
            Self::ChannelNotFound => format!(
                "set [slack] channel to the channel's id (now {channel:?}); a private channel must have the bot: \
                 /invite @tidegate"
            ),
            Self::NotInChannel => "invite the bot: /invite @tidegate in the channel".to_owned(),
            Self::IsArchived => "unarchive the channel, or set another in [slack] channel".to_owned(),
            Self::RestrictedAction(_) => format!(
                "let the bot post in {channel}: the channel's settings > Posting permissions, or ask an administrator"
            ),
            Self::BadToken(_) | Self::AccountInactive => {
                "set [slack] token to the bot token (xoxb-...) of an installed app".to_owned()
            }
            Self::MissingScope { needed: Some(needed), .. } => {
                format!("give the bot {needed}: https://api.slack.com/apps > the app > {REINSTALL}")
            }
            Self::MissingScope { needed: None, .. } => format!(
                "give the bot chat:write, channels:history and groups:history: https://api.slack.com/apps > the app > \
                 {REINSTALL}"
            ),
            Self::InvalidBlocks(_) | Self::MsgTooLong | Self::NoText | Self::InvalidMetadata(_) => {
                "report it with this text: tidegate made a message that Slack does not take".to_owned()
            }
            Self::MessageNotFound | Self::NotEditable(_) | Self::ThreadNotFound | Self::FileNotFound => {
                "nothing: it is said anew".to_owned()
            }
            Self::RateLimited | Self::Unclear(_) => "nothing: the next run goes on".to_owned(),
            Self::Other(_) => "look the error up under https://docs.slack.dev/reference/methods".to_owned(),
        }
    }

    /// The error of a call about a channel.
    #[must_use]
    pub fn error(&self, method: &str, channel: &str) -> PortError {
        let what = format!("Slack refused {method} in channel {channel}: {}", self.code());
        let what = match self {
            Self::MissingScope { needed: Some(needed), provided } => {
                format!("{what}, needed {needed}, provided {}", provided.as_deref().unwrap_or("not told"))
            }
            Self::Unclear(word) => {
                format!("whether Slack did {method} in channel {channel} is not clear: {word}")
            }
            _ => what,
        };
        let fix = self.fix(channel);
        PortError { effect: self.effect(), outlook: self.outlook(), ..PortError::new(what, fix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_word_means_something_for_another_try() {
        let cases = [
            ("channel_not_found", Outlook::Lasting, "[slack] channel"),
            ("not_in_channel", Outlook::Lasting, "/invite"),
            ("is_archived", Outlook::Lasting, "unarchive"),
            ("restricted_action", Outlook::Lasting, "Posting permissions"),
            ("invalid_auth", Outlook::Lasting, "xoxb-"),
            ("not_authed", Outlook::Lasting, "xoxb-"),
            ("token_revoked", Outlook::Lasting, "xoxb-"),
            ("account_inactive", Outlook::Lasting, "xoxb-"),
            ("missing_scope", Outlook::Lasting, "chat:write"),
            ("invalid_blocks", Outlook::Lasting, "report it"),
            ("msg_too_long", Outlook::Lasting, "report it"),
            ("no_text", Outlook::Lasting, "report it"),
            ("message_not_found", Outlook::Gone, "anew"),
            ("edit_window_closed", Outlook::Gone, "anew"),
            ("thread_not_found", Outlook::Gone, "anew"),
            ("ratelimited", Outlook::Passing, "next run"),
            ("rate_limited", Outlook::Passing, "next run"),
            ("internal_error", Outlook::Passing, "next run"),
            ("never_seen_before", Outlook::Lasting, "docs.slack.dev"),
        ];
        for (code, outlook, fix) in cases {
            let refusal = Refusal::of(&json!({"ok": false, "error": code})).unwrap();
            let error = refusal.error("chat.postMessage", "C1");
            assert_eq!(error.outlook, outlook, "{code}");
            assert!(error.fix.contains(fix), "{code}: {}", error.fix);
            assert!(error.what.contains("C1") && error.what.contains("chat.postMessage"), "{}", error.what);
        }
    }

    #[test]
    fn only_a_failure_in_the_middle_may_have_had_its_effect() {
        let effect = |answer: Value| Refusal::of(&answer).map(|refusal| refusal.effect());
        assert_eq!(effect(json!({"ok": true})), None);
        assert_eq!(effect(json!({"ok": false, "error": "channel_not_found"})), Some(Effect::None));
        for unclear in [json!({"ok": false, "error": "fatal_error"}), json!({}), Value::Null, json!([])] {
            assert_eq!(effect(unclear.clone()), Some(Effect::Unclear), "{unclear}");
        }
    }

    #[test]
    fn without_an_ok_that_is_false_it_is_no_refusal_of_slacks() {
        for answer in [
            json!({"error": "channel_not_found"}),
            json!({"error": "upstream connect error", "code": 502}),
            json!({"ok": null, "error": "invalid_auth"}),
            json!({"ok": "false", "error": "invalid_auth"}),
            json!({"ok": "true"}),
            json!({"ok": 1}),
            json!({"ok": false}),
            json!({"ok": false, "error": 7}),
            json!({"ok": false, "error": ""}),
            json!("ok"),
            json!(true),
        ] {
            let refusal = Refusal::of(&answer).unwrap();
            assert_eq!(
                (refusal.effect(), refusal.outlook()),
                (Effect::Unclear, Outlook::Passing),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_missing_scope_is_named() {
        let answer =
            json!({"ok": false, "error": "missing_scope", "needed": "files:write", "provided": "chat:write"});
        let error = Refusal::of(&answer).unwrap().error("files.getUploadURLExternal", "C1");
        assert!(error.what.ends_with("needed files:write, provided chat:write"), "{}", error.what);
        assert!(error.fix.starts_with("give the bot files:write"), "{}", error.fix);
    }
}

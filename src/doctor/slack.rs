//! Where people are told: is the token taken, is the channel there and open, is the bot in it, and can it find its own
//! messages again. Nothing is said there, so what only a message would show is said to be unproved.

use super::Patient;
use super::secrets::Secrets;
use crate::adapters::slack::{Asked, Bot, Channel, Life, Membership, Openness, Slack};
use crate::config::{App, Slack as Settings, Way};
use crate::ports::PortError;
use crate::report::checks::Check;

const TOKEN: &str = "slack-token";
const CHANNEL: &str = "slack-channel";
const SCOPES: &str = "slack-scopes";
const WEBHOOK: &str = "slack-webhook";

/// Looks at the channel of an app. Nothing is said there.
pub async fn check(patient: &Patient<'_>, app: &App, secrets: &Secrets) -> Vec<Check> {
    let Some(settings) = &app.slack else {
        let nobody = "nobody would be told: [slack] is missing, so only dry runs are possible";
        let fix = "set [slack] channel and token (docs/configuration.md)";
        return vec![Check::failed(CHANNEL, "Slack", nobody).with_fix(fix)];
    };
    if !secrets.has(settings.secret()) {
        let missing = format!("the secret {} is missing", settings.secret());
        return vec![Check::skipped(TOKEN, "Slack token", missing)];
    }
    match &settings.way {
        Way::Webhook { webhook } => match patient.parts.webhook(app, webhook).await {
            Ok(_) => vec![by_webhook()],
            Err(ended) => vec![Check::failed(WEBHOOK, "Slack webhook", &ended)],
        },
        Way::Bot { .. } => by_bot(patient, app, settings).await,
    }
}

fn by_webhook() -> Check {
    let lacks = "people are told by an incoming webhook, which lacks threads, edits, pictures and a look-up: a message \
                 whose answer is lost may come twice (a warning: not at all), and whether the webhook still works only a \
                 message would show";
    Check::warning(
        WEBHOOK,
        "Slack webhook",
        lacks,
        "set [slack] channel and token instead of webhook (docs/slack.md)",
    )
}

async fn by_bot(patient: &Patient<'_>, app: &App, settings: &Settings) -> Vec<Check> {
    let slack = match patient.parts.slack(app, settings).await {
        Ok(slack) => slack,
        Err(ended) => return vec![Check::failed(TOKEN, "Slack token", &ended)],
    };
    let subject = format!("Slack channel {}", settings.channel().unwrap_or_default());
    match slack.bot().await {
        Ok(bot) => of_bot(&slack, &bot, subject).await,
        Err(error) => vec![
            Check::failed(TOKEN, "Slack token", &error),
            Check::skipped(CHANNEL, subject, "Slack does not take the token"),
        ],
    }
}

async fn of_bot(slack: &Slack, bot: &Bot, subject: String) -> Vec<Check> {
    let taken = Check::ok(TOKEN, "Slack token", format!("is that of {} in {}", bot.name, bot.team));
    let (described, readable) = (slack.channel().await, slack.look_into_channel().await);
    let mut checks = vec![taken, may_write(bot), may_show_pictures(bot)];
    checks.push(of_channel(bot, described, &readable, subject));
    if let Ok(Asked::LacksScope(needed)) = &readable {
        checks.push(no_history(needed.as_deref()));
    }
    checks.extend(may_look_at_channels(bot));
    checks
}

/// What Slack says of the channel goes before what reading it shows.
fn of_channel(
    bot: &Bot,
    described: Result<Asked<Channel>, PortError>,
    readable: &Result<Asked<()>, PortError>,
    subject: String,
) -> Check {
    let invite = "/invite @tidegate in the channel";
    match (described, readable) {
        (Err(error), _) => Check::failed(CHANNEL, subject, &error),
        (Ok(Asked::Answered(channel)), _) if channel.life == Life::Archived => {
            let found = format!("#{} is archived: nothing can be said there", channel.name);
            Check::failed(CHANNEL, subject, &found)
                .with_fix("unarchive it, or set another in [slack] channel")
        }
        (Ok(Asked::Answered(channel)), _) if channel.membership == Membership::Stranger => {
            let found = format!("the bot is not in #{} (not_in_channel)", channel.name);
            match channel.openness == Openness::Public && has(bot, "chat:write.public") == Some(true) {
                true => {
                    let found = format!("{found}: it may post there, and can't find its own messages again");
                    Check::warning(CHANNEL, subject, found, invite)
                }
                false => Check::failed(CHANNEL, subject, &found).with_fix(invite),
            }
        }
        (_, Err(error)) => Check::failed(CHANNEL, subject, error),
        (Ok(Asked::Answered(channel)), Ok(Asked::Answered(()))) => {
            Check::ok(CHANNEL, subject, format!("the bot is a member of #{} and can read it", channel.name))
        }
        (Ok(Asked::Answered(channel)), Ok(Asked::LacksScope(_))) => {
            Check::ok(CHANNEL, subject, format!("the bot is a member of #{}", channel.name))
        }
        (Ok(Asked::LacksScope(_)), Ok(Asked::Answered(()))) => {
            Check::ok(CHANNEL, subject, "the bot is a member and can read it")
        }
        (Ok(Asked::LacksScope(_)), Ok(Asked::LacksScope(_))) => {
            let why = "not told: without channels:read and a history scope only a message would show whether the bot \
                       is a member";
            Check::skipped(CHANNEL, subject, why).with_fix(invite)
        }
    }
}

/// Whether the token has a scope; none where Slack does not name them.
fn has(bot: &Bot, scope: &str) -> Option<bool> {
    bot.scopes.as_ref().map(|scopes| scopes.iter().any(|known| known == scope))
}

fn may_write(bot: &Bot) -> Check {
    let subject = "Slack scope chat:write";
    match has(bot, "chat:write") {
        None => Check::skipped(SCOPES, subject, "Slack does not name the scopes of the token"),
        Some(true) => Check::ok(SCOPES, subject, "granted"),
        Some(false) => {
            Check::failed(SCOPES, subject, "missing: no message can be sent").with_fix(add("chat:write"))
        }
    }
}

/// Nothing of today needs it, so it is no warning.
fn may_show_pictures(bot: &Bot) -> Check {
    let subject = "Slack scope files:write";
    match has(bot, "files:write") {
        Some(true) => Check::ok(SCOPES, subject, "granted"),
        Some(false) => {
            let why = "missing: no picture can be shown, which no job of this version does";
            Check::skipped(SCOPES, subject, why).with_fix(add("files:write"))
        }
        None => Check::skipped(SCOPES, subject, "Slack does not name the scopes of the token"),
    }
}

fn may_look_at_channels(bot: &Bot) -> Option<Check> {
    let missing = has(bot, "channels:read") == Some(false) && has(bot, "groups:read") == Some(false);
    missing.then(|| {
        let why = "missing: whether the channel is archived is not looked at";
        Check::skipped(SCOPES, "Slack scope channels:read", why).with_fix(add("channels:read"))
    })
}

/// Without it a message whose answer was lost can't be found again.
fn no_history(needed: Option<&str>) -> Check {
    let scope = needed.unwrap_or("channels:history, or groups:history for a private channel");
    let found = "missing: a message whose answer was lost is not found again, so a halt may be told twice and a \
                 warning not at all";
    Check::warning(SCOPES, "Slack history scope", found, add(scope))
}

fn add(scope: &str) -> String {
    format!(
        "https://api.slack.com/apps > the app > OAuth & Permissions > Bot Token Scopes > add {scope}, then Reinstall to \
         Workspace"
    )
}

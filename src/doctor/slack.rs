//! Where people are told: is the token taken, is the bot in the channel, and can it find its own messages again.

use super::Patient;
use super::secrets::Secrets;
use crate::adapters::slack::{Bot, Readable, Slack};
use crate::config::App;
use crate::report::checks::Check;

const TOKEN: &str = "slack-token";
const CHANNEL: &str = "slack-channel";
const SCOPES: &str = "slack-scopes";

/// Looks at the channel of an app. Nothing is said there.
pub async fn check(patient: &Patient<'_>, app: &App, secrets: &Secrets) -> Vec<Check> {
    let Some(settings) = &app.slack else {
        let nobody = "nobody would be told: [slack] is missing, so only dry runs are possible";
        let fix = "set [slack] channel and token (docs/configuration.md)";
        return vec![Check::failed(CHANNEL, "Slack", nobody).with_fix(fix)];
    };
    if !secrets.has(&settings.token) {
        let missing = format!("the secret {} is missing", settings.token);
        return vec![Check::skipped(TOKEN, "Slack token", missing)];
    }
    let slack = match patient.parts.slack(app, settings).await {
        Ok(slack) => slack,
        Err(ended) => return vec![Check::failed(TOKEN, "Slack token", &ended)],
    };
    let channel = format!("Slack channel {}", settings.channel);
    match slack.bot().await {
        Ok(bot) => of_bot(&slack, &bot, channel).await,
        Err(error) => vec![
            Check::failed(TOKEN, "Slack token", &error),
            Check::skipped(CHANNEL, channel, "Slack does not take the token"),
        ],
    }
}

async fn of_bot(slack: &Slack, bot: &Bot, channel: String) -> Vec<Check> {
    let taken = Check::ok(TOKEN, "Slack token", format!("is that of {} in {}", bot.name, bot.team));
    let readable = slack.look_into_channel().await;
    let mut checks = vec![taken, may_write(bot)];
    checks.push(match &readable {
        Ok(Readable::Yes) => Check::ok(CHANNEL, channel, "the bot is a member and can read it"),
        Ok(Readable::LacksScope(_)) => {
            let why =
                "not told: without a history scope only a message would show whether the bot is a member";
            Check::skipped(CHANNEL, channel, why).with_fix("/invite @tidegate in the channel")
        }
        Err(error) => Check::failed(CHANNEL, channel, error),
    });
    if let Ok(Readable::LacksScope(needed)) = &readable {
        checks.push(no_history(needed.as_deref()));
    }
    checks
}

fn may_write(bot: &Bot) -> Check {
    let subject = "Slack scope chat:write";
    match &bot.scopes {
        None => Check::skipped(SCOPES, subject, "Slack does not name the scopes of the token"),
        Some(scopes) if scopes.iter().any(|scope| scope == "chat:write") => {
            Check::ok(SCOPES, subject, "granted")
        }
        Some(_) => {
            Check::failed(SCOPES, subject, "missing: no message can be sent").with_fix(add("chat:write"))
        }
    }
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

//! The ledger for people: a line for each entry.
//!
//! Words of services and persons are shown without their control characters, so that none can rewrite a terminal.

use crate::domain::ledger::{Elsewhere, Kind, Sealed, Standing};

use super::human::minute;

/// Digits of a hash that are shown: enough to compare two by eye.
const SHOWN_DIGITS: usize = 12;

/// An entry on one line, without its end.
#[must_use]
pub fn line(sealed: &Sealed) -> String {
    let Some(entry) = sealed.entry() else {
        return format!("{:>6}  what this tidegate can't read: {}", sealed.number, plain(&sealed.text));
    };
    format!("{:>6}  {}  {}", sealed.number, minute(entry.at), plain(&words(&entry.kind)))
}

/// The beginning of a hash.
#[must_use]
pub fn short(hash: &str) -> String {
    hash.chars().take(SHOWN_DIGITS).collect()
}

fn words(kind: &Kind) -> String {
    match kind {
        Kind::Decided { decision, release, .. } => {
            format!("decided {decision} about release {}", release.key)
        }
        Kind::Intended { intent, release, change, before, .. } => {
            let change = change.as_str();
            format!("intended {change} of release {}, which was {} ({intent})", release.key, stands(before))
        }
        Kind::Confirmed { intent, before, after, .. } => {
            format!("confirmed: was {}, is {} ({intent})", stands(before), stands(after))
        }
        Kind::Superseded { intent, found, .. } => format!("superseded: {found} ({intent})"),
        Kind::Withdrawn { intent, .. } => format!("withdrawn before the store was asked ({intent})"),
        Kind::Failed { intent, problem, .. } => format!("failed: {problem} ({intent})"),
        Kind::Told { message, sink, place, .. } => format!("told in {sink} {place} ({message})"),
        Kind::Controlled { word, what, scope, until } => {
            let until = until.map(|until| format!(" until {}", minute(until))).unwrap_or_default();
            format!("{}: {what} of {scope}{until}, because {}", word.actor(), word.reason())
        }
        Kind::ChangedElsewhere { release, before, after, by } => {
            let by = match by {
                Elsewhere::Somebody => "outside of this program",
                Elsewhere::RunWithoutMemory => "by a run without a memory",
            };
            let was = before.as_ref().map_or("not known".to_owned(), stands);
            format!("changed {by}: release {} was {was}, is {}", release.key, stands(after))
        }
        Kind::ConfigChanged { release, before, after } => {
            format!("configuration of release {} changed: {} to {}", release.key, short(before), short(after))
        }
    }
}

fn stands(standing: &Standing) -> String {
    let fraction = standing.user_fraction.map(|f| format!(" at {f} of users")).unwrap_or_default();
    format!("{}{fraction}", standing.status.as_str())
}

fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let shown: Box<dyn Iterator<Item = char>> =
                if c.is_control() { Box::new(c.escape_default()) } else { Box::new(std::iter::once(c)) };
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AppId, Platform};
    use crate::domain::ledger::Noted;
    use crate::domain::persons_word::PersonsWord;
    use crate::domain::rate::UserFraction;
    use crate::domain::release::{ReleaseId, RolloutStatus};

    fn shown(kind: Kind) -> String {
        let noted = Noted { at: "2026-11-18T12:00:00Z".parse().unwrap(), kind };
        line(&noted.sealed(&AppId::new("android").unwrap(), "p/run", None))
    }

    fn release() -> ReleaseId {
        let app = AppId::new("android").unwrap();
        ReleaseId { app, platform: Platform::Android, key: "200".to_owned() }
    }

    #[test]
    fn an_entry_is_one_line_that_says_what_happened() {
        let half = UserFraction::new(0.5).unwrap();
        let before = Standing { status: RolloutStatus::RollingOut, user_fraction: Some(half) };
        let after = Standing { status: RolloutStatus::Halted, user_fraction: Some(half) };
        let intent = "halt-0123456789abcdef".to_owned();
        let confirmed = shown(Kind::Confirmed { intent, release: release(), before, after });
        insta::assert_snapshot!(confirmed, @"     1  2026-11-18 12:00 UTC  confirmed: was rolling out at 50 % of users, is halted at 50 % of users (halt-0123456789abcdef)");
        let changed =
            |by| shown(Kind::ChangedElsewhere { release: release(), before: Some(before), after, by });
        insta::assert_snapshot!(changed(Elsewhere::Somebody), @"     1  2026-11-18 12:00 UTC  changed outside of this program: release 200 was rolling out at 50 % of users, is halted at 50 % of users");
        insta::assert_snapshot!(changed(Elsewhere::RunWithoutMemory), @"     1  2026-11-18 12:00 UTC  changed by a run without a memory: release 200 was rolling out at 50 % of users, is halted at 50 % of users");
        let held = shown(Kind::Controlled {
            word: PersonsWord::given("ada", "a holiday", "2026-11-18T12:00:00Z".parse().unwrap()).unwrap(),
            what: "hold".to_owned(),
            scope: "android".to_owned(),
            until: Some("2026-11-20T08:00:00Z".parse().unwrap()),
        });
        insta::assert_snapshot!(held, @"     1  2026-11-18 12:00 UTC  ada: hold of android until 2026-11-20 08:00 UTC, because a holiday");
    }

    #[test]
    fn hostile_words_stay_on_their_line() {
        let problem = "gone\u{1b}[2J\n     2  2026-11-18 12:00 UTC  decided nothing".to_owned();
        let line = shown(Kind::Failed { intent: "halt-1".to_owned(), release: release(), problem });
        assert!(!line.contains(char::is_control), "{line:?}");
        let sealed = Sealed { number: 2, text: "{\u{1b}[2J".to_owned(), hash: String::new() };
        assert!(!super::line(&sealed).contains(char::is_control));
    }
}

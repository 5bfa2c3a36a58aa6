//! What a store lists of an app without saying how far each release is offered, and when that is enough.
//!
//! It may only ever spare a look, never replace one: where anything is in doubt, the answer is that something may be
//! rolling out.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::release::{ReleaseState, RolloutStatus};

/// So long a look at every release is trusted, if the listing is the same.
const TRUSTED: SignedDuration = SignedDuration::from_hours(1);
/// With one completed release, whatever else is offered to anybody is listed besides it; with two, nobody can tell.
const MOST_COMPLETED: usize = 1;

/// The keys that a store lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Releases that users may be offered: to some, to all, or halted.
    pub offered: BTreeSet<String>,
    /// Releases that nobody is offered yet.
    pub drafts: BTreeSet<String>,
}

/// What the store lists today if nothing is rolling out: what it listed at the last full look, where that is less than
/// an hour old, one release at most was completed then and all others were pending, and nothing is left to do. None
/// where only another full look can tell.
///
/// A release that goes on from there can't hide: a draft that is started is listed as offered, a new one has a new key,
/// and a completed one that is halted or staged again makes the store offer, and list, the one before it.
#[must_use]
pub fn where_nothing_rolls_out(known: &[ReleaseState], now: Timestamp) -> Option<Listed> {
    let looked_at = known.iter().map(|state| state.looked_at).max()?;
    let age = now.duration_since(looked_at);
    if known.iter().any(|state| state.open_intent().is_some()) || age.is_negative() || age >= TRUSTED {
        return None;
    }
    let mut listed = Listed::default();
    for state in known.iter().filter(|state| state.looked_at == looked_at) {
        let keys = match state.last_seen {
            RolloutStatus::Completed => &mut listed.offered,
            RolloutStatus::Pending => &mut listed.drafts,
            RolloutStatus::RollingOut | RolloutStatus::Halted => return None,
        };
        keys.insert(state.id.key.clone());
    }
    (listed.offered.len() <= MOST_COMPLETED).then_some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AppId, DecisionId, Platform, VersionName};
    use crate::domain::looking::Looked;
    use crate::domain::release::{Change, Intent, IntentStatus, ReleaseId};

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn state(key: &str, last_seen: RolloutStatus, looked_at: i64) -> ReleaseState {
        let app = AppId::new("android").unwrap();
        ReleaseState {
            id: ReleaseId { app, platform: Platform::Android, key: key.to_owned() },
            version: VersionName::new("1.0").unwrap(),
            generation: 0,
            cycle_start: minute(0),
            last_seen,
            last_fraction: None,
            looked_at: minute(looked_at),
            fast_track_checked_at: None,
            settled_on: None,
            newest_session_at: None,
            newest_crash_at: None,
            looked: Looked::default(),
            configuration: None,
            pauses: Default::default(),
            intent: None,
            share: Default::default(),
        }
    }

    fn listed(offered: &[&str], drafts: &[&str]) -> Listed {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Listed { offered: keys(offered), drafts: keys(drafts) }
    }

    #[test]
    fn a_full_look_is_spared_where_all_is_as_it_was() {
        use RolloutStatus::{Completed, Pending, RollingOut};
        let known = [state("90", RollingOut, 1), state("100", Completed, 10), state("200", Pending, 10)];
        assert_eq!(where_nothing_rolls_out(&known, minute(69)), Some(listed(&["100"], &["200"])));
    }

    #[test]
    fn in_doubt_there_is_a_full_look() {
        use RolloutStatus::{Completed, Halted, Pending, RollingOut};
        let same = listed(&["100"], &[]);
        let quiet = vec![state("100", Completed, 10)];
        let spared = |known: &[ReleaseState], listed: &Listed, at| {
            where_nothing_rolls_out(known, minute(at)).as_ref() == Some(listed)
        };
        assert!(spared(&quiet, &same, 69));
        assert!(!spared(&quiet, &same, 70), "an hour old");
        assert!(!spared(&quiet, &same, 9), "a look in the future");
        assert!(!spared(&[], &listed(&[], &[]), 10), "never looked at");
        assert!(!spared(&quiet, &listed(&["100", "200"], &[]), 11), "a new release");
        assert!(!spared(&quiet, &listed(&["100"], &["200"]), 11), "a new draft");
        assert!(!spared(&quiet, &listed(&[], &[]), 11), "it is gone");
        let drafted = [state("100", Completed, 10), state("200", Pending, 10)];
        assert!(!spared(&drafted, &listed(&["100", "200"], &[]), 11), "the draft was started");
        for status in [RollingOut, Halted] {
            let known = [state("100", Completed, 10), state("200", status, 10)];
            assert!(!spared(&known, &listed(&["100", "200"], &[]), 11), "{status:?}");
        }
        let two = [state("100", Completed, 10), state("200", Completed, 10)];
        assert!(!spared(&two, &listed(&["100", "200"], &[]), 11), "two completed releases");
        let mut open = quiet;
        open[0].intent = Some(Intent {
            key: "k".to_owned(),
            action: Change::Halt,
            status: IntentStatus::Planned,
            decision: DecisionId::new("d-0123456789abcdef").unwrap(),
            planned_at: minute(0),
        });
        assert!(!spared(&open, &same, 11), "something is left to do");
    }
}

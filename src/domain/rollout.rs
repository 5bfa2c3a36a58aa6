//! What the store's present state means for what was decided before: pure, so that every gap can be tested.
//!
//! A person's change in a store console always wins. Nothing here ever asks for more exposure than was decided on
//! evidence, and a halted release is never taken back to rolling out.

use jiff::Timestamp;

use super::advance::ShareHistory;
use super::rate::UserFraction;
use super::release::{Change, Intent, Release, ReleaseState, RolloutStatus};

/// What to do with an intent, given what the store shows now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Ask the store for the target status.
    Mutate,
    /// The store already shows the target.
    Confirm,
    /// Somebody else changed the release; the text says what was found.
    Supersede(String),
}

/// Compares what is wanted with what is there.
///
/// `live` is the release as the store shows it now, `None` where the store no longer lists it.
#[must_use]
pub fn next_step(change: &Change, live: Option<&Release>) -> NextStep {
    let Some(live) = live else {
        return NextStep::Supersede("the store no longer lists the release".to_owned());
    };
    if is_there(change, live) {
        return NextStep::Confirm;
    }
    match obstacle(change, live) {
        Some(found) => NextStep::Supersede(found),
        None => NextStep::Mutate,
    }
}

/// Whether the store shows what is wanted.
fn is_there(change: &Change, live: &Release) -> bool {
    let is_offered_to = |share: &UserFraction| live.user_fraction.is_some_and(|now| now.is_about(*share));
    match change {
        Change::Halt | Change::Withdraw { .. } => live.status == RolloutStatus::Halted,
        Change::FastTrack => live.status == RolloutStatus::Completed,
        Change::Raise { to: share, .. } | Change::Start { at: share } => match live.status {
            RolloutStatus::RollingOut => is_offered_to(share),
            // A share of everybody is a completion.
            RolloutStatus::Completed => share.is_about(UserFraction::EVERYBODY),
            RolloutStatus::Pending | RolloutStatus::Halted => false,
        },
        Change::Resume { .. } => {
            matches!(live.status, RolloutStatus::RollingOut | RolloutStatus::Completed)
        }
    }
}

/// What stands against a change that is not there yet.
fn obstacle(change: &Change, live: &Release) -> Option<String> {
    let wanted = change.as_str();
    let somebody = |did: &str| Some(format!("somebody {did} before the {wanted}"));
    match (change, live.status) {
        (Change::Raise { from, to }, RolloutStatus::RollingOut) => {
            set_by_somebody(live.user_fraction, *from, *to)
        }
        (Change::Halt | Change::FastTrack | Change::Withdraw { .. }, RolloutStatus::RollingOut)
        | (Change::Withdraw { .. }, RolloutStatus::Completed)
        | (Change::Start { .. }, RolloutStatus::Pending)
        | (Change::Resume { .. }, RolloutStatus::Halted) => None,
        (_, RolloutStatus::Completed) => somebody("released it to everybody"),
        (_, RolloutStatus::Halted) => somebody("halted it"),
        (_, RolloutStatus::RollingOut) => Some("it is rolling out already".to_owned()),
        (_, RolloutStatus::Pending) => Some("it is not rolling out".to_owned()),
    }
}

/// A raise goes on from the share that it was decided on, so it never lowers and never goes beyond what a person has set
/// meanwhile.
fn set_by_somebody(now: Option<UserFraction>, from: UserFraction, to: UserFraction) -> Option<String> {
    match now {
        Some(now) if now.is_about(from) && now < to => None,
        Some(now) if now > from => Some(format!("somebody has raised it to {now} of users already")),
        Some(now) => Some(format!("somebody has lowered it to {now} of users")),
        None => Some("the store does not tell to how many users it is offered".to_owned()),
    }
}

/// Whether somebody else has stopped a release that was offered, or not yet halted, when it was last looked at.
#[must_use]
pub fn was_halted_by_somebody(before: &ReleaseState, live: &Release) -> bool {
    let is_ours = match before.last_seen {
        RolloutStatus::RollingOut => before.waits_for_a_halt() || confirmed_halt(before),
        // A halt of ours that was confirmed before is not what took it back from everybody.
        RolloutStatus::Completed => before.waits_for_a_halt(),
        // It was offered and halted since: nothing of ours begins with what nobody is offered.
        RolloutStatus::Pending => false,
        RolloutStatus::Halted => return false,
    };
    live.status == RolloutStatus::Halted && !is_ours
}

/// Takes what the store shows now into the state. A release that was halted and is rolling out again was resumed by
/// a person: the generation rises and the counts start anew, otherwise the old crashes would halt it at once.
#[must_use]
pub fn seen(mut state: ReleaseState, live: &Release, now: Timestamp) -> ReleaseState {
    let was_halted = state.last_seen == RolloutStatus::Halted || confirmed_halt(&state);
    state.pauses = state.pauses.seen(state.id.platform, live, now);
    if was_halted && live.status == RolloutStatus::RollingOut {
        return resumed(state, live, now);
    }
    state.shows(live, now);
    state.looked_at = now;
    state
}

/// A release that a person has resumed: the generation rises, so that it can be halted and told of anew, and the counts
/// start anew, otherwise the old crashes would halt it at once.
#[must_use]
pub fn resumed(mut state: ReleaseState, live: &Release, now: Timestamp) -> ReleaseState {
    state.generation += 1;
    state.cycle_start = now;
    state.fast_track_checked_at = None;
    state.settled_on = None;
    state.intent = None;
    state.share = ShareHistory::resumed(now);
    state.last_seen = live.status;
    state.last_fraction = live.user_fraction;
    state.looked_at = now;
    state
}

fn confirmed_halt(state: &ReleaseState) -> bool {
    let halted =
        |intent: &Intent| intent.action.stops() && intent.status == super::release::IntentStatus::Confirmed;
    state.intent.as_ref().is_some_and(halted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
    use crate::domain::persons_word::PersonsWord;
    use crate::domain::release::{Action, IntentStatus, ReleaseId};

    fn release(status: RolloutStatus) -> Release {
        Release {
            key: "200".to_owned(),
            version: VersionName::new("26.3.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status,
            user_fraction: None,
            started_at: None,
            paused_days: None,
        }
    }

    fn state(status: RolloutStatus) -> ReleaseState {
        let id =
            ReleaseId { app: AppId::new("android").unwrap(), platform: Platform::Android, key: "200".into() };
        ReleaseState::first_seen(id, &release(status), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_effect_that_is_there_is_confirmed_not_repeated() {
        for action in [Action::Halt, Action::FastTrack] {
            let change = Change::from(action);
            assert_eq!(next_step(&change, Some(&release(action.target()))), NextStep::Confirm);
            assert_eq!(next_step(&change, Some(&release(RolloutStatus::RollingOut))), NextStep::Mutate);
        }
    }

    #[test]
    fn a_persons_change_wins() {
        let completed = release(RolloutStatus::Completed);
        assert!(matches!(next_step(&Change::Halt, Some(&completed)), NextStep::Supersede(_)));
        let halted = release(RolloutStatus::Halted);
        assert!(matches!(next_step(&Change::FastTrack, Some(&halted)), NextStep::Supersede(_)));
        assert!(matches!(next_step(&Change::Halt, None), NextStep::Supersede(_)));
    }

    #[test]
    fn a_raise_never_lowers_and_knows_a_share_that_lost_precision() {
        let share = |share: f64| UserFraction::new(share).unwrap();
        let to = |to: f64| Change::Raise { from: share(0.1), to: share(to) };
        let live = |share: f64| Release {
            user_fraction: Some(UserFraction::new(share).unwrap()),
            ..release(RolloutStatus::RollingOut)
        };
        assert_eq!(next_step(&to(0.75), Some(&live(0.1))), NextStep::Mutate);
        assert_eq!(next_step(&to(0.75), Some(&live(0.100_000_001_49))), NextStep::Mutate);
        assert!(matches!(next_step(&to(0.75), Some(&live(0.3))), NextStep::Supersede(_)), "a person's");
        assert!(matches!(next_step(&to(0.75), Some(&live(0.05))), NextStep::Supersede(_)), "a person's");
        assert_eq!(next_step(&to(0.15), Some(&live(0.150_000_005_96))), NextStep::Confirm);
        assert!(matches!(next_step(&to(0.15), Some(&live(0.2))), NextStep::Supersede(_)));
        assert!(matches!(
            next_step(&to(0.75), Some(&release(RolloutStatus::RollingOut))),
            NextStep::Supersede(_)
        ));
        assert!(matches!(
            next_step(&to(0.75), Some(&release(RolloutStatus::Halted))),
            NextStep::Supersede(_)
        ));
    }

    #[test]
    fn a_raise_to_everybody_is_there_once_it_is_completed() {
        let share = |share: f64| UserFraction::new(share).unwrap();
        let to = |to: f64| Change::Raise { from: share(0.5), to: share(to) };
        let completed = release(RolloutStatus::Completed);
        assert_eq!(next_step(&to(1.0), Some(&completed)), NextStep::Confirm);
        assert!(matches!(next_step(&to(0.75), Some(&completed)), NextStep::Supersede(_)));
    }

    #[test]
    fn a_halt_is_somebody_elses_where_none_of_ours_explains_it() {
        let halted = release(RolloutStatus::Halted);
        assert!(was_halted_by_somebody(&state(RolloutStatus::RollingOut), &halted));
        assert!(was_halted_by_somebody(&state(RolloutStatus::Completed), &halted));
        assert!(was_halted_by_somebody(&state(RolloutStatus::Pending), &halted));
        assert!(!was_halted_by_somebody(&state(RolloutStatus::Halted), &halted));
        assert!(!was_halted_by_somebody(
            &state(RolloutStatus::RollingOut),
            &release(RolloutStatus::RollingOut)
        ));
        for (action, status, told) in [
            (Change::Halt, IntentStatus::Planned, false),
            (Change::Halt, IntentStatus::Confirmed, false),
            (Change::FastTrack, IntentStatus::Confirmed, true),
        ] {
            let mut ours = state(RolloutStatus::RollingOut);
            let decision = DecisionId::new("d-0123456789abcdef").unwrap();
            let (key, planned_at) = ("k".to_owned(), Timestamp::UNIX_EPOCH);
            ours.intent = Some(Intent { key, action, status, decision, planned_at });
            assert_eq!(was_halted_by_somebody(&ours, &halted), told, "{ours:?}");
        }
    }

    #[test]
    fn only_a_person_takes_back_what_everybody_has_or_what_was_halted() {
        let word = PersonsWord::given("ada", "it crashes at start", Timestamp::UNIX_EPOCH).unwrap();
        let withdraw = Change::Withdraw { word: word.clone() };
        assert_eq!(next_step(&withdraw, Some(&release(RolloutStatus::Completed))), NextStep::Mutate);
        let resume = Change::Resume { at: None, word };
        assert_eq!(next_step(&resume, Some(&release(RolloutStatus::Halted))), NextStep::Mutate);
        assert!(matches!(next_step(&resume, Some(&release(RolloutStatus::Pending))), NextStep::Supersede(_)));
    }

    #[test]
    fn a_persons_resume_starts_a_new_generation() {
        let mut halted = state(RolloutStatus::Halted);
        halted.fast_track_checked_at = Some(Timestamp::UNIX_EPOCH);
        let now = Timestamp::from_second(1_000).unwrap();
        let resumed = seen(halted, &release(RolloutStatus::RollingOut), now);
        assert_eq!((resumed.generation, resumed.cycle_start), (1, now));
        assert_eq!(resumed.fast_track_checked_at, None);
    }

    #[test]
    fn our_own_confirmed_halt_counts_even_where_no_run_saw_it_since() {
        let mut state = state(RolloutStatus::RollingOut);
        state.intent = Some(Intent {
            key: "halt-1".into(),
            action: Change::Halt,
            status: IntentStatus::Confirmed,
            decision: DecisionId::new("d-0123456789abcdef").unwrap(),
            planned_at: Timestamp::UNIX_EPOCH,
        });
        let resumed = seen(state, &release(RolloutStatus::RollingOut), Timestamp::UNIX_EPOCH);
        assert_eq!(resumed.generation, 1);
        assert_eq!(resumed.intent, None);
    }

    #[test]
    fn looking_twice_changes_nothing() {
        let once = seen(
            state(RolloutStatus::RollingOut),
            &release(RolloutStatus::RollingOut),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(once, state(RolloutStatus::RollingOut));
    }
}

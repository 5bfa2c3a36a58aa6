//! What the store's present state means for what was decided before: pure, so that every gap can be tested.
//!
//! A person's change in a store console always wins. Nothing here ever asks for more exposure than was decided on
//! evidence, and a halted release is never taken back to rolling out.

use jiff::Timestamp;

use super::release::{Action, Intent, Release, ReleaseState, RolloutStatus};

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
pub fn next_step(action: Action, live: Option<&Release>) -> NextStep {
    let Some(live) = live else {
        return NextStep::Supersede("the store no longer lists the release".to_owned());
    };
    match (action, live.status) {
        (_, status) if status == action.target() => NextStep::Confirm,
        (Action::Halt | Action::FastTrack, RolloutStatus::RollingOut) => NextStep::Mutate,
        (Action::Halt, RolloutStatus::Completed) => {
            NextStep::Supersede("somebody released it to everybody before the halt".to_owned())
        }
        (Action::FastTrack, RolloutStatus::Halted) => {
            NextStep::Supersede("somebody halted it before the fast-track".to_owned())
        }
        (_, RolloutStatus::Pending | RolloutStatus::Halted | RolloutStatus::Completed) => {
            NextStep::Supersede("it is not rolling out".to_owned())
        }
    }
}

/// Takes what the store shows now into the state. A release that was halted and is rolling out again was resumed by
/// a person: the generation rises and the counts start anew, otherwise the old crashes would halt it at once.
#[must_use]
pub fn seen(mut state: ReleaseState, live: &Release, now: Timestamp) -> ReleaseState {
    let was_halted = state.last_seen == RolloutStatus::Halted || confirmed_halt(&state);
    if was_halted && live.status == RolloutStatus::RollingOut {
        state.generation += 1;
        state.cycle_start = now;
        state.fast_track_checked_at = None;
        state.settled_on = None;
        state.intent = None;
    }
    state.last_seen = live.status;
    state.last_fraction = live.user_fraction;
    state.looked_at = now;
    state
}

fn confirmed_halt(state: &ReleaseState) -> bool {
    let halted = |intent: &Intent| {
        intent.action == Action::Halt && intent.status == super::release::IntentStatus::Confirmed
    };
    state.intent.as_ref().is_some_and(halted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
    use crate::domain::release::{IntentStatus, ReleaseId};

    fn release(status: RolloutStatus) -> Release {
        Release {
            key: "200".to_owned(),
            version: VersionName::new("26.3.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status,
            user_fraction: None,
            started_at: None,
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
            assert_eq!(next_step(action, Some(&release(action.target()))), NextStep::Confirm);
            assert_eq!(next_step(action, Some(&release(RolloutStatus::RollingOut))), NextStep::Mutate);
        }
    }

    #[test]
    fn a_persons_change_wins() {
        let completed = release(RolloutStatus::Completed);
        assert!(matches!(next_step(Action::Halt, Some(&completed)), NextStep::Supersede(_)));
        let halted = release(RolloutStatus::Halted);
        assert!(matches!(next_step(Action::FastTrack, Some(&halted)), NextStep::Supersede(_)));
        assert!(matches!(next_step(Action::Halt, None), NextStep::Supersede(_)));
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
            action: Action::Halt,
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

//! The next step of a staged rollout, as a report tells it: where to, when at the earliest, and what stands against it now.

use jiff::Timestamp;
use jiff::civil::Date;

use super::NextStep;
use crate::domain::advance::{self, Plan, ShareFacts};
use crate::domain::calendar::date_in;
use crate::domain::decision::Record;
use crate::domain::facts::Facts;
use crate::domain::judge::Decision;
use crate::domain::message::why_no_step;
use crate::domain::rate::UserFraction;
use crate::domain::release::{ReleaseState, RolloutStatus};
use crate::domain::verdict::Reason;

/// The next step of a release that is rolling out, by its newest decision. `held` says who holds it.
#[must_use]
pub fn next_step(
    state: &ReleaseState,
    known: &[ReleaseState],
    newest: Option<&Record>,
    plan: &Plan,
    held: Option<String>,
    now: Timestamp,
) -> Option<NextStep> {
    let present = state.last_fraction.filter(|_| state.last_seen == RolloutStatus::RollingOut)?;
    let share = ShareFacts::of(state, known);
    let to = plan.after(present)?;
    let objection = match newest {
        Some(record) => objection(record, present, &share, now),
        None => Some("it has not been judged yet".to_owned()),
    };
    let zone = newest.map(|record| record.policy.zone.clone());
    Some(NextStep {
        to: share.taken_over.filter(|share| *share > to).unwrap_or(to),
        on: zone.and_then(|zone| earliest(plan, &share, date_in(&zone, now), date_in(&zone, share.since))),
        waits_for: held.into_iter().chain(objection).collect(),
    })
}

/// The first date that is not quiet and on which the share has not changed.
fn earliest(plan: &Plan, share: &ShareFacts, today: Date, changed_on: Date) -> Option<Date> {
    let first = match changed_on >= today {
        true => today.tomorrow().ok()?,
        false => today,
    };
    plan.next_date(first).filter(|_| share.lowered_to.is_none())
}

/// What speaks against the step apart from the calendar, which the date tells already.
fn objection(record: &Record, present: UserFraction, share: &ShareFacts, now: Timestamp) -> Option<String> {
    let judgement = &record.judgement;
    let in_words =
        |decision: Decision| format!("the decision is {} ({})", decision.as_str(), judgement.reason);
    if !matches!(
        judgement.decision,
        Decision::Continue | Decision::Hold | Decision::Advance | Decision::Complete | Decision::None
    ) {
        return Some(in_words(judgement.decision));
    }
    let facts = Facts { user_fraction: Some(present), share: Some(*share), ..record.facts.clone() };
    let facts = Facts { data: crate::domain::facts::DataFacts { spared: None, ..facts.data }, ..facts };
    match advance::next(&facts, share, &record.policy, now) {
        Ok(_) | Err(Reason::StepTaken | Reason::QuietDay | Reason::BeforeTime | Reason::NothingToDo) => {
            counted(&facts, share, record, now)
        }
        Err(why) => Some(why_no_step(why)),
    }
}

/// The counts are asked after the calendar, so that a date on which no step is taken does not hide them.
fn counted(facts: &Facts, share: &ShareFacts, record: &Record, now: Timestamp) -> Option<String> {
    let mut policy = record.policy.clone();
    let plan = policy.rollout.as_mut()?;
    (plan.quiet_days, plan.quiet_dates, plan.not_before) = (Vec::new(), Vec::new(), jiff::civil::Time::MIN);
    let long_ago = ShareFacts { since: Timestamp::MIN, ..*share };
    advance::next(facts, &long_ago, &policy, now).err().map(why_no_step)
}

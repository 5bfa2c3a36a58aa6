//! Facts and policies for tests, with one thing changed at a time.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tidegate::domain::calendar::UtcDay;
use tidegate::domain::counts::Counts;
use tidegate::domain::decision::{Judged, Record};
use tidegate::domain::facts::{DataFacts, DayFacts, Facts, People};
use tidegate::domain::ids::{AppId, BuildNumber, Platform, VersionName};
use tidegate::domain::judge::{Judgement, judge};
use tidegate::domain::policy::{
    DataPolicy, FastTrackPolicy, HaltPolicy, Mode, Policy, RulePolicies, Slo, UsersWarningPolicy, WarnWhen,
    WarningPolicy,
};
use tidegate::domain::rate::{Rate, UserFraction};
use tidegate::domain::release::{ReleaseId, RolloutStatus};
use tidegate::domain::stats::{Confidence, Method};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The defaults of the configuration, but for the grace after a resume, of which there is none.
pub fn policy() -> Policy {
    Policy {
        slo: Slo {
            crash_free_sessions: Rate::new(0.9995).unwrap(),
            crash_free_users: Rate::new(0.999).unwrap(),
            confidence: Confidence::new(0.99).unwrap(),
            method: Method::Mixture,
        },
        rules: RulePolicies {
            crash_free_sessions_halt: HaltPolicy { mode: Mode::Enforce, min_crashed_sessions: 0 },
            crash_free_sessions_fast_track: FastTrackPolicy {
                mode: Mode::Enforce,
                method: Method::ClopperPearson,
                margin: 0.15,
                min_sessions: 0,
            },
            crash_free_sessions_warning: WarningPolicy {
                mode: Mode::Enforce,
                when: WarnWhen::Evidence,
                alert_budget_fraction: 0.5,
            },
            crash_free_users_warning: UsersWarningPolicy { mode: Mode::Enforce },
        },
        data: DataPolicy {
            lag: SignedDuration::from_mins(10),
            maturity: SignedDuration::from_hours(6),
            max_age: SignedDuration::from_mins(90),
            max_crash_silence: SignedDuration::from_hours(24),
        },
        resume_grace: SignedDuration::ZERO,
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        rollout: None,
    }
}

/// The start of every cycle in these tests: a Monday noon in Berlin.
pub fn start() -> Timestamp {
    at("2026-11-16T11:00:00Z")
}

/// A look on day two, 25 hours after the start.
pub fn day_two() -> Timestamp {
    at("2026-11-17T12:00:00Z")
}

/// A rolling-out release with these counts, everything fresh and complete as of `now`.
pub fn facts(sessions: u64, crashed_sessions: u64, now: Timestamp) -> Facts {
    let counts = Counts { sessions, crashed_sessions };
    Facts {
        status: RolloutStatus::RollingOut,
        user_fraction: Some(UserFraction::new(0.15).unwrap()),
        cycle_start: start(),
        days: vec![DayFacts { day: UtcDay::of(start()), fresh: counts, mature: counts }],
        people: People { users: sessions / 3, crashed_users: 0, concentration: None },
        fatal_events: crashed_sessions,
        foreground_anr_events: 0,
        data: DataFacts {
            through: now - SignedDuration::from_mins(10),
            newest_session_at: Some(now - SignedDuration::from_mins(11)),
            newest_crash_at: Some(now - SignedDuration::from_hours(1)),
            missing_days: Vec::new(),
            absent: Vec::new(),
            revised: false,
            spared: None,
            clock_off_seconds: None,
        },
        fast_track_checked_at: None,
        resumed_at: None,
        lowered_to: None,
        share: None,
    }
}

pub fn judged(facts: &Facts, now: Timestamp) -> Judgement {
    judge(facts, &policy(), now)
}

/// A recorded decision on version 26.3.0.
pub fn record(facts: Facts, now: Timestamp) -> Record {
    Record::judge(Judged {
        release: ReleaseId {
            app: AppId::new("android").unwrap(),
            platform: Platform::Android,
            key: "2630".to_owned(),
        },
        version: VersionName::new("26.3.0").unwrap(),
        builds: vec![BuildNumber::new("2630").unwrap()],
        generation: 0,
        now,
        facts,
        policy: policy(),
        queries: Vec::new(),
        configuration: None,
    })
}

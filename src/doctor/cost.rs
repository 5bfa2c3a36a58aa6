//! What looks would cost, by dry runs of the real questions, against the cap of a run and the budget of a month.
//!
//! Upper bounds: every look is taken to read the sessions of a whole day, though sessions are left unread where they
//! change nothing (docs/cost.md), and once a day those of four days, as the first look of a UTC day does.

use std::collections::BTreeMap;

use super::Patient;
use super::tables::Side;
use crate::adapters::bigquery::{BigQuery, bytes};
use crate::adapters::events::Found;
use crate::config::{App, SessionSource, Warehouse};
use crate::domain::calendar::{UtcDay, Window};
use crate::ports::PortError;
use crate::queries::{Engine, Parameters, Question, Source, render};
use crate::report::checks::Check;

const CHECK: &str = "cost";
/// Days before today whose late rows are read again.
const SETTLE_DAYS: i64 = 3;
/// Runs of the published schedule in a week.
const LOOKS_A_WEEK: u64 = 384;
/// Days of a week, and of the longest month.
const WEEK_DAYS: u64 = 7;
const MONTH_DAYS: u64 = 31;
/// The step in which bytes are billed, and the least for a table. <https://cloud.google.com/bigquery/pricing>
const MEBIBYTE: u64 = 1 << 20;
const LEAST: u64 = 10 * MEBIBYTE;
/// A cap that is suggested leaves so many times the need, for growth.
const HEADROOM: u64 = 2;
/// A suggested cap is written in these.
const GIBIBYTE: u64 = 1 << 30;

/// What a question would be billed for: in a usual look, and in the first of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bill {
    usual: u64,
    first: u64,
}

impl Bill {
    fn plus(self, other: Self) -> Self {
        Self { usual: self.usual.saturating_add(other.usual), first: self.first.saturating_add(other.first) }
    }

    fn month(self) -> u64 {
        let looks = LOOKS_A_WEEK * MONTH_DAYS / WEEK_DAYS;
        (looks - MONTH_DAYS).saturating_mul(self.usual).saturating_add(MONTH_DAYS.saturating_mul(self.first))
    }
}

/// Estimates each question of each table once, though apps may share it.
pub async fn check(
    patient: &Patient<'_>,
    bigquery: &BigQuery,
    looks: &[(&App, Vec<(Side, Found)>)],
    checks: &mut Vec<Check>,
) {
    let mut bills: BTreeMap<String, Bill> = BTreeMap::new();
    let mut complete = looks.len() == patient.apps.len();
    for (app, tables) in looks {
        let mut of_app = Bill::default();
        for (side, found) in tables {
            match bill(patient, bigquery, app, *side, found).await {
                Ok(bill) => {
                    of_app = of_app.plus(bill);
                    bills.insert(found.table.to_string(), bill);
                }
                Err(error) => {
                    complete = false;
                    let subject = format!("dry run on {}", found.table);
                    checks.push(Check::failed(CHECK, subject, &error).of(&app.id));
                }
            }
        }
        complete &= tables.iter().any(|(side, _)| *side == Side::Sessions);
        let found = format!("{}, the first of a day {}", bytes(of_app.usual), bytes(of_app.first));
        checks.push(Check::ok(CHECK, "cost of one look", found).of(&app.id));
    }
    if !complete {
        return checks.push(Check::skipped(CHECK, "cost", "not all tables could be estimated"));
    }
    let together = bills.values().fold(Bill::default(), |sum, bill| sum.plus(*bill));
    checks.extend(judged(&patient.loaded.config.warehouse, together));
}

async fn bill(
    patient: &Patient<'_>,
    bigquery: &BigQuery,
    app: &App,
    side: Side,
    found: &Found,
) -> Result<Bill, PortError> {
    let today = UtcDay::of(patient.now);
    let late = Window::new(today.plus(-SETTLE_DAYS).start(), patient.now);
    let day = Window::new(today.plus(-1).start(), today.start());
    let ask = async |question, source, window: Window| {
        let query =
            render(question, source, Engine::BigQuery, &found.table, &found.info.shape, &parameters(window));
        let read = bigquery.estimate(&query).await?;
        Ok::<u64, PortError>(read.next_multiple_of(MEBIBYTE).max(LEAST))
    };
    match (side, &app.sources.sessions) {
        (Side::Crashes, _) => {
            let bytes = ask(Question::Crashes, Source::Crashlytics, late).await?;
            Ok(Bill { usual: bytes, first: bytes })
        }
        (Side::Sessions, SessionSource::FirebaseSessions) => Ok(Bill {
            usual: ask(Question::Sessions, Source::FirebaseSessions, day).await?,
            first: ask(Question::Sessions, Source::FirebaseSessions, late).await?,
        }),
        // One table a date, of which two are estimated: they stand for the four of a first look.
        (Side::Sessions, SessionSource::Analytics { .. }) => {
            let bytes = ask(Question::Sessions, Source::Analytics, late).await?;
            Ok(Bill { usual: bytes, first: bytes * 2 })
        }
    }
}

/// No build is asked for: which one is does not change what is read.
fn parameters(window: Window) -> Parameters {
    let (from_us, to_us) = (window.from.as_microsecond(), window.to.as_microsecond());
    Parameters { from_us, to_us, mature_us: to_us, ..Parameters::default() }
}

fn judged(warehouse: &Warehouse, bill: Bill) -> Vec<Check> {
    let Warehouse::BigQuery { max_bytes_billed_per_run: cap, budget_per_month, .. } = warehouse else {
        return Vec::new();
    };
    vec![against_cap(bill, *cap), against_budget(bill, *budget_per_month)]
}

fn against_cap(bill: Bill, cap: u64) -> Check {
    let (subject, most) = ("cost of one run", bill.first.max(bill.usual));
    let found = format!("at most {} of {} max_bytes_billed_per_run", bytes(most), bytes(cap));
    if most <= cap {
        return Check::ok(CHECK, subject, found);
    }
    let enough = most.saturating_mul(HEADROOM).div_ceil(GIBIBYTE);
    let fix = format!("max_bytes_billed_per_run = \"{enough} GiB\" under [warehouse]");
    Check::failed(CHECK, subject, &format!("{found}: runs would be refused")).with_fix(fix)
}

fn against_budget(bill: Bill, budget: Option<u64>) -> Check {
    let month = bill.month();
    let assumes = format!(
        "{LOOKS_A_WEEK} looks a week, {MONTH_DAYS} days, a release always rolling out, sessions of a whole day read on \
         every look; sessions are usually read far less often"
    );
    let found = format!("at most {} (assumes {assumes})", bytes(month));
    match budget {
        Some(budget) if month > budget => Check::warning(
            CHECK,
            "cost of a month",
            format!(
                "{found}, more than budget_per_month, {}: looks may become rarer, down to one an hour",
                bytes(budget)
            ),
            format!("budget_per_month = \"{} GiB\" under [warehouse], or leave it", month.div_ceil(GIBIBYTE)),
        ),
        Some(budget) => Check::ok(CHECK, "cost of a month", format!("{found}, within {}", bytes(budget))),
        None => Check::ok(CHECK, "cost of a month", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::checks::Status;

    #[test]
    fn a_month_is_many_usual_looks_and_a_first_one_a_day() {
        let bill = Bill { usual: 10, first: 100 };
        assert_eq!(bill.month(), (1_700 - 31) * 10 + 31 * 100);
    }

    #[test]
    fn a_cap_that_is_too_small_comes_with_one_that_is_not() {
        let bill = Bill { usual: GIBIBYTE, first: 30 * GIBIBYTE };
        assert_eq!(against_cap(bill, 40 * GIBIBYTE).status, Status::Ok);
        let check = against_cap(bill, 20 * GIBIBYTE);
        assert_eq!(
            (check.status, check.fix.unwrap()),
            (Status::Failed, "max_bytes_billed_per_run = \"60 GiB\" under [warehouse]".to_owned())
        );
        assert_eq!(against_budget(bill, Some(1)).status, Status::Warning);
        assert_eq!(against_budget(bill, None).status, Status::Ok);
    }
}

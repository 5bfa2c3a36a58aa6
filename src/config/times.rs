//! Times of day and dates where the team works, as people write them.

use jiff::civil::{Date, Time};
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::Refused;
use crate::domain::advance::Dates;

/// A time of day to the minute, `12:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline, extend("pattern" = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
pub(super) struct TimeOfDay(pub(super) Time);

/// How a time of day is written; more than this is refused, so that nobody takes `9:5` for another time than we do.
const TIME_LENGTH: usize = 5;

impl TryFrom<String> for TimeOfDay {
    type Error = Refused;
    fn try_from(given: String) -> Result<Self, Refused> {
        let time = Some(given.as_str()).filter(|given| given.len() == TIME_LENGTH);
        let time = time.and_then(|given| Time::strptime("%H:%M", given).ok());
        time.map(Self).ok_or_else(|| {
            Refused::new(
                format!("is {given:?}, which is no time of day"),
                "write hours and minutes, such as \"12:00\"",
            )
        })
    }
}

/// A date, `2026-12-24`, or a first and a last one, `2026-12-24/2027-01-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(
    with = "String",
    inline,
    extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?$")
)]
pub(super) struct QuietDates(pub(super) Dates);

/// How a date is written.
const DATE_LENGTH: usize = 10;

impl TryFrom<String> for QuietDates {
    type Error = Refused;
    fn try_from(given: String) -> Result<Self, Refused> {
        let (first, last) = given.split_once('/').unwrap_or((&given, &given));
        let (Some(first), Some(last)) = (date(first), date(last)) else {
            return Err(Refused::new(
                format!("has {given:?}, which is neither a date nor a first and a last one"),
                "write \"2026-12-24\" or \"2026-12-24/2027-01-01\"",
            ));
        };
        if last < first {
            return Err(Refused::new(
                format!("has {given:?}, whose last date comes before its first one"),
                format!("write \"{last}/{first}\" if that is what is meant"),
            ));
        }
        Ok(Self(Dates { first, last }))
    }
}

fn date(given: &str) -> Option<Date> {
    Some(given).filter(|given| given.len() == DATE_LENGTH).and_then(|given| given.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_time_of_day_has_hours_and_minutes() {
        assert_eq!(TimeOfDay::try_from("09:05".to_owned()).unwrap().0, Time::constant(9, 5, 0, 0));
        for wrong in ["24:00", "9:05", "12", "12:00:00", "noon", "12:60", ""] {
            assert!(TimeOfDay::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_stand_alone_or_have_a_last_one() {
        let read = |text: &str| QuietDates::try_from(text.to_owned()).map(|dates| dates.0);
        let eve = date(2026, 12, 24);
        assert_eq!(read("2026-12-24").unwrap(), Dates { first: eve, last: eve });
        assert_eq!(read("2026-12-24/2027-01-01").unwrap().last, date(2027, 1, 1));
        for wrong in ["2026-12-32", "24.12.2026", "2026-12-24/", "2027-01-01/2026-12-24", "20261224"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

//! What Apple says of the requests that are left: `X-Rate-Limit`, and the part of it that is kept for halts.
//!
//! The header has pairs such as `user-hour-lim:3500;user-hour-rem:500;`. Some answers have a pair for the minute as
//! well, in the same value or in a second one, and some writes have only that.
//! Source: <https://developer.apple.com/documentation/appstoreconnectapi/identifying-rate-limits>.

use std::time::Duration;

/// A halt looks, changes and looks again; one request more in case one of them fails.
const REQUESTS_OF_A_HALT: u32 = 4;
/// A halt of a key's only app must survive some failures too.
const LEAST_RESERVE: u32 = 20;
/// The reserve is at most this part of the limit, so that a small limit still lets something be read.
const RESERVED_PART: u32 = 10;
/// Reads slow down where fewer requests than this are left in the minute.
const MINUTE_RESERVE: u32 = 10;
/// The minute of the header.
const MINUTE: Duration = Duration::from_secs(60);

/// The header.
pub(super) const HEADER: &str = "x-rate-limit";

/// A limit and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub limit: u32,
    pub remaining: u32,
}

/// What is left of a key, as the newest answer said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    hour: Option<Left>,
    minute: Option<Left>,
}

impl Limits {
    /// Takes in the values of the header. What they do not say stays as it was.
    pub(super) fn take(&mut self, values: &[String]) {
        self.hour = read(values, "user-hour").or(self.hour);
        self.minute = read(values, "user-minute").or(self.minute);
    }

    /// What is left of the hour where it is so little that it is kept for the halts of so many apps.
    pub(super) fn kept_for_halts(&self, apps: usize) -> Option<Left> {
        self.hour.filter(|hour| hour.remaining < reserve(hour.limit, apps))
    }

    /// How long a read waits so that the minute's limit is not reached: about as long as one request more takes to be
    /// free again.
    pub(super) fn pause(&self) -> Option<Duration> {
        let minute = self.minute.filter(|minute| minute.remaining < MINUTE_RESERVE.min(minute.limit))?;
        Some(MINUTE / minute.limit.max(1))
    }
}

/// Requests of an hour that only halts may use.
fn reserve(limit: u32, apps: usize) -> u32 {
    let halts = u32::try_from(apps).unwrap_or(u32::MAX).saturating_mul(REQUESTS_OF_A_HALT);
    halts.max(LEAST_RESERVE).min(limit / RESERVED_PART).max(1)
}

fn read(values: &[String], window: &str) -> Option<Left> {
    let number = |what: &str| {
        let name = format!("{window}-{what}");
        let pairs = values.iter().flat_map(|value| value.split([';', ',']));
        let mut pairs = pairs.filter_map(|pair| pair.split_once(':'));
        pairs.find(|(key, _)| key.trim() == name).and_then(|(_, number)| number.trim().parse().ok())
    };
    Some(Left { limit: number("lim")?, remaining: number("rem")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(values: &[&str]) -> Limits {
        let mut limits = Limits::default();
        limits.take(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        limits
    }

    #[test]
    fn reads_the_header_in_every_shape_that_was_seen() {
        let hour = Some(Left { limit: 3_500, remaining: 500 });
        let minute = Some(Left { limit: 150, remaining: 149 });
        let cases: [(&[&str], Limits); 6] = [
            (&["user-hour-lim:3500;user-hour-rem:500;"], Limits { hour, minute: None }),
            (
                &["user-hour-lim:3500;user-hour-rem:500;user-minute-lim:150;user-minute-rem:149;"],
                Limits { hour, minute },
            ),
            (
                &["user-hour-lim:3500;user-hour-rem:500;", "user-minute-lim:150;user-minute-rem:149;"],
                Limits { hour, minute },
            ),
            (&["user-minute-lim:150;user-minute-rem:149;"], Limits { hour: None, minute }),
            (&["user-hour-lim:3500;user-hour-rem500;user-day-lim:50000;"], Limits::default()),
            (&[], Limits::default()),
        ];
        for (values, expected) in cases {
            assert_eq!(limits(values), expected, "{values:?}");
        }
    }

    #[test]
    fn an_answer_that_says_less_takes_nothing_away() {
        let mut limits = limits(&["user-hour-lim:3500;user-hour-rem:500;"]);
        let before = limits;
        limits.take(&["user-minute-lim:150;user-minute-rem:149;".to_owned()]);
        assert_eq!((limits.hour, limits.minute.is_some()), (before.hour, true));
    }

    #[test]
    fn the_reserve_grows_with_the_apps_and_leaves_most_of_the_limit() {
        assert_eq!(reserve(3_500, 1), LEAST_RESERVE);
        assert_eq!(reserve(3_500, 50), 200);
        assert_eq!(reserve(3_500, 10_000), 350);
        assert_eq!(reserve(5, 1), 1, "a limit of five lets five be read");
        let left = |remaining| limits(&[&format!("user-hour-lim:3500;user-hour-rem:{remaining};")]);
        assert_eq!(left(20).kept_for_halts(1), None);
        assert_eq!(left(19).kept_for_halts(1), Some(Left { limit: 3_500, remaining: 19 }));
        assert_eq!(Limits::default().kept_for_halts(1), None, "nothing was said yet");
    }

    #[test]
    fn reads_slow_down_before_the_minute_is_used_up() {
        let left = |remaining| limits(&[&format!("user-minute-lim:150;user-minute-rem:{remaining};")]);
        assert_eq!(left(10).pause(), None);
        assert_eq!(left(9).pause(), Some(Duration::from_millis(400)));
    }
}

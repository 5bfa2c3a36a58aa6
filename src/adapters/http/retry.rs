//! How long to wait before the next try: full jitter on an exponential, and what the server asks for.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use jiff::fmt::rfc2822;

/// Tries of one call, the first included.
const MOST_TRIES: u32 = 5;
/// The longest first wait; doubles with each failure.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait that a call takes upon itself. A service that asks for more is given up for this run.
const LONGEST: Duration = Duration::from_secs(20);

/// How long to wait after so many failures; `None` where another try is of no use.
pub fn wait(failures: u32, retry_after: Option<Duration>) -> Option<Duration> {
    if failures >= MOST_TRIES || retry_after.is_some_and(|asked| asked > LONGEST) {
        return None;
    }
    let ceiling = BASE.saturating_mul(1 << (failures - 1)).min(LONGEST);
    let jittered = ceiling.mul_f64(random_ratio());
    Some(retry_after.map_or(jittered, |asked| asked + jittered.min(asked / 5)))
}

/// Reads `Retry-After`, in seconds or as a date.
pub fn seconds(header: Option<&str>) -> Option<Duration> {
    let text = header?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    let now = crate::ports::Clock::now(&crate::adapters::clock::SystemClock);
    Some(Duration::from_secs(u64::try_from(at.duration_since(now).as_secs()).unwrap_or(0)))
}

/// A number in 0..1, from the seed that the standard library draws for each hasher.
fn random_ratio() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_at_least_as_long_as_asked_and_not_much_longer() {
        let asked = Duration::from_secs(7);
        let wait = wait(1, Some(asked)).unwrap();
        assert!(wait >= asked && wait <= asked.mul_f64(1.2), "{wait:?}");
    }

    #[test]
    fn gives_up_where_too_long_is_asked_or_tried() {
        assert_eq!(wait(1, Some(Duration::from_secs(3600))), None);
        assert_eq!(wait(MOST_TRIES, None), None);
        assert!(wait(1, None).unwrap() <= BASE);
    }

    #[test]
    fn reads_seconds_and_dates() {
        assert_eq!(seconds(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(seconds(Some("Wed, 21 Oct 2015 07:28:00 GMT")), Some(Duration::ZERO));
        assert_eq!(seconds(Some("soon")), None);
    }
}

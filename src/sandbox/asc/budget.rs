//! The request budget of the key: a rolling hour and, where one is set, a rolling minute, told in the rate-limit header.
//! Source: <https://developer.apple.com/documentation/appstoreconnectapi/identifying-rate-limits>; the minute is not
//! documented, its pair was seen in a header value of its own.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::error::AscError;

/// Requests an hour that the header names when no limit is set.
const NOMINAL_HOURLY_LIMIT: usize = 3_500;

/// The requests of a key, and how many it may send.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Requests per rolling hour; none for no refusals.
    pub per_hour: Option<usize>,
    /// Requests per rolling minute; none for no refusals and no pair in the header.
    pub per_minute: Option<usize>,
    requests: VecDeque<Timestamp>,
}

impl Budget {
    /// Forgets the requests so far.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }

    /// Counts a request. The values of the header, and the refusal if a limit is reached.
    pub(super) fn count(&mut self, now: Timestamp) -> (Vec<String>, Option<AscError>) {
        while self.requests.front().is_some_and(|first| now.duration_since(*first) >= hour()) {
            self.requests.pop_front();
        }
        let is_full = |limit: Option<usize>, sent: usize| limit.is_some_and(|limit| sent >= limit);
        let refused = match () {
            () if is_full(self.per_hour, self.requests.len()) => Some("hour"),
            () if is_full(self.per_minute, self.of_the_minute(now)) => Some("minute"),
            () => None,
        };
        if refused.is_none() {
            self.requests.push_back(now);
        }
        (self.header(now), refused.map(AscError::rate_limit))
    }

    fn header(&self, now: Timestamp) -> Vec<String> {
        let pair = |window: &str, limit: usize, sent: usize| {
            format!("user-{window}-lim:{limit};user-{window}-rem:{};", limit.saturating_sub(sent))
        };
        let limit = self.per_hour.unwrap_or(NOMINAL_HOURLY_LIMIT);
        let minute = self.per_minute.map(|limit| pair("minute", limit, self.of_the_minute(now)));
        std::iter::once(pair("hour", limit, self.requests.len())).chain(minute).collect()
    }

    fn of_the_minute(&self, now: Timestamp) -> usize {
        self.requests.iter().rev().take_while(|sent| now.duration_since(**sent) < minute()).count()
    }
}

fn hour() -> SignedDuration {
    SignedDuration::from_hours(1)
}

fn minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

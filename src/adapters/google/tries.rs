//! How often a step towards a token is tried, here and in google-cloud-auth, which tries once unless it is told.
//!
//! Asking for a token changes nothing, so every passing failure may be tried again. Refusals are final.

use std::time::Duration;

use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicy, RetryPolicyExt};

use super::problem::Failure;
use crate::adapters::exchange::milliseconds;
use crate::adapters::http::retry;

/// Tries of one step, the first included.
const MOST_TRIES: u32 = 3;
/// One try of a step: token services answer within a second.
const TRY_LIMIT: Duration = Duration::from_secs(10);
/// All tries that google-cloud-auth makes of its own steps.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// The longest first wait of google-cloud-auth; doubles with each failure, and each wait is a random part of it.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait of google-cloud-auth.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// What google-cloud-auth tries again: failures that it calls transient, which are no connection, 408, 429 and 5xx.
pub(super) fn policy() -> impl RetryPolicy + 'static {
    Aip194Strict.with_attempt_limit(MOST_TRIES).with_time_limit(RETRY_LIMIT)
}

/// How long google-cloud-auth waits in between.
pub(super) fn backoff() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new().with_initial_delay(FIRST_WAIT).with_maximum_delay(LONGEST_WAIT).clamp()
}

/// Calls until it succeeds, is refused, or has failed three times.
pub(super) async fn three<T, F>(call: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut failures = 0;
    loop {
        let failure = match tokio::time::timeout(TRY_LIMIT, call()).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Late(TRY_LIMIT),
        };
        failures += 1;
        let wait = retry::wait(failures, None).filter(|_| failures < MOST_TRIES && failure.is_passing());
        match wait {
            Some(wait) => {
                tracing::debug!(
                    failures,
                    wait_ms = milliseconds(wait),
                    "a step towards a Google token is made again"
                );
                tokio::time::sleep(wait).await;
            }
            None => return Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn tries_until(succeeds_at: u32, failure: Failure) -> (Result<u32, Failure>, u32) {
        let count = AtomicU32::new(0);
        let call = || async {
            let this = count.fetch_add(1, Ordering::Relaxed) + 1;
            if this >= succeeds_at { Ok(this) } else { Err(failure) }
        };
        let result = three(call).await;
        (result, count.into_inner())
    }

    #[tokio::test]
    async fn two_failures_pass_and_a_third_ends_it() {
        assert_eq!(tries_until(3, Failure::Status(500)).await, (Ok(3), 3));
        assert_eq!(tries_until(4, Failure::Status(500)).await, (Err(Failure::Status(500)), 3));
        assert_eq!(tries_until(4, Failure::NoToken).await, (Err(Failure::NoToken), 3));
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        assert_eq!(tries_until(2, Failure::Status(403)).await, (Err(Failure::Status(403)), 1));
    }
}

//! What is done where the program itself is wrong: a panic names its place, ends what it happened in, and nothing else.
//!
//! The words of a panic are shown only where they stand in the program as they are: what was put together at run time
//! can hold anything, a secret too. Reports of it need the place, which is enough to find it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo};

use futures_util::FutureExt as _;

use super::print;

/// What the report of an app says whose task ended so.
pub const PROBLEM: &str = "tidegate itself failed while it worked on this app; nothing is half done that a later run does \
                           not finish\n  fix: report the line that begins with `internal error`, which names the place";

/// Has every panic told as an error of this program, on standard error.
pub fn tell() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        print::err(&told(panic.location(), panic.payload()));
    }));
}

fn told(place: Option<&Location<'_>>, payload: &(dyn Any + Send)) -> String {
    let place = place.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let words = payload.downcast_ref::<&'static str>().map(|words| format!(": {words}")).unwrap_or_default();
    format!(
        "internal error at {place}{words}\n  fix: report this line at https://github.com/tidegate/tidegate/issues; the \
         next run goes on where this one ended\n"
    )
}

/// Does some work; none where it panicked, which has been told then.
pub async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    // What the work had in its hands is dropped with it, and what it shares is behind locks that outlive a panic.
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_its_place_and_no_words_of_the_moment() {
        let place = Location::caller();
        let fixed = told(Some(place), &"a clock that goes back");
        assert!(fixed.contains("unexpected.rs:") && fixed.contains("a clock that goes back"), "{fixed}");
        let made = told(Some(place), &format!("no token {}", "canary"));
        assert!(made.contains("unexpected.rs:") && !made.contains("canary"), "{made}");
        assert!(told(None, &7).contains("an unknown place"));
    }

    #[tokio::test]
    async fn one_that_panics_leaves_the_others_alone() {
        assert_eq!(caught(async { 7 }).await, Some(7));
        let panics = async {
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "as it should");
        };
        assert_eq!(caught(panics).await, None);
    }
}

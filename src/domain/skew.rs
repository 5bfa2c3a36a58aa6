//! A clock that differs from the services': how much is worth a word, and how much forbids everything permissive.
//!
//! The age of data and the day of a rollout are judged by the clock. A release that is sped up by a wrong one can't be
//! called back, so beyond a few minutes only a halt is made.

use jiff::SignedDuration;

/// Beyond this, tokens and the age of data are doubtful, and people are told.
pub const DOUBTFUL: SignedDuration = SignedDuration::from_secs(60);
/// Beyond this, services refuse tokens and nothing permissive is done.
pub const WRONG: SignedDuration = SignedDuration::from_mins(5);
/// How a clock is set right.
pub const FIX: &str = "sudo timedatectl set-ntp true; on a runner of somebody else's, use another one";

/// Whether the clock is so far off that nothing permissive may be done.
#[must_use]
pub fn is_wrong(skew: SignedDuration) -> bool {
    skew.abs() > WRONG
}

/// The warning about a clock that is behind by `skew`, or ahead where negative; none where that is not worth a word.
#[must_use]
pub fn warning(skew: SignedDuration) -> Option<String> {
    if skew.abs() <= DOUBTFUL {
        return None;
    }
    let side = if skew.is_positive() { "behind" } else { "ahead of" };
    let meaning = if is_wrong(skew) { "; nothing permissive was done" } else { "" };
    let seconds = skew.abs().as_secs();
    Some(format!("the machine's clock is {seconds} s {side} the services' clocks{meaning}\n  fix: {FIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(skew: i64) -> Option<String> {
        warning(SignedDuration::from_secs(skew))
    }

    #[test]
    fn f67_a_minute_is_told_and_five_forbid() {
        assert_eq!(seconds(60), None);
        assert_eq!(seconds(-60), None);
        assert!(
            seconds(61).unwrap().starts_with("the machine's clock is 61 s behind the services' clocks\n")
        );
        let two_hours = seconds(-7_200).unwrap();
        assert!(
            two_hours.starts_with("the machine's clock is 7200 s ahead of the services' clocks; nothing")
        );
        assert!(!is_wrong(SignedDuration::from_mins(5)) && is_wrong(SignedDuration::from_secs(301)));
        assert!(is_wrong(SignedDuration::from_secs(-301)));
    }
}

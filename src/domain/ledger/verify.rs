//! Verifies a ledger: which entry breaks the chain, and how.
//!
//! An entry is looked at where it is kept: under which number, with which hash, after which entry. What is wrong with
//! one is said of that one; the entry after it is blamed only where its own link fits neither the hash that is kept
//! nor the one that the text gives.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FIRST, Head, NO_PREVIOUS, Sealed};
use crate::domain::canonical;
use crate::domain::ids::AppId;

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum How {
    /// It is not there, nor is any other up to this number.
    Missing {
        /// The last one that is missing.
        through: u64,
    },
    /// Its text does not give its hash.
    Changed,
    /// It is kept under another number, or in another app's ledger, than it was written for.
    Misplaced,
    /// It does not follow from the entry before it: one of the two was put in another's place.
    WrongPrevious,
    /// There are two of one number.
    Doubled,
    /// It is not the one that the head names.
    NotTheHead,
    /// It is there though the ledger ended before it.
    BeyondTheHead,
}

/// An entry that breaks the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Its number; that of the first where several are missing.
    pub number: u64,
    /// What is wrong.
    #[serde(flatten)]
    pub how: How,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.how {
            How::Missing { through } if through == self.number => "is missing",
            How::Missing { through } => return write!(f, "entries {} to {through} are missing", self.number),
            How::Changed => "was changed: its text does not give its hash",
            How::Misplaced => "was written for another place",
            How::WrongPrevious => "does not follow from the one before it: one of the two was replaced",
            How::Doubled => "is there twice",
            How::NotTheHead => "is not the one that the head names: one of the two was replaced",
            How::BeyondTheHead => {
                "lies beyond the head: it was added by something else, or the head was put back"
            }
        };
        write!(f, "entry {} {words}", self.number)
    }
}

/// What of an entry ties it to its place. Any entry has this, of whatever kind.
#[derive(Deserialize)]
struct Ties {
    app: AppId,
    number: u64,
    previous: String,
}

/// A chain that is verified entry by entry, so that it need not be held whole.
#[derive(Debug)]
pub struct Chain {
    app: AppId,
    last: Option<Last>,
    broken: Vec<Broken>,
}

/// The entry before the next one.
#[derive(Debug)]
struct Last {
    number: u64,
    /// The hash that is kept with it.
    hash: String,
    /// The hash that its text gives.
    given: String,
}

impl Chain {
    /// The chain of an app, from its first entry on.
    #[must_use]
    pub fn of(app: AppId) -> Self {
        Self { app, last: None, broken: Vec::new() }
    }

    /// Takes in the next entry in the order of their numbers.
    pub fn push(&mut self, sealed: &Sealed) {
        let number = sealed.number;
        let given = canonical::sha256(&sealed.text);
        let expected = self.last.as_ref().map_or(FIRST, |last| last.number.saturating_add(1));
        if number < expected {
            self.add(number, How::Doubled);
            return;
        }
        self.miss(expected, number);
        let ties: Option<Ties> = serde_json::from_str(&sealed.text).ok();
        let how = match ties {
            _ if given != sealed.hash => Some(How::Changed),
            None => Some(How::Changed),
            Some(ties) if ties.number != number || ties.app != self.app => Some(How::Misplaced),
            // Of an entry that is missing, nobody knows the hash.
            Some(_) if number > expected => None,
            Some(ties) => (!self.is_followed_by(&ties.previous)).then_some(How::WrongPrevious),
        };
        if let Some(how) = how {
            self.add(number, how);
        }
        self.last = Some(Last { number, hash: sealed.hash.clone(), given });
    }

    /// What is broken, given where the ledger ends. Empty where nothing is.
    #[must_use]
    pub fn end(mut self, head: Option<&Head>) -> Vec<Broken> {
        let end = head.map_or(0, |head| head.number);
        let last = self.last.take();
        let number = last.as_ref().map_or(0, |last| last.number);
        self.miss(number.saturating_add(1), end.saturating_add(1));
        match (last, head) {
            (Some(last), _) if last.number > end => {
                self.add(end.saturating_add(1), How::BeyondTheHead);
            }
            (Some(last), Some(head))
                if last.number == end && head.hash != last.hash && head.hash != last.given =>
            {
                self.add(end, How::NotTheHead);
            }
            _ => {}
        }
        self.broken
    }

    fn is_followed_by(&self, previous: &str) -> bool {
        match &self.last {
            None => previous == NO_PREVIOUS,
            Some(last) => previous == last.hash || previous == last.given,
        }
    }

    /// Notes that those from `from` to before `to` are missing.
    fn miss(&mut self, from: u64, to: u64) {
        if from < to {
            self.add(from, How::Missing { through: to - 1 });
        }
    }

    fn add(&mut self, number: u64, how: How) {
        self.broken.push(Broken { number, how });
    }
}

/// Verifies a whole ledger at once: its entries in the order of their numbers, and its head.
#[must_use]
pub fn verify(app: &AppId, entries: &[Sealed], head: Option<&Head>) -> Vec<Broken> {
    let mut chain = Chain::of(app.clone());
    entries.iter().for_each(|sealed| chain.push(sealed));
    chain.end(head)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Noted};
    use super::*;
    use crate::domain::ids::Platform;
    use crate::domain::release::ReleaseId;

    fn app() -> AppId {
        AppId::new("android").unwrap()
    }

    fn chain(length: u64) -> Vec<Sealed> {
        let release = ReleaseId { app: app(), platform: Platform::Android, key: "200".to_owned() };
        let mut chain: Vec<Sealed> = Vec::new();
        for place in 0..length {
            let kind = Kind::Told {
                message: format!("m-{place}"),
                release: release.clone(),
                sink: "slack".to_owned(),
                place: "C0".to_owned(),
            };
            let noted = Noted { at: "2026-11-18T12:00:00Z".parse().unwrap(), kind };
            chain.push(noted.sealed(&app(), "p/run", chain.last().map(Sealed::head).as_ref()));
        }
        chain
    }

    fn found(entries: &[Sealed], head: Option<&Head>) -> Vec<(u64, How)> {
        verify(&app(), entries, head).into_iter().map(|broken| (broken.number, broken.how)).collect()
    }

    /// The chain as it was written but for one entry.
    fn with(change: impl FnOnce(&mut Vec<Sealed>)) -> Vec<(u64, How)> {
        let mut entries = chain(5);
        let head = entries[4].head();
        change(&mut entries);
        found(&entries, Some(&head))
    }

    #[test]
    fn a_chain_that_nobody_touched_is_whole() {
        assert_eq!(with(|_| {}), []);
        assert_eq!(found(&[], None), []);
    }

    #[test]
    fn what_is_gone_is_missed() {
        assert_eq!(with(|entries| drop(entries.remove(2))), [(3, How::Missing { through: 3 })]);
        assert_eq!(with(|entries| drop(entries.remove(0))), [(1, How::Missing { through: 1 })]);
        assert_eq!(with(|entries| drop(entries.pop())), [(5, How::Missing { through: 5 })]);
        assert_eq!(with(|entries| drop(entries.drain(1..4))), [(2, How::Missing { through: 4 })]);
        assert_eq!(with(Vec::clear), [(1, How::Missing { through: 5 })]);
        let far = Broken { number: 2, how: How::Missing { through: u64::MAX - 1 } };
        assert_eq!(far.to_string(), "entries 2 to 18446744073709551614 are missing");
    }

    #[test]
    fn an_entry_with_other_words_is_named() {
        for place in 0..5 {
            let number = place as u64 + 1;
            let changed = with(|entries| entries[place].text = entries[place].text.replace("C0", "C1"));
            assert_eq!(changed, [(number, How::Changed)]);
            let hash = with(|entries| entries[place].hash = canonical::sha256("another"));
            assert_eq!(hash, [(number, How::Changed)]);
        }
    }

    #[test]
    fn an_entry_that_was_sealed_again_breaks_the_link_after_it() {
        let reseal = |sealed: &mut Sealed| {
            sealed.text = sealed.text.replace("C0", "C1");
            sealed.hash = canonical::sha256(&sealed.text);
        };
        assert_eq!(with(|entries| reseal(&mut entries[2])), [(4, How::WrongPrevious)]);
        assert_eq!(with(|entries| reseal(&mut entries[4])), [(5, How::NotTheHead)]);
    }

    #[test]
    fn entries_in_each_others_places_are_named() {
        let swapped = with(|entries| {
            entries.swap(1, 3);
            (entries[1].number, entries[3].number) = (2, 4);
        });
        assert!(
            swapped.contains(&(2, How::Misplaced)) && swapped.contains(&(4, How::Misplaced)),
            "{swapped:?}"
        );
        let doubled = with(|entries| entries.insert(2, entries[1].clone()));
        assert_eq!(doubled, [(2, How::Doubled)]);
        let ios = AppId::new("ios").unwrap();
        let entries = chain(2);
        let elsewhere = verify(&ios, &entries, Some(&entries[1].head()));
        assert!(elsewhere.iter().all(|broken| broken.how == How::Misplaced), "{elsewhere:?}");
    }

    #[test]
    fn what_lies_beyond_the_head_is_named() {
        let entries = chain(6);
        assert_eq!(found(&entries, Some(&entries[4].head())), [(6, How::BeyondTheHead)]);
        assert_eq!(found(&entries, None), [(1, How::BeyondTheHead)]);
        let far = Head { number: u64::MAX, hash: entries[5].hash.clone() };
        assert_eq!(found(&entries, Some(&far)), [(7, How::Missing { through: u64::MAX - 1 })]);
    }

    #[test]
    fn a_kind_that_is_not_known_is_verified_all_the_same() {
        let mut entries = chain(2);
        entries[1].text = entries[1].text.replace("told", "sung");
        entries[1].hash = canonical::sha256(&entries[1].text);
        assert_eq!(entries[1].entry(), None);
        assert_eq!(found(&entries, Some(&entries[1].head())), []);
    }
}

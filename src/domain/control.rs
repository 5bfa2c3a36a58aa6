//! What people have said about an app, and what that leaves a run free to do: pure, so that every combination can be
//! tested.
//!
//! Three voices count, and the strictest wins: the environment (`TIDEGATE_MODE`, a repository variable that needs no
//! state store to be read), the configuration, and the words that people have left in the state. A word has an owner,
//! and one that makes stricter has an end. It never makes a run do anything: it only takes away. What can't be read
//! takes away what raises exposure, and leaves halting on.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AppId, VersionName};
use super::keys;
use super::message::NoteKind;
use super::persons_word::PersonsWord;
use super::release::Change;

/// How long a hold lasts where nobody says so.
pub const DEFAULT_HOLD: SignedDuration = SignedDuration::from_hours(24);
/// How long a hold lasts at most: as long as the App Store and Play take for a whole rollout, twice.
pub const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// People are reminded so long before a hold ends.
const REMIND_BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// Of a short hold, people are reminded in its last part: one in so many.
const REMIND_PART: i32 = 4;
/// A hold that ended longer ago is not told of any more: a run that was skipped for a day says no old news.
const OLD_NEWS: SignedDuration = SignedDuration::from_hours(24);

/// What the environment or the configuration lets the program do.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Everything that the rules lead to.
    #[default]
    Auto,
    /// Judging, showing and recording; nothing is done to a store, and nobody is told.
    Observe,
    /// Nothing: nobody is asked anything.
    Off,
}

/// A word that is no switch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a mode; this version knows auto, observe and off")]
pub struct UnknownSwitch {
    given: String,
}

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Observe, Self::Off];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Observe => "observe",
            Self::Off => "off",
        }
    }
}

impl FromStr for Switch {
    type Err = UnknownSwitch;
    fn from_str(given: &str) -> Result<Self, UnknownSwitch> {
        let found = Self::ALL.into_iter().find(|switch| switch.as_str() == given);
        found.ok_or_else(|| UnknownSwitch { given: given.to_owned() })
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person said that an app, or one release of it, is to be left to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlMode {
    /// To the rules; ends what was said before.
    Auto,
    /// As it is: nothing raises its exposure.
    Hold,
    /// To be looked at only.
    Observe,
}

impl ControlMode {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Hold => "hold",
            Self::Observe => "observe",
        }
    }
}

/// One thing that a person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The only release it is about; none for the whole app.
    pub release: Option<VersionName>,
    /// What it says.
    pub mode: ControlMode,
    /// When it ends; only a word that makes nothing stricter has none.
    pub until: Option<Timestamp>,
    /// Whether halts are held back as well.
    pub also_halt: bool,
    /// Who said it, why and when.
    pub word: PersonsWord,
}

impl Said {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.mode != ControlMode::Auto && self.until.is_some_and(|until| now < until)
    }

    fn is_about(&self, version: Option<&VersionName>) -> bool {
        match (&self.release, version) {
            (None, _) => true,
            (Some(release), Some(version)) => release == version,
            (Some(_), None) => false,
        }
    }

    fn leave(&self) -> Leave {
        match (self.mode, self.also_halt) {
            (ControlMode::Auto, _) => Leave::Act,
            (ControlMode::Hold, false) => Leave::Halt,
            (ControlMode::Hold, true) => Leave::Tell,
            (ControlMode::Observe, _) => Leave::Judge,
        }
    }

    /// The key of the one message of a kind about it.
    #[must_use]
    pub fn key_of(&self, kind: NoteKind, app: &AppId) -> String {
        let kind = match kind {
            NoteKind::HoldEnds => "holdends",
            NoteKind::HoldEnded => "holdended",
            _ => "held",
        };
        let release = self.release.as_ref().map(VersionName::as_str).unwrap_or_default();
        let at = self.word.at().to_string();
        keys::key(kind, &[kind, app.as_str(), release, self.word.actor(), &at])
    }

    /// Whether people are to be told at `now` that it was set, is about to end, or was ended. Nobody is told of it twice,
    /// because each message has its key.
    #[must_use]
    pub fn is_to_be_told(&self, kind: NoteKind, now: Timestamp) -> bool {
        match (kind, self.mode, self.until) {
            (NoteKind::Held, ControlMode::Hold | ControlMode::Observe, _) => self.holds(now),
            (NoteKind::HoldEnds, ControlMode::Hold | ControlMode::Observe, Some(until)) => {
                let before = REMIND_BEFORE.min(until.duration_since(self.word.at()) / REMIND_PART);
                let left = until.duration_since(now);
                left <= before && left > -OLD_NEWS
            }
            (NoteKind::HoldEnded, ControlMode::Auto, _) => now.duration_since(self.word.at()) < OLD_NEWS,
            _ => false,
        }
    }
}

/// The last thing that a person asked of a store through the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What was asked for, as [`Change::as_str`] says it.
    pub change: String,
    /// The release.
    pub release: VersionName,
    /// Who asked for it, why and when.
    pub word: PersonsWord,
}

/// What people have said about an app: at most one thing about the whole app and one about each release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// What was said, oldest first.
    pub words: Vec<Said>,
    /// The last order to a store.
    pub last_order: Option<Order>,
}

/// An end of a hold that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedEnd {
    /// It lies in the past.
    #[error("the end of the hold does not lie ahead; give a later one, or none for {} hours", DEFAULT_HOLD.as_hours())]
    Past,
    /// It lies too far ahead.
    #[error("a hold lasts {} days at most, so that none is forgotten; give an earlier end", LONGEST_HOLD.as_hours() / HOURS_OF_A_DAY)]
    TooFar,
}

/// Hours in a day, for people.
const HOURS_OF_A_DAY: i64 = 24;

/// When a hold that is set at `now` ends.
///
/// # Errors
/// [`RefusedEnd`] where the end that was given is past, or more than [`LONGEST_HOLD`] ahead.
pub fn end_of_hold(given: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, RefusedEnd> {
    let until = given.unwrap_or_else(|| now.checked_add(DEFAULT_HOLD).unwrap_or(now));
    match until.duration_since(now) {
        lasts if !lasts.is_positive() => Err(RefusedEnd::Past),
        lasts if lasts > LONGEST_HOLD => Err(RefusedEnd::TooFar),
        _ => Ok(until),
    }
}

impl Control {
    /// The same with one more thing said, in the place of what was said about the same before. What has ended for long
    /// is forgotten.
    #[must_use]
    pub fn with(&self, said: Said) -> Self {
        let now = said.word.at();
        let is_news = |old: &Said| old.until.is_some_and(|until| now.duration_since(until) < OLD_NEWS);
        let kept = self.words.iter().filter(|old| old.release != said.release && is_news(old));
        let mut words: Vec<Said> = kept.cloned().collect();
        words.push(said);
        Self { words, last_order: self.last_order.clone() }
    }

    /// The same after an order to a store.
    #[must_use]
    pub fn ordered(&self, order: Order) -> Self {
        Self { last_order: Some(order), ..self.clone() }
    }

    /// The strictest word that holds at `now` for a release, or for the whole app where none is named.
    #[must_use]
    pub fn strictest(&self, version: Option<&VersionName>, now: Timestamp) -> Option<&Said> {
        let holding = self.words.iter().filter(|said| said.is_about(version) && said.holds(now));
        holding.max_by_key(|said| said.leave())
    }

    /// What was said about exactly this: the whole app where no release is named.
    #[must_use]
    pub fn about(&self, release: Option<&VersionName>) -> Option<&Said> {
        self.words.iter().find(|said| said.release.as_ref() == release)
    }

    /// What this leaves a run free to do.
    #[must_use]
    pub fn leave(&self, version: Option<&VersionName>, now: Timestamp) -> Leave {
        self.strictest(version, now).map_or(Leave::Act, Said::leave)
    }
}

/// What a run is free to do, freest first: the strictest of all voices wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Everything that the rules lead to.
    #[default]
    Act,
    /// Halting and telling; nothing that raises exposure.
    Halt,
    /// Telling; nothing is done to a store.
    Tell,
    /// Judging, showing and recording.
    Judge,
    /// Nothing.
    Nothing,
}

impl From<Switch> for Leave {
    fn from(switch: Switch) -> Self {
        match switch {
            Switch::Auto => Self::Act,
            Switch::Observe => Self::Judge,
            Switch::Off => Self::Nothing,
        }
    }
}

/// What a run knows of what people have said.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// This.
    Words(Control),
    /// It can't be read; says why.
    Unreadable(String),
}

impl Heard {
    /// What it leaves a run free to do: what can't be read takes away what raises exposure.
    #[must_use]
    pub fn leave(&self, version: Option<&VersionName>, now: Timestamp) -> Leave {
        match self {
            Self::Words(control) => control.leave(version, now),
            Self::Unreadable(_) => Leave::Halt,
        }
    }
}

impl Leave {
    /// The strictest of all voices.
    #[must_use]
    pub fn strictest(voices: impl IntoIterator<Item = Self>) -> Self {
        voices.into_iter().max().unwrap_or_default()
    }

    /// Whether a change may be asked of a store. A person's own order is newer than a hold, so only a mode that keeps
    /// off stores altogether stands against a person's halt.
    #[must_use]
    pub fn allows(self, change: &Change) -> bool {
        match change {
            Change::FastTrack | Change::Raise { .. } | Change::Start { .. } | Change::Resume { .. } => {
                self == Self::Act
            }
            Change::Halt => self <= Self::Halt,
            Change::Withdraw { .. } => self <= Self::Tell,
        }
    }

    /// Whether people may be told anything.
    #[must_use]
    pub fn tells(self) -> bool {
        self <= Self::Tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rate::UserFraction;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-18T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn version(name: &str) -> VersionName {
        VersionName::new(name).unwrap()
    }

    fn said(mode: ControlMode, release: Option<&str>, hours: i64, also_halt: bool) -> Said {
        Said {
            release: release.map(version),
            mode,
            until: Some(at(NOW) + SignedDuration::from_hours(hours)),
            also_halt,
            word: PersonsWord::given("kim", "look at the logs", at(NOW)).unwrap(),
        }
    }

    fn changes() -> [Change; 6] {
        let word = PersonsWord::given("kim", "bad", at(NOW)).unwrap();
        let half = UserFraction::new(0.5).unwrap();
        [
            Change::Halt,
            Change::Withdraw { word: word.clone() },
            Change::FastTrack,
            Change::Raise { from: half, to: UserFraction::EVERYBODY },
            Change::Start { at: half },
            Change::Resume { at: None, word },
        ]
    }

    fn any_switch() -> impl Strategy<Value = Switch> {
        prop::sample::select(Switch::ALL.to_vec())
    }

    fn any_said() -> impl Strategy<Value = Said> {
        let mode = prop::sample::select(vec![ControlMode::Auto, ControlMode::Hold, ControlMode::Observe]);
        let release = prop::sample::select(vec![None, Some("1.0"), Some("2.0")]);
        (mode, release, -2i64..48, any::<bool>())
            .prop_map(|(mode, release, hours, also_halt)| said(mode, release, hours, also_halt))
    }

    fn allowed(leave: Leave) -> Vec<Change> {
        changes().into_iter().filter(|change| leave.allows(change)).collect()
    }

    proptest! {
        #[test]
        fn the_strictest_voice_wins(
            environment in any_switch(),
            configured in any_switch(),
            words in prop::collection::vec(any_said(), 0..4),
        ) {
            let control = words.into_iter().fold(Control::default(), |control, said| control.with(said));
            let two = version("2.0");
            let heard = Heard::Words(control.clone());
            let voices = [environment.into(), configured.into(), heard.leave(Some(&two), at(NOW))];
            let leave = Leave::strictest(voices);
            for voice in voices {
                let within = allowed(leave).iter().all(|change| voice.allows(change));
                prop_assert!(within, "{leave:?} allows what {voice:?} does not");
                prop_assert!(voice.tells() || !leave.tells());
            }
            for said in control.words.iter().filter(|said| said.holds(at(NOW)) && said.is_about(Some(&two))) {
                prop_assert!(allowed(leave).iter().all(Change::stops), "{said:?} holds and {leave:?} goes on");
            }
            prop_assert!(voices.contains(&leave), "it is one of the voices, not a new one");
        }

        #[test]
        fn one_more_word_about_something_else_never_makes_freer(
            words in prop::collection::vec(any_said(), 0..3),
            more in any_said(),
        ) {
            let control = words.into_iter().fold(Control::default(), |control, said| control.with(said));
            let about_else = control.about(more.release.as_ref()).is_none();
            prop_assume!(about_else);
            let two = version("2.0");
            let before = control.leave(Some(&two), at(NOW));
            prop_assert!(control.with(more).leave(Some(&two), at(NOW)) >= before);
        }
    }

    #[test]
    fn a_hold_stops_what_raises_exposure_and_halts_only_where_it_says_so() {
        let hold = Control::default().with(said(ControlMode::Hold, None, 1, false));
        let leave = hold.leave(None, at(NOW));
        assert!(leave.allows(&Change::Halt) && !leave.allows(&Change::FastTrack) && leave.tells());
        let hold = Control::default().with(said(ControlMode::Hold, None, 1, true));
        let leave = hold.leave(None, at(NOW));
        assert!(!leave.allows(&Change::Halt) && leave.tells());
        let withdraw = Change::Withdraw { word: PersonsWord::given("kim", "bad", at(NOW)).unwrap() };
        assert!(leave.allows(&withdraw), "a person's own halt is newer than the hold");
    }

    #[test]
    fn what_can_not_be_read_holds_what_raises_exposure_and_leaves_halting_on() {
        let leave = Heard::Unreadable("gone".to_owned()).leave(None, at(NOW));
        assert!(leave.allows(&Change::Halt) && !leave.allows(&Change::FastTrack));
        let observed = Leave::strictest([leave, Switch::Observe.into()]);
        assert!(!observed.allows(&Change::Halt) && !observed.tells());
    }

    #[test]
    fn a_hold_on_one_release_leaves_the_others() {
        let hold = Control::default().with(said(ControlMode::Hold, Some("2.0"), 1, false));
        assert_eq!(hold.leave(Some(&version("2.0")), at(NOW)), Leave::Halt);
        assert_eq!(hold.leave(Some(&version("1.0")), at(NOW)), Leave::Act);
        assert_eq!(hold.leave(None, at(NOW)), Leave::Act);
    }

    #[test]
    fn a_hold_ends_by_itself_and_by_a_person() {
        let hold = Control::default().with(said(ControlMode::Hold, None, 1, false));
        let last = at("2026-11-18T12:59:59Z");
        assert_eq!(
            [hold.leave(None, last), hold.leave(None, at("2026-11-18T13:00:00Z"))],
            [Leave::Halt, Leave::Act]
        );
        let ended = hold.with(Said { until: None, ..said(ControlMode::Auto, None, 0, false) });
        assert_eq!(ended.leave(None, last), Leave::Act);
    }

    #[test]
    fn a_hold_has_an_end_that_is_neither_past_nor_far_away() {
        let now = at(NOW);
        assert_eq!(end_of_hold(None, now), Ok(now + DEFAULT_HOLD));
        assert_eq!(end_of_hold(Some(now), now), Err(RefusedEnd::Past));
        assert_eq!(end_of_hold(Some(now + LONGEST_HOLD), now), Ok(now + LONGEST_HOLD));
        let beyond = now + LONGEST_HOLD + SignedDuration::from_secs(1);
        assert_eq!(end_of_hold(Some(beyond), now), Err(RefusedEnd::TooFar));
    }

    #[test]
    fn people_are_reminded_in_the_last_hour_or_quarter_and_not_of_old_news() {
        let day = said(ControlMode::Hold, None, 24, false);
        let later = |minutes: i64| at(NOW) + SignedDuration::from_mins(minutes);
        assert!(!day.is_to_be_told(NoteKind::HoldEnds, later(22 * 60 + 59)));
        assert!(day.is_to_be_told(NoteKind::HoldEnds, later(23 * 60)));
        assert!(day.is_to_be_told(NoteKind::HoldEnds, later(25 * 60)), "a run came late");
        assert!(!day.is_to_be_told(NoteKind::HoldEnds, later(48 * 60)));
        let hour = said(ControlMode::Hold, None, 1, false);
        assert!(
            !hour.is_to_be_told(NoteKind::HoldEnds, later(44))
                && hour.is_to_be_told(NoteKind::HoldEnds, later(45))
        );
    }

    #[test]
    fn an_unknown_mode_is_answered_with_the_known_ones() {
        let error = "on".parse::<Switch>().unwrap_err().to_string();
        assert!(error.contains("\"on\"") && error.contains("auto, observe and off"), "{error}");
        assert_eq!("observe".parse::<Switch>(), Ok(Switch::Observe));
    }
}

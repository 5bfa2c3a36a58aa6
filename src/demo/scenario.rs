//! The apps of the demo, and how good their new build is.
//!
//! Numbers only: how many installations there are and how often a session crashes. They are chosen so that each
//! release ends as its name says, for nearly every seed, with as few events as that needs; the tests of this module's
//! parent hold them to it.

use std::fmt;

use crate::domain::ids::Platform;

/// The version of the release that is watched.
pub const NEW_VERSION: &str = "26.3.0";
/// Its build: the version code on Android, the build number on iOS.
pub const NEW_BUILD: &str = "2630";
/// The version before it.
pub const OLD_VERSION: &str = "26.2.0";
/// Its build.
pub const OLD_BUILD: &str = "2620";

/// How a release turns out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Proven on day two, and completed early.
    Good,
    /// Halted on day one.
    Bad,
    /// Worse than the objective and never proven so: people are warned in the middle of the week.
    Doubtful,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 3] = [Self::Good, Self::Bad, Self::Doubtful];

    /// The word in ids and packages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Doubtful => "doubtful",
        }
    }

    /// Crashed sessions of the new build over its sessions.
    pub(super) fn crash_rate(self) -> f64 {
        match self {
            // One in 33,333: at most one crash before the check of day two.
            Self::Good => 3e-5,
            // 99.4 % crash-free: proven after about a thousand sessions.
            Self::Bad => 6e-3,
            // 99.91 % where 99.95 % is asked.
            Self::Doubtful => 9e-4,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An app of the demo: one scenario on one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct App {
    /// How its release turns out.
    pub scenario: Scenario,
    /// Where it is released.
    pub platform: Platform,
}

impl App {
    /// Every app, Android first.
    pub const ALL: [Self; 6] = [
        Self { scenario: Scenario::Good, platform: Platform::Android },
        Self { scenario: Scenario::Bad, platform: Platform::Android },
        Self { scenario: Scenario::Doubtful, platform: Platform::Android },
        Self { scenario: Scenario::Good, platform: Platform::Ios },
        Self { scenario: Scenario::Bad, platform: Platform::Ios },
        Self { scenario: Scenario::Doubtful, platform: Platform::Ios },
    ];

    /// Its id in the configuration, such as `good-android`.
    #[must_use]
    pub fn id(self) -> String {
        format!("{}-{}", self.scenario, self.platform.as_str())
    }

    /// Its package or bundle id, the same on both platforms, such as `com.example.good`.
    #[must_use]
    pub fn package(self) -> String {
        format!("com.example.{}", self.scenario)
    }

    /// The streamed table of its crash reports.
    #[must_use]
    pub fn crashes_table(self) -> String {
        self.table("firebase_crashlytics")
    }

    /// The streamed table of its sessions.
    #[must_use]
    pub fn sessions_table(self) -> String {
        self.table("firebase_sessions")
    }

    fn table(self, dataset: &str) -> String {
        format!("{dataset}.com_example_{}_{}_REALTIME", self.scenario, self.platform_word())
    }

    /// The platform as the exports write it.
    pub(super) fn platform_word(self) -> &'static str {
        match self.platform {
            Platform::Android => "ANDROID",
            Platform::Ios => "IOS",
        }
    }

    /// A number of its own, so that the apps differ under one seed.
    pub(super) fn ordinal(self) -> u64 {
        let platform = match self.platform {
            Platform::Android => 0,
            Platform::Ios => 1,
        };
        let scenario = match self.scenario {
            Scenario::Good => 0,
            Scenario::Bad => 1,
            Scenario::Doubtful => 2,
        };
        platform * Scenario::ALL.len() as u64 + scenario
    }

    /// Installations of any version. On iOS fewer of them have the new build early, so there are more.
    pub(super) fn installations(self) -> u32 {
        match (self.scenario, self.platform) {
            (Scenario::Good, Platform::Android) => 1_250_000,
            (Scenario::Good, Platform::Ios) => 1_180_000,
            (Scenario::Bad, Platform::Android) => 190_000,
            (Scenario::Bad, Platform::Ios) => 190_000,
            (Scenario::Doubtful, Platform::Android) => 425_000,
            (Scenario::Doubtful, Platform::Ios) => 290_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apps_have_the_names_of_their_tables() {
        let app = App { scenario: Scenario::Good, platform: Platform::Ios };
        assert_eq!(app.id(), "good-ios");
        assert_eq!(app.package(), "com.example.good");
        assert_eq!(app.crashes_table(), "firebase_crashlytics.com_example_good_IOS_REALTIME");
        assert_eq!(app.sessions_table(), "firebase_sessions.com_example_good_IOS_REALTIME");
    }

    #[test]
    fn every_app_has_a_number_of_its_own() {
        let mut ordinals: Vec<u64> = App::ALL.iter().map(|app| app.ordinal()).collect();
        ordinals.sort_unstable();
        assert_eq!(ordinals, [0, 1, 2, 3, 4, 5]);
    }
}

//! Queries that are wrong on purpose, on Google's engine only: the rows must tell each from the right one, so that the
//! engines can't agree by meeting nothing.

use tidegate::queries::{Question, Source};

use super::sets::{EVENT_TO_EVENT, ONE_DAY, SMALL_SKETCH, STRANGE_BUILDS, STRANGE_VERSIONS, WANTED, sets};
use super::tables::Stored;
use super::{Asked, asked, pairs};

/// Ways to spoil a query for Google's engine: the question, the source, what is then wrong, the set that must notice
/// it, and the text that is put in the place of another.
pub type Spoil = (Question, Source, &'static str, &'static str, [&'static str; 2]);

pub const SPOILED: [Spoil; 34] = {
    use Question::{CrashTotals, Crashes, FirstSession, SessionTotals, Sessions, TopCrashes};
    use Source::{Analytics, CrashIssues, Crashlytics, FirebaseSessions};
    const BUILDS: [&str; 2] =
        ["INSTR(@builds, ',' || build || ',') > 0", "@builds LIKE '%,' || build || ',%'"];
    const VERSIONS: [&str; 2] =
        ["INSTR(@versions, ',' || version || ',') > 0", "@versions LIKE '%,' || version || ',%'"];
    const COMMA: [&str; 2] = [" AND INSTR(build, ',') = 0", ""];
    const OTHER_TABLE: [&str; 2] = [
        "FROM `firebase_sessions.com_split_app_ANDROID_REALTIME`\nWHERE",
        "FROM `firebase_sessions.com_split_app_ANDROID_REALTIME`\nWHERE FALSE AND",
    ];
    [
        (
            Crashes,
            Crashlytics,
            "a report at `from` is out",
            EVENT_TO_EVENT,
            ["timestamp >= ", "timestamp > "],
        ),
        (Crashes, Crashlytics, "a report at `to` is in", EVENT_TO_EVENT, ["timestamp < ", "timestamp <= "]),
        (
            Crashes,
            Crashlytics,
            "a crash at the cut is mature",
            EVENT_TO_EVENT,
            ["< @mature_us", "<= @mature_us"],
        ),
        (Crashes, Crashlytics, "any ANR counts", WANTED, [" AND process_state = 'FOREGROUND'", ""]),
        (
            Crashes,
            Crashlytics,
            "an ANR in an unknown state counts",
            WANTED,
            ["= 'FOREGROUND'", "!= 'BACKGROUND'"],
        ),
        (
            Crashes,
            Crashlytics,
            "a stored report counts",
            WANTED,
            ["GROUP BY event_id", "GROUP BY event_id, events.at_us"],
        ),
        (
            Crashes,
            Crashlytics,
            "an ANR counts beside its crash",
            WANTED,
            ["WHEN fatal = 0 THEN", "WHEN TRUE THEN"],
        ),
        (
            Crashes,
            Crashlytics,
            "no session is one session",
            WANTED,
            ["WHEN session_id IS NULL", "WHEN FALSE"],
        ),
        (Crashes, Crashlytics, "a streamed report is lost", ONE_DAY, ["OR _PARTITIONTIME IS NULL", ""]),
        (Crashes, Crashlytics, "one installation less", SMALL_SKETCH, ["place <= @", "place < @"]),
        (Crashes, Crashlytics, "a build is a pattern, crashes", WANTED, BUILDS),
        (
            Sessions,
            FirebaseSessions,
            "a session at `to` is in",
            EVENT_TO_EVENT,
            ["timestamp < ", "timestamp <= "],
        ),
        (
            Sessions,
            FirebaseSessions,
            "a silent session counts",
            WANTED,
            [" AND crashlytics_data_collection_enabled", ""],
        ),
        (
            Sessions,
            FirebaseSessions,
            "a stored session counts",
            WANTED,
            ["GROUP BY session_id", "GROUP BY session_id, events.at_us"],
        ),
        (Sessions, FirebaseSessions, "one person less", SMALL_SKETCH, ["place <= @", "place < @"]),
        (Sessions, FirebaseSessions, "a build is a pattern, sessions", WANTED, BUILDS),
        (Sessions, Analytics, "any event is a session", WANTED, ["AND event_name = 'session_start'", ""]),
        (Sessions, Analytics, "two apps share a session", WANTED, ["COALESCE(app_info.id, '')", "''"]),
        (Sessions, Analytics, "a version is a pattern", STRANGE_VERSIONS, VERSIONS),
        (FirstSession, FirebaseSessions, "a build is a pattern, first session", WANTED, BUILDS),
        (
            SessionTotals,
            FirebaseSessions,
            "a stored session is another one of the cycle",
            WANTED,
            ["GROUP BY session_id", "GROUP BY session_id, events.at_us"],
        ),
        (
            SessionTotals,
            FirebaseSessions,
            "a session at the end of the day is in it",
            WANTED,
            ["at_us < @day_to_us", "at_us <= @day_to_us"],
        ),
        (
            SessionTotals,
            FirebaseSessions,
            "a person counts once a session",
            WANTED,
            ["COUNT(DISTINCT CASE WHEN in_cycle", "COUNT(CASE WHEN in_cycle"],
        ),
        (
            SessionTotals,
            FirebaseSessions,
            "the release before is counted as this one",
            WANTED,
            ["CASE WHEN earlier = 1", "CASE WHEN ours = 1"],
        ),
        (SessionTotals, FirebaseSessions, "a name with a comma is two names", STRANGE_BUILDS, COMMA),
        (SessionTotals, FirebaseSessions, "a table is left out", WANTED, OTHER_TABLE),
        (
            SessionTotals,
            Analytics,
            "an app of the property is another",
            WANTED,
            ["@application = ''", "TRUE"],
        ),
        (
            CrashTotals,
            Crashlytics,
            "no session is no crash of a cycle",
            WANTED,
            ["WHEN in_cycle = 1 AND session_id IS NULL THEN 1", "WHEN FALSE THEN 1"],
        ),
        (
            CrashTotals,
            Crashlytics,
            "a report of any kind is a crash",
            WANTED,
            ["WHEN fatal + foreground_anr = 0 THEN 0", "WHEN FALSE THEN 0"],
        ),
        (CrashTotals, Crashlytics, "a stored report is a session", WANTED, ["DISTINCT CASE", "CASE"]),
        (TopCrashes, CrashIssues, "one issue less", SMALL_SKETCH, ["place <= @", "place < @"]),
        (TopCrashes, CrashIssues, "the oldest title is told", WANTED, ["at_us DESC", "at_us ASC"]),
        (TopCrashes, CrashIssues, "users break no tie", WANTED, ["users DESC, ", ""]),
        (TopCrashes, CrashIssues, "everybody had it before", WANTED, ["ours = 0 AND name", "name"]),
    ]
};

/// The query that is spoiled: of the first table whose text can be.
pub fn spoiled(tables: &[Stored], (question, source, what, set, [text, instead]): &Spoil) -> Asked {
    let set = sets().into_iter().find(|one| one.name == *set).unwrap();
    let is_it = |stored: &&Stored| super::source(*question, stored) == Some(*source);
    let of_source = tables.iter().filter(is_it).filter(|stored| !stored.is_crowded);
    let alone = of_source.map(|stored| asked(*question, stored, None, &set));
    let of_pair = pairs(tables).filter(|[first, _]| is_it(first));
    let mut all = alone.chain(of_pair.map(|[first, second]| asked(*question, first, Some(second), &set)));
    let hit = all.find(|asked| asked.googlesql.sql.contains(text));
    let mut hit = hit.unwrap_or_else(|| panic!("no text has {text:?}, so {what} can't be tried"));
    hit.googlesql.sql = hit.googlesql.sql.replace(text, instead);
    Asked { what: (*what).to_owned(), ..hit }
}

//! Queries that are wrong on purpose, on Google's engine only: the rows must tell each from the right one, so that the
//! engines can't agree by meeting nothing.

use tidegate::queries::{Question, Source};

use super::sets::{EVENT_TO_EVENT, ONE_DAY, SMALL_SKETCH, STRANGE_VERSIONS, WANTED, sets};
use super::tables::Stored;
use super::{Asked, asked};

/// Ways to spoil a query for Google's engine: the question, the source, what is then wrong, the set that must notice
/// it, and the text that is put in the place of another.
pub type Spoil = (Question, Source, &'static str, &'static str, [&'static str; 2]);

pub const SPOILED: [Spoil; 20] = {
    use Question::{Crashes, FirstSession, Sessions};
    use Source::{Analytics, Crashlytics, FirebaseSessions};
    const BUILDS: [&str; 2] =
        ["INSTR(@builds, ',' || build || ',') > 0", "@builds LIKE '%,' || build || ',%'"];
    const VERSIONS: [&str; 2] =
        ["INSTR(@versions, ',' || version || ',') > 0", "@versions LIKE '%,' || version || ',%'"];
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
    ]
};

/// The query that is spoiled: of the first table whose text can be.
pub fn spoiled(tables: &[Stored], (question, source, what, set, [text, instead]): &Spoil) -> Asked {
    let set = sets().into_iter().find(|one| one.name == *set).unwrap();
    let of_source = tables.iter().filter(|stored| stored.source == *source && !stored.is_crowded);
    let mut asked = of_source.map(|stored| asked(*question, stored, &set));
    let hit = asked.find(|asked| asked.googlesql.sql.contains(text));
    let mut hit = hit.unwrap_or_else(|| panic!("no text has {text:?}, so {what} can't be tried"));
    hit.googlesql.sql = hit.googlesql.sql.replace(text, instead);
    Asked { what: (*what).to_owned(), ..hit }
}

//! Writes events as rows of the export tables, exactly as `bq extract` writes newline-delimited JSON: INT64 as text,
//! TIMESTAMP as `2026-11-16 08:01:02.123456 UTC`, records nested, NULL left out.
//!
//! Which columns there are, and what they mean, is Firebase's; the stack traces are the demo's own. The titles hold
//! what real ones hold (`<`, `&`, `*`), so that every message has to escape them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::arrival::{Arrival, Build, Collection, Event, Kind, Process, Report, Session};
use super::events::Row;
use super::ids::Ids;
use super::scenario::{App, NEW_BUILD, NEW_VERSION, OLD_BUILD, OLD_VERSION, Scenario};
use crate::domain::ids::Platform;

/// Share of the new build's fatal crashes that are the first issue of the list, in 1/256.
const LEADING_ISSUE: u8 = 180;

/// What a group of reports has in common.
struct Issue {
    title: &'static str,
    subtitle: &'static str,
    file: &'static str,
    line: u32,
    symbol: &'static str,
}

const ANDROID_FATAL: [Issue; 4] = [
    Issue {
        title: "com.example.shop.checkout.CheckoutViewModel.pay",
        subtitle: "java.lang.NullPointerException - Attempt to invoke virtual method 'String Price.currency()' on a null object reference",
        file: "CheckoutViewModel.kt",
        line: 88,
        symbol: "com.example.shop.checkout.CheckoutViewModel.pay",
    },
    Issue {
        title: "com.example.shop.offers.OfferList<T>.first & last",
        subtitle: "java.util.NoSuchElementException - List is empty.",
        file: "OfferList.kt",
        line: 41,
        symbol: "com.example.shop.offers.OfferList.first",
    },
    Issue {
        title: "com.example.shop.map.MapFragment.onResume",
        subtitle: "java.lang.IllegalStateException - Fragment MapFragment not attached to a context.",
        file: "MapFragment.kt",
        line: 132,
        symbol: "com.example.shop.map.MapFragment.onResume",
    },
    Issue {
        title: "libimage.so decode_tile(unsigned char*, int)",
        subtitle: "SIGSEGV SEGV_MAPERR 0x0000000000000018",
        file: "tile.cc",
        line: 207,
        symbol: "decode_tile(unsigned char*, int)",
    },
];

const ANDROID_ANR: [Issue; 2] = [
    Issue {
        title: "com.example.shop.data.Database.open",
        subtitle: "Input dispatching timed out",
        file: "Database.kt",
        line: 57,
        symbol: "com.example.shop.data.Database.open",
    },
    Issue {
        title: "android.os.MessageQueue.nativePollOnce",
        subtitle: "Broadcast of Intent { act=android.intent.action.SCREEN_OFF }",
        file: "MessageQueue.java",
        line: 335,
        symbol: "android.os.MessageQueue.nativePollOnce",
    },
];

const ANDROID_NON_FATAL: [Issue; 2] = [
    Issue {
        title: "com.example.shop.net.Api.call",
        subtitle: "java.net.SocketTimeoutException - timeout",
        file: "Api.kt",
        line: 64,
        symbol: "com.example.shop.net.Api.call",
    },
    Issue {
        title: "com.example.shop.login.Login.refresh",
        subtitle: "com.example.shop.login.TokenExpired",
        file: "Login.kt",
        line: 29,
        symbol: "com.example.shop.login.Login.refresh",
    },
];

const IOS_FATAL: [Issue; 4] = [
    Issue {
        title: "CheckoutModel.swift - CheckoutModel.pay(_:)",
        subtitle: "Fatal error: Unexpectedly found nil while unwrapping an Optional value",
        file: "CheckoutModel.swift",
        line: 73,
        symbol: "CheckoutModel.pay(_:)",
    },
    Issue {
        title: "Swift runtime failure - Array<Offer>.subscript.getter & slice",
        subtitle: "Fatal error: Index out of range",
        file: "OfferList.swift",
        line: 38,
        symbol: "OfferList.first.getter",
    },
    Issue {
        title: "MapController.m - -[MapController viewWillAppear:]",
        subtitle: "NSInternalInconsistencyException: *** -[NSLock lock]: deadlock",
        file: "MapController.m",
        line: 119,
        symbol: "-[MapController viewWillAppear:]",
    },
    Issue {
        title: "libimage - decode_tile(unsigned char*, int)",
        subtitle: "EXC_BAD_ACCESS (KERN_INVALID_ADDRESS)",
        file: "tile.cc",
        line: 207,
        symbol: "decode_tile(unsigned char*, int)",
    },
];

const IOS_NON_FATAL: [Issue; 2] = [
    Issue {
        title: "Api.swift - Api.call(_:)",
        subtitle: "NSURLErrorDomain Code: -1001",
        file: "Api.swift",
        line: 52,
        symbol: "Api.call(_:)",
    },
    Issue {
        title: "Login.swift - Login.refresh()",
        subtitle: "ShopErrorDomain Code: 401",
        file: "Login.swift",
        line: 31,
        symbol: "Login.refresh()",
    },
];

/// Manufacturer, model and version of the operating system.
type Device = (&'static str, &'static str, &'static str);

const ANDROID_DEVICES: [Device; 5] = [
    ("Google", "Pixel 9", "16"),
    ("Samsung", "Galaxy S24", "15"),
    ("Samsung", "Galaxy A55", "15"),
    ("Xiaomi", "Redmi Note 13", "14"),
    ("OnePlus", "OnePlus 12", "15"),
];

const IOS_DEVICES: [Device; 4] = [
    ("Apple", "iPhone 16 Pro", "26.1"),
    ("Apple", "iPhone 15", "26.0.1"),
    ("Apple", "iPhone 13", "18.7"),
    ("Apple", "iPad Air", "26.1"),
];

/// The row of an event.
pub fn row(app: App, ids: &Ids, arrival: &Arrival) -> Row {
    let received = instant(arrival.received_us);
    match &arrival.event {
        Event::Session(session) => {
            Row { table: app.sessions_table(), values: session_row(app, ids, session, &received) }
        }
        Event::Report(report) => {
            Row { table: app.crashes_table(), values: report_row(app, ids, report, &received) }
        }
    }
}

fn session_row(app: App, ids: &Ids, session: &Session, received: &str) -> Value {
    let (manufacturer, model, os) = device(app, session.person);
    let enabled = session.collection == Collection::Enabled;
    let mut device = Map::from_iter([("model".to_owned(), json!(model))]);
    if app.platform == Platform::Android {
        // Sessions on Apple devices name no manufacturer.
        device.insert("manufacturer".to_owned(), json!(manufacturer));
    }
    json!({
        "instance_id": ids.instance(session.person),
        "session_id": ids.session(session.number),
        "first_session_id": ids.session(session.first),
        "session_index": session.index.to_string(),
        "event_type": "SESSION_START",
        "event_timestamp": instant(session.at_us),
        "received_timestamp": received,
        "performance_data_collection_enabled": enabled,
        "crashlytics_data_collection_enabled": enabled,
        "application": application(session.build),
        "device": device,
        "operating_system": operating_system(app, model, os),
    })
}

fn report_row(app: App, ids: &Ids, report: &Report, received: &str) -> Value {
    let (issue_number, issue) = issue(app, report);
    let (manufacturer, model, os) = device(app, report.person);
    let mut row = json!({
        "platform": app.platform_word(),
        "bundle_identifier": app.package(),
        "event_id": ids.report(report.number),
        "error_type": error_type(report.kind),
        // Deprecated, and false for an ANR that counts.
        "is_fatal": report.kind == Kind::Fatal,
        "issue_id": ids.issue(issue_number),
        "issue_title": issue.title,
        "issue_subtitle": issue.subtitle,
        "event_timestamp": instant(report.at_us),
        "received_timestamp": received,
        "installation_uuid": ids.installation(report.person),
        "application": application(report.build),
        "device": { "manufacturer": manufacturer, "model": model, "architecture": "arm64" },
        "operating_system": operating_system(app, model, os),
        "blame_frame": blame_frame(issue),
    });
    // NULL is left out.
    if let Some(state) = process_state(report.process) {
        row["process_state"] = json!(state);
    }
    if let Some(session) = report.session {
        row["firebase_session_id"] = json!(ids.session(session));
    }
    row
}

fn application(build: Build) -> Value {
    let (version, build) = match build {
        Build::New => (NEW_VERSION, NEW_BUILD),
        Build::Old => (OLD_VERSION, OLD_BUILD),
    };
    json!({ "build_version": build, "display_version": version })
}

fn operating_system(app: App, model: &str, version: &str) -> Value {
    match app.platform {
        Platform::Android => {
            json!({ "display_version": version, "name": "Android", "device_type": "PHONE" })
        }
        Platform::Ios if model.starts_with("iPad") => {
            json!({ "display_version": version, "name": "iPadOS", "type": "IPADOS", "device_type": "TABLET" })
        }
        Platform::Ios => {
            json!({ "display_version": version, "name": "iOS", "type": "IOS", "device_type": "PHONE" })
        }
    }
}

fn blame_frame(issue: &Issue) -> Value {
    json!({
        "file": issue.file,
        "line": issue.line.to_string(),
        "symbol": issue.symbol,
        "owner": "DEVELOPER",
        "blamed": true,
    })
}

fn error_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Fatal => "FATAL",
        Kind::Anr => "ANR",
        Kind::NonFatal => "NON_FATAL",
    }
}

fn process_state(process: Process) -> Option<&'static str> {
    match process {
        Process::Foreground => Some("FOREGROUND"),
        Process::Background => Some("BACKGROUND"),
        Process::Unknown => Some("UNKNOWN_PROCESS_STATE"),
        Process::Missing => None,
    }
}

/// The issue of a report, and its number within the app.
fn issue(app: App, report: &Report) -> (u64, &'static Issue) {
    let (first_number, issues): (u64, &[Issue]) = match (app.platform, report.kind) {
        (Platform::Android, Kind::Fatal) => (0, &ANDROID_FATAL),
        (Platform::Android, Kind::NonFatal) => (10, &ANDROID_NON_FATAL),
        (Platform::Ios, Kind::NonFatal) => (10, &IOS_NON_FATAL),
        (Platform::Android, Kind::Anr) => (20, &ANDROID_ANR),
        // iOS has no ANR.
        (Platform::Ios, Kind::Fatal | Kind::Anr) => (0, &IOS_FATAL),
    };
    let leads = report.build == Build::New && report.draw < LEADING_ISSUE;
    let first = usize::from(is_brought_by_the_new_build(app, report.kind) && report.build == Build::Old);
    let place = if leads { 0 } else { first + usize::from(report.draw) % (issues.len() - first) };
    (first_number + place as u64, &issues[place])
}

/// A release that is worse has a crash of its own: nobody had the leading fatal issue with the build before.
fn is_brought_by_the_new_build(app: App, kind: Kind) -> bool {
    kind == Kind::Fatal && app.scenario != Scenario::Good
}

fn device(app: App, person: u32) -> Device {
    let devices: &[Device] = match app.platform {
        Platform::Android => &ANDROID_DEVICES,
        Platform::Ios => &IOS_DEVICES,
    };
    devices[person as usize % devices.len()]
}

fn instant(at_us: i64) -> String {
    let at = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn instants_are_written_as_bigquery_does() {
        assert_eq!(instant(1_794_816_062_123_456), "2026-11-16 08:01:02.123456 UTC");
        assert_eq!(instant(1_794_816_062_000_000), "2026-11-16 08:01:02.000000 UTC");
    }

    #[test]
    fn issues_of_one_app_have_numbers_of_their_own() {
        let groups = [&ANDROID_FATAL[..], &ANDROID_ANR, &ANDROID_NON_FATAL, &IOS_FATAL, &IOS_NON_FATAL];
        assert!(groups.iter().all(|issues| issues.len() < 10));
    }

    #[test]
    fn a_worse_release_brings_one_crash_and_keeps_the_others() {
        let places = |scenario, build| -> BTreeSet<u64> {
            let app = App { scenario, platform: Platform::Android };
            let report = |draw| Report {
                at_us: 0,
                number: 0,
                session: None,
                person: 0,
                build,
                kind: Kind::Fatal,
                process: Process::Foreground,
                draw,
            };
            (0..=u8::MAX).map(|draw| issue(app, &report(draw)).0).collect()
        };
        for scenario in Scenario::ALL {
            assert_eq!(places(scenario, Build::New), [0, 1, 2, 3].into());
        }
        assert_eq!(places(Scenario::Bad, Build::Old), [1, 2, 3].into());
        assert_eq!(places(Scenario::Doubtful, Build::Old), [1, 2, 3].into());
        assert_eq!(places(Scenario::Good, Build::Old), [0, 1, 2, 3].into(), "nothing is new in a good one");
    }
}

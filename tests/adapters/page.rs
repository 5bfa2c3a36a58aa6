//! The report's page in a real browser: `tests/browser/check.mjs` opens it in Chromium and says what is wrong.
//!
//! `BROWSER_HARNESS_DIR` names the folder with playwright-core; `scripts/test` installs it, and Chromium with it. Pages
//! that were spoiled in known ways must be found too, so that the check can't pass by seeing nothing. The pictures of the
//! page are kept under the build folder, in `artifacts/report`, for people to look at.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tidegate::report::daily;
use tidegate::report::daily::chart::{Chart, Format};
use tidegate::report::daily::{page, picture};

use crate::daily_fixture::{HOSTILE, many, report};

const HARNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/check.mjs");

/// Where the packages of the harness are; in CI they must be somewhere.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn home() -> Option<String> {
    let variable = tidegate::adapters::environment::variable;
    let home = variable("BROWSER_HARNESS_DIR");
    assert!(
        home.is_some() || variable("CI").is_none(),
        "BROWSER_HARNESS_DIR is not set, so the page was opened in no browser: run scripts/test, which sets it"
    );
    if home.is_none() {
        eprintln!("SKIPPED: BROWSER_HARNESS_DIR is not set, so the page was opened in no browser");
    }
    home
}

fn artifacts() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("artifacts/report")
}

/// Opens a page, with the report that it should show.
fn open(home: &str, html: &str, folder: &Path) -> Output {
    std::fs::create_dir_all(folder).unwrap();
    let (page, json) = (folder.join("report.html"), folder.join("report.json"));
    std::fs::write(&page, html).unwrap();
    std::fs::write(&json, daily::json(&report()).to_string()).unwrap();
    let mut node = Command::new("node");
    let run = node.arg(HARNESS).arg(page).arg(json).arg(folder).env("BROWSER_HARNESS_DIR", home);
    run.output().unwrap_or_else(|error| panic!("node, which runs {HARNESS}, can't be started: {error}"))
}

#[test]
fn the_page_stands_in_a_browser() {
    let Some(home) = home() else { return };
    let output = open(&home, &page::html(&report()), &artifacts());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    for name in
        ["report-360-light.png", "report-360-dark.png", "report-1280-light.png", "report-1280-dark.png"]
    {
        assert!(artifacts().join(name).metadata().unwrap().len() > 10_000, "{name} is kept");
    }
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let Some(home) = home() else { return };
    let whole = page::html(&report());
    let spoiled: String = [
        ("</style>", ".quiet { color: #b0b0b0; } a:focus-visible { outline: none; } .facts { width: 1400px; } @media print { .figures { display: none; } }</style>"),
        ("</h1>", "</h1><img src=\"https://evil.example/x.png\" alt=\"\"><h1>again</h1>"),
        ("data-key=\"release.cycle.sessions.rate\" data-value=\"0.9", "data-key=\"release.cycle.sessions.rate\" data-value=\"0.8"),
    ]
    .iter()
    .fold(whole.clone(), |page, (from, to)| page.replacen(from, to, 1));
    assert_ne!(spoiled, whole);
    let output = open(&home, &spoiled, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("spoiled-report"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for fault in [
        "contrast",
        "is not seen",
        "wider than the window",
        "is missing",
        "the console says",
        "2 of h1",
        "release.cycle.sessions.rate is 0.8",
    ] {
        assert!(told.contains(fault), "{fault} was not found:\n{told}");
    }
}

/// Text from outside is text, whatever it holds.
#[test]
fn a_hostile_title_is_text() {
    let page = page::html(&report());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the title is shown");
    for markup in ["<script", "<img", "javascript:", "\u{202e}", "\u{1b}", HOSTILE] {
        assert!(!page.contains(markup), "{markup:?} is in the page");
    }
}

#[test]
fn a_page_asks_for_nothing() {
    let page = page::html(&report());
    assert!(page.contains("content=\"default-src 'none';"), "the page has its policy");
    for asking in ["<img", "<link rel=\"stylesheet\"", "<iframe", "<object", "<use", "<image", "srcset"] {
        assert!(!page.contains(asking), "{asking} is in the page");
    }
    let style = page.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"), "the style sheet asks for something");
}

#[test]
fn hundreds_of_apps_have_one_page() {
    let page = page::html(&many(300));
    assert!(page.len() < 24 * 1024 * 1024, "{} bytes", page.len());
    for index in [0, 299] {
        assert!(
            page.contains(&format!("href=\"#app-app-{index}\""))
                && page.contains(&format!("id=\"app-app-{index}\""))
        );
    }
}

/// The picture of a release is a PNG of the size that it says, and is more than a blank one.
#[test]
fn a_picture_shows_the_chart() {
    let report = report();
    let image = picture::image(&report.apps[0]).unwrap().unwrap();
    std::fs::create_dir_all(artifacts()).unwrap();
    std::fs::write(artifacts().join(&image.name), &image.bytes).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&image.bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(info.width > 1_000 && info.height > 600);
    let ink = pixels.chunks(3).filter(|pixel| pixel.iter().all(|value| *value < 0x60)).count();
    assert!(ink > 2_000, "letters are drawn: {ink} dark pixels");
    assert!(image.alt.contains("warning on") && image.alt.contains("halt on"), "{}", image.alt);
    assert!(picture::image(&report.apps[3]).unwrap().is_none(), "nothing is known of the last app");
}

/// Colours of the SVG follow the page's style sheet, so none is left in it.
#[test]
fn a_drawing_has_classes_and_no_colours() {
    let report = report();
    for format in [Format::WIDE, Format::NARROW] {
        let svg = Chart::of(&report.apps[0], format).unwrap().svg();
        assert!(!svg.contains("=\"#"), "{svg}");
        for class in ["f-band", "s-line", "s-slo", "f-ink", "s-mark", "f-paper"] {
            assert!(svg.contains(&format!("class=\"{class}\"")), "{class}");
        }
        for letter in [">\nH\n<", ">\nW\n<"] {
            assert!(svg.contains(letter), "{letter}");
        }
    }
}

//! The fields of a release: which there are, of which type, and which may be set when. Pure.
//!
//! A field that Play served is taken back as it was, whatever it is: what a robot writes back unchanged is no change.

use serde_json::{Map, Value};

use super::error::PlayError;
use super::recovery::known_fields;
use super::rules::{Status, TrackState, codes, status};

/// The fields of `TrackRelease` in the discovery document, revision 20261026.
const RELEASE_FIELDS: [&str; 7] = [
    "name",
    "versionCodes",
    "status",
    "userFraction",
    "releaseNotes",
    "countryTargeting",
    "inAppUpdatePriority",
];
/// The only track whose releases may be aimed at countries.
const PRODUCTION_TRACK: &str = "production";
/// The longest release notes of one language, in characters.
const LONGEST_NOTES: usize = 500;
/// The highest in-app update priority.
const HIGHEST_PRIORITY: i64 = 5;

/// The release with version codes as texts; refuses fields that Play does not know and did not serve, and values of
/// another type.
pub(super) fn normalised(published: &TrackState, index: usize, release: &Value) -> Result<Value, PlayError> {
    let fields = release.as_object().ok_or_else(|| wrong(index, ""))?;
    let served = |name: &str| published.releases.iter().any(|old| old.get(name).is_some());
    if let Some(name) = fields.keys().find(|name| !RELEASE_FIELDS.contains(&name.as_str()) && !served(name)) {
        let text = format!("Unknown name \"{name}\" at 'track.releases[{index}]': Cannot find field.");
        return Err(PlayError::Payload(text));
    }
    if fields.get("name").is_some_and(|name| !name.is_string()) {
        return Err(wrong(index, ".name"));
    }
    let mut stored: Map<String, Value> = fields.clone();
    let codes = codes(release);
    let list = match fields.get("versionCodes") {
        None => &[] as &[Value],
        Some(list) => list.as_array().ok_or_else(|| wrong(index, ".version_codes"))?.as_slice(),
    };
    let needed = usize::from(fields.get("status").and_then(Value::as_str) != Some("draft"));
    if codes.len() != list.len() || codes.len() < needed {
        return Err(wrong(index, ".version_codes"));
    }
    if !list.is_empty() {
        let text =
            |code: &Value| code.as_i64().map_or_else(|| code.clone(), |number| number.to_string().into());
        stored.insert("versionCodes".to_owned(), list.iter().map(text).collect());
    }
    Ok(Value::Object(stored))
}

/// Checks notes, countries and priority of a release against the published one with the same version codes.
pub(super) fn check(
    track: &str,
    index: usize,
    before: Option<&Value>,
    release: &Value,
) -> Result<(), PlayError> {
    let changed = |name: &str| {
        let value = release.get(name);
        value.filter(|value| before.and_then(|before| before.get(name)) != Some(value))
    };
    changed("releaseNotes").map_or(Ok(()), |notes| check_notes(index, notes))?;
    let in_production = track == PRODUCTION_TRACK && status(release) == Some(Status::InProgress);
    if let Some(targeting) = release.get("countryTargeting") {
        if !in_production {
            return Err(PlayError::CountryTargeting);
        }
        known_fields(targeting, "country_targeting.", &["countries", "includeRestOfWorld"])?;
    }
    changed("inAppUpdatePriority").map_or(Ok(()), |priority| check_priority(index, before, priority))
}

fn check_notes(index: usize, notes: &Value) -> Result<(), PlayError> {
    for note in notes.as_array().ok_or_else(|| wrong(index, ".release_notes"))? {
        known_fields(note, &format!("releases[{index}].release_notes."), &["language", "text"])?;
        let (language, text) = (note["language"].as_str(), note["text"].as_str());
        let (Some(language), Some(text)) = (language, text) else {
            return Err(wrong(index, ".release_notes"));
        };
        if text.chars().count() > LONGEST_NOTES {
            return Err(PlayError::NotesTooLong(language.to_owned()));
        }
    }
    Ok(())
}

/// A whole number from 0 to 5, fixed once the release is rolled out; without one it is 0.
fn check_priority(index: usize, before: Option<&Value>, priority: &Value) -> Result<(), PlayError> {
    let number = priority.as_i64().filter(|number| (0..=HIGHEST_PRIORITY).contains(number));
    let number = number.ok_or_else(|| wrong(index, ".in_app_update_priority"))?;
    let rolled_out = before.filter(|before| status(before) != Some(Status::Draft));
    let fixed = rolled_out.map(|before| before["inAppUpdatePriority"].as_i64().unwrap_or_default());
    if fixed.is_none_or(|fixed| fixed == number) { Ok(()) } else { Err(PlayError::PriorityFixed) }
}

fn wrong(index: usize, field: &str) -> PlayError {
    PlayError::Value(format!("track.releases[{index}]{field}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn staged(more: &Value) -> Value {
        let mut release = json!({"versionCodes": ["200"], "status": "inProgress", "userFraction": 0.1});
        for (name, value) in more.as_object().unwrap() {
            release[name] = value.clone();
        }
        release
    }

    #[test]
    fn countries_are_for_production_in_progress() {
        let aimed = staged(&json!({"countryTargeting": {"countries": ["DE"]}}));
        assert_eq!(check("production", 0, None, &aimed), Ok(()));
        assert_eq!(check("beta", 0, None, &aimed), Err(PlayError::CountryTargeting));
        let mut halted = aimed.clone();
        halted["status"] = json!("halted");
        assert_eq!(check("production", 0, Some(&aimed), &halted), Err(PlayError::CountryTargeting));
        let odd = staged(&json!({"countryTargeting": {"country": "DE"}}));
        assert!(check("production", 0, None, &odd).is_err());
    }

    #[test]
    fn notes_are_short_and_have_a_language() {
        let notes = |text: &str| staged(&json!({"releaseNotes": [{"language": "de-DE", "text": text}]}));
        assert_eq!(check("production", 0, None, &notes(&"ü".repeat(500))), Ok(()));
        let long = notes(&"ü".repeat(501));
        assert_eq!(check("production", 0, None, &long), Err(PlayError::NotesTooLong("de-DE".to_owned())));
        assert_eq!(check("production", 0, Some(&long), &long), Ok(()), "as it was served");
        for odd in [json!({}), json!([{"text": "x"}]), json!([{"language": "de", "text": "x", "more": 1}])] {
            assert!(check("production", 0, None, &staged(&json!({"releaseNotes": odd}))).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_priority_is_fixed_once_the_release_is_rolled_out() {
        let with = |priority: Value| staged(&json!({"inAppUpdatePriority": priority}));
        let draft = json!({"versionCodes": ["200"], "status": "draft", "inAppUpdatePriority": 1});
        assert_eq!(check("production", 0, Some(&draft), &with(json!(5))), Ok(()));
        assert_eq!(check("production", 0, Some(&with(json!(5))), &with(json!(5))), Ok(()));
        assert_eq!(check("production", 0, Some(&staged(&json!({}))), &with(json!(0))), Ok(()));
        let fixed = check("production", 0, Some(&with(json!(5))), &with(json!(4)));
        assert_eq!(fixed, Err(PlayError::PriorityFixed));
        for odd in [json!(6), json!(-1), json!(1.5), json!("1")] {
            assert!(check("production", 0, None, &with(odd.clone())).is_err(), "{odd}");
        }
    }
}

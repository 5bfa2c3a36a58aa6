//! The paths of the Google Play Developer API that the sandbox knows, and nothing else: path in, model call out.

use jiff::Timestamp;
use serde_json::Value;

use super::super::call::{Call, CallBody, Reply};
use super::error::PlayError;
use super::model::{CommitOptions, PlayModel};
use super::recovery::known_fields;

/// The query parameters of `edits.commit`.
const COMMIT_PARAMETERS: &[&str] = &["changesInReviewBehavior", "changesNotSentForReview"];

/// Answers a call of an authenticated caller.
pub(crate) fn answer(model: &mut PlayModel, call: &Call, caller: &str, now: Timestamp) -> Reply {
    route(model, call, caller, now).unwrap_or_else(|error| error.reply())
}

fn route(model: &mut PlayModel, call: &Call, caller: &str, now: Timestamp) -> Result<Reply, PlayError> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["androidpublisher", "v3", "applications", package, rest @ ..] = segments.as_slice() else {
        return Err(PlayError::Path);
    };
    let found = |value: Value| Reply::json(200, value);
    check_query(call, rest)?;
    match (call.method.as_str(), rest) {
        ("POST", ["edits"]) => {
            known_fields(&body(call)?, "", &["id", "expiryTimeSeconds"])?;
            model.insert_edit(package, caller, now).map(found)
        }
        ("POST", ["edits", action]) => match action.split_once(':') {
            Some((edit, "validate")) => model.edit(package, edit, now).map(found),
            Some((edit, "commit")) => model.commit(package, edit, commit_options(call)?, now).map(found),
            _ => Err(PlayError::Path),
        },
        ("GET", ["edits", edit]) => model.edit(package, edit, now).map(found),
        ("DELETE", ["edits", edit]) => model.delete_edit(package, edit, now).map(|()| Reply::empty(204)),
        ("GET", ["edits", edit, "tracks"]) => model.tracks(package, edit, now).map(found),
        ("GET", ["edits", edit, "tracks", track]) => model.track(package, edit, track, now).map(found),
        ("PUT" | "PATCH", ["edits", edit, "tracks", track]) => {
            model.update_track(package, edit, track, &body(call)?, now).map(found)
        }
        ("POST", ["appRecoveries"]) => model.create_recovery(package, &body(call)?, now).map(found),
        ("GET", ["appRecoveries"]) => model.recoveries(package, call.query_value("versionCode")).map(found),
        ("POST", ["appRecoveries", named]) => {
            let (id, action) = named.split_once(':').ok_or(PlayError::Path)?;
            model.change_recovery(package, id, action, &body(call)?, now).map(found)
        }
        ("GET", ["tracks", track, "releases"]) => model.summaries(package, track).map(found),
        _ => Err(PlayError::Path),
    }
}

/// Refuses query parameters that the call does not have. Every call takes `alt` and `prettyPrint`, which other people's
/// clients send.
fn check_query(call: &Call, rest: &[&str]) -> Result<(), PlayError> {
    let own: &[&str] = match rest {
        ["edits", action] if action.ends_with(":commit") => COMMIT_PARAMETERS,
        ["appRecoveries"] if call.method == "GET" => &["versionCode"],
        _ => &[],
    };
    let known = |name: &str| own.contains(&name) || ["alt", "prettyPrint"].contains(&name);
    match call.query.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => {
            let text = format!("Unknown name \"{name}\": Cannot bind query parameter.");
            Err(PlayError::Payload(text))
        }
        None => Ok(()),
    }
}

/// The JSON object of the body; an empty body is an empty object.
fn body(call: &Call) -> Result<Value, PlayError> {
    match &call.body {
        CallBody::Empty => Ok(Value::Object(serde_json::Map::new())),
        CallBody::Json(value) if value.is_object() => Ok(value.clone()),
        CallBody::Json(_) | CallBody::Form(_) => {
            Err(PlayError::Payload("Root element must be a message.".to_owned()))
        }
        CallBody::Invalid(reason) => Err(PlayError::Payload(reason.clone())),
    }
}

fn commit_options(call: &Call) -> Result<CommitOptions, PlayError> {
    let error_if_in_review = match call.query_value("changesInReviewBehavior") {
        None | Some("CANCEL_IN_REVIEW_AND_SUBMIT" | "CHANGES_IN_REVIEW_BEHAVIOR_TYPE_UNSPECIFIED") => false,
        Some("ERROR_IF_IN_REVIEW") => true,
        Some(_) => return Err(PlayError::Value("changes_in_review_behavior".to_owned())),
    };
    let not_sent_for_review = match call.query_value("changesNotSentForReview") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(PlayError::Value("changes_not_sent_for_review".to_owned())),
    };
    Ok(CommitOptions { error_if_in_review, not_sent_for_review })
}

//! The paths of App Store Connect that the sandbox knows, with the parameters that each takes.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::call::{Call, CallBody, Reply};
use super::document::{Resource, page, single};
use super::error::AscError;
use super::model::{AscModel, Version, phased_attributes, word};
use super::phased::Phased;
use super::query::{Allowed, Paging, Query};
use super::seed::{AppVersionState, PhasedReleaseState, Platform};

const PHASED: &str = "appStoreVersionPhasedReleases";

const PHASED_FIELDS: (&str, &[&str]) =
    (PHASED, &["phasedReleaseState", "startDate", "totalPauseDuration", "currentDayNumber"]);
const APP_FIELDS: (&str, &[&str]) =
    ("apps", &["name", "bundleId", "sku", "primaryLocale", "appStoreVersions"]);
const BUILD_FIELDS: (&str, &[&str]) = (
    "builds",
    &[
        "version",
        "uploadedDate",
        "expirationDate",
        "expired",
        "processingState",
        "buildAudienceType",
        "usesNonExemptEncryption",
    ],
);
const VERSION_FIELDS: (&str, &[&str]) = (
    "appStoreVersions",
    &[
        "platform",
        "versionString",
        "appStoreState",
        "appVersionState",
        "copyright",
        "reviewType",
        "releaseType",
        "earliestReleaseDate",
        "downloadable",
        "createdDate",
        "app",
        "build",
        "appStoreVersionPhasedRelease",
    ],
);

const APPS: Allowed = Allowed {
    filters: &["bundleId", "id", "name", "sku"],
    fields: &[APP_FIELDS],
    includes: &[],
    paging: Paging::Pages,
};
const VERSIONS: Allowed = Allowed {
    filters: &["platform", "versionString", "appVersionState", "id"],
    fields: &[VERSION_FIELDS, BUILD_FIELDS, PHASED_FIELDS, APP_FIELDS],
    includes: &["app", "build", "appStoreVersionPhasedRelease"],
    paging: Paging::Pages,
};
const VERSION: Allowed = Allowed { filters: &[], paging: Paging::None, ..VERSIONS };
const PHASED_RELEASE: Allowed =
    Allowed { filters: &[], fields: &[PHASED_FIELDS], includes: &[], paging: Paging::None };
const WRITE: Allowed = Allowed { filters: &[], fields: &[], includes: &[], paging: Paging::None };

/// Answers a call of an authenticated caller.
pub(crate) fn answer(model: &mut AscModel, call: &Call, now: Timestamp) -> Reply {
    model.tick(now);
    let (rate_limit, refusal) = model.budget.count(now);
    let reply = refusal.map_or_else(|| route(model, call, now), Err);
    let reply = reply.unwrap_or_else(|error| error.reply());
    rate_limit.iter().fold(reply, |reply, value| reply.with_header("x-rate-limit", value))
}

fn route(model: &mut AscModel, call: &Call, now: Timestamp) -> Result<Reply, AscError> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["v1", "apps"]) => apps(model, call),
        ("GET", ["v1", "apps", app, "appStoreVersions"]) => versions(model, call, app, now),
        ("GET", ["v1", "appStoreVersions", id]) => version(model, call, id, now),
        ("GET", ["v1", "appStoreVersions", id, "appStoreVersionPhasedRelease"]) => {
            let query = Query::read(&call.query, &PHASED_RELEASE)?;
            // A version without one has nothing to show; Apple's clients know it as a 404.
            let phased =
                model.version_by_id(id)?.phased.as_ref().ok_or_else(|| AscError::not_found(PHASED, id))?;
            Ok(phased_reply(200, phased, &query, call, now))
        }
        ("POST", ["v1", PHASED]) => create_phased(model, call, now),
        ("PATCH", ["v1", PHASED, id]) => change_phased(model, call, id, now),
        ("DELETE", ["v1", PHASED, id]) => model.delete_phased(id).map(|()| Reply::empty(204)),
        ("POST", ["v1", "appStoreVersionReleaseRequests"]) => release(model, call, now),
        _ => Err(AscError::path(&call.path)),
    }
}

fn apps(model: &AscModel, call: &Call) -> Result<Reply, AscError> {
    let query = Query::read(&call.query, &APPS)?;
    let wanted = |app: &&super::model::App| {
        query.passes("bundleId", &app.bundle_id)
            && query.passes("id", &app.id)
            && query.passes("name", &app.name)
            && query.passes("sku", &app.bundle_id)
    };
    let found: Vec<_> = model.apps().iter().filter(wanted).collect();
    let base = base(call);
    let resource = |app: &&super::model::App| (app.resource().json(&query, &base), Vec::new());
    Ok(Reply::json(200, page(&found, &query, &address(call), &call.query, resource)))
}

fn versions(model: &AscModel, call: &Call, app: &str, now: Timestamp) -> Result<Reply, AscError> {
    let query = Query::read(&call.query, &VERSIONS)?;
    query.check_filter("platform", is_word::<Platform>)?;
    query.check_filter("appVersionState", is_word::<AppVersionState>)?;
    let wanted = |version: &&Version| {
        query.passes("platform", word(version.platform).as_str().unwrap_or_default())
            && query.passes("appVersionState", word(version.state).as_str().unwrap_or_default())
            && query.passes("versionString", &version.version)
            && query.passes("id", &version.id)
    };
    let found: Vec<_> = model.app_by_id(app)?.versions.iter().filter(wanted).collect();
    let resource = |version: &&Version| with_included(model, version, &query, &base(call), now);
    Ok(Reply::json(200, page(&found, &query, &address(call), &call.query, resource)))
}

fn version(model: &AscModel, call: &Call, id: &str, now: Timestamp) -> Result<Reply, AscError> {
    let query = Query::read(&call.query, &VERSION)?;
    let (data, included) = with_included(model, model.version_by_id(id)?, &query, &base(call), now);
    Ok(Reply::json(200, single(data, included, &address(call))))
}

/// A version and the resources that the query includes with it.
fn with_included(
    model: &AscModel,
    version: &Version,
    query: &Query,
    base: &str,
    now: Timestamp,
) -> (Value, Vec<Value>) {
    let mut included = Vec::new();
    if query.includes("app") {
        included.extend(model.app_by_id(&version.app_id).ok().map(|app| app.resource().json(query, base)));
    }
    if query.includes("build") {
        included.extend(version.build.as_ref().map(|build| build.resource(now).json(query, base)));
    }
    if query.includes("appStoreVersionPhasedRelease") {
        included.extend(version.phased.as_ref().map(|phased| phased_resource(phased, now).json(query, base)));
    }
    (version.resource().json(query, base), included)
}

fn create_phased(model: &mut AscModel, call: &Call, now: Timestamp) -> Result<Reply, AscError> {
    let query = Query::read(&call.query, &WRITE)?;
    let data = data(call, PHASED)?;
    let state = wanted_state(&data)?;
    if state.is_some_and(|state| state != PhasedReleaseState::Inactive) {
        return Err(AscError::attribute("A new phased release is INACTIVE"));
    }
    let phased = model.create_phased(&related_version(&data)?)?;
    Ok(phased_reply(201, &phased, &query, call, now))
}

fn change_phased(model: &mut AscModel, call: &Call, id: &str, now: Timestamp) -> Result<Reply, AscError> {
    let query = Query::read(&call.query, &WRITE)?;
    let data = data(call, PHASED)?;
    model.phased_by_id(id)?;
    if data["id"] != id {
        return Err(AscError::identity("The id of the entity is not the id of the path"));
    }
    if let Some(state) = wanted_state(&data)? {
        model.change_phased(id, state, now)?;
    }
    Ok(phased_reply(200, model.phased_by_id(id)?, &query, call, now))
}

fn release(model: &mut AscModel, call: &Call, now: Timestamp) -> Result<Reply, AscError> {
    const KIND: &str = "appStoreVersionReleaseRequests";
    Query::read(&call.query, &WRITE)?;
    let version = related_version(&data(call, KIND)?)?;
    model.release(&version, now)?;
    let resource =
        json!({"type": KIND, "id": version, "links": {"self": format!("{}/{version}", address(call))}});
    Ok(Reply::json(201, single(resource, Vec::new(), &address(call))))
}

/// The `data` of the body, if it is of the type.
fn data(call: &Call, kind: &str) -> Result<Value, AscError> {
    let body = match &call.body {
        CallBody::Json(body) => body,
        CallBody::Empty => return Err(AscError::unreadable("The request has no body")),
        CallBody::Form(_) => return Err(AscError::unreadable("The request body is a form")),
        CallBody::Invalid(reason) => return Err(AscError::unreadable(reason)),
    };
    match body.get("data").and_then(|data| data.get("type")).and_then(Value::as_str) {
        Some(given) if given == kind => Ok(body["data"].clone()),
        Some(given) => Err(AscError::identity(format!("The type '{given}' is not '{kind}'"))),
        None => Err(AscError::unreadable("The request body has no data with a type")),
    }
}

fn wanted_state(data: &Value) -> Result<Option<PhasedReleaseState>, AscError> {
    let attributes = super::super::call::object(&data["attributes"]);
    if let Some(unknown) = attributes.keys().find(|name| *name != "phasedReleaseState") {
        return Err(AscError::attribute_unknown(unknown));
    }
    match &data["attributes"]["phasedReleaseState"] {
        Value::Null => Ok(None),
        state => serde_json::from_value(state.clone())
            .map(Some)
            .map_err(|_| AscError::attribute(format!("{state} is not INACTIVE, ACTIVE, PAUSED or COMPLETE"))),
    }
}

fn related_version(data: &Value) -> Result<String, AscError> {
    let linkage = &data["relationships"]["appStoreVersion"]["data"];
    match (linkage["type"].as_str(), linkage["id"].as_str()) {
        (Some("appStoreVersions"), Some(id)) => Ok(id.to_owned()),
        _ => Err(AscError::relationship("You must provide a value for the relationship 'appStoreVersion'")),
    }
}

fn phased_resource(phased: &Phased, now: Timestamp) -> Resource {
    let attributes = phased_attributes(phased, now);
    Resource { kind: PHASED, id: phased.id.clone(), attributes, relationships: Vec::new() }
}

fn phased_reply(status: u16, phased: &Phased, query: &Query, call: &Call, now: Timestamp) -> Reply {
    let data = phased_resource(phased, now).json(query, &base(call));
    Reply::json(status, single(data, Vec::new(), &address(call)))
}

fn is_word<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_value::<T>(text.into()).is_ok()
}

fn base(call: &Call) -> String {
    format!("http://{}", call.host)
}

fn address(call: &Call) -> String {
    format!("{}{}", base(call), call.path)
}

//! The paths of Google's identity services, of Secret Manager and of GitHub's OIDC endpoint that the sandbox knows.

use serde_json::Value;

use super::super::call::{Call, CallBody, Reply};
use super::super::credentials::Gatekeeper;
use super::error::GoogleError;
use super::model::{Exchange, GoogleModel, IAM_SCOPES, SECRET_SCOPE};

/// Answers a call.
pub(crate) fn answer(model: &GoogleModel, gatekeeper: &mut Gatekeeper, call: &Call) -> Reply {
    route(model, gatekeeper, call).map_or_else(|error| error.reply(), |value| Reply::json(200, value))
}

fn route(model: &GoogleModel, gatekeeper: &mut Gatekeeper, call: &Call) -> Result<Value, GoogleError> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let bearer = call.bearer.as_deref();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["github", "idtoken"]) => {
            model.mint_subject(&mut gatekeeper.tokens, bearer, call.query_value("audience"))
        }
        ("POST", ["v1", "token"]) => {
            let field = |name: &str| field(call, name).unwrap_or_default();
            model.exchange(
                &mut gatekeeper.tokens,
                &Exchange {
                    grant_type: &field("grant_type"),
                    audience: &field("audience"),
                    subject_token_type: &field("subject_token_type"),
                    subject_token: &field("subject_token"),
                    scope: &field("scope"),
                },
            )
        }
        ("POST", ["v1", "projects", "-", "serviceAccounts", action]) => match action.split_once(':') {
            Some((email, "generateAccessToken")) => {
                let caller = caller(gatekeeper, bearer, &IAM_SCOPES)?;
                let asked = call.json().unwrap_or(&Value::Null);
                model.impersonate(&mut gatekeeper.tokens, &caller, email, asked)
            }
            _ => Err(GoogleError::Path),
        },
        ("POST", ["token"]) => model.refresh(&mut gatekeeper.tokens, |name| field(call, name)),
        ("GET", ["computeMetadata", "v1", "instance", "service-accounts", "default", "token"]) => {
            let (flavor, scopes) = (call.metadata_flavor.as_deref(), call.query_value("scopes"));
            model.metadata_token(&mut gatekeeper.tokens, flavor, scopes)
        }
        ("GET", ["v1", "projects", project, "secrets", secret, "versions", action]) => {
            match action.split_once(':') {
                Some((version, "access")) => {
                    caller(gatekeeper, bearer, &[SECRET_SCOPE])?;
                    model.access_secret(&format!("projects/{project}/secrets/{secret}"), version)
                }
                _ => Err(GoogleError::Path),
            }
        }
        _ => Err(GoogleError::Path),
    }
}

/// Who calls with a token that opens one of the scopes.
fn caller(gatekeeper: &Gatekeeper, bearer: Option<&str>, scopes: &[&str]) -> Result<String, GoogleError> {
    gatekeeper.google(bearer, scopes).map_err(|refusal| GoogleError::Unauthenticated { refusal })
}

/// A field of a form or of a JSON object: the token endpoints take both.
fn field(call: &Call, name: &str) -> Option<String> {
    match &call.body {
        CallBody::Form(pairs) => pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
        CallBody::Json(value) => value[name].as_str().map(str::to_owned),
        CallBody::Empty | CallBody::Invalid(_) => None,
    }
}

//! What Slack's description of 2021 does not have, as Slack's documentation says it today. These facts are read, not
//! official: each names its page.

use serde_json::{Value, json};

/// The description with the methods that are younger than it.
pub fn documented(mut description: Value) -> Value {
    for (path, method) in
        [("/files.getUploadURLExternal", address()), ("/files.completeUploadExternal", show())]
    {
        description["paths"][path] = json!({"post": method});
    }
    description
}

/// <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>
fn address() -> Value {
    method(
        &json!([
            argument("filename", "string", true),
            argument("length", "integer", true),
            argument("alt_txt", "string", false),
            argument("snippet_type", "string", false),
        ]),
        json!({"ok": {"type": "boolean"}, "upload_url": {"type": "string"}, "file_id": {"type": "string"}}),
        ["ok", "upload_url", "file_id"].as_slice(),
    )
}

/// <https://docs.slack.dev/reference/methods/files.completeUploadExternal>
fn show() -> Value {
    let files = json!({"type": "array", "items": {
        "type": "object", "additionalProperties": false, "required": ["id"],
        "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "name": {"type": "string"}},
    }});
    let mut wanted = files.clone();
    for (name, value) in argument("files", "array", true).as_object().unwrap() {
        wanted[name] = value.clone();
    }
    method(
        &json!([
            wanted,
            argument("channel_id", "string", false),
            argument("thread_ts", "string", false),
            argument("initial_comment", "string", false),
            argument("blocks", "string", false),
        ]),
        json!({"ok": {"type": "boolean"}, "files": files}),
        ["ok", "files"].as_slice(),
    )
}

fn argument(name: &str, kind: &str, required: bool) -> Value {
    json!({"name": name, "in": "formData", "type": kind, "required": required})
}

/// A refusal of a scope says which, as in conversations.history.
fn method(arguments: &Value, reply: Value, required: &[&str]) -> Value {
    let refusal = json!({
        "ok": {"type": "boolean"}, "error": {"type": "string"}, "needed": {"type": "string"},
        "provided": {"type": "string"},
    });
    let schema = |properties: Value, required: Value| {
        json!({"schema": {
            "type": "object", "additionalProperties": false, "properties": properties, "required": required,
        }})
    };
    json!({
        "parameters": arguments,
        "responses": {"200": schema(reply, json!(required)), "default": schema(refusal, json!(["ok", "error"]))},
    })
}

//! A request and a reply without HTTP types, so that the models and their routes stay plain functions.
//! Refuses to show a bearer token: a `Call` has no `Debug`, and the log is given `body_value`, never the headers.

use serde_json::{Map, Value};

/// Fields of bodies that hold a credential, at Slack and at the token endpoints.
const SECRET_FIELDS: [&str; 4] = ["token", "subject_token", "client_secret", "refresh_token"];

/// One request as the routes see it.
pub(crate) struct Call {
    /// The HTTP method in upper case.
    pub method: String,
    /// The path as it was sent, still percent-encoded.
    pub path: String,
    /// The decoded query, in order.
    pub query: Vec<(String, String)>,
    /// The decoded body.
    pub body: CallBody,
    /// The token of the `Authorization` header.
    pub bearer: Option<String>,
    /// The `Host` header, for links in replies.
    pub host: String,
    /// The `Metadata-Flavor` header, which a caller of the metadata server must send.
    pub metadata_flavor: Option<String>,
}

/// The body of a request.
pub(crate) enum CallBody {
    /// No bytes.
    Empty,
    /// JSON.
    Json(Value),
    /// `application/x-www-form-urlencoded`, in order.
    Form(Vec<(String, String)>),
    /// Bytes that are not what they claim; the parser's words.
    Invalid(String),
}

impl Call {
    /// The decoded segments of the path, without empty ones.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| decode(segment, Plus::Kept))
            .collect()
    }

    /// The first value of a query parameter.
    pub(crate) fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The JSON body; `None` for every other kind of body.
    pub(crate) fn json(&self) -> Option<&Value> {
        match &self.body {
            CallBody::Json(value) => Some(value),
            CallBody::Empty | CallBody::Form(_) | CallBody::Invalid(_) => None,
        }
    }

    /// Path and query for the log and for fault matching, without a token. The last part of a webhook's path is one.
    pub(crate) fn path_and_query(&self) -> String {
        if let Some((place, _)) = self.path.rsplit_once('/').filter(|_| self.path.starts_with("/services/")) {
            return format!("{place}/***");
        }
        let shown: Vec<String> = self
            .query
            .iter()
            .filter(|(key, _)| key != "token")
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if shown.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, shown.join("&")) }
    }

    /// The body for the log, without a token; a form is shown as an object.
    pub(crate) fn body_value(&self) -> Value {
        let mut value = match &self.body {
            CallBody::Empty => Value::Null,
            CallBody::Json(value) => value.clone(),
            CallBody::Form(pairs) => {
                pairs.iter().cloned().map(|(key, value)| (key, Value::String(value))).collect()
            }
            CallBody::Invalid(reason) => Value::String(format!("unreadable body: {reason}")),
        };
        if let Some(object) = value.as_object_mut() {
            SECRET_FIELDS.iter().for_each(|field| drop(object.shift_remove(*field)));
        }
        value
    }
}

/// One reply, before it goes on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: ReplyBody,
}

/// The body of a reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReplyBody {
    /// No bytes.
    Empty,
    /// JSON.
    Json(Value),
    /// A page, as a captive portal sends it.
    Html(String),
}

impl ReplyBody {
    /// The JSON body; `None` for every other kind of body.
    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Empty | Self::Html(_) => None,
        }
    }
}

impl Reply {
    /// A JSON reply.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: ReplyBody::Json(body) }
    }

    /// A reply without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: ReplyBody::Empty }
    }

    /// The same reply with one more header.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a `+` stands for.
#[derive(Clone, Copy, PartialEq)]
enum Plus {
    /// Itself, as in a path.
    Kept,
    /// A blank, as in a query or a form.
    Blank,
}

/// The pairs of a query or a form, decoded, in order.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(key, value)| (decode(key, Plus::Blank), decode(value, Plus::Blank)))
        .collect()
}

/// Undoes percent-encoding; what is not valid stays as it is.
fn decode(text: &str, plus: Plus) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, tail),
                _ => (b'%', &rest[1..]),
            },
            (b'+', tail) if plus == Plus::Blank => (b' ', tail),
            (byte, tail) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The members of a JSON object; an empty one for anything else.
pub(crate) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_queries_and_keeps_what_is_not_encoded() {
        let read = pairs("filter%5BbundleId%5D=com.example&text=a+b%26c&odd=50%&flag");
        let expected = [("filter[bundleId]", "com.example"), ("text", "a b&c"), ("odd", "50%"), ("flag", "")];
        assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(decode("wear%3Aproduction+1", Plus::Kept), "wear:production+1");
    }

    #[test]
    fn keeps_tokens_out_of_what_is_logged() {
        let call = Call {
            method: "POST".into(),
            path: "/api/chat.update".into(),
            query: pairs("token=xoxb-1&ts=2"),
            body: CallBody::Form(pairs("token=xoxb-1&text=hi")),
            bearer: Some("xoxb-1".into()),
            host: String::new(),
            metadata_flavor: None,
        };
        assert_eq!(call.path_and_query(), "/api/chat.update?ts=2");
        assert_eq!(call.body_value(), serde_json::json!({"text": "hi"}));
    }
}

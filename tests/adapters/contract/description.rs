//! What a description says of one call, whatever its kind, and the check of a logged call against it.

use serde_json::Value;
use tidegate::sandbox::LoggedRequest;

use super::schema::{Checker, Problem};

/// The official description of a service.
pub trait Description {
    fn document(&self) -> &Value;
    /// The operation of a call, with the reply that belongs to the status of the call.
    fn operation(&self, call: &LoggedRequest) -> Option<Operation>;
}

/// An operation, as far as it is checked. Headers are not: the log does not keep them.
pub struct Operation {
    /// Method and path template.
    pub name: String,
    pub query: Vec<Parameter>,
    /// The schema of the request body; none where no body is described.
    pub body: Option<Value>,
    pub reply: Described,
}

pub struct Parameter {
    pub name: String,
    pub schema: Value,
    pub is_required: bool,
}

/// What is described for a status.
pub enum Described {
    Nothing,
    NoBody,
    Body(Value),
}

/// The name of the operation of a call, and every deviation from its description.
pub fn check(description: &dyn Description, call: &LoggedRequest) -> (String, Vec<Problem>) {
    let mut checker = Checker::new(description.document());
    let Some(operation) = description.operation(call) else {
        let place = format!("{} {}", call.method, call.path);
        checker.report(&place, "not described", "a call");
        return (place, checker.problems);
    };
    let place = |part: &str| format!("{} {part}", operation.name);
    check_query(&mut checker, &operation, call);
    match (&operation.body, &call.body) {
        (None, Value::Null) => {}
        (None, body) => checker.report(&place("request"), "not described", body),
        (Some(_), Value::Null) => checker.report(&place("request"), "missing", "no body"),
        (Some(schema), body) => checker.check(schema, body, &place("request")),
    }
    if let Some(status) = call.status {
        let place = place(&format!("reply {status}"));
        match (&operation.reply, &call.reply) {
            (Described::NoBody, None) => {}
            (Described::Body(schema), Some(reply)) => checker.check(schema, reply, &place),
            (Described::Body(_), None) => checker.report(&place, "missing", "no body"),
            (Described::NoBody | Described::Nothing, reply) => {
                checker.report(&place, "not described", format!("{reply:?}"));
            }
        }
    }
    (operation.name, checker.problems)
}

fn check_query(checker: &mut Checker<'_>, operation: &Operation, call: &LoggedRequest) {
    let query = call.path.split_once('?').map_or("", |(_, query)| query);
    let mut sent: Vec<&str> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, text) = part.split_once('=').unwrap_or((part, ""));
        let place = format!("{} query {name}", operation.name);
        match operation.query.iter().find(|parameter| parameter.name == name) {
            Some(parameter) => checker.check(&parameter.schema, &read(&parameter.schema, text), &place),
            None => checker.report(&place, "not described", text),
        }
        if sent.contains(&name) {
            checker.report(&place, "an item twice", text);
        }
        sent.push(name);
    }
    for parameter in operation.query.iter().filter(|p| p.is_required && !sent.contains(&p.name.as_str())) {
        checker.report(&format!("{} query {}", operation.name, parameter.name), "missing", "nothing");
    }
}

/// The value of a query parameter; a text that is not of the described type stays text, which the check refuses.
fn read(schema: &Value, text: &str) -> Value {
    let number = || text.parse::<serde_json::Number>().ok().map(Value::Number);
    let read = match schema["type"].as_str() {
        Some("integer" | "number") => number(),
        Some("boolean") => text.parse().ok().map(Value::Bool),
        Some("array") => Some(text.split(',').map(|item| read(&schema["items"], item)).collect()),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

/// The template that fits a path best: the one with the most literal characters.
pub fn best<'t>(templates: impl Iterator<Item = &'t str>, call: &LoggedRequest) -> Option<&'t str> {
    let path = call.path.split_once('?').map_or(call.path.as_str(), |(path, _)| path);
    let fitting = templates.filter_map(|template| Some((literals(template, path)?, template)));
    fitting.max_by_key(|(literals, _)| *literals).map(|(_, template)| template)
}

/// The literal characters of a template that fits a path.
fn literals(template: &str, path: &str) -> Option<usize> {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(template, segment): (&&str, &&str)| match template.split_once('{') {
        None => (template == segment).then_some(template.len()),
        Some((before, rest)) => {
            let (_, after) = rest.split_once('}')?;
            let value = segment.strip_prefix(before)?.strip_suffix(after)?;
            (!value.is_empty()).then_some(before.len() + after.len())
        }
    };
    if template.len() != path.len() {
        return None;
    }
    template.iter().zip(&path).map(fits).sum()
}

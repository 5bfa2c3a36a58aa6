//! Google's discovery documents. They describe no errors; those follow Google's own page on errors,
//! <https://google.aip.dev/193>, with the older list `errors` that this API still sends, and the HTTP mapping of
//! <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>.

use serde_json::{Value, json};
use tidegate::sandbox::LoggedRequest;

use super::description::{Described, Description, Operation, Parameter, best};

pub struct Discovery {
    document: Value,
    /// Path templates with their methods.
    methods: Vec<(String, Value)>,
}

impl Discovery {
    pub fn new(document: Value) -> Self {
        let mut methods = Vec::new();
        let service = document["servicePath"].as_str().unwrap_or_default().to_owned();
        collect(&document, &service, &mut methods);
        Self { document, methods }
    }
}

fn collect(resource: &Value, service: &str, methods: &mut Vec<(String, Value)>) {
    for method in resource["methods"].as_object().into_iter().flatten().map(|(_, method)| method) {
        let path = method["flatPath"].as_str().or_else(|| method["path"].as_str()).unwrap();
        methods.push((format!("/{service}{path}"), method.clone()));
    }
    for (_, resource) in resource["resources"].as_object().into_iter().flatten() {
        collect(resource, service, methods);
    }
}

impl Description for Discovery {
    fn document(&self) -> &Value {
        &self.document
    }

    fn operation(&self, call: &LoggedRequest) -> Option<Operation> {
        let methods = || self.methods.iter().filter(|(_, method)| method["httpMethod"] == call.method);
        let template = best(methods().map(|(path, _)| path.as_str()), call)?;
        let (_, method) = methods().find(|(path, _)| path == template)?;
        let own = method["parameters"].as_object().into_iter().flatten();
        let common = self.document["parameters"].as_object().into_iter().flatten();
        let in_query = own.chain(common).filter(|(_, parameter)| parameter["location"] == "query");
        let parameter = |(name, schema): (&String, &Value)| {
            let (mut schema, is_required) = (schema.clone(), schema["required"] == true);
            schema.as_object_mut().unwrap().shift_remove("required");
            Parameter { name: name.clone(), schema, is_required }
        };
        let schema = |name: &str| method.get(name).cloned();
        Some(Operation {
            name: format!("{} {template}", call.method),
            query: in_query.map(parameter).collect(),
            body: schema("request"),
            reply: match call.status {
                Some(status @ 400..) => error(status),
                _ => schema("response").map_or(Described::NoBody, Described::Body),
            },
        })
    }
}

/// The error document for a status that Google's codes map to.
fn error(status: u16) -> Described {
    let words: &[&str] = match status {
        400 => &["INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"],
        401 => &["UNAUTHENTICATED"],
        403 => &["PERMISSION_DENIED"],
        404 => &["NOT_FOUND"],
        409 => &["ABORTED", "ALREADY_EXISTS"],
        429 => &["RESOURCE_EXHAUSTED"],
        500 => &["INTERNAL", "UNKNOWN", "DATA_LOSS"],
        501 => &["UNIMPLEMENTED"],
        503 => &["UNAVAILABLE"],
        504 => &["DEADLINE_EXCEEDED"],
        _ => return Described::Nothing,
    };
    let text = json!({"type": "string"});
    let detail = json!({"type": "object", "required": ["@type"], "properties": {"@type": text},
        "additionalProperties": true});
    let item = json!({"type": "object", "required": ["domain", "reason", "message"],
        "properties": {"domain": text, "reason": text, "message": text, "location": text, "locationType": text}});
    Described::Body(json!({"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object",
        "required": ["code", "message", "status"],
        "properties": {
            "code": {"type": "integer", "enum": [status]},
            "message": text,
            "status": {"type": "string", "enum": words},
            "details": {"type": "array", "items": detail},
            "errors": {"type": "array", "items": item},
        },
    }}}))
}

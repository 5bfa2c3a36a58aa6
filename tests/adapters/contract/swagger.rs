//! Swagger 2, as Slack described its methods. Arguments of a form may come as JSON too, so the form's parameters are
//! read as the schema of an object. A refusal has status 200 and `ok: false`, and is described as `default`.

use serde_json::{Map, Value, json};
use tidegate::sandbox::LoggedRequest;

use super::description::{Described, Description, Operation, Parameter, best};

pub struct Swagger {
    document: Value,
    templates: Vec<String>,
}

impl Swagger {
    pub fn new(document: Value) -> Self {
        let base = document["basePath"].as_str().unwrap();
        let templates = document["paths"].as_object().unwrap().keys().map(|path| format!("{base}{path}"));
        Self { templates: templates.collect(), document }
    }
}

impl Description for Swagger {
    fn document(&self) -> &Value {
        &self.document
    }

    fn operation(&self, call: &LoggedRequest) -> Option<Operation> {
        let template = best(self.templates.iter().map(String::as_str), call)?;
        let path = template.strip_prefix(self.document["basePath"].as_str()?)?;
        let operation = self.document["paths"][path].get(call.method.to_lowercase())?;
        let is_refusal = call.reply.as_ref().is_some_and(|reply| reply["ok"] == false);
        let response = match (call.status, is_refusal) {
            (Some(200), false) => operation["responses"].get("200"),
            (Some(200), true) => operation["responses"].get("default"),
            _ => None,
        };
        let schema = response.and_then(|response| response.get("schema"));
        let form = parameters(operation, "formData");
        Some(Operation {
            name: format!("{} {template}", call.method),
            query: parameters(operation, "query"),
            body: (!form.is_empty()).then(|| object(form)),
            reply: schema.map_or(Described::Nothing, |schema| Described::Body(schema.clone())),
        })
    }
}

fn parameters(operation: &Value, place: &str) -> Vec<Parameter> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let parameter = |parameter: &Value| {
        let mut schema = parameter.clone();
        schema.as_object_mut().unwrap().shift_remove("required");
        let name = parameter["name"].as_str().unwrap().to_owned();
        Parameter { name, schema, is_required: parameter["required"] == true }
    };
    all.filter(|parameter| parameter["in"] == place).map(parameter).collect()
}

fn object(form: Vec<Parameter>) -> Value {
    let required: Vec<String> = form.iter().filter(|p| p.is_required).map(|p| p.name.clone()).collect();
    let properties: Map<String, Value> = form.into_iter().map(|p| (p.name, p.schema)).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

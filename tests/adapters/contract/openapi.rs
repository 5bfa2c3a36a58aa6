//! OpenAPI 3, as Apple describes App Store Connect and GitHub its own API. Array parameters are joined by commas
//! (`explode: false`).

use serde_json::{Value, json};
use tidegate::sandbox::LoggedRequest;

use super::description::{Described, Description, Operation, Parameter, best};

/// GitHub's description with two calls that the cut of it lacks, in the words that it has for what they answer.
/// <https://docs.github.com/rest/users/users#get-the-authenticated-user> and
/// <https://docs.github.com/rest/repos/repos#get-a-repository>.
pub fn github(mut document: Value) -> OpenApi {
    let issue = "/paths/~1repos~1{owner}~1{repo}~1issues/post/responses";
    let at = |rest: &str| document.pointer(&format!("{issue}/{rest}")).unwrap().clone();
    let (user, refused) = (at("201/content/application~1json/schema/properties/user"), at("403"));
    let repository = at("201/content/application~1json/schema/properties/repository");
    let get = |schema: Value| {
        let answer = json!({"content": {"application/json": {"schema": schema}}});
        json!({"get": {"responses": {"200": answer, "403": refused, "404": refused}}})
    };
    let (user, repository) = (get(user), get(repository));
    document["paths"]["/user"] = user;
    document["paths"]["/repos/{owner}/{repo}"] = repository;
    OpenApi(document)
}

const JSON_SCHEMA: &str = "/content/application~1json/schema";

pub struct OpenApi(pub Value);

impl Description for OpenApi {
    fn document(&self) -> &Value {
        &self.0
    }

    fn operation(&self, call: &LoggedRequest) -> Option<Operation> {
        let paths = self.0["paths"].as_object()?;
        let template = best(paths.keys().map(String::as_str), call)?;
        let operation = paths[template].get(call.method.to_lowercase())?;
        let lists = [&paths[template]["parameters"], &operation["parameters"]];
        let parameters = lists.into_iter().filter_map(Value::as_array).flatten();
        let parameter = |parameter: &Value| {
            let schema = parameter["schema"].clone();
            let is_joined = parameter["style"] == "form" && parameter["explode"] == false;
            assert!(schema["type"] != "array" || is_joined, "an array that is not joined: {parameter}");
            let name = parameter["name"].as_str().unwrap().to_owned();
            Parameter { name, schema, is_required: parameter["required"] == true }
        };
        let schema = |holder: &Value| holder.pointer(JSON_SCHEMA).cloned();
        let status = call.status.map(|status| status.to_string()).unwrap_or_default();
        Some(Operation {
            name: format!("{} {template}", call.method),
            query: parameters.filter(|parameter| parameter["in"] == "query").map(parameter).collect(),
            body: operation.get("requestBody").and_then(schema),
            reply: match operation["responses"].get(status) {
                None => Described::Nothing,
                Some(response) => schema(response).map_or(Described::NoBody, Described::Body),
            },
        })
    }
}

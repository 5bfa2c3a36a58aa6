//! JSON:API documents of App Store Connect: resources with sparse fields, relationships with linkage only where they
//! are included, links and paging. Attributes without a value are left out, for the description has no null.

use serde_json::{Map, Value, json};

use super::query::{Query, cursor};

/// One resource on its way into a document.
pub(super) struct Resource {
    pub kind: &'static str,
    pub id: String,
    /// Attributes; those that are null are left out.
    pub attributes: Value,
    /// Relationships to one resource: name, type and id of the target.
    pub relationships: Vec<(&'static str, Option<(&'static str, String)>)>,
}

impl Resource {
    /// The resource as JSON with the fields that the query wants.
    pub(super) fn json(self, query: &Query, base: &str) -> Value {
        let address = format!("{base}/v1/{}/{}", self.kind, self.id);
        let mut attributes = super::super::call::object(&self.attributes);
        attributes.retain(|name, value| !value.is_null() && query.wants(self.kind, name));
        let mut resource = json!({"type": self.kind, "id": self.id, "attributes": attributes});
        let relationships: Map<String, Value> = self
            .relationships
            .into_iter()
            .filter(|(name, _)| query.wants(self.kind, name))
            .map(|(name, target)| (name.to_owned(), relationship(name, target, query, &address)))
            .collect();
        if !relationships.is_empty() {
            resource["relationships"] = relationships.into();
        }
        resource["links"] = json!({"self": address});
        resource
    }
}

fn relationship(name: &str, target: Option<(&'static str, String)>, query: &Query, address: &str) -> Value {
    // The description gives `app` of a version linkage only, every other relationship links as well.
    let mut relationship = match name {
        "app" => json!({}),
        _ => json!({"links": {
            "self": format!("{address}/relationships/{name}"),
            "related": format!("{address}/{name}"),
        }}),
    };
    if query.includes(name) {
        relationship["data"] = target.map_or(Value::Null, |(kind, id)| json!({"type": kind, "id": id}));
    }
    relationship
}

/// A document with one resource.
pub(super) fn single(data: Value, included: Vec<Value>, address: &str) -> Value {
    let mut document = Map::from_iter([("data".to_owned(), data)]);
    if !included.is_empty() {
        document.insert("included".to_owned(), included.into());
    }
    document.insert("links".to_owned(), json!({"self": address}));
    document.into()
}

/// A document with one page of resources; `page` turns the items of the page into resources and included ones.
pub(super) fn page<T>(
    items: &[T],
    query: &Query,
    address: &str,
    parameters: &[(String, String)],
    resource: impl Fn(&T) -> (Value, Vec<Value>),
) -> Value {
    let shown = items.iter().skip(query.offset).take(query.limit);
    let (data, included): (Vec<Value>, Vec<Vec<Value>>) = shown.map(resource).unzip();
    let mut unique: Vec<Value> = Vec::new();
    for resource in included.into_iter().flatten() {
        if !unique.contains(&resource) {
            unique.push(resource);
        }
    }
    let mut paging = json!({"total": items.len(), "limit": query.limit});
    let mut links = json!({"self": link(address, parameters, None)});
    let next = query.offset + data.len();
    if next < items.len() {
        paging["nextCursor"] = cursor(next).into();
        links["next"] = link(address, parameters, Some(&cursor(next))).into();
    }
    let mut document = json!({"data": data});
    if !unique.is_empty() {
        document["included"] = unique.into();
    }
    document["links"] = links;
    document["meta"] = json!({"paging": paging});
    document
}

/// The address with its parameters; brackets are encoded, as Apple does.
fn link(address: &str, parameters: &[(String, String)], cursor: Option<&str>) -> String {
    let kept = parameters.iter().filter(|(name, _)| cursor.is_none() || name != "cursor");
    let mut parts: Vec<String> = kept
        .map(|(name, value)| format!("{}={value}", name.replace('[', "%5B").replace(']', "%5D")))
        .collect();
    parts.extend(cursor.map(|cursor| format!("cursor={cursor}")));
    if parts.is_empty() { address.to_owned() } else { format!("{address}?{}", parts.join("&")) }
}

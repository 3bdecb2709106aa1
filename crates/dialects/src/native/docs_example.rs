//! Examples for the documentation page, made from the schemas: a call of each operation by `curl`.

use serde_json::Value;

/// A command line that calls an operation.
pub(crate) fn curl(document: &Value, path: &str, verb: &str, operation: &Value) -> String {
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut out = String::from("curl -H \"Authorization: Bearer $TOKEN\"");
    if verb != "GET" {
        out.push_str(&format!(" -X {verb}"));
    }
    let mut parameters = items(&operation["parameters"])
        .iter()
        .map(|parameter| resolve(document, parameter));
    if parameters.any(|parameter| parameter["name"] == "Idempotency-Key") {
        out.push_str(" \\\n  -H \"Idempotency-Key: $(uuidgen)\"");
    }
    if !body.is_null() {
        let example = example(document, body);
        out.push_str(&format!(
            " \\\n  -H \"Content-Type: application/json\" \\\n  -d '{example}'"
        ));
    }
    let path = path.split('/').map(|part| match part {
        "{id}" => "42",
        part if part.starts_with('{') => "7",
        part => part,
    });
    let path = path.collect::<Vec<_>>().join("/");
    out.push_str(&format!(" \\\n  \"$URL{path}\""));
    out
}

/// An example of a body: the schema's own, else made of its required fields' and those with an example.
fn example(document: &Value, schema: &Value) -> Value {
    let schema = resolve(document, schema);
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    if let Some(first) = items(&schema["oneOf"])
        .iter()
        .find(|one| one["type"] != "null")
    {
        return example(document, first);
    }
    if let Some(first) = items(&schema["enum"]).first() {
        return first.clone();
    }
    if let Some(properties) = schema["properties"].as_object() {
        let required = items(&schema["required"]);
        let shown = properties
            .iter()
            .filter(|(name, _)| required.iter().any(|required| required == *name));
        let shown: serde_json::Map<_, _> = shown
            .map(|(name, of)| (name.clone(), example(document, of)))
            .collect();
        if !shown.is_empty() {
            return shown.into();
        }
        let with_example = properties.iter().filter(|(_, of)| !of["example"].is_null());
        return with_example
            .map(|(name, of)| (name.clone(), of["example"].clone()))
            .collect();
    }
    match text(&schema["type"]) {
        "array" => vec![example(document, &schema["items"])].into(),
        "integer" | "number" => 1.into(),
        _ => "text".into(),
    }
}

/// What a `$ref` points at.
pub(crate) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    pointer
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(value)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

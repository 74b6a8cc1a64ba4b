//! JSON as a policy needs it: the order of names is kept, and a name twice in one object is an error, where most
//! parsers let one of the two win and so disagree on what was decided.
//!
//! Nesting is bounded by `serde_json`'s own limit of 128 levels, size by the caller.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A number, as `serde_json` prints it.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The texts of a string or of an array of strings.
    pub(crate) fn into_texts(self) -> Option<Vec<String>> {
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::Array(items) => {
                let text = |item| if let Self::Text(text) = item { Some(text) } else { None };
                items.into_iter().map(text).collect()
            }
            _ => None,
        }
    }

    /// The same, taking `true` and `5` for `"true"` and `"5"`, as condition values may be written.
    pub(crate) fn into_scalars(self) -> Option<Vec<String>> {
        let scalar = |item| match item {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        };
        match self {
            Self::Array(items) => items.into_iter().map(scalar).collect(),
            single => Some(vec![scalar(single)?]),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without repeated names")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut seen = std::collections::HashSet::new();
        let mut object = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a name appears twice"));
            }
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Json> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn repeated_names_trailing_text_and_deep_nesting_are_refused() {
        assert!(parse(r#"{"a":1,"a":1}"#).is_none());
        assert!(parse(r#"{"b":{"a":1,"a":2}}"#).is_none());
        assert!(parse(r#"{"a":1,"\u0061":2}"#).is_none());
        assert!(parse("{} {}").is_none());
        assert!(parse(&"[".repeat(10_000)).is_none());
        assert!(parse(r#"{"a":{"a":1},"b":[{"a":1}]}"#).is_some());
    }

    #[test]
    fn scalars_are_read_as_text() {
        let texts = parse(r#"["a", true, 5, 1.5]"#).unwrap().into_scalars().unwrap();
        assert_eq!(texts, ["a", "true", "5", "1.5"]);
        assert_eq!(parse("[[1]]").unwrap().into_scalars(), None);
        assert_eq!(parse("null").unwrap().into_scalars(), None);
    }
}

use http::StatusCode;
use zeroize::Zeroizing;

use super::reader::FIELDS_LEN_MAX;
use crate::refusal::Refusal;

/// The fields of a form in front of its file. Names are in lower case, as AWS compares them; no name comes twice, so
/// that what the policy covers is what is done.
///
/// One of them may be a customer key: they are zeroized, and have no `Debug`.
pub(crate) struct Fields {
    fields: Vec<(String, Zeroizing<String>)>,
}

/// What a form may say of its file where a name or a value has this text (AWS: "POST object", "Form fields").
const FILE_NAME: &str = "${filename}";

impl Fields {
    pub(super) const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// Takes a field that came whole.
    pub(super) fn add(&mut self, name: String, value: Zeroizing<Vec<u8>>) -> Result<(), Refusal> {
        if self.get(&name).is_some() {
            let message = format!("POST must not contain the field '{}' more than once.", printable(&name));
            return Err(Refusal::invalid_argument(message).detail("ArgumentName", printable(&name)));
        }
        let text = std::str::from_utf8(&value).map_err(|_| {
            let message = "The value of a form field is not UTF-8.";
            Refusal::invalid_argument(message).detail("ArgumentName", printable(&name))
        })?;
        self.fields.push((name, Zeroizing::new(text.to_owned())));
        Ok(())
    }

    /// The value of a field by its lower-case name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The value of a field that has to be there.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let message = format!(
                "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the \
                 fields."
            );
            Refusal::new(StatusCode::BAD_REQUEST, "InvalidArgument", message).argument(name, "")
        })
    }

    /// All fields: lower-case names, values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Puts the name of the file where the fields ask for it. Those that are signed or prove something stay as they are.
    ///
    /// Each place is worth twelve bytes on the wire and a whole name here, so the length is known before anything grows.
    pub(super) fn name_file(&mut self, file_name: &str) -> Result<(), TooLong> {
        let length = self.fields.iter().map(|(name, value)| {
            let places = if name == "policy" { 0 } else { value.matches(FILE_NAME).count() };
            (value.len() - places * FILE_NAME.len()).saturating_add(places.saturating_mul(file_name.len()))
        });
        if length.fold(0, usize::saturating_add) > FIELDS_LEN_MAX {
            return Err(TooLong);
        }
        for (name, value) in &mut self.fields {
            if value.contains(FILE_NAME) && name != "policy" {
                *value = Zeroizing::new(value.replace(FILE_NAME, file_name));
            }
        }
        Ok(())
    }
}

/// The fields together are longer than [`FIELDS_LEN_MAX`].
#[derive(Debug)]
pub(super) struct TooLong;

/// A text of the client's, short enough to repeat.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

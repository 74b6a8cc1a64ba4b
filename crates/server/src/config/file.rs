//! The configuration file: read, and explained when it is wrong.

use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::Layer;

/// Bytes of the largest file that is read.
const FILE_LEN_MAX: u64 = 1024 * 1024;

/// The file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct Unreadable {
    path: PathBuf,
    source: std::io::Error,
}

/// The file says something that cannot be understood, at one place.
#[derive(Debug)]
pub struct Misunderstood {
    path: PathBuf,
    line: usize,
    column: usize,
    field: Option<String>,
    message: String,
    excerpt: String,
}

impl fmt::Display for Misunderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}, column {}", self.path.display(), self.line, self.column)?;
        if let Some(field) = &self.field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, ": {}\n    {}", self.message, self.excerpt)
    }
}

impl std::error::Error for Misunderstood {}

/// Why there is no layer from a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// See [`Unreadable`].
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// See [`Misunderstood`].
    #[error(transparent)]
    Misunderstood(#[from] Misunderstood),
}

/// Reads a configuration file.
///
/// # Errors
/// [`FileError`] when it cannot be read or understood.
pub(super) fn read(path: &Path) -> Result<Layer, FileError> {
    let unreadable = |source| Unreadable { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_LEN_MAX {
        return Err(unreadable(std::io::Error::other("larger than 1 MiB, this is no configuration file")).into());
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(parse(path, &text)?)
}

fn parse(path: &Path, text: &str) -> Result<Layer, Misunderstood> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        Misunderstood {
            path: path.to_owned(),
            line: line + 1,
            column: column + 1,
            field: field_at(text, line),
            message: error.message().to_owned(),
            excerpt: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
        }
    })
}

/// The field that a line belongs to: its own, or for the later lines of an array the nearest one above.
fn field_at(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    lines.iter().rev().find_map(|line| {
        let (name, _) = line.split_once('=')?;
        let name = name.trim().trim_matches('"');
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        is_name.then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse(Path::new("canopic.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_good_file_is_a_layer() {
        let text = "listen = \"0.0.0.0:443\"\ndomain = [\"s3.example.org\"]\nmax_connections = 10\n";
        let layer = parse(Path::new("x"), text).unwrap();
        assert_eq!(layer.listen.unwrap().to_string(), "0.0.0.0:443");
        assert_eq!(layer.domain.unwrap().to_string(), "s3.example.org");
        assert_eq!(layer.max_connections, Some(10));
        assert!(layer.region.is_none());
    }

    #[test]
    fn a_bad_value_is_explained_with_line_and_field() {
        let text = complaint("region = \"eu-1\"\n\nlisten = \"nonsense\"\n");
        assert!(text.starts_with("canopic.toml: line 3, column 10, field `listen`: expected an IP address"), "{text}");
        assert!(text.ends_with("listen = \"nonsense\""), "{text}");
    }

    #[test]
    fn a_bad_element_of_an_array_is_explained_with_its_field() {
        let text = complaint("trusted_proxy = [\n  \"10.0.0.0/8\",\n  \"oops\",\n]\n");
        assert!(text.contains("field `trusted_proxy`"), "{text}");
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = complaint("listne = \"127.0.0.1:1\"\n");
        assert!(text.contains("line 1") && text.contains("unknown field `listne`"), "{text}");
    }

    #[test]
    fn a_number_in_place_of_a_text_and_broken_syntax_are_explained() {
        assert!(complaint("listen = 5\n").contains("field `listen`"));
        assert!(complaint("listen \n").contains("line 1"));
        assert!(complaint("max_connections = -1\n").contains("field `max_connections`"));
    }
}

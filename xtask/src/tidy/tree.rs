//! The files of the repository, read once, and what cargo knows of its crates.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// Folders that hold nothing of ours.
const FOREIGN_FOLDERS: &[&str] = &[".git", ".venv", "target", "node_modules", "corpus", "artifacts", "__pycache__"];

/// Endings of the files that rules read.
const TEXT_ENDINGS: &[&str] = &["rs", "md", "toml", "py"];

/// Text files by their path below the root, and the names of all others.
#[derive(Default)]
pub(crate) struct Tree {
    texts: BTreeMap<String, String>,
    others: BTreeMap<String, ()>,
}

impl Tree {
    /// Reads everything below `root` but foreign folders.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.descend(root, "")?;
        Ok(tree)
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let texts = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        Self { texts, others: BTreeMap::new() }
    }

    /// Path and text of every text file, in order of the path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether a file, or a folder with a file in it, has this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        let names = || self.texts.keys().chain(self.others.keys());
        names().any(|name| name == path || name.starts_with(&folder))
    }

    fn descend(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !FOREIGN_FOLDERS.contains(&name.as_str()) && !name.contains("canopic-data") {
                    self.descend(&entry.path(), &format!("{path}/"))?;
                }
            } else if TEXT_ENDINGS.iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
                let text = std::fs::read_to_string(entry.path()).with_context(|| format!("reading {path}"))?;
                self.texts.insert(path, text);
            } else {
                self.others.insert(path, ());
            }
        }
        Ok(())
    }
}

/// What `cargo metadata` prints about the workspace's own crates.
pub(crate) fn cargo_metadata(root: &Path) -> anyhow::Result<serde_json::Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}

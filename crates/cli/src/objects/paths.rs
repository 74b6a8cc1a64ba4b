//! Names of files from object keys and back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// The file below `root` that stands for the rest of a key; none when it would lie elsewhere or can be no file name.
/// Keys come from servers: one with `..` in it must not get out of the directory.
pub(super) fn below(root: &Path, rest: &str) -> Option<PathBuf> {
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0') && part.len() <= 255;
    rest.split('/').all(plain).then(|| root.join(rest))
}

/// The last part of a key, as a file name.
pub(super) fn file_name(key: &str) -> Option<PathBuf> {
    below(Path::new(""), key.rsplit('/').next()?)
}

/// A file of a directory, and its way from there with slashes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) relative: String,
}

/// The regular files of a directory and those below it, in order, and what was passed over: links and devices.
pub(super) fn files_below(root: &Path) -> anyhow::Result<(Vec<Found>, Vec<PathBuf>)> {
    let (mut files, mut others) = (Vec::new(), Vec::new());
    let mut directories = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = directories.pop() {
        let entries = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
        for entry in entries.collect::<io::Result<Vec<_>>>().with_context(|| directory.display().to_string())? {
            let path = entry.path();
            let kind = entry.file_type().with_context(|| path.display().to_string())?;
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{}: a name that is not UTF-8", path.display()))?;
            let relative = format!("{prefix}{name}");
            if kind.is_dir() {
                directories.push((path, format!("{relative}/")));
            } else if kind.is_file() {
                files.push(Found { path, relative });
            } else {
                others.push(path);
            }
        }
    }
    ensure!(!files.is_empty(), "{}: no file in it", root.display());
    files.sort_unstable_by(|one, other| one.relative.cmp(&other.relative));
    Ok((files, others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_leaves_the_directory() {
        let root = Path::new("/data/out");
        assert_eq!(below(root, "a/b c.txt"), Some(PathBuf::from("/data/out/a/b c.txt")));
        assert_eq!(below(root, "...hidden"), Some(PathBuf::from("/data/out/...hidden")));
        let long = "n".repeat(256);
        for rest in ["", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/.", "./a", "a/", "a\0b", &long] {
            assert_eq!(below(root, rest), None, "{rest:?}");
        }
        assert_eq!(file_name("runs/1/out.csv"), Some(PathBuf::from("out.csv")));
        assert_eq!(file_name("runs/.."), None);
        assert_eq!(file_name("runs/"), None);
    }

    #[test]
    fn a_directory_is_walked_without_following_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/c")).unwrap();
        for name in ["b/c/2", "a", "b/1"] {
            fs::File::create(dir.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
        let (files, others) = files_below(dir.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|found| found.relative.as_str()).collect();
        assert_eq!(names, ["a", "b/1", "b/c/2"]);
        assert_eq!(others, [dir.path().join("link")]);
    }
}

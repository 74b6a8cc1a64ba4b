use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use client::{Address, CustomerKey, KeyAnswer, key_file, which_key};

use super::access_args::AccessArgs;
use super::encryption_args::read_key;
use super::{exit_code, with_object_key};
use crate::output::note;

/// Find out which customer key opens an object, without reading it.
///
/// Prints the key file that does. Otherwise it says that none does (exit code 10), or that the object needs none (12).
#[derive(clap::Args)]
pub(crate) struct WhichKeyArgs {
    /// s3://BUCKET/KEY
    object: Address,
    /// A key file to try; repeatable
    #[arg(long = "key-file", value_name = "FILE")]
    key_files: Vec<PathBuf>,
    /// A directory of key files to try; other files in it are passed over; repeatable
    #[arg(long = "key-dir", value_name = "DIRECTORY")]
    key_dirs: Vec<PathBuf>,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: WhichKeyArgs) -> anyhow::Result<ExitCode> {
    let mut candidates = Vec::new();
    for path in &args.key_files {
        candidates.push((path.clone(), read_key(path)?));
    }
    for directory in &args.key_dirs {
        candidates.extend(keys_in(directory)?);
    }
    ensure!(!candidates.is_empty(), "no key to try: give --key-file FILE or --key-dir DIRECTORY");
    let client = args.access.client()?;
    let object = with_object_key(&args.object)?;
    let answer = which_key(&client, object, candidates.iter().map(|(_, key)| key)).await?;
    match answer {
        KeyAnswer::OpenedBy(place) => crate::output::line(&candidates[place].0.display().to_string())?,
        KeyAnswer::NoneOpens => note(&format!("none of {} keys opens {object}", candidates.len())),
        KeyAnswer::NeedsNone => note(&format!("{object} needs no customer key")),
    }
    Ok(ExitCode::from(exit_code::of_answer(answer)))
}

/// The keys of a directory, by name.
fn keys_in(directory: &Path) -> anyhow::Result<Vec<(PathBuf, CustomerKey)>> {
    let entries = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.with_context(|| directory.display().to_string())?;
    paths.sort_unstable();
    let mut keys = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_file()) {
        match key_file::read(&path) {
            Ok(read) => keys.push((path, read.customer_key)),
            Err(error) => note(&format!("passed over: {error}")),
        }
    }
    Ok(keys)
}

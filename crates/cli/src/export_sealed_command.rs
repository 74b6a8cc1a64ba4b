//! `canopic export-sealed`: one object as one file, still sealed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use server::{HeldBy, OfflineStore, SealedExport};

use crate::output;
use crate::setting_args::{Place, SettingArgs};

#[derive(clap::Args)]
pub(crate) struct ExportSealedArgs {
    /// The bucket
    bucket: String,
    /// The object's key
    object_key: String,
    /// Where to write; never over a file that is there [default: the last part of the object's key, and .sealed]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Export what there is of a damaged object too
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    settings: SettingArgs<Place>,
}

pub(crate) fn run(args: ExportSealedArgs) -> anyhow::Result<ExitCode> {
    let config = args.settings.load()?;
    let path = args.output.unwrap_or_else(|| default_name(&args.object_key));
    if path.symlink_metadata().is_ok() {
        bail!("{} exists, and is not overwritten", path.display());
    }
    crate::runtime()?.block_on(async {
        let store = OfflineStore::open(&config).await?;
        if let Some(missing) = store.keys_missing() {
            output::note(&format!(
                "the records are not authenticated, because the server's keys are not at hand: {missing}"
            ));
        }
        let export = store.export(&args.bucket, &args.object_key).await?;
        judge(&export, args.force)?;
        let opened_with = opened_with(export.held_by());
        write(export, &path).await.with_context(|| path.display().to_string())?;
        output::line(&path.display().to_string())?;
        output::note(&format!("to open it: tools/open_sealed.py {} {opened_with} -o FILE", path.display()));
        Ok(ExitCode::SUCCESS)
    })
}

/// Says what is wrong with the object, and goes on only if that is wanted.
fn judge(export: &SealedExport, force: bool) -> anyhow::Result<()> {
    for damage in export.damage() {
        output::note(&format!("damaged: {damage}"));
    }
    if !export.damage().is_empty() && !force {
        bail!("the object is damaged and was not exported; --force exports what there is of it");
    }
    Ok(())
}

fn opened_with(held_by: Option<&HeldBy>) -> String {
    match held_by {
        None => "(whose key it needs cannot be read)".to_owned(),
        Some(HeldBy::Customer) => "--customer-key-file FILE".to_owned(),
        Some(HeldBy::Keyring(_)) => "--root-key FILE --keyring FILE".to_owned(),
        Some(HeldBy::Kms(kms_key)) => {
            format!(
                "--root-key FILE --keyring FILE (if the keyring has the KMS key {kms_key:?}; an external KMS has to be asked)",
                kms_key = kms_key.as_str()
            )
        }
    }
}

/// A name for the file in the current directory: nothing of the object's key leads elsewhere.
fn default_name(object_key: &str) -> PathBuf {
    let last = object_key.rsplit('/').find(|part| !part.is_empty()).unwrap_or("object");
    let tame = |c: char| if c.is_alphanumeric() || "._-+=@".contains(c) { c } else { '_' };
    let name: String = last.chars().map(tame).take(NAME_LEN_MAX).collect();
    PathBuf::from(format!("{}.sealed", name.trim_start_matches('.')))
}

/// Writes the file whole or not at all: under another name until it is durable.
async fn write(export: SealedExport, path: &Path) -> anyhow::Result<()> {
    let name = path.file_name().context("not a file name")?;
    let unpublished = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    // What an interrupted export left was never published.
    match std::fs::remove_file(&unpublished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let written = async {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unpublished)?;
        let mut pieces = export.into_pieces();
        while let Some(piece) = pieces.next().await? {
            file.write_all(&piece)?;
        }
        file.sync_all()?;
        // A hard link, unlike a rename, never replaces.
        std::fs::hard_link(&unpublished, path)?;
        Ok(())
    };
    let written: anyhow::Result<()> = written.await;
    // After a failure the first error is the one to tell.
    let removed = std::fs::remove_file(&unpublished);
    written?;
    removed?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(directory)?.sync_all()?)
}

/// Room for the endings in a name that a filesystem takes.
const NAME_LEN_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_stays_in_the_current_directory() {
        for (object_key, name) in [
            ("a/b/plan.pdf", "plan.pdf.sealed"),
            ("a/b/", "b.sealed"),
            ("../..", ".sealed"),
            ("/", "object.sealed"),
            ("x y\0z\n", "x_y_z_.sealed"),
        ] {
            assert_eq!(default_name(object_key), PathBuf::from(name), "{object_key:?}");
        }
        assert!(default_name(&"\u{10348}".repeat(300)).as_os_str().len() < 255);
    }
}

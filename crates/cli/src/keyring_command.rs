//! `canopic keyring …`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use admin_api::{
    CountKeyUses, ExportKeyring, KeyringStatus, PruneKeyring, ResealKeyring, RewrapKeyring, RotateKeyring, Secret,
    StopKeyringWork,
};
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use server::{BackupKey, Lacking, RestoreError, Restored};

use crate::door::DoorArgs;
use crate::output;
use crate::setting_args::{Place, SettingArgs};
use crate::{age_file, keyring_work, passphrase};

/// Bytes of the largest backup: a keyring has at most 8 MiB.
const BACKUP_LEN_MAX: u64 = 16 * 1024 * 1024;

#[derive(Subcommand)]
pub(crate) enum KeyringCommand {
    /// Show the versions of the keyring's key: id, state, creation
    Status {
        /// Also count the objects and uploads that each of them still opens, record by record
        #[arg(long)]
        count: bool,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Start a new version of the keyring's key; older versions go on opening what they wrapped
    Rotate {
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Wrap all data keys anew with the current versions of their keys; no byte of an object moves
    ///
    /// The server does it in its own time and goes on after a restart; this command shows how far it is.
    Rewrap {
        /// At most so many a second
        #[arg(long, value_name = "COUNT/s", value_parser = per_s)]
        rate: Option<u32>,
        /// Stop a rewrap that goes on; what it did stays done
        #[arg(long, conflicts_with = "rate")]
        stop: bool,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Take away the versions of the keyring's key that no object and no upload needs any more
    Prune {
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Write all keys of the keyring into one file, sealed under a passphrase (age format)
    Backup {
        /// Where to write; never over a file that is there
        file: PathBuf,
        /// The passphrase is the first line of this file [default: it is asked for]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Make the keyring out of a backup, under this machine's root key; no server may run
    Restore {
        /// What `backup` wrote
        file: PathBuf,
        /// The passphrase is the first line of this file [default: it is asked for]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Also when objects need keys that the backup lacks: they do not open then
        #[arg(long)]
        incomplete: bool,
        #[command(flatten)]
        settings: SettingArgs<Place>,
    },
    /// Seal the keyring under another root key; the old one does not open it any more
    Reseal {
        /// The file of the new root key; it is made if there is none
        #[arg(long, value_name = "FILE")]
        new_root_key_file: PathBuf,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Make a root key and its file, for a server that is to get it as a variable or a credential
    NewRootKey {
        /// Where to write; never over a file that is there
        file: PathBuf,
    },
}

pub(crate) fn run(command: KeyringCommand) -> anyhow::Result<ExitCode> {
    crate::runtime()?.block_on(async {
        match command {
            KeyringCommand::Status { count, door } => status(count, door).await?,
            KeyringCommand::Rewrap { rate, stop, door } => rewrap(rate, stop, door).await?,
            KeyringCommand::Prune { door } => prune(door).await?,
            KeyringCommand::Rotate { door } => {
                let version = door.open().await?.call(&RotateKeyring {}).await?;
                output::line(&version.id)?;
                output::note("the keyring has changed; back it up: canopic keyring backup FILE");
            }
            KeyringCommand::Backup { file, passphrase_file, door } => {
                backup(&file, passphrase_file.as_deref(), door).await?;
            }
            KeyringCommand::Restore { file, passphrase_file, incomplete, settings } => {
                restore(&file, passphrase_file.as_deref(), incomplete, settings).await?;
            }
            KeyringCommand::Reseal { new_root_key_file, door } => reseal(&new_root_key_file, door).await?,
            KeyringCommand::NewRootKey { file } => {
                let (_, made) = server::root_key_text(&file)?;
                anyhow::ensure!(made, "{} exists, and is not overwritten", file.display());
                output::note("keep a copy of it away from the data: without it the keyring does not open");
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn status(count: bool, door: DoorArgs) -> anyhow::Result<()> {
    let door = door.open().await?;
    let uses = if count { keyring_work::watch(&door, &CountKeyUses {}).await?.uses } else { None };
    let keyring = door.call(&KeyringStatus {}).await?;
    output::line(&format!("root key {}", keyring.root_key_id))?;
    keyring_work::show(&keyring.versions, uses.as_ref())
}

async fn rewrap(per_s: Option<u32>, stop: bool, door: DoorArgs) -> anyhow::Result<()> {
    let door = door.open().await?;
    if stop {
        door.call(&StopKeyringWork {}).await?;
        return Ok(());
    }
    let work = keyring_work::watch(&door, &RewrapKeyring { per_s }).await?;
    output::line(&format!("{} looked at, {} wrapped anew, {} failed", work.looked_at, work.rewrapped, work.failed))?;
    anyhow::ensure!(work.failed == 0, "some data keys could not be wrapped anew: the server's log names them");
    Ok(())
}

async fn prune(door: DoorArgs) -> anyhow::Result<()> {
    let work = keyring_work::watch(&door.open().await?, &PruneKeyring {}).await?;
    for id in &work.pruned {
        output::line(id)?;
    }
    output::note(&match work.pruned.len() {
        0 => "every retired version is still needed, or there is none".to_owned(),
        _ => "gone for ever; an older backup of the data needs a backup of the keyring of its time".to_owned(),
    });
    Ok(())
}

/// `100/s` or `100`.
fn per_s(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a number such as 100/s".to_owned())
}

async fn backup(file: &Path, passphrase_file: Option<&Path>, door: DoorArgs) -> anyhow::Result<()> {
    if file.symlink_metadata().is_ok() {
        bail!("{} exists, and is not overwritten", file.display());
    }
    let door = door.open().await?;
    let passphrase = passphrase::choose(passphrase_file)?;
    let key = BackupKey::generate();
    let root_key = Secret::new(key.to_text().to_string());
    let exported = door.call(&ExportKeyring { root_key }).await?;
    let sealed = STANDARD.decode(exported.sealed).context("the server's answer makes no sense")?;
    let sealed = age_file::seal(passphrase, &key.backup(&sealed)?)?;
    write(file, &sealed).with_context(|| file.display().to_string())?;
    output::note(&format!(
        "{} opens every object that the server's keys do; keep it, and the passphrase",
        file.display()
    ));
    Ok(())
}

async fn restore(
    file: &Path,
    passphrase_file: Option<&Path>,
    incomplete: bool,
    settings: SettingArgs<Place>,
) -> anyhow::Result<()> {
    let config = settings.load()?;
    let sealed = read(file).with_context(|| file.display().to_string())?;
    let passphrase = passphrase::ask(passphrase_file)?;
    let backup = age_file::open(passphrase, &sealed).with_context(|| file.display().to_string())?;
    let lacking = if incomplete { Lacking::Restore } else { Lacking::Refuse };
    let restored = server::restore_keyring(&config, &backup, lacking).await;
    let restored = restored.map_err(|error| match error {
        error @ (RestoreError::Lacks { .. } | RestoreError::Unreadable(_)) => anyhow::Error::new(error)
            .context("nothing was restored; with --incomplete it is, and what needs the other keys is lost"),
        error => error.into(),
    })?;
    match restored {
        Restored::AlreadyThere => output::note("the keyring is there already, with the same keys"),
        Restored::Made { with_root_key } => {
            let made = if with_root_key { "the keyring and a root key were made" } else { "the keyring was made" };
            output::note(&format!("{made}; it is sealed under {}", config.root_key));
        }
    }
    Ok(())
}

async fn reseal(file: &Path, door: DoorArgs) -> anyhow::Result<()> {
    let door = door.open().await?;
    let (text, made) = server::root_key_text(file)?;
    if made {
        output::note(&format!("made a new root key: {}", file.display()));
    }
    let resealed = door.call(&ResealKeyring { root_key: Secret::new(text.to_string()) }).await;
    let keyring = resealed.with_context(|| {
        format!(
            "the keyring may be sealed under {} already: keep this root key and the old one until a start has shown \
             which of them the keyring needs",
            file.display()
        )
    })?;
    output::line(&format!("root key {}", keyring.root_key_id))?;
    output::note(&format!(
        "the next start needs {}: put it where the old root key was, or set root_key_file",
        file.display()
    ));
    Ok(())
}

/// Writes a file that only its owner may read, whole or not at all, and makes it durable. Never over a file.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or_else(|| std::io::Error::other("not a file name"))?;
    let unpublished = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    // What was cut off there earlier was never published.
    match std::fs::remove_file(&unpublished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unpublished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A hard link, unlike a rename, never replaces.
        std::fs::hard_link(&unpublished, path)
    })();
    // After a failure the first error is the one to tell.
    let removed = std::fs::remove_file(&unpublished);
    written?;
    removed?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BACKUP_LEN_MAX + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() as u64 <= BACKUP_LEN_MAX, "it is larger than any backup of a keyring");
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_a_second() {
        assert_eq!((per_s("100/s"), per_s("7")), (Ok(100), Ok(7)));
        for bad in ["", "0", "0/s", "-1", "/s", "1/m", "99999999999"] {
            assert!(per_s(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_private_and_never_over_a_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        write(&path, b"sealed").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write(&path, b"other").is_err());
        assert_eq!(read(&path).unwrap(), b"sealed");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        // What a kill left of the writing is no obstacle, and was never under the final name.
        std::fs::File::create(dir.path().join(".next.new")).unwrap();
        write(&dir.path().join("next"), b"sealed").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

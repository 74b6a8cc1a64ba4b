//! `canopic kms …`.

use std::process::ExitCode;

use admin_api::{
    CreateKmsKey, DescribeKmsKey, DisableKmsKey, EnableKmsKey, KeyCache, KmsKey, KmsKeyState, ListKmsKeys,
    RotateKmsKey, ScheduleKmsKeyDeletion,
};
use clap::{Args, Subcommand};

use crate::door::DoorArgs;
use crate::output::{self, date};

#[derive(Subcommand)]
pub(crate) enum KmsCommand {
    /// List the KMS keys: id, state, creation, versions, deletion
    List {
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Create a KMS key
    Create(KmsKeyArgs),
    /// Show one KMS key
    Describe(KmsKeyArgs),
    /// Let a key be used again; cancels its deletion
    Enable(KmsKeyArgs),
    /// Forbid every use of a key until it is enabled
    Disable(KmsKeyArgs),
    /// Forbid every use of a key, and destroy it after a waiting time: then nothing under it opens ever again
    ScheduleDeletion {
        /// How long it can still be saved, by `canopic kms enable`: 7 to 30 days
        #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(7..=30))]
        days: u32,
        #[command(flatten)]
        key: KmsKeyArgs,
    },
    /// Give a key a new version, which seals from now on
    Rotate(KmsKeyArgs),
}

#[derive(Args)]
pub(crate) struct KmsKeyArgs {
    /// The key's id; aws/s3 is the default key
    id: String,
    #[command(flatten)]
    door: DoorArgs,
}

pub(crate) fn run(command: KmsCommand) -> anyhow::Result<ExitCode> {
    crate::runtime()?.block_on(async {
        let key = match command {
            KmsCommand::List { door } => {
                let list = door.open().await?.call(&ListKmsKeys {}).await?;
                let shown = show(&list.kms_keys);
                let KeyCache { hits, misses, keys } = list.cache;
                output::note(&format!(
                    "opened keys in the cache: {keys}; {hits} hits, {misses} misses since the start"
                ));
                return shown;
            }
            KmsCommand::Create(KmsKeyArgs { id, door }) => {
                let created = door.open().await?.call(&CreateKmsKey { id }).await?;
                output::note("the keyring has changed; back it up: canopic keyring backup FILE");
                created
            }
            KmsCommand::Describe(KmsKeyArgs { id, door }) => door.open().await?.call(&DescribeKmsKey { id }).await?,
            KmsCommand::Enable(KmsKeyArgs { id, door }) => door.open().await?.call(&EnableKmsKey { id }).await?,
            KmsCommand::Disable(KmsKeyArgs { id, door }) => door.open().await?.call(&DisableKmsKey { id }).await?,
            KmsCommand::ScheduleDeletion { days, key: KmsKeyArgs { id, door } } => {
                let waiting_days = Some(days);
                door.open().await?.call(&ScheduleKmsKeyDeletion { id, waiting_days }).await?
            }
            KmsCommand::Rotate(KmsKeyArgs { id, door }) => {
                let rotated = door.open().await?.call(&RotateKmsKey { id }).await?;
                output::note("the keyring has changed; back it up: canopic keyring backup FILE");
                rotated
            }
        };
        show(&[key])
    })
}

fn show(keys: &[KmsKey]) -> anyhow::Result<ExitCode> {
    let rows = keys.iter().map(|key| {
        let state = match key.state {
            KmsKeyState::Enabled => "enabled",
            KmsKeyState::Disabled => "disabled",
            KmsKeyState::PendingDeletion => "pending-deletion",
        };
        let date = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), date);
        let versions = key.versions.to_string();
        vec![key.id.clone(), state.to_owned(), date(key.created_ms), versions, date(key.deletion_ms)]
    });
    output::table(&["ID", "STATE", "CREATED", "VERSIONS", "DELETION"], &rows.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

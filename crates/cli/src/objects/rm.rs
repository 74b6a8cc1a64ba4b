use std::process::ExitCode;

use client::{Address, Client, ClientError, DELETE_MAX, Listing};

use super::access_args::AccessArgs;
use super::{exit_code, folder, with_object_key};

/// Delete an object or a folder. No customer key is needed.
#[derive(clap::Args)]
pub(crate) struct RmArgs {
    /// s3://BUCKET/KEY
    target: Address,
    /// Delete all objects of a folder
    #[arg(long, short)]
    recursive: bool,
    /// Abort unfinished uploads in parts instead, also those of others
    #[arg(long)]
    uploads: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: RmArgs) -> anyhow::Result<ExitCode> {
    let client = args.access.client()?;
    if args.uploads {
        return abort_uploads(&client, &args).await;
    }
    if args.recursive {
        return remove_folder(&client, &folder(&args.target), args.quiet).await;
    }
    let address = with_object_key(&args.target)?;
    client.delete_object(address).await?;
    if !args.quiet {
        crate::output::line(&address.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn abort_uploads(client: &Client, args: &RmArgs) -> anyhow::Result<ExitCode> {
    let target = if args.recursive { folder(&args.target) } else { with_object_key(&args.target)?.clone() };
    let uploads = client.list_multipart_uploads(&target).await?;
    for upload in uploads.into_iter().filter(|upload| args.recursive || upload.key == target.key) {
        let address = target.with_key(upload.key);
        client.abort_multipart_upload(&address, &upload.id).await?;
        if !args.quiet {
            crate::output::line(&format!("{address} (upload {})", upload.id.escape_default()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove_folder(client: &Client, folder: &Address, quiet: bool) -> anyhow::Result<ExitCode> {
    let mut listing = Listing::new(folder, false);
    let mut code = 0;
    while let Some(page) = client.list_objects(&mut listing).await? {
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        for keys in keys.chunks(DELETE_MAX) {
            let failures = client.delete_objects(folder, keys).await?;
            for key in keys.iter().filter(|key| !quiet && failures.iter().all(|(failed, _)| failed != *key)) {
                crate::output::line(&folder.with_key(key).to_string())?;
            }
            for (key, refusal) in failures {
                let error = ClientError::Refused { what: folder.with_key(key).to_string(), refusal };
                code = if code == 0 { denied_or_failed(&error) } else { code };
                crate::output::complain(&error.into());
            }
        }
    }
    Ok(ExitCode::from(code))
}

fn denied_or_failed(error: &ClientError) -> u8 {
    match error {
        ClientError::Refused { refusal, .. } if refusal.code == "AccessDenied" => exit_code::ACCESS_DENIED,
        other => exit_code::of(other),
    }
}

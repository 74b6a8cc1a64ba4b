use std::process::ExitCode;

use client::{Address, ObjectHead};

use super::access_args::AccessArgs;
use super::encryption_args::ReadKeyArgs;
use super::with_object_key;

/// Show what the server says of an object, without reading it.
#[derive(clap::Args)]
pub(crate) struct HeadArgs {
    /// s3://BUCKET/KEY
    object: Address,
    #[command(flatten)]
    key: ReadKeyArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: HeadArgs) -> anyhow::Result<ExitCode> {
    let key = args.key.read()?;
    let client = args.access.client()?;
    let head = client.head_object(with_object_key(&args.object)?, key.as_deref()).await?;
    if args.json {
        crate::output::line(&json(&head).to_string())?;
    } else {
        crate::output::table(&["", ""], &rows(&head))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(head: &ObjectHead) -> Vec<Vec<String>> {
    let mut rows = vec![
        ("size".to_owned(), head.size.to_string()),
        ("etag".to_owned(), head.etag.clone()),
        ("last-modified".to_owned(), head.last_modified.clone()),
        ("content-type".to_owned(), head.content_type.clone()),
        ("encryption".to_owned(), head.encryption.clone().unwrap_or_else(|| "the server names none".to_owned())),
    ];
    rows.extend(head.checksum.iter().map(|(checksum, value)| (checksum.name().to_lowercase(), value.clone())));
    rows.extend(head.metadata.iter().map(|(name, value)| (format!("meta {name}"), value.clone())));
    // Values come from whoever wrote the object: none may move the cursor.
    let plain = |text: String| text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    rows.into_iter().map(|(name, value)| vec![plain(name), plain(value)]).collect()
}

fn json(head: &ObjectHead) -> serde_json::Value {
    let checksum = head.checksum.as_ref().map(|(checksum, value)| (checksum.name(), value));
    let metadata: serde_json::Map<String, serde_json::Value> =
        head.metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    serde_json::json!({
        "size": head.size,
        "etag": head.etag,
        "last_modified": head.last_modified,
        "content_type": head.content_type,
        "encryption": head.encryption,
        "checksum_algorithm": checksum.map(|(name, _)| name),
        "checksum": checksum.map(|(_, value)| value),
        "metadata": metadata,
    })
}

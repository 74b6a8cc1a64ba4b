use std::process::ExitCode;

use client::{Address, Listing, Page};

use super::access_args::AccessArgs;

/// List buckets, or the objects whose keys begin in a certain way.
#[derive(clap::Args)]
pub(crate) struct LsArgs {
    /// s3://BUCKET/PREFIX [default: all buckets]
    prefix: Option<Address>,
    /// Show what lies behind slashes too
    #[arg(long, short)]
    recursive: bool,
    /// List unfinished uploads in parts instead
    #[arg(long, requires = "prefix", conflicts_with = "json")]
    uploads: bool,
    /// Print a JSON document for each object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: LsArgs) -> anyhow::Result<ExitCode> {
    let client = args.access.client()?;
    let Some(prefix) = &args.prefix else {
        let buckets = client.list_buckets().await?;
        let rows: Vec<_> = buckets.into_iter().map(|(name, made)| vec![plain(&made), format!("s3://{name}")]).collect();
        crate::output::table(&["CREATED", "BUCKET"], &rows)?;
        return Ok(ExitCode::SUCCESS);
    };
    if args.uploads {
        let uploads = client.list_multipart_uploads(prefix).await?.into_iter();
        let rows: Vec<_> = uploads
            .map(|upload| vec![plain(&upload.initiated), plain(&upload.id), prefix.with_key(upload.key).to_string()])
            .collect();
        crate::output::table(&["BEGUN", "UPLOAD", "KEY"], &rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut listing = Listing::new(prefix, !args.recursive);
    while let Some(page) = client.list_objects(&mut listing).await? {
        if args.json {
            print_json(prefix, &page)?;
        } else {
            print_rows(prefix, page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_rows(prefix: &Address, page: Page) -> std::io::Result<()> {
    let folders = page.folders.into_iter().map(|key| (key, vec![String::new(), "folder".to_owned()]));
    let objects = page.objects.into_iter().map(|object| {
        let row = vec![plain(&object.last_modified), object.size.to_string()];
        (object.key, row)
    });
    let mut rows: Vec<_> = folders.chain(objects).collect();
    rows.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let row = |(key, mut row): (String, Vec<String>)| {
        row.push(prefix.with_key(key).to_string());
        row
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(row).collect();
    crate::output::table(&["MODIFIED", "SIZE", "KEY"], &rows)
}

fn print_json(prefix: &Address, page: &Page) -> std::io::Result<()> {
    for folder in &page.folders {
        crate::output::line(&serde_json::json!({ "bucket": prefix.bucket, "folder": folder }).to_string())?;
    }
    for object in &page.objects {
        let line = serde_json::json!({
            "bucket": prefix.bucket,
            "key": object.key,
            "size": object.size,
            "last_modified": object.last_modified,
        });
        crate::output::line(&line.to_string())?;
    }
    Ok(())
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

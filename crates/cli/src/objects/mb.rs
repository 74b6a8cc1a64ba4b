use std::process::ExitCode;

use anyhow::ensure;
use client::Address;

use super::access_args::AccessArgs;

/// Make a bucket.
#[derive(clap::Args)]
pub(crate) struct MbArgs {
    /// s3://BUCKET
    bucket: Address,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: MbArgs) -> anyhow::Result<ExitCode> {
    ensure!(args.bucket.key.is_empty(), "{}: write s3://BUCKET", args.bucket);
    args.access.client()?.create_bucket(&args.bucket).await?;
    Ok(ExitCode::SUCCESS)
}

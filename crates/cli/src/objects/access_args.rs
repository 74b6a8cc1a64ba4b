//! Which server, and who asks.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use client::{Addressing, Client, Endpoint, KeyPair, Patience, Trust};

#[derive(clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct AccessArgs {
    /// http://HOST[:PORT] or https://HOST[:PORT]
    /// [env: CANOPIC_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Region to sign for [env: AWS_REGION, AWS_DEFAULT_REGION] [default: us-east-1]
    #[arg(long)]
    region: Option<String>,
    /// File with what `canopic key issue` printed, pair or token
    /// [env: CANOPIC_ACCESS_KEY and CANOPIC_SECRET_KEY, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY]
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Sign nothing: for what is public
    #[arg(long, conflicts_with = "credentials")]
    anonymous: bool,
    /// PEM file of certificate authorities to trust, and no others
    /// [env: CANOPIC_CA_FILE, AWS_CA_BUNDLE, SSL_CERT_FILE] [default: those of the system]
    #[arg(long, visible_alias = "ca", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Where the name of the bucket stands; auto: in the host for Amazon's endpoints, else in the path
    #[arg(long, value_enum, default_value_t = AddressingArg::Auto)]
    addressing: AddressingArg,
    /// Attempts at each request before giving up
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// Seconds without a byte before an attempt is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum AddressingArg {
    Auto,
    Path,
    Virtual,
}

impl AccessArgs {
    /// A client; nothing is connected yet.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let url = self.endpoint.clone();
        let url = url.or_else(|| first(&["CANOPIC_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
        let url = url.context("which server? give --endpoint URL, or CANOPIC_ENDPOINT in the environment")?;
        let authority = self.ca_file.clone();
        let authority =
            authority.or_else(|| first(&["CANOPIC_CA_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"]).map(PathBuf::from));
        let trust = authority.map_or(Trust::System, Trust::File);
        let addressing = match self.addressing {
            AddressingArg::Auto => Addressing::Auto,
            AddressingArg::Path => Addressing::Path,
            AddressingArg::Virtual => Addressing::VirtualHost,
        };
        let endpoint = Endpoint::new(&url, &trust, addressing)?;
        let region = self.region.clone().or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let pair = match &self.credentials {
            _ if self.anonymous => None,
            Some(path) => Some(KeyPair::from_file(path)?),
            None => Some(KeyPair::from_environment(|name| std::env::var(name).ok())?),
        };
        let stall = Duration::from_secs(self.timeout);
        let patience = Patience { attempts: self.attempts, stall, ..Patience::default() };
        Ok(Client::new(endpoint, pair, region.as_deref().unwrap_or("us-east-1"), patience)?)
    }
}

//! The command line of `canopic bench`.

use crate::human::{ByteSize, parse_duration};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Measure S3 endpoints: rates, latencies, and the server's CPU and memory.
///
/// Every run is bounded by a count or a time. Objects are written below a fresh prefix and deleted afterwards.
/// Several endpoints are measured in turn (A B A B) and compared with the first.
#[derive(clap::Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    pub operation: Operation,

    /// Endpoint, http://HOST:PORT or https://HOST:PORT; repeat to compare
    #[arg(long = "endpoint", value_name = "URL", default_value = "https://127.0.0.1:9443")]
    pub endpoints: Vec<String>,

    /// Allow endpoints that are not on this machine
    #[arg(long)]
    pub allow_remote: bool,

    /// Bucket, created if missing and left in place
    #[arg(long, default_value = "canopic-bench")]
    pub bucket: String,

    /// Region to sign for
    #[arg(long, default_value = "us-east-1")]
    pub region: String,

    /// File with what `canopic key issue` printed, pair or token; once, or once per endpoint
    /// [env: CANOPIC_ACCESS_KEY and CANOPIC_SECRET_KEY, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY]
    #[arg(long, value_name = "FILE")]
    pub credentials: Vec<PathBuf>,

    /// PEM file of certificate authorities to trust, and no others; repeatable
    #[arg(long = "ca", value_name = "FILE")]
    pub certificate_authorities: Vec<PathBuf>,

    /// Do not check the server's certificate (loopback addresses only)
    #[arg(long, conflicts_with = "certificate_authorities")]
    pub insecure_skip_verify: bool,

    /// Size of the objects
    #[arg(long, default_value = "4KiB")]
    pub size: ByteSize,

    /// Size of each range of `range`, at random offsets
    #[arg(long, default_value = "64KiB")]
    pub range_size: ByteSize,

    /// Write the objects that are read in parts, too
    #[arg(long)]
    pub in_parts: bool,

    /// Size of each part of `multipart` and `--in-parts`
    #[arg(long, default_value = "8MiB")]
    pub part_size: ByteSize,

    /// Keys per page of `list`
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub page_size: u64,

    /// Objects that are read, headed or listed (default: 256 MiB worth, at least 8, at most 1,000). For `put` and
    /// `multipart`: write over so many names in turn instead of each name once
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_KEYS))]
    pub keys: Option<u64>,

    /// Connections, each with one request at a time
    #[arg(long, short = 'c', default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub concurrency: u32,

    /// Operations per round (default, without --duration: 1,000, or what moves 4 GiB if that is less)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_COUNT))]
    pub count: Option<u64>,

    /// Begin no operation later than this into a round, such as 10s (at most 60m)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,

    /// Unmeasured time before every round, such as 2s (at most 10m; none before `delete`)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub warmup: Duration,

    /// Rounds
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,

    /// Encryption to ask for; the customer key is random, new for every run and never shown
    #[arg(long, value_enum, default_value_t = Sse::None)]
    pub sse: Sse,

    /// Compare every byte that is read; `put` and `multipart` are read back after each round
    #[arg(long)]
    pub verify: bool,

    /// Sign the SHA-256 of every body instead of UNSIGNED-PAYLOAD
    #[arg(long)]
    pub signed_payload: bool,

    /// Slow clients: send and read at most so much per second on each connection
    #[arg(long, value_name = "SIZE")]
    pub pace: Option<ByteSize>,

    /// Give up on a request after this time (at most 60m)
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = parse_duration)]
    pub timeout: Duration,

    /// End a round after so many errors
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_errors: u64,

    /// Server processes on this machine to account for, `PID[,PID…]`: the first for the first endpoint, and so on
    /// (`-`: none)
    #[arg(long = "pid", value_name = "PID", allow_hyphen_values = true)]
    pub processes: Vec<ProcessList>,

    /// Leave the objects in place
    #[arg(long)]
    pub keep: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Write whole objects
    Put,
    /// Read whole objects
    Get,
    /// Read ranges at random offsets
    Range,
    /// Ask for the headers of objects
    Head,
    /// Copy objects onto themselves, so that they change hands; the key is the same before and after
    Rekey,
    /// List page after page
    List,
    /// Delete objects
    Delete,
    /// 45 % get, 30 % head, 15 % put, 10 % delete
    Mixed,
    /// Write objects in parts; one operation is a whole upload
    Multipart,
}

/// The encryption that requests ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sse {
    /// No header
    None,
    /// SSE-S3: keys of the server
    S3,
    /// SSE-C: a customer key with every request
    C,
}

impl Operation {
    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Range => "range",
            Self::Head => "head",
            Self::Rekey => "rekey",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Mixed => "mixed",
            Self::Multipart => "multipart",
        }
    }
}

impl Sse {
    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::S3 => "s3",
            Self::C => "c",
        }
    }
}

/// The processes of one server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessList(pub Vec<u32>);

/// The text is not a list of process numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write one process number, several with commas between, or - for none")]
pub struct InvalidProcessList;

impl FromStr for ProcessList {
    type Err = InvalidProcessList;

    fn from_str(text: &str) -> Result<Self, InvalidProcessList> {
        if text == "-" {
            return Ok(Self::default());
        }
        let numbers: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
        numbers.map(Self).map_err(|_| InvalidProcessList)
    }
}

/// Most objects that are prepared before a round.
pub(crate) const MAX_KEYS: u64 = 1_000_000;
/// Most operations of a round.
pub(crate) const MAX_COUNT: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_listed_with_commas() {
        assert_eq!("12".parse(), Ok(ProcessList(vec![12])));
        assert_eq!("12,13".parse(), Ok(ProcessList(vec![12, 13])));
        assert_eq!("-".parse(), Ok(ProcessList(vec![])));
        for text in ["", "12,", "x", "-1"] {
            assert_eq!(text.parse::<ProcessList>(), Err(InvalidProcessList), "{text}");
        }
    }
}

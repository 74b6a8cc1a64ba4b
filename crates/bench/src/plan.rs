//! The command line, checked: what every round does, with every bound in place.

use crate::args::{BenchArgs, MAX_COUNT, MAX_KEYS, Operation, Sse};
use crate::error::BenchError;
use crate::human::ByteSize;
use client::CustomerKey;
use model::BucketName;
use std::time::Duration;

/// What is done, the same on every endpoint.
pub(crate) struct Plan {
    pub operation: Operation,
    pub bucket: BucketName,
    pub encryption: Encryption,
    /// Begins every object key of this run, and ends with a slash.
    pub prefix: String,
    /// Bytes of an object.
    pub size: u64,
    /// Bytes of a range, at most `size`.
    pub range_size: u64,
    /// Whether the objects that are read are written in parts.
    pub in_parts: bool,
    /// Bytes of a part, at least 1.
    pub part_size: u64,
    /// Keys of a page.
    pub page_size: u64,
    pub concurrency: usize,
    pub rounds: u32,
    /// Operations of a round.
    pub count: u64,
    /// Time of a round after which no operation begins.
    pub duration: Duration,
    pub warmup: Duration,
    pub timeout: Duration,
    pub max_errors: u64,
    /// Objects that exist before the first round.
    pub object_count: u64,
    /// Names that `put` and `multipart` write over in turn.
    pub write_names: u64,
    pub verify: bool,
    pub signed_payload: bool,
    /// Bytes per second on one connection.
    pub pace: Option<u64>,
    pub keep: bool,
}

/// The encryption that requests ask for, with its key.
pub(crate) enum Encryption {
    None,
    ServerKey,
    CustomerKey(CustomerKey),
}

impl Plan {
    /// Checks the options that are not about endpoints.
    pub(crate) fn new(args: &BenchArgs) -> Result<Self, BenchError> {
        let bucket = BucketName::parse(&args.bucket).map_err(|_| BenchError::InvalidBucket(args.bucket.clone()))?;
        let encryption = match args.sse {
            Sse::None => Encryption::None,
            Sse::S3 => Encryption::ServerKey,
            Sse::C => Encryption::CustomerKey(CustomerKey::generate()?),
        };
        let size = args.size.bytes();
        let (count, duration) = round_limits(args);
        let plan = Self {
            operation: args.operation,
            bucket,
            encryption,
            prefix: run_prefix()?,
            size,
            range_size: args.range_size.bytes().min(size),
            in_parts: args.in_parts,
            part_size: args.part_size.bytes(),
            page_size: args.page_size,
            concurrency: args.concurrency as usize,
            rounds: args.rounds,
            count,
            duration,
            warmup: args.warmup,
            timeout: args.timeout,
            max_errors: args.max_errors,
            object_count: args.keys.unwrap_or_else(|| worth(256 << 20, size).clamp(8, 1000)),
            write_names: args.keys.unwrap_or(MAX_COUNT),
            verify: args.verify,
            signed_payload: args.signed_payload,
            pace: args.pace.map(ByteSize::bytes),
            keep: args.keep,
        };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), BenchError> {
        let parts = self.size.div_ceil(self.part_size.max(1));
        let is_in_parts = self.in_parts || self.operation == Operation::Multipart;
        let hour = Duration::from_secs(3600);
        let broken = [
            (self.size > MAX_SIZE, "--size: at most 5GiB"),
            (self.operation == Operation::Range && self.range_size == 0, "--range-size and --size: at least 1 byte"),
            (self.part_size == 0 || self.part_size > MAX_SIZE, "--part-size: 1 byte to 5GiB"),
            (is_in_parts && parts > 10_000, "--part-size: more than 10,000 parts"),
            (is_in_parts && parts == 0, "--size: a multipart upload has at least 1 byte"),
            (self.duration.is_zero() || self.duration > hour, "--duration: more than 0, at most 60m"),
            (self.warmup > Duration::from_secs(600), "--warmup: at most 10m"),
            (self.timeout.is_zero() || self.timeout > hour, "--timeout: more than 0, at most 60m"),
            (self.pace == Some(0), "--pace: at least 1 byte per second"),
            (self.operation == Operation::Delete && self.count > MAX_KEYS, "--count: at most 1000000 for delete"),
        ];
        match broken.iter().find(|(broken, _)| *broken) {
            Some((_, message)) => Err(BenchError::OutOfBounds((*message).to_owned())),
            None => Ok(()),
        }
    }

    /// The key of the object `index` of `folder`.
    pub(crate) fn object_key(&self, folder: &str, index: u64) -> String {
        format!("{}{folder}/{index:08}", self.prefix)
    }
}

/// Operations and time of a round. With a time alone, the count is only the last resort; deletes are the exception,
/// since whatever they delete is written before.
fn round_limits(args: &BenchArgs) -> (u64, Duration) {
    let longest = Duration::from_secs(3600);
    let by_size = match args.operation {
        Operation::Range => args.range_size.bytes().min(args.size.bytes()),
        Operation::Head | Operation::Rekey | Operation::List => 0,
        _ => args.size.bytes(),
    };
    let default_count = worth(4 << 30, by_size).clamp(16, 1000);
    let count = match (args.count, args.duration) {
        (Some(count), _) => count,
        (None, Some(_)) if args.operation != Operation::Delete => MAX_COUNT,
        (None, _) if args.operation == Operation::Delete => args.keys.unwrap_or(default_count),
        (None, _) => default_count,
    };
    (count, args.duration.unwrap_or(longest))
}

/// How many objects of `size` make `bytes`.
fn worth(bytes: u64, size: u64) -> u64 {
    bytes.checked_div(size).unwrap_or(u64::MAX)
}

fn run_prefix() -> Result<String, BenchError> {
    let mut run = [0; 6];
    client::random(&mut run)?;
    Ok(format!("canopic-bench/{}/", hex::encode(run)))
}

const MAX_SIZE: u64 = 5 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan(line: &str) -> Result<Plan, BenchError> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Plan::new(&Command::try_parse_from(words).map_err(|error| error.to_string()).unwrap().args)
    }

    #[test]
    fn every_round_is_bounded_without_any_option() {
        let plan = plan("put").unwrap();
        assert_eq!((plan.count, plan.duration), (1000, Duration::from_secs(3600)));
    }

    #[test]
    fn defaults_shrink_with_the_size() {
        let plan = plan("get --size 64MiB").unwrap();
        assert_eq!((plan.count, plan.object_count), (64, 8));
    }

    #[test]
    fn deletes_are_counted_even_when_a_time_is_given() {
        assert_eq!(plan("delete --duration 5s").unwrap().count, 1000);
        assert_eq!(plan("get --duration 5s").unwrap().count, MAX_COUNT);
    }

    #[test]
    fn what_is_outside_of_the_bounds_is_refused() {
        for line in [
            "put --size 6GiB",
            "range --size 0",
            "range --range-size 0",
            "multipart --part-size 0",
            "multipart --size 1GiB --part-size 4k",
            "multipart --size 0",
            "range --in-parts --size 1GiB --part-size 4k",
            "put --duration 61m",
            "put --duration 0",
            "put --warmup 11m",
            "put --timeout 0s",
            "put --pace 0",
            "delete --count 1000001",
        ] {
            assert!(matches!(plan(line), Err(BenchError::OutOfBounds(_))), "{line}");
        }
        assert!(matches!(plan("put --bucket A"), Err(BenchError::InvalidBucket(_))));
    }

    #[test]
    fn two_runs_do_not_share_a_prefix() {
        assert_ne!(plan("put").unwrap().prefix, plan("put").unwrap().prefix);
    }
}

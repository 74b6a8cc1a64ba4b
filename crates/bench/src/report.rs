//! The result: plain figures, made from tallies.

use crate::args::{Operation, Sse};
use crate::plan::Plan;
use crate::process::Usage;
use crate::session::Round;
use crate::tally::{Measured, Tally};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a benchmark found.
#[derive(Serialize, Debug, Clone)]
pub struct Report {
    /// What was measured.
    pub operation: Operation,
    /// Bytes of an object.
    pub size_bytes: u64,
    /// Bytes of a range, for `range` only.
    pub range_bytes: Option<u64>,
    /// Connections.
    pub concurrency: usize,
    /// The encryption asked for.
    pub sse: Sse,
    /// Whether all bytes were compared.
    pub verified: bool,
    /// In the order of the command line.
    pub endpoints: Vec<EndpointReport>,
}

/// The figures of one endpoint.
#[derive(Serialize, Debug, Clone)]
pub struct EndpointReport {
    /// The URL as given.
    pub endpoint: String,
    /// All rounds together.
    pub figures: Figures,
    /// All rounds together, by kind of operation, when there was more than one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_operation: BTreeMap<Operation, OperationFigures>,
    /// Each round alone.
    pub rounds: Vec<Figures>,
    /// How often each failure happened, in rounds and in reading back.
    pub errors: BTreeMap<String, u64>,
    /// This endpoint divided by the first one; absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_to_first: Option<Ratios>,
}

/// Rates, latencies and costs.
#[derive(Serialize, Debug, Clone, Default)]
pub struct Figures {
    /// Measured time in seconds.
    pub seconds: f64,
    /// Rates and latencies of all operations that succeeded.
    #[serde(flatten)]
    pub all: OperationFigures,
    /// How many failed.
    pub errors: u64,
    /// CPU seconds of this client.
    pub client_cpu_seconds: Option<f64>,
    /// What the server's processes used.
    pub server: Option<ServerFigures>,
}

/// Rates and latencies of operations that succeeded.
#[derive(Serialize, Debug, Clone, Default)]
pub struct OperationFigures {
    /// How many.
    pub operations: u64,
    /// Bytes of objects that moved; for lists, of the pages.
    pub bytes: u64,
    /// Rate; over several rounds, the median of theirs.
    pub operations_per_second: f64,
    /// Rate in MiB; over several rounds, the median of theirs.
    pub mib_per_second: f64,
    /// Half of the operations took at most this many milliseconds.
    pub p50_ms: f64,
    /// 90 % took at most this.
    pub p90_ms: f64,
    /// 99 % took at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// CPU and memory of a server.
#[derive(Serialize, Debug, Clone, Default)]
pub struct ServerFigures {
    /// CPU seconds in all.
    pub cpu_seconds: f64,
    /// CPU seconds per 1,000 operations.
    pub cpu_seconds_per_1000_operations: Option<f64>,
    /// CPU seconds per GiB moved.
    pub cpu_seconds_per_gib: Option<f64>,
    /// Largest resident memory seen in a round, sampled ten times a second, in MiB.
    pub peak_rss_mib: f64,
    /// The processes' own high-water mark, since they began, in MiB.
    pub high_water_mib: f64,
}

/// Quotients of two endpoints' figures; absent where one has none.
#[derive(Serialize, Debug, Clone)]
pub struct Ratios {
    /// Of the rates of operations.
    pub operations_per_second: Option<f64>,
    /// Of the MiB per second.
    pub mib_per_second: Option<f64>,
    /// Of the median latencies.
    pub p50: Option<f64>,
    /// Of the 99 % latencies.
    pub p99: Option<f64>,
    /// Of the CPU seconds per operation.
    pub cpu_per_operation: Option<f64>,
    /// Of the CPU seconds per GiB.
    pub cpu_per_gib: Option<f64>,
    /// Of the peak resident memory.
    pub peak_rss: Option<f64>,
}

impl Report {
    pub(crate) fn new(plan: &Plan, sse: Sse, measured: Vec<(String, Vec<Round>)>) -> Self {
        let mut endpoints: Vec<EndpointReport> =
            measured.into_iter().map(|(endpoint, rounds)| EndpointReport::new(endpoint, &rounds)).collect();
        if let Some((first, others)) = endpoints.split_first_mut() {
            for other in others {
                other.ratio_to_first = Some(Ratios::new(&other.figures, &first.figures));
            }
        }
        Self {
            operation: plan.operation,
            size_bytes: plan.size,
            range_bytes: (plan.operation == Operation::Range).then_some(plan.range_size),
            concurrency: plan.concurrency,
            sse,
            verified: plan.verify,
            endpoints,
        }
    }

    /// Failures on all endpoints.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.endpoints.iter().map(|endpoint| endpoint.figures.errors).sum()
    }
}

impl EndpointReport {
    fn new(endpoint: String, rounds: &[Round]) -> Self {
        let mut tally = Tally::default();
        rounds.iter().for_each(|round| tally.merge(&round.tally));
        let each: Vec<Figures> = rounds.iter().map(Figures::of_round).collect();
        let mut figures = Figures::of_rounds(rounds, &tally);
        figures.all.operations_per_second = median(each.iter().map(|round| round.all.operations_per_second));
        figures.all.mib_per_second = median(each.iter().map(|round| round.all.mib_per_second));
        let mut by_operation = BTreeMap::new();
        if tally.by_operation().len() > 1 {
            let elapsed = rounds.iter().map(|round| round.elapsed).sum();
            for (operation, measured) in tally.by_operation() {
                by_operation.insert(*operation, OperationFigures::new(measured, elapsed));
            }
        }
        Self { endpoint, figures, by_operation, rounds: each, errors: tally.errors().clone(), ratio_to_first: None }
    }
}

impl Figures {
    fn of_round(round: &Round) -> Self {
        Self::of_rounds(std::slice::from_ref(round), &round.tally)
    }

    /// `tally` is that of all the rounds.
    fn of_rounds(rounds: &[Round], tally: &Tally) -> Self {
        let elapsed: Duration = rounds.iter().map(|round| round.elapsed).sum();
        let all = OperationFigures::new(&tally.total(), elapsed);
        let client: Option<Vec<Usage>> = rounds.iter().map(|round| round.client).collect();
        let server: Option<Vec<Usage>> = rounds.iter().map(|round| round.server).collect();
        Self {
            seconds: elapsed.as_secs_f64(),
            errors: tally.errors().values().sum(),
            client_cpu_seconds: client.map(|usages| usages.iter().map(|usage| usage.cpu_seconds).sum()),
            server: server.map(|usages| ServerFigures::new(&usages, &all)),
            all,
        }
    }
}

impl OperationFigures {
    fn new(measured: &Measured, elapsed: Duration) -> Self {
        let latencies = &measured.latencies;
        let per_second = |amount: f64| quotient(amount, elapsed.as_secs_f64()).unwrap_or_default();
        let ms = |per_mille| latencies.percentile_us(per_mille) as f64 / 1000.0;
        Self {
            operations: latencies.total(),
            bytes: measured.bytes,
            operations_per_second: per_second(latencies.total() as f64),
            mib_per_second: per_second(measured.bytes as f64 / MIB),
            p50_ms: ms(500),
            p90_ms: ms(900),
            p99_ms: ms(990),
            max_ms: latencies.max_us() as f64 / 1000.0,
        }
    }
}

impl ServerFigures {
    fn new(usages: &[Usage], all: &OperationFigures) -> Self {
        let cpu_seconds: f64 = usages.iter().map(|usage| usage.cpu_seconds).sum();
        let most = |kib: fn(&Usage) -> u64| usages.iter().map(kib).max().unwrap_or_default() as f64 / 1024.0;
        Self {
            cpu_seconds,
            cpu_seconds_per_1000_operations: quotient(cpu_seconds * 1000.0, all.operations as f64),
            cpu_seconds_per_gib: quotient(cpu_seconds * MIB * 1024.0, all.bytes as f64),
            peak_rss_mib: most(|usage| usage.rss_peak_kib),
            high_water_mib: most(|usage| usage.high_water_kib),
        }
    }
}

impl Ratios {
    fn new(this: &Figures, first: &Figures) -> Self {
        let server = |figure: fn(&ServerFigures) -> Option<f64>| {
            quotient(this.server.as_ref().and_then(figure)?, first.server.as_ref().and_then(figure)?)
        };
        Self {
            operations_per_second: quotient(this.all.operations_per_second, first.all.operations_per_second),
            mib_per_second: quotient(this.all.mib_per_second, first.all.mib_per_second),
            p50: quotient(this.all.p50_ms, first.all.p50_ms),
            p99: quotient(this.all.p99_ms, first.all.p99_ms),
            cpu_per_operation: server(|figures| figures.cpu_seconds_per_1000_operations),
            cpu_per_gib: server(|figures| figures.cpu_seconds_per_gib),
            peak_rss: server(|figures| Some(figures.peak_rss_mib)),
        }
    }
}

fn quotient(amount: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| amount / of)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

const MIB: f64 = (1 << 20) as f64;

#[cfg(test)]
mod tests;

//! `canopic bench`: a bounded load on S3 endpoints, and what it cost them.
//!
//! The flow of a run: [`BenchArgs`] is checked into a plan and endpoints; each endpoint gets a session with one
//! worker per connection; rounds alternate between the endpoints (A B A B), so that what disturbs the machine disturbs
//! all of them alike; a round is a phase of connecting, one of warming up and the measured one; tallies become a
//! [`Report`].
//!
//! Why requests of its own over the connections of `client`: they are signed and sent and nothing else, stream to and
//! from one shared pool of bytes, and so stay small and quick beside the server that is measured on the same machine.
//! Operations that are under way when a
//! round's time is over are finished and counted, and the round is as long as the last one, so that CPU time and
//! operations belong together.
//!
//! Left out: HTTP/2, virtual-host addressing, retries (a failed request is a result), and any use of the server's own
//! code except names from `model`.

mod args;
mod body;
mod client;
mod endpoint;
mod error;
mod histogram;
mod human;
mod pattern;
mod phase;
mod plan;
mod process;
mod progress;
mod report;
mod requests;
mod session;
mod table;
mod tally;
mod worker;
mod xml;

pub use ::client::{Credentials, SignedParts, Signer, stamp};
pub use args::{BenchArgs, InvalidProcessList, Operation, ProcessList, Sse};
pub use error::BenchError;
pub use human::{ByteSize, InvalidByteSize, InvalidDuration};
pub use report::{EndpointReport, Figures, OperationFigures, Ratios, Report, ServerFigures};

use endpoint::Endpoint;
use pattern::Pattern;
use plan::Plan;
use progress::Progress;
use session::Session;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Measures and prints the report to standard output; progress goes to standard error if that is a terminal.
///
/// The result is failure when any request failed or any byte differed, after the report has been printed.
///
/// # Errors
/// [`BenchError`] when nothing could be measured, or when the report cannot be written.
pub async fn run(args: BenchArgs) -> Result<ExitCode, BenchError> {
    let json = args.json;
    let report = measure(args).await?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        table::write(&report, &mut out)?;
    }
    out.flush()?;
    Ok(if report.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures, and prints nothing but progress.
///
/// # Errors
/// [`BenchError`] when the options are wrong, an endpoint cannot be reached, or bucket and objects cannot be made.
/// Requests that fail while measuring are in the report instead.
pub async fn measure(args: BenchArgs) -> Result<Report, BenchError> {
    let plan = Arc::new(Plan::new(&args)?);
    let endpoints = Endpoint::all(&args, |name| std::env::var(name).ok()).await?;
    let (pattern, progress) = (Pattern::generate(), Progress::on_terminal());
    let session = |endpoint| Session::new(endpoint, plan.clone(), pattern.clone(), progress.clone());
    let mut sessions: Vec<Session> = endpoints.into_iter().map(session).collect();
    let sse = args.sse;
    drop(args);

    let rounds = measure_in_turn(&plan, &mut sessions).await;
    // What was prepared is cleaned up even when a round could not be run; then the first error is the one to tell.
    for session in &mut sessions {
        session.clean_up().await?;
    }
    let urls = sessions.iter().map(|session| session.endpoint().url.clone());
    Ok(Report::new(&plan, sse, urls.zip(rounds?).collect()))
}

/// The rounds of each session.
async fn measure_in_turn(plan: &Plan, sessions: &mut [Session]) -> Result<Vec<Vec<session::Round>>, BenchError> {
    for session in sessions.iter_mut() {
        session.prepare().await?;
    }
    let mut rounds: Vec<Vec<session::Round>> = sessions.iter().map(|_| Vec::new()).collect();
    for number in 1..=plan.rounds {
        for (session, rounds) in sessions.iter_mut().zip(&mut rounds) {
            rounds.push(session.round(number).await?);
        }
    }
    Ok(rounds)
}

//! The same thing for many objects, some at a time. A failure is told at once and does not stop the others.

use std::process::ExitCode;

use client::ClientError;
use futures::stream::{self, StreamExt as _};

use super::bars::Bar;
use super::exit_code;

/// Does `work` for each item, which gives the line to print. The exit code is that of the first failure.
pub(super) async fn for_each<T>(
    items: impl IntoIterator<Item = T>,
    bar: &Bar,
    quiet: bool,
    work: impl AsyncFn(T) -> Result<String, ClientError>,
) -> anyhow::Result<ExitCode> {
    let mut done = stream::iter(items).map(|item| work(item)).buffer_unordered(AT_A_TIME);
    let mut code = 0;
    while let Some(outcome) = done.next().await {
        match outcome {
            Ok(line) if !quiet => bar.line(&line)?,
            Ok(_) => {}
            Err(error) => {
                code = if code == 0 { exit_code::of(&error) } else { code };
                bar.complain(&error.into());
            }
        }
    }
    bar.end();
    Ok(ExitCode::from(code))
}

/// Objects at a time. Most of the time of a small one is waiting for the server.
const AT_A_TIME: usize = 8;

//! `canopic audit`: whether the log of the uses of server-held keys is whole.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::AuditHead;

use crate::output;
use crate::setting_args::{AuditPlace, SettingArgs};

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Check every entry of the audit log against the one before; a server may be running
    Verify(VerifyArgs),
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// A head, NUMBER:TAG, that an earlier check or the server's log told: it must be among the entries, or the end was
    /// cut off
    #[arg(long, value_name = "HEAD")]
    expect: Option<AuditHead>,
    #[command(flatten)]
    settings: SettingArgs<AuditPlace>,
}

/// Exit code 0 for a log that is whole, 1 for one that is not.
pub(crate) fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify(args) = command;
    let config = args.settings.load()?;
    let report = crate::runtime()?.block_on(server::verify_audit(&config, args.expect))?;
    for problem in &report.problems {
        output::line(&format!("{}:{}: {}", problem.file.display(), problem.line, problem.what))?;
    }
    let is_older = |head: &AuditHead| report.first.is_some_and(|first| head.number < first);
    if report.expected_found == Some(false) && args.expect.as_ref().is_some_and(is_older) {
        output::line("the expected head is older than the oldest file that is kept")?;
    } else if report.expected_found == Some(false) {
        output::line("the expected head is not in the log: its end was cut off, or it is another log")?;
    }
    if report.lost > 0 {
        output::line(&format!("{} uses could not be written down, as the log itself says", report.lost))?;
    }
    let from = report.first.map_or_else(String::new, |first| format!(" from number {first}"));
    output::line(&format!("{} entries{from} in {} files follow from each other", report.entries, report.files))?;
    if let Some(head) = report.head {
        output::line(&format!("head {head}"))?;
    }
    Ok(ExitCode::from(u8::from(!report.is_clean())))
}

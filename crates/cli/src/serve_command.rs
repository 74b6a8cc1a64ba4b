use std::process::ExitCode;
use std::time::Duration;

use server::Ended;

use crate::setting_args::{All, SettingArgs};

#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    settings: SettingArgs<All>,
}

pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.settings.load()?;
    server::logging::set_up(&config.log, config.log_format)?;
    let runtime = crate::runtime()?;
    match runtime.block_on(server::serve(&config))? {
        Ended::Gracefully => {
            // Every request has been answered. What was asked of a cluster that does not answer may go on for long.
            runtime.shutdown_timeout(LEFTOVERS_MAX);
            Ok(ExitCode::SUCCESS)
        }
        Ended::BeforeItBegan => {
            // Only a cluster that does not answer is still waited for.
            runtime.shutdown_background();
            Ok(ExitCode::SUCCESS)
        }
        Ended::AtOnce => {
            // Blocking work may still run; whoever signals twice does not want to wait for it.
            runtime.shutdown_background();
            Ok(ExitCode::FAILURE)
        }
    }
}

/// For so long work that blocks a thread is waited for at the end.
const LEFTOVERS_MAX: Duration = Duration::from_secs(5);

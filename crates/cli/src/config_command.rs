use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use server::config::{Config, Layer};

use crate::output;

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Explain what is wrong with the configuration, or print the effective values
    Check {
        /// The file; else the one that `serve` would take
        file: Option<PathBuf>,
    },
}

pub(crate) fn run(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Check { file } = command;
    let config = Config::load(Layer::default(), file.as_deref(), |name| std::env::var_os(name))?;
    output::line(config.explain().trim_end())?;
    Ok(ExitCode::SUCCESS)
}

//! The command line of Canopic: one server, and the means to look after it.
//!
//! Results go to standard output, everything else to standard error. The exit code is 0 for success, 1 for failure,
//! and 2 for a command line or a configuration that is wrong; failures with objects have codes of their own
//! (docs/client.md). No secret is ever an argument: a command line can be read by everybody on the machine.

mod admin_command;
mod age_file;
mod audit_command;
mod config_command;
mod door;
mod export_sealed_command;
mod https_door;
mod key_file_command;
mod keyring_command;
mod keyring_work;
mod kms_command;
mod objects;
mod output;
mod passphrase;
mod serve_command;
mod setting_args;
mod verify_command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "canopic", version, about = "An S3 object store whose heart is encryption")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve S3; the first run makes a data directory, keys and certificates
    Serve(serve_command::ServeArgs),
    /// Create and list users
    #[command(subcommand)]
    User(admin_command::UserCommand),
    /// Issue, list and revoke access keys and tokens
    #[command(subcommand)]
    Key(admin_command::KeyCommand),
    /// Look after the server's own keys: versions, backups, the root key
    #[command(subcommand)]
    Keyring(keyring_command::KeyringCommand),
    /// Create, rotate, disable and delete the keys of SSE-KMS
    #[command(subcommand)]
    Kms(kms_command::KmsCommand),
    /// Check the log of the uses of server-held keys
    #[command(subcommand)]
    Audit(audit_command::AuditCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(config_command::ConfigCommand),
    /// Measure S3 endpoints
    Bench(Box<bench::BenchArgs>),
    /// Write one object out as one file, still sealed; no server may run, and no key is needed
    ExportSealed(export_sealed_command::ExportSealedArgs),
    /// Look at everything that is stored, and say what is damaged and what is not sealed; no server may run
    VerifyAtRest(verify_command::VerifyArgs),
    /// Make customer keys, and show how clients are given them
    #[command(subcommand)]
    KeyFile(key_file_command::KeyFileCommand),
    Put(objects::PutArgs),
    Get(objects::GetArgs),
    Head(objects::HeadArgs),
    Ls(objects::LsArgs),
    Rm(objects::RmArgs),
    Cp(objects::CpArgs),
    Mb(objects::MbArgs),
    WhichKey(objects::WhichKeyArgs),
    /// Print the version
    Version,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            let is_usage = error.is::<server::config::ConfigError>();
            ExitCode::from(if is_usage { 2 } else { objects::exit_code(&error) })
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    // Every command may hold a secret: an access key at least, and offline the root key.
    server::hardening::harden()?;
    match command {
        Command::Serve(args) => serve_command::run(args),
        Command::User(command) => admin_command::run_user(command),
        Command::Key(command) => admin_command::run_key(command),
        Command::Keyring(command) => keyring_command::run(command),
        Command::Kms(command) => kms_command::run(command),
        Command::Audit(command) => audit_command::run(command),
        Command::Config(command) => config_command::run(command),
        Command::Bench(args) => runtime()?.block_on(async { Ok(bench::run(*args).await?) }),
        Command::ExportSealed(args) => export_sealed_command::run(args),
        Command::VerifyAtRest(args) => verify_command::run(args),
        Command::KeyFile(command) => key_file_command::run(command),
        Command::Put(args) => runtime()?.block_on(objects::put(args)),
        Command::Get(args) => runtime()?.block_on(objects::get(args)),
        Command::Head(args) => runtime()?.block_on(objects::head(args)),
        Command::Ls(args) => runtime()?.block_on(objects::ls(args)),
        Command::Rm(args) => runtime()?.block_on(objects::rm(args)),
        Command::Cp(args) => runtime()?.block_on(objects::cp(args)),
        Command::Mb(args) => runtime()?.block_on(objects::mb(args)),
        Command::WhichKey(args) => runtime()?.block_on(objects::which_key(args)),
        Command::Version => {
            output::line(&format!("canopic {}", env!("CARGO_PKG_VERSION")))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_setting_is_a_flag_of_serve() {
        let command = Arguments::command();
        let serve = command.find_subcommand("serve").unwrap();
        for setting in server::config::SETTINGS {
            let flag = setting.flag();
            assert!(serve.get_arguments().any(|a| a.get_long() == Some(flag.as_str())), "--{flag}");
        }
    }
}

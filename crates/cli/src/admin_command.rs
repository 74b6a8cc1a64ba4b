//! `canopic user …` and `canopic key …`.

use std::process::ExitCode;

use admin_api::{
    AccessKeyKind, CreateUser, IssueAccessKey, IssueToken, ListAccessKeys, ListUsers, Owner, RevokeAccessKey,
};
use clap::{Args, Subcommand};
use server::config::{Period, Value as _};

use crate::door::{Door, DoorArgs};
use crate::output::{self, date};

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user and print its ARN
    Create {
        /// 1 to 64 letters, digits or + = , . @ _ -
        name: String,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// List users: name, creation, ARN
    List {
        #[command(flatten)]
        door: DoorArgs,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Issue an access key pair, or a token, and show it this once
    Issue {
        #[command(flatten)]
        owner: OwnerArgs,
        /// One string that is used as access key, with an empty or any secret key, over TLS only
        #[arg(long)]
        token: bool,
        /// When it ends, counted from now: 12h, 30d
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// List access keys and tokens: id, kind, owner, creation, end
    List {
        /// Only those of this user
        name: Option<String>,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// End an access key or a token at once
    Revoke {
        /// The access key id, or the id of the token as `list` shows it
        id: String,
        #[command(flatten)]
        door: DoorArgs,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct OwnerArgs {
    /// The user that it is for
    name: Option<String>,
    /// For the administrator instead
    #[arg(long)]
    root: bool,
}

pub(crate) fn run_user(command: UserCommand) -> anyhow::Result<ExitCode> {
    crate::runtime()?.block_on(async {
        match command {
            UserCommand::Create { name, door } => {
                let user = door.open().await?.call(&CreateUser { name }).await?;
                output::line(&user.arn)?;
            }
            UserCommand::List { door } => {
                let list = door.open().await?.call(&ListUsers {}).await?;
                let rows = list.users.into_iter().map(|user| vec![user.name, date(user.created_ms), user.arn]);
                output::table(&["NAME", "CREATED", "ARN"], &rows.collect::<Vec<_>>())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(crate) fn run_key(command: KeyCommand) -> anyhow::Result<ExitCode> {
    crate::runtime()?.block_on(async {
        match command {
            KeyCommand::Issue { owner, token, expires, door } => {
                let owner = owner.name.map_or(Owner::Root, Owner::User);
                let expires_in_s = expires.as_deref().map(seconds).transpose()?;
                issue(&door.open().await?, owner, token, expires_in_s).await?;
            }
            KeyCommand::List { name, door } => list(&door.open().await?, name.map(Owner::User)).await?,
            KeyCommand::Revoke { id, door } => {
                door.open().await?.call(&RevokeAccessKey { id }).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn issue(door: &Door, owner: Owner, token: bool, expires_in_s: Option<u64>) -> anyhow::Result<()> {
    if token {
        let issued = door.call(&IssueToken { owner, expires_in_s }).await?;
        output::line(issued.token.expose())?;
    } else {
        let issued = door.call(&IssueAccessKey { owner, expires_in_s }).await?;
        output::line(&format!("access_key = {}", issued.access_key_id))?;
        output::line(&format!("secret_key = {}", issued.secret_access_key.expose()))?;
    }
    Ok(())
}

async fn list(door: &Door, owner: Option<Owner>) -> anyhow::Result<()> {
    let list = door.call(&ListAccessKeys { owner }).await?;
    let rows = list.access_keys.into_iter().map(|access_key| {
        let kind = match access_key.kind {
            AccessKeyKind::Pair => "pair",
            AccessKeyKind::Token => "token",
        };
        let expires = access_key.expires_ms.map_or_else(|| "never".to_owned(), date);
        vec![access_key.id, kind.to_owned(), access_key.principal, date(access_key.created_ms), expires]
    });
    output::table(&["ID", "KIND", "OWNER", "CREATED", "EXPIRES"], &rows.collect::<Vec<_>>())?;
    Ok(())
}

fn seconds(text: &str) -> anyhow::Result<u64> {
    let period = Period::parse(text).map_err(|error| anyhow::anyhow!("--expires: {error}"))?;
    anyhow::ensure!(period.0.as_secs() > 0, "--expires: expected one second or more");
    Ok(period.0.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_become_seconds() {
        assert_eq!(seconds("30d").unwrap(), 2_592_000);
        assert!(seconds("10ms").unwrap_err().to_string().contains("--expires"));
        assert!(seconds("soon").unwrap_err().to_string().contains("--expires"));
    }
}

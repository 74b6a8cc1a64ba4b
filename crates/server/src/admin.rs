//! The admin API: each call of `admin-api`, done by `operations`.
//!
//! Two doors lead here: a socket in the data directory, whose file mode says who may, and HTTPS, where the gateway has
//! verified a signature and says who it was. Behind the door there is one question left, whether that is the
//! administrator; it is asked in [`AdminApi::answer`], before anything is read. The calls that let all keys out or change
//! the root key are for those who are at the machine: a stolen pair of an administrator must not be worth the keyring.

mod calls;
mod key_work_calls;
mod keyring_calls;
mod kms_calls;
mod socket;

use admin_api::{CALL_LEN_MAX, Call, ErrorAnswer, ErrorCode, PREFIX};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use model::Principal;
use operations::Users;
use serde::de::DeserializeOwned;

pub(crate) use socket::AdminSocket;
pub use socket::{AdminSocketError, ShortPath};

use crate::http_server::json;
use crate::key_changes::{ChangesBy, KeyChanges};
use crate::key_work::{KeyWork, Work};
use crate::server_keys::ServerKeys;

/// Answers calls.
#[derive(Clone)]
pub(crate) struct AdminApi {
    users: Users,
    keys: ServerKeys,
    key_work: KeyWork,
    changes: KeyChanges,
}

/// Where a call comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The socket in the data directory, or the data directory itself without a server.
    Machine,
    /// A request over the network, signed by an access key.
    Network,
}

impl AdminApi {
    /// An API over `users`, the server's keys and the work on them, which tells `changes` what it does to keys.
    pub(crate) const fn new(users: Users, keys: ServerKeys, key_work: KeyWork, changes: KeyChanges) -> Self {
        Self { users, keys, key_work, changes }
    }

    /// Answers one request whose sender is known. The body is complete and at most [`CALL_LEN_MAX`] bytes long.
    pub(crate) async fn answer(
        &self,
        (door, caller): (Door, &Principal),
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Response<Full<Bytes>> {
        let answer = match self.call((door, caller), method, path, body).await {
            Ok(answer) => return json(StatusCode::OK, answer),
            Err(answer) => answer,
        };
        let text = serde_json::to_string(&answer).expect("strings and unit variants are always JSON");
        json(status(answer.code), text)
    }

    async fn call(
        &self,
        (door, caller): (Door, &Principal),
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Result<String, ErrorAnswer> {
        if !matches!(caller, Principal::Root(_)) {
            return Err(error(ErrorCode::Forbidden, "only the administrator may do this"));
        }
        let name = path.strip_prefix(PREFIX).filter(|_| method == Method::POST);
        let name = name.ok_or_else(|| error(ErrorCode::NoSuchCall, "calls are POST requests below /-/admin/v1/"))?;
        if door == Door::Network && is_for_the_machine(name) {
            let message =
                "this is done on the server's machine only: through the admin socket, or with no server running";
            return Err(error(ErrorCode::Forbidden, message));
        }
        if body.len() > CALL_LEN_MAX {
            return Err(error(ErrorCode::InvalidCall, "the call is too long"));
        }
        self.dispatch(caller, name, body).await
    }

    async fn dispatch(&self, caller: &Principal, name: &str, body: &[u8]) -> Result<String, ErrorAnswer> {
        use admin_api::{CreateUser, IssueAccessKey, IssueToken, ListAccessKeys, ListUsers, RevokeAccessKey};
        match name {
            CreateUser::NAME => render::<CreateUser>(calls::create_user(&self.users, parse(body)?).await?),
            ListUsers::NAME => {
                let ListUsers {} = parse(body)?;
                render::<ListUsers>(calls::list_users(&self.users).await?)
            }
            IssueAccessKey::NAME => render::<IssueAccessKey>(calls::issue_access_key(&self.users, parse(body)?).await?),
            IssueToken::NAME => render::<IssueToken>(calls::issue_token(&self.users, parse(body)?).await?),
            ListAccessKeys::NAME => render::<ListAccessKeys>(calls::list_access_keys(&self.users, parse(body)?).await?),
            RevokeAccessKey::NAME => {
                render::<RevokeAccessKey>(calls::revoke_access_key(&self.users, parse(body)?).await?)
            }
            _ => self.dispatch_keyring(&self.changes.by(Some(caller)), name, body).await,
        }
    }

    async fn dispatch_keyring(&self, changes: &ChangesBy<'_>, name: &str, body: &[u8]) -> Result<String, ErrorAnswer> {
        use admin_api::{ExportKeyring, KeyringStatus, ResealKeyring, RotateKeyring};
        let keyring = &self.keys.keyring;
        match name {
            KeyringStatus::NAME => {
                let KeyringStatus {} = parse(body)?;
                render::<KeyringStatus>(keyring_calls::up_to_date_status(keyring).await?)
            }
            RotateKeyring::NAME => {
                let RotateKeyring {} = parse(body)?;
                render::<RotateKeyring>(keyring_calls::rotate(keyring, changes).await?)
            }
            ExportKeyring::NAME => {
                render::<ExportKeyring>(keyring_calls::export(keyring, changes, &parse(body)?).await?)
            }
            ResealKeyring::NAME => {
                render::<ResealKeyring>(keyring_calls::reseal(keyring, changes, &parse(body)?).await?)
            }
            _ => match self.dispatch_key_work(name, body) {
                Some(answer) => answer,
                None => self.dispatch_kms(changes, name, body).await,
            },
        }
    }

    fn dispatch_key_work(&self, name: &str, body: &[u8]) -> Option<Result<String, ErrorAnswer>> {
        use admin_api::{CountKeyUses, LookAtKeyringWork, PruneKeyring, RewrapKeyring, StopKeyringWork};
        let key_work = &self.key_work;
        let answer = match name {
            RewrapKeyring::NAME => parse(body).and_then(|call| key_work_calls::rewrap(key_work, &call)),
            CountKeyUses::NAME => parse(body).and_then(|CountKeyUses {}| key_work_calls::begin(key_work, Work::Census)),
            PruneKeyring::NAME => parse(body).and_then(|PruneKeyring {}| key_work_calls::begin(key_work, Work::Prune)),
            LookAtKeyringWork::NAME => {
                parse(body).map(|LookAtKeyringWork {}| key_work_calls::answer(key_work.progress()))
            }
            StopKeyringWork::NAME => parse(body).map(|StopKeyringWork {}| key_work_calls::answer(key_work.stop())),
            _ => return None,
        };
        Some(answer.and_then(render::<LookAtKeyringWork>))
    }

    async fn dispatch_kms(&self, changes: &ChangesBy<'_>, name: &str, body: &[u8]) -> Result<String, ErrorAnswer> {
        use admin_api::{
            CreateKmsKey, DescribeKmsKey, DisableKmsKey, EnableKmsKey, ListKmsKeys, RotateKmsKey,
            ScheduleKmsKeyDeletion,
        };
        let kms = &self.keys.kms;
        match name {
            CreateKmsKey::NAME => render::<CreateKmsKey>(kms_calls::create(kms, changes, parse(body)?).await?),
            DescribeKmsKey::NAME => render::<DescribeKmsKey>(kms_calls::describe(kms, parse(body)?).await?),
            ListKmsKeys::NAME => {
                let ListKmsKeys {} = parse(body)?;
                render::<ListKmsKeys>(kms_calls::list(kms).await?)
            }
            EnableKmsKey::NAME => render::<EnableKmsKey>(kms_calls::enable(kms, changes, parse(body)?).await?),
            DisableKmsKey::NAME => render::<DisableKmsKey>(kms_calls::disable(kms, changes, parse(body)?).await?),
            ScheduleKmsKeyDeletion::NAME => {
                render::<ScheduleKmsKeyDeletion>(kms_calls::schedule_deletion(kms, changes, parse(body)?).await?)
            }
            RotateKmsKey::NAME => render::<RotateKmsKey>(kms_calls::rotate(kms, changes, parse(body)?).await?),
            _ => Err(error(ErrorCode::NoSuchCall, "there is no such call")),
        }
    }
}

/// Calls after which the audit log sees no use of a key any more, or after which the next start needs another root key.
fn is_for_the_machine(name: &str) -> bool {
    use admin_api::{ExportKeyring, ResealKeyring};
    [ExportKeyring::NAME, ResealKeyring::NAME].contains(&name)
}

fn parse<C: DeserializeOwned>(body: &[u8]) -> Result<C, ErrorAnswer> {
    serde_json::from_slice(body).map_err(|source| error(ErrorCode::InvalidCall, &source.to_string()))
}

fn render<C: Call>(answer: C::Answer) -> Result<String, ErrorAnswer> {
    serde_json::to_string(&answer).map_err(|source| error(ErrorCode::Internal, &source.to_string()))
}

fn error(code: ErrorCode, message: &str) -> ErrorAnswer {
    ErrorAnswer { code, message: message.to_owned() }
}

const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidCall => StatusCode::BAD_REQUEST,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NoSuchCall | ErrorCode::NoSuchUser | ErrorCode::NoSuchAccessKey | ErrorCode::NoSuchKmsKey => {
            StatusCode::NOT_FOUND
        }
        ErrorCode::UserExists | ErrorCode::KmsKeyExists | ErrorCode::WrongState => StatusCode::CONFLICT,
        ErrorCode::NotSupported => StatusCode::NOT_IMPLEMENTED,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests;

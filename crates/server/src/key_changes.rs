//! Tells the audit trail of changes of server-held keys, before their result is given away.

use std::sync::Arc;

use kms::{AuditTrail, KeyChange, KeyChangeOperation, KeyName, KeyServiceError};
use model::Principal;

/// Where changes are told.
#[derive(Clone)]
pub(crate) struct KeyChanges {
    audit: Arc<dyn AuditTrail>,
}

/// Where the changes are told that one principal makes.
pub(crate) struct ChangesBy<'a> {
    changes: &'a KeyChanges,
    principal: Option<&'a Principal>,
}

impl KeyChanges {
    pub(crate) fn new(audit: Arc<dyn AuditTrail>) -> Self {
        Self { audit }
    }

    /// For what `principal` asks for; `None` for what the server does of its own accord.
    pub(crate) const fn by<'a>(&'a self, principal: Option<&'a Principal>) -> ChangesBy<'a> {
        ChangesBy { changes: self, principal }
    }
}

impl ChangesBy<'_> {
    /// Gives `result` back once the audit trail knows of it.
    ///
    /// # Errors
    /// That of the change. [`KeyServiceError::Audit`] when the trail cannot take it down: the change may have been made
    /// then, and nobody is given what came of it.
    pub(crate) async fn told<T>(
        &self,
        operation: KeyChangeOperation,
        key: Option<KeyName<'_>>,
        result: Result<T, KeyServiceError>,
    ) -> Result<T, KeyServiceError> {
        let outcome = result.as_ref().map(drop);
        let change = KeyChange { principal: self.principal, operation, key, outcome };
        self.changes.audit.record_change(change).await?;
        result
    }
}

/// Keeps what it is told, as text: for tests.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Trail {
    told: std::sync::Mutex<Vec<String>>,
    /// Refuses to take anything down from now on.
    pub(crate) is_full: std::sync::atomic::AtomicBool,
}

#[cfg(test)]
impl Trail {
    /// What it was told since the last time.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().expect("nothing panics while it is held"))
    }
}

#[cfg(test)]
#[async_trait::async_trait]
impl AuditTrail for Trail {
    async fn record(&self, _: kms::KeyUse<'_>) -> Result<(), kms::AuditUnavailable> {
        Ok(())
    }

    async fn record_change(&self, change: KeyChange<'_>) -> Result<(), kms::AuditUnavailable> {
        if self.is_full.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(kms::AuditUnavailable);
        }
        let key = match change.key {
            None => "everything".to_owned(),
            Some(KeyName::Keyring(_)) => "a version".to_owned(),
            Some(KeyName::Kms(id)) => id.to_string(),
        };
        let who = if change.principal.is_some() { "somebody" } else { "nobody" };
        let outcome = change.outcome.map_or_else(ToString::to_string, |()| "ok".to_owned());
        self.told
            .lock()
            .expect("nothing panics while it is held")
            .push(format!("{} {key} by {who}: {outcome}", change.operation.as_str()));
        Ok(())
    }
}

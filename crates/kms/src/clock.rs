use model::Timestamp;

/// What time it is; the server gives its own.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

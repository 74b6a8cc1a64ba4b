use model::Timestamp;

/// Tells the time; the server's reads the machine's clock, tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

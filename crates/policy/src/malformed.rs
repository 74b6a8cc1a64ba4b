/// Why a document is no policy for the bucket. The text is public: it is the message beside `MalformedPolicy`.
///
/// Where AWS's own message is known it is used; the rest is ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPolicy {
    /// More than [`crate::Policy::LEN_MAX`] bytes.
    #[error("Policy exceeds the maximum allowed document size.")]
    TooLarge,
    /// Not JSON, something behind the JSON, a name twice in one object, nested too deeply.
    #[error("Policies must be valid JSON and the first byte must be '{{'")]
    NotJson,
    /// An element that the policy language does not have.
    #[error("Unknown field {0}")]
    UnknownField(String),
    /// A `Version` that is not even a date.
    #[error("The policy must contain a valid version string")]
    InvalidVersion,
    /// A required element is absent or empty.
    #[error("Missing required field {0}")]
    MissingField(&'static str),
    /// No statement at all.
    #[error("Could not parse the policy: Statement is empty!")]
    StatementEmpty,
    /// An element has a JSON type that it cannot have, or stands beside its own opposite.
    #[error("Invalid policy syntax: {0}")]
    Syntax(&'static str),
    /// Neither `Allow` nor `Deny`.
    #[error("Invalid effect: {0}")]
    InvalidEffect(String),
    /// A principal that cannot exist here.
    #[error("Invalid principal in policy")]
    InvalidPrincipal,
    /// An action of another service, or that S3 does not have.
    #[error("Policy has invalid action")]
    InvalidAction,
    /// A resource that is not this bucket or inside it.
    #[error("Policy has invalid resource")]
    InvalidResource,
    /// An action none of whose resources the statement names.
    #[error("Action does not apply to any resource(s) in statement")]
    ActionWithoutResource,
    /// A condition operator that the policy language does not have.
    #[error("Invalid Condition type : {0}")]
    InvalidOperator(String),
    /// A condition key or policy variable that S3 does not have.
    #[error("Policy has an invalid condition key")]
    InvalidConditionKey,
    /// A condition value that its operator cannot compare with.
    #[error("Invalid value for condition key {0}")]
    InvalidConditionValue(String),
    /// A condition key that no action of the statement can carry.
    #[error("Conditions do not apply to combination of actions and resources in statement")]
    ConditionWithoutAction,
}

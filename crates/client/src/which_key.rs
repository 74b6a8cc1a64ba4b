//! Which of many customer keys opens an object, by HEAD alone: no byte of the object is read.

use crate::address::Address;
use crate::client::Client;
use crate::customer_key::CustomerKey;
use crate::error::ClientError;

/// What a customer key is to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAnswer {
    /// The candidate of this place opens it.
    OpenedBy(usize),
    /// It is sealed under a customer key, but none of these.
    NoneOpens,
    /// It is not sealed under a customer key.
    NeedsNone,
}

/// Tries the candidates in order, until one opens the object.
///
/// # Errors
/// [`ClientError`] when the object is not there, or may not be looked at.
pub async fn which_key<'a>(
    client: &Client,
    address: &Address,
    candidates: impl IntoIterator<Item = &'a CustomerKey>,
) -> Result<KeyAnswer, ClientError> {
    match client.head_object(address, None).await {
        Ok(_) => return Ok(KeyAnswer::NeedsNone),
        Err(ClientError::CustomerKeyRequired { .. }) => {}
        Err(error) => return Err(error),
    }
    for (place, candidate) in candidates.into_iter().enumerate() {
        if client.opens(address, candidate).await? {
            return Ok(KeyAnswer::OpenedBy(place));
        }
    }
    Ok(KeyAnswer::NoneOpens)
}

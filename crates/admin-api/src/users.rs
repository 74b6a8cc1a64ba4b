use serde::{Deserialize, Serialize};

use crate::Call;

/// Creates a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// The name.
    pub name: String,
}

impl Call for CreateUser {
    const NAME: &'static str = "create-user";
    type Answer = User;
}

/// Asks for all users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListUsers {}

impl Call for ListUsers {
    const NAME: &'static str = "list-users";
    type Answer = UserList;
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// How policies name the user.
    pub arn: String,
    /// When it was created, milliseconds since 1970.
    pub created_ms: u64,
}

/// All users, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    /// The users.
    pub users: Vec<User>,
}

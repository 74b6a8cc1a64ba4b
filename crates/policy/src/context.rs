use std::borrow::Cow;

use model::Principal;

/// The condition keys of one request, each with its values.
///
/// Names are compared without regard to case (IAM user guide, "Condition"). A name that was never set is missing, which
/// is what `Null` and the `IfExists` operators ask about. [`crate::authorize`] adds the keys that follow from the
/// principal; the caller sets the rest.
#[derive(Clone, Default, Debug)]
pub struct Context {
    // About twenty entries: a scan is quicker than a map, and names need not be folded.
    entries: Vec<(Cow<'static, str>, Vec<Cow<'static, str>>)>,
}

impl Context {
    /// A request that carries no condition key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `name` one value, in place of whatever it had.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> &mut Self {
        self.set_all(name, [value.into()])
    }

    /// Gives `name` several values, in place of whatever it had. With no value at all the name is missing.
    pub fn set_all(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = Cow<'static, str>>,
    ) -> &mut Self {
        let name = name.into();
        self.remove(&name);
        let values: Vec<_> = values.into_iter().collect();
        if !values.is_empty() {
            self.entries.push((name, values));
        }
        self
    }

    /// [`Self::set`] for chains that begin with [`Self::new`].
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.set(name, value);
        self
    }

    /// The values of `name`, never an empty slice; `None` when it is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[Cow<'static, str>]> {
        self.entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, values)| values.as_slice())
    }

    fn remove(&mut self, name: &str) {
        self.entries.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Sets the keys that follow from who asks, so that no caller can set them otherwise (IAM user guide, "Where you
    /// can use policy variables": the table of principal values). A user's id is the user's name here.
    pub(crate) fn describe(&mut self, principal: &Principal) {
        for name in ["aws:username", "aws:userid", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType"] {
            self.remove(name);
        }
        match principal {
            Principal::Anonymous => {
                self.set("aws:userid", "anonymous").set("aws:PrincipalType", "Anonymous");
            }
            Principal::Root(account) => {
                self.set("aws:userid", account.as_str().to_owned())
                    .set("aws:PrincipalAccount", account.as_str().to_owned())
                    .set("aws:PrincipalType", "Account");
            }
            Principal::User(account, name) => {
                self.set("aws:username", name.as_str().to_owned())
                    .set("aws:userid", name.as_str().to_owned())
                    .set("aws:PrincipalAccount", account.as_str().to_owned())
                    .set("aws:PrincipalType", "User");
            }
        }
        if let Some(arn) = principal.arn() {
            self.set("aws:PrincipalArn", arn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case_and_set_once() {
        let mut context = Context::new().with("s3:prefix", "a");
        context.set("S3:Prefix", "b");
        assert_eq!(context.get("s3:PREFIX"), Some(&[Cow::Borrowed("b")][..]));
        context.set_all("s3:prefix", []);
        assert_eq!(context.get("s3:prefix"), None);
    }

    #[test]
    fn a_caller_cannot_claim_another_user_name() {
        let mut context = Context::new().with("AWS:UserName", "alice");
        context.describe(&Principal::Anonymous);
        assert_eq!(context.get("aws:username"), None);
    }
}

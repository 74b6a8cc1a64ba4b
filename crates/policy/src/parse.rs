//! From JSON to a [`Policy`], with the checks that AWS makes when a policy is put.

use model::BucketName;

use crate::action::{self, Level};
use crate::automaton::Automaton;
use crate::condition::{Condition, keys};
use crate::document::Json;
use crate::pattern::{Pattern, Syntax};
use crate::policy::{ActionSet, Effect, ResourceSet, Statement};
use crate::principal::PrincipalSet;
use crate::resource::ARN_PREFIX;
use crate::{MalformedPolicy, Policy, PolicyWarning};

type Result<T> = std::result::Result<T, MalformedPolicy>;

pub(crate) fn policy(json: &[u8], bucket: &BucketName) -> Result<Policy> {
    if json.len() > Policy::LEN_MAX {
        return Err(MalformedPolicy::TooLarge);
    }
    // White space before the brace is valid JSON, and still refused by AWS.
    if json.first() != Some(&b'{') {
        return Err(MalformedPolicy::NotJson);
    }
    let document: Json = serde_json::from_slice(json).map_err(|_| MalformedPolicy::NotJson)?;
    let mut elements = Elements::of(document, "the policy must be an object")?;
    let (variables, mut warnings) = version(elements.take("Version"))?;
    let _inert = elements.take_text("Id", MalformedPolicy::Syntax("Id must be a string"))?;
    let statements = elements.take("Statement").ok_or(MalformedPolicy::MissingField("Statement"))?;
    elements.finish()?;
    let statements = match statements {
        Json::Array(statements) => statements,
        single => vec![single],
    };
    if statements.is_empty() {
        return Err(MalformedPolicy::StatementEmpty);
    }
    let statements = statements.into_iter().map(|one| statement(one, bucket, variables)).collect::<Result<Vec<_>>>()?;
    warnings.extend(statements.iter().flat_map(never_carried));
    Ok(Policy { bucket: bucket.clone(), statements, warnings })
}

/// Whether the version has policy variables, and what to warn of.
fn version(element: Option<Json>) -> Result<(bool, Vec<PolicyWarning>)> {
    let text = match element {
        None => return Ok((false, Vec::new())),
        Some(Json::Text(text)) => text,
        Some(_) => return Err(MalformedPolicy::InvalidVersion),
    };
    match text.as_str() {
        "2008-10-17" => Ok((false, Vec::new())),
        "2012-10-17" => Ok((true, Vec::new())),
        other if is_date(other) => Ok((true, vec![PolicyWarning::UnknownVersion(text)])),
        _ => Err(MalformedPolicy::InvalidVersion),
    }
}

/// The keys of a Deny statement that are missing in every request: it may never deny, or always.
fn never_carried(statement: &Statement) -> impl Iterator<Item = PolicyWarning> {
    let denies = statement.effect == Effect::Deny;
    let names = statement.conditions.iter().map(Condition::name).filter(move |name| denies && !keys::is_carried(name));
    names.map(|name| PolicyWarning::NeverCarried { name: name.to_owned(), sid: statement.sid.clone() })
}

fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    // The shape makes every index a character boundary.
    shape && ("01"..="12").contains(&&text[5..7]) && ("01"..="31").contains(&&text[8..])
}

fn statement(element: Json, bucket: &BucketName, variables: bool) -> Result<Statement> {
    let mut elements = Elements::of(element, "a statement must be an object")?;
    let sid = elements.take_text("Sid", MalformedPolicy::Syntax("Sid must be a string"))?;
    let effect = match elements.take("Effect").ok_or(MalformedPolicy::MissingField("Effect"))? {
        Json::Text(text) if text == "Allow" => Effect::Allow,
        Json::Text(text) if text == "Deny" => Effect::Deny,
        Json::Text(text) => return Err(MalformedPolicy::InvalidEffect(text)),
        _ => return Err(MalformedPolicy::Syntax("Effect must be a string")),
    };
    let (principals, negated) = elements.take_either("Principal", "NotPrincipal")?;
    let principals = PrincipalSet::parse(principals, negated)?;
    let (actions, negated) = elements.take_either("Action", "NotAction")?;
    let actions = action_set(actions, negated)?;
    let (resources, negated) = elements.take_either("Resource", "NotResource")?;
    let (resources, levels) = resource_set(resources, negated, bucket, variables)?;
    let conditions = elements.take("Condition").map_or(Ok(Vec::new()), |one| Condition::parse_all(one, variables))?;
    elements.finish()?;
    check_actions(&actions, levels)?;
    check_conditions(&conditions, &actions, levels)?;
    Ok(Statement { sid, effect, principals, actions, resources, conditions })
}

fn action_set(element: Json, negated: bool) -> Result<ActionSet> {
    let texts = element.into_texts().ok_or(MalformedPolicy::InvalidAction)?;
    if texts.is_empty() {
        return Err(MalformedPolicy::MissingField("Action"));
    }
    let mut patterns = Vec::with_capacity(texts.len());
    for text in texts {
        let text = text.to_ascii_lowercase();
        let pattern = Automaton::of_glob(&text);
        let ours = text == "*" || text.starts_with("s3:");
        if !ours || !action::known().any(|(name, _)| pattern.matches(name)) {
            return Err(MalformedPolicy::InvalidAction);
        }
        patterns.push(pattern);
    }
    Ok(ActionSet { patterns, negated })
}

/// Which kinds of resource a statement names.
#[derive(Clone, Copy)]
struct Levels {
    bucket: bool,
    object: bool,
}

impl Levels {
    fn include(self, level: Level) -> bool {
        match level {
            Level::Elsewhere => false,
            Level::Bucket => self.bucket,
            Level::Object => self.object,
        }
    }
}

fn resource_set(element: Json, negated: bool, bucket: &BucketName, variables: bool) -> Result<(ResourceSet, Levels)> {
    let texts = element.into_texts().ok_or(MalformedPolicy::InvalidResource)?;
    if texts.is_empty() {
        return Err(MalformedPolicy::MissingField("Resource"));
    }
    let own = format!("{ARN_PREFIX}{bucket}");
    let below = format!("{own}/");
    // What is not one resource may be of either kind.
    let mut levels = Levels { bucket: negated, object: negated };
    let mut patterns = Vec::with_capacity(texts.len());
    for text in texts {
        if !text.starts_with(ARN_PREFIX) {
            return Err(MalformedPolicy::InvalidResource);
        }
        let pattern = Pattern::parse(&text, Syntax { wildcards: true, variables, ..Syntax::default() })?;
        let (is_bucket, is_object) = (pattern.may_match(&own), pattern.may_match_below(&below));
        if !is_bucket && !is_object {
            return Err(MalformedPolicy::InvalidResource);
        }
        levels.bucket |= is_bucket;
        levels.object |= is_object;
        patterns.push(pattern);
    }
    Ok((ResourceSet { patterns, negated }, levels))
}

/// Each action must apply to a resource of the statement; of a negated set, one of the remaining actions.
fn check_actions(actions: &ActionSet, levels: Levels) -> Result<()> {
    let applies = |(name, level): (&str, Level), pattern: &Automaton| levels.include(level) && pattern.matches(name);
    let fine = if actions.negated {
        action::known().any(|(name, level)| levels.include(level) && actions.contains(name))
    } else {
        actions.patterns.iter().all(|pattern| action::known().any(|known| applies(known, pattern)))
    };
    if fine { Ok(()) } else { Err(MalformedPolicy::ActionWithoutResource) }
}

/// Each condition key must be one that an action of the statement can carry.
fn check_conditions(conditions: &[Condition], actions: &ActionSet, levels: Levels) -> Result<()> {
    let possible = |carriers: &[&str]| {
        action::known().any(|(name, level)| carriers.contains(&name) && levels.include(level) && actions.contains(name))
    };
    let fine = conditions.iter().all(|condition| keys::carriers(condition.name()).is_none_or(possible));
    if fine { Ok(()) } else { Err(MalformedPolicy::ConditionWithoutAction) }
}

/// The members of an object, taken out by name, so that what is left over is known.
struct Elements(Vec<(String, Json)>);

impl Elements {
    fn of(value: Json, otherwise: &'static str) -> Result<Self> {
        if let Json::Object(members) = value { Ok(Self(members)) } else { Err(MalformedPolicy::Syntax(otherwise)) }
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn take_text(&mut self, name: &str, otherwise: MalformedPolicy) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(otherwise),
        }
    }

    /// The element or its opposite, and whether it was the opposite; exactly one must be there.
    fn take_either(&mut self, name: &'static str, opposite: &str) -> Result<(Json, bool)> {
        match (self.take(name), self.take(opposite)) {
            (Some(value), None) => Ok((value, false)),
            (None, Some(value)) => Ok((value, true)),
            (None, None) => Err(MalformedPolicy::MissingField(name)),
            (Some(_), Some(_)) => Err(MalformedPolicy::Syntax("an element and its opposite exclude each other")),
        }
    }

    fn finish(self) -> Result<()> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(MalformedPolicy::UnknownField(name)),
        }
    }
}

#[cfg(test)]
mod tests;

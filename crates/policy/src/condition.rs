//! The `Condition` element: when a statement counts.
//!
//! A missing condition key follows AWS (IAM user guide, "IAM JSON policy elements: Condition operators"): a positive
//! operator is false, a negated one true, one with `IfExists` true, and `Null` tells whether it is missing. Several
//! values mean any of them; under a negated operator, none of them.

pub(crate) mod keys;
mod kms_key;
mod operand;
mod operator;

use operand::Operand;
use operator::{Comparison, Operator, Quantifier};

use crate::document::Json;
use crate::verdict::Verdict;
use crate::{Context, MalformedPolicy};

/// One line of a condition: an operator, a condition key and the values to compare with.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Operator,
    name: String,
    operands: Vec<Operand>,
}

impl Condition {
    /// Reads the whole element. `variables` tells whether the policy's version has them.
    pub(crate) fn parse_all(element: Json, variables: bool) -> Result<Vec<Self>, MalformedPolicy> {
        let Json::Object(operators) = element else {
            return Err(MalformedPolicy::Syntax("Condition must be an object"));
        };
        let mut conditions = Vec::new();
        for (operator_name, lines) in operators {
            let operator = Operator::parse(&operator_name)?;
            let Json::Object(lines) = lines else {
                return Err(MalformedPolicy::Syntax("a condition operator must hold an object"));
            };
            for (name, values) in lines {
                conditions.push(Self::parse(operator, name, values, variables)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: Operator, name: String, values: Json, variables: bool) -> Result<Self, MalformedPolicy> {
        if !keys::is_known(&name) {
            return Err(MalformedPolicy::InvalidConditionKey);
        }
        let invalid = || MalformedPolicy::InvalidConditionValue(name.clone());
        let values = values.into_scalars().filter(|values| !values.is_empty()).ok_or_else(invalid)?;
        let parse = if kms_key::is_named(&name) { Operand::parse_kms_key } else { Operand::parse };
        let operands = values
            .iter()
            .map(|value| parse(operator.comparison, value, variables)?.ok_or_else(invalid))
            .collect::<Result<_, _>>()?;
        Ok(Self { operator, name, operands })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the condition can hold only for finitely or narrowly many values: no negation, no wildcard, nothing
    /// that a missing key satisfies. `GetBucketPolicyStatus` asks.
    pub(crate) fn is_fixed(&self) -> bool {
        let strict = !self.operator.negated
            && !self.operator.if_exists
            && self.operator.quantifier != Quantifier::ForAllValues
            && self.operator.comparison != Comparison::Null;
        strict && self.operands.iter().all(Operand::is_fixed)
    }

    pub(crate) fn holds(&self, context: &Context) -> Verdict {
        let present = context.get(&self.name);
        if self.operator.comparison == Comparison::Null {
            return self.any_operand(if present.is_none() { "true" } else { "false" }, context);
        }
        let Some(values) = present else { return Verdict::of(self.holds_without_value()) };
        let mut each = values.iter().map(|value| self.holds_for(value, context));
        match self.operator.quantifier {
            // A key with one value: the quantifiers agree. With several, a negated operator asks that none is meant.
            Quantifier::Plain if self.operator.negated => Verdict::all(&mut each),
            Quantifier::Plain | Quantifier::ForAnyValue => Verdict::any(&mut each),
            Quantifier::ForAllValues => Verdict::all(&mut each),
        }
    }

    fn holds_without_value(&self) -> bool {
        self.operator.if_exists
            || match self.operator.quantifier {
                Quantifier::Plain => self.operator.negated,
                Quantifier::ForAllValues => true,
                Quantifier::ForAnyValue => false,
            }
    }

    fn holds_for(&self, value: &str, context: &Context) -> Verdict {
        let any = self.any_operand(value, context);
        if self.operator.negated { any.negate() } else { any }
    }

    fn any_operand(&self, value: &str, context: &Context) -> Verdict {
        Verdict::any(self.operands.iter().map(|operand| operand.accepts(value, context)))
    }
}

#[cfg(test)]
mod tests;

use crate::MalformedPolicy;

/// A condition operator, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) comparison: Comparison,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
    pub(crate) quantifier: Quantifier,
}

/// How one value is compared with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Text, exactly.
    Text,
    /// Text, but for case.
    TextIgnoringCase,
    /// Text with wildcards.
    TextLike,
    /// Amazon resource names, each of the six fields with wildcards.
    Arn,
    /// Numbers.
    Number(Order),
    /// Dates.
    Date(Order),
    /// `true` or `false`.
    Bool,
    /// An address in a network.
    Address,
    /// Whether the condition key is missing.
    Null,
}

/// What the request's value must be, seen from the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How several values of one condition key are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Plain,
    ForAllValues,
    ForAnyValue,
}

impl Operator {
    /// Reads `[ForAllValues:|ForAnyValue:]NAME[IfExists]`; `Null` takes neither.
    pub(crate) fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let unknown = || MalformedPolicy::InvalidOperator(text.to_owned());
        let (quantifier, rest) = match text.split_once(':') {
            None => (Quantifier::Plain, text),
            Some(("ForAllValues", rest)) => (Quantifier::ForAllValues, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::ForAnyValue, rest),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        let (comparison, negated) = named(name).ok_or_else(unknown)?;
        if comparison == Comparison::Null && name != text {
            return Err(unknown());
        }
        Ok(Self { comparison, negated, if_exists, quantifier })
    }
}

fn named(name: &str) -> Option<(Comparison, bool)> {
    Some(match name {
        "StringEquals" => (Comparison::Text, false),
        "StringNotEquals" => (Comparison::Text, true),
        "StringEqualsIgnoreCase" => (Comparison::TextIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::TextIgnoringCase, true),
        "StringLike" => (Comparison::TextLike, false),
        "StringNotLike" => (Comparison::TextLike, true),
        // ArnEquals and ArnLike behave alike (IAM user guide, "Amazon Resource Name (ARN) condition operators").
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Bool" => (Comparison::Bool, false),
        "IpAddress" => (Comparison::Address, false),
        "NotIpAddress" => (Comparison::Address, true),
        "Null" => (Comparison::Null, false),
        _ => {
            let (kind, order): (fn(Order) -> Comparison, _) = match name.strip_prefix("Numeric") {
                Some(order) => (Comparison::Number, order),
                None => (Comparison::Date, name.strip_prefix("Date")?),
            };
            let (order, negated) = ordered(order)?;
            (kind(order), negated)
        }
    })
}

fn ordered(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    })
}

impl Order {
    pub(crate) fn accepts<T: PartialOrd>(self, request: T, policy: T) -> bool {
        match self {
            Self::Equal => request == policy,
            Self::Less => request < policy,
            Self::LessOrEqual => request <= policy,
            Self::Greater => request > policy,
            Self::GreaterOrEqual => request >= policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_taken_apart() {
        let operator = Operator::parse("ForAnyValue:StringNotLikeIfExists").unwrap();
        assert_eq!(
            operator,
            Operator {
                comparison: Comparison::TextLike,
                negated: true,
                if_exists: true,
                quantifier: Quantifier::ForAnyValue
            }
        );
        let operator = Operator::parse("NumericLessThanEquals").unwrap();
        assert_eq!(operator.comparison, Comparison::Number(Order::LessOrEqual));
        assert_eq!(Operator::parse("DateNotEquals").unwrap().comparison, Comparison::Date(Order::Equal));
    }

    #[test]
    fn invented_operators_are_named_in_the_refusal() {
        for text in [
            "StringEqual",
            "stringequals",
            "",
            "IfExists",
            "NullIfExists",
            "ForAllValues:Null",
            "ForSome:StringEquals",
            "ForAllValues:ForAnyValue:StringEquals",
            "Numeric",
            "DateLike",
            "StringEqualsIfExistsIfExists",
            "BoolNot",
            "ForAnyValue:",
            "StringEquals ",
        ] {
            assert_eq!(Operator::parse(text), Err(MalformedPolicy::InvalidOperator(text.to_owned())), "{text}");
        }
    }
}

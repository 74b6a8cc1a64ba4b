use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::kms_key;
use super::operator::{Comparison, Order};
use crate::pattern::{Pattern, Syntax};
use crate::verdict::Verdict;
use crate::{Context, MalformedPolicy};

/// A value in a policy, ready to be compared with a request's.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Text(Pattern),
    Arn(Vec<Pattern>),
    KmsKey(Pattern),
    Number(Order, f64),
    /// Nanoseconds since the Unix epoch.
    Date(Order, i128),
    Bool(bool),
    Address(IpNet),
}

impl Operand {
    /// Reads a value for an operator; `None` when the operator cannot compare with it.
    ///
    /// # Errors
    /// [`MalformedPolicy`] for a broken policy variable. They exist in text and names only (IAM user guide, "Where you
    /// can use policy variables").
    pub(crate) fn parse(comparison: Comparison, value: &str, variables: bool) -> Result<Option<Self>, MalformedPolicy> {
        let pattern = |wildcards, ignores_case| Pattern::parse(value, Syntax { wildcards, variables, ignores_case });
        Ok(match comparison {
            Comparison::Text => Some(Self::Text(pattern(false, false)?)),
            Comparison::TextIgnoringCase => Some(Self::Text(pattern(false, true)?)),
            Comparison::TextLike => Some(Self::Text(pattern(true, false)?)),
            Comparison::Arn => Some(Self::Arn(pattern(true, false)?.split_colons(ARN_FIELDS))),
            Comparison::Number(order) => number(value).map(|number| Self::Number(order, number)),
            Comparison::Date(order) => date(value).map(|date| Self::Date(order, date)),
            Comparison::Bool | Comparison::Null => boolean(value).map(Self::Bool),
            Comparison::Address => network(value).map(Self::Address),
        })
    }

    /// As [`Self::parse`], for the condition key of KMS keys.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn parse_kms_key(
        comparison: Comparison,
        value: &str,
        variables: bool,
    ) -> Result<Option<Self>, MalformedPolicy> {
        match kms_key::parse(comparison, value, variables)? {
            Some(pattern) => Ok(Some(Self::KmsKey(pattern))),
            None => Self::parse(comparison, value, variables),
        }
    }

    /// Compares; unknown when the request's value is not of the operator's type.
    pub(crate) fn accepts(&self, value: &str, context: &Context) -> Verdict {
        let typed = |accepted: Option<bool>| accepted.map_or(Verdict::Unknown, Verdict::of);
        match self {
            Self::Text(pattern) => pattern.matches(value, context),
            Self::Arn(fields) => {
                let values: Vec<&str> = value.splitn(ARN_FIELDS, ':').collect();
                if values.len() != fields.len() {
                    return Verdict::No;
                }
                Verdict::all(fields.iter().zip(values).map(|(field, value)| field.matches(value, context)))
            }
            Self::KmsKey(pattern) => kms_key::accepts(pattern, value, context),
            Self::Number(order, operand) => typed(number(value).map(|value| order.accepts(value, *operand))),
            Self::Date(order, operand) => typed(date(value).map(|value| order.accepts(value, *operand))),
            Self::Bool(operand) => typed(boolean(value).map(|value| value == *operand)),
            Self::Address(network) => typed(address(value).map(|value| network.contains(&value))),
        }
    }

    /// Whether only one value, or a narrow network, is accepted (S3 user guide, "The meaning of public": networks
    /// wider than /8, /32 for IPv6, count as everybody, private ones excepted).
    pub(crate) fn is_fixed(&self) -> bool {
        match self {
            Self::Text(pattern) | Self::KmsKey(pattern) => pattern.is_literal(),
            Self::Arn(fields) => fields.iter().all(Pattern::is_literal),
            Self::Number(order, _) | Self::Date(order, _) => *order == Order::Equal,
            Self::Bool(_) => true,
            Self::Address(IpNet::V4(network)) => network.prefix_len() >= 8 || is_private(network),
            Self::Address(IpNet::V6(network)) => network.prefix_len() >= 32,
        }
    }
}

/// Whether the network lies in one of RFC 1918.
fn is_private(network: &Ipv4Net) -> bool {
    network.network().is_private() && network.broadcast().is_private()
}

fn number(text: &str) -> Option<f64> {
    // Rust also reads "inf" and "nan", which are no numbers in a policy.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// ISO 8601 as W3C profiles it (date; date, hours and minutes; with seconds and fraction), or seconds since 1970.
fn date(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * 1_000_000_000);
    }
    let with_time = match text.split_once('T') {
        None => format!("{text}T00:00:00Z"),
        Some((_, clock)) => match clock.find(['Z', '+', '-']) {
            Some(5) => {
                let (minutes, zone) = text.split_at(text.len() - clock.len() + 5);
                format!("{minutes}:00{zone}")
            }
            _ => text.to_owned(),
        },
    };
    OffsetDateTime::parse(&with_time, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp_nanos)
}

/// An address; one of IPv4 written as IPv6 is taken for what it is.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// `arn:partition:service:region:account:resource`.
const ARN_FIELDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_allowed_form() {
        let second = 1_600_000_000 * 1_000_000_000_i128;
        for text in ["1600000000", "2020-09-13T12:26:40Z", "2020-09-13T14:26:40+02:00", "2020-09-13T12:26:40.000Z"] {
            assert_eq!(date(text), Some(second), "{text}");
        }
        assert_eq!(date("2020-09-13T12:26Z"), Some(second - 40_000_000_000));
        assert_eq!(date("1970-01-02"), Some(86_400_000_000_000));
        for text in ["", "T", "yesterday", "2020-13-01", "2020-09-13T", "2020-09-13T12Z", "Té:00Z", "2020-09-13Té1234Z"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_finite_decimals() {
        assert_eq!(number("10"), Some(10.0));
        assert_eq!(number("-1.5e3"), Some(-1500.0));
        for text in ["", "inf", "NaN", "1e999", "0x10", " 1", "1,5"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}

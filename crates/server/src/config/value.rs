//! The kinds of value that a setting can have, each with one text form for flags, environment and file alike.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

/// A text is not a value of its setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidValue {
    /// What would have been accepted, for people.
    pub expected: &'static str,
}

/// A value that can be read from one line of text.
pub trait Value: Sized {
    /// Whether one text may hold several values, separated by commas.
    const IS_LIST: bool = false;

    /// Reads the text.
    ///
    /// # Errors
    /// [`InvalidValue`], which says what was expected and never repeats the text.
    fn parse(text: &str) -> Result<Self, InvalidValue>;
}

/// Lets serde read a [`Value`] from a TOML string, so that the file knows no second syntax.
macro_rules! deserialize_as_text {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::parse(&text)
            }
        }
    )*};
}

deserialize_as_text!(Listen, Period, Domain, Region, Network, LogFormat, LogLevels, WhenUnwritable);

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.is_empty() { Err(InvalidValue { expected: "a path" }) } else { Ok(Self::from(text)) }
    }
}

impl Value for u32 {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map_err(|_| InvalidValue { expected: "a whole number" })
    }
}

/// Where to wait for connections, or nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address; port 0 lets the system choose one.
    At(SocketAddr),
}

impl Value for Listen {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let expected = "an IP address and port such as 127.0.0.1:9443 or [::]:9443, or \"off\"";
        text.parse().map(Self::At).map_err(|_| InvalidValue { expected })
    }
}

impl Listen {
    /// The address, if there is one.
    #[must_use]
    pub const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// A length of time: a whole number and a unit, `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(pub Duration);

impl Value for Period {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = InvalidValue { expected: "a time such as 500ms, 30s, 5m, 12h or 30d" };
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(invalid.clone())?;
        let (number, unit) = text.split_at(split);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid),
        };
        let number: u64 = number.parse().map_err(|_| invalid.clone())?;
        // A hundred years bound every sum of a date and a period far below the end of u64 and of calendars.
        let ms = number.checked_mul(unit_ms).filter(|ms| *ms <= 36_525 * 86_400_000).ok_or(invalid)?;
        Ok(Self(Duration::from_millis(ms)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms.is_multiple_of(1000) { write!(f, "{}s", ms / 1000) } else { write!(f, "{ms}ms") }
    }
}

/// A DNS name whose sub-domains are buckets, in lower case.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Domain(String);

impl Domain {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Domain {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        // An address has no sub-domains, and a wildcard certificate for one means nothing.
        let valid = text.len() <= 253 && text.split('.').all(label) && text.parse::<IpAddr>().is_err();
        let expected = "a DNS name such as s3.example.org, without port";
        valid.then(|| Self(text.to_ascii_lowercase())).ok_or(InvalidValue { expected })
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the region that signatures are made for.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Region(String);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Region {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let charset = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid = (1..=32).contains(&text.len()) && text.bytes().all(charset);
        let expected = "a region such as us-east-1: up to 32 lower-case letters, digits and hyphens";
        valid.then(|| Self(text.to_owned())).ok_or(InvalidValue { expected })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A network in CIDR form, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

impl Network {
    /// Whether the address lies in the network. An IPv4 address that comes in through an IPv6 socket is the IPv4
    /// address that it maps.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl Value for Network {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| InvalidValue { expected: "a network such as 10.0.0.0/8 or fd00::/8, or an address" })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// Text if the log goes to a terminal, else JSON.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Value for LogFormat {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(InvalidValue { expected: "auto, text or json" }),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// What becomes of uses of server-held keys while the audit log cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum WhenUnwritable {
    /// They go on, and are counted.
    GoOn,
    /// They are refused.
    Refuse,
}

impl Value for WhenUnwritable {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "go-on" => Ok(Self::GoOn),
            "refuse" => Ok(Self::Refuse),
            _ => Err(InvalidValue { expected: "go-on or refuse" }),
        }
    }
}

impl fmt::Display for WhenUnwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GoOn => "go-on",
            Self::Refuse => "refuse",
        })
    }
}

/// How much is logged: directives such as `info` or `warn,canopic_s3=debug`, as in `RUST_LOG`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct LogLevels(String);

impl LogLevels {
    /// The directives, known to be valid.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for LogLevels {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let expected = "log levels such as info or warn,canopic_s3=debug";
        match tracing_subscriber::EnvFilter::builder().parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidValue { expected }),
        }
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Several values: an array in the file, separated by commas elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T: Value> Value for List<T> {
    const IS_LIST: bool = true;

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(T::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            item.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_a_number_and_a_unit() {
        let seconds = |text| Period::parse(text).map(|p| p.0.as_secs_f64()).ok();
        assert_eq!(seconds("30s"), Some(30.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("30d"), Some(2_592_000.0));
        for bad in ["", "30", "s", "-1s", "1.5s", "1 s", "99999999999999999999s", "40000d", "1w"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let list = List::<Network>::parse("10.0.0.0/8, 127.0.0.1,,fd00::/8").unwrap();
        assert_eq!(list.to_string(), "10.0.0.0/8,127.0.0.1/32,fd00::/8");
        assert!(List::<Network>::parse("10.0.0.0/8,nonsense").is_err());
    }

    #[test]
    fn a_mapped_address_belongs_to_its_ipv4_network() {
        let network = Network::parse("10.0.0.0/8").unwrap();
        assert!(network.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network.contains("::ffff:11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn domains_are_names_and_not_addresses() {
        assert_eq!(Domain::parse("S3.Example.org").unwrap().as_str(), "s3.example.org");
        for bad in ["", "a..b", "s3.example.org:9443", "127.0.0.1", "-a.org", "a_b.org", "*.a.org"] {
            assert!(Domain::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn listen_addresses_are_an_address_and_a_port_or_off() {
        assert_eq!(Listen::parse("off"), Ok(Listen::Off));
        assert_eq!(Listen::parse("[::]:9443").unwrap().to_string(), "[::]:9443");
        for bad in ["", "9443", ":9443", "localhost:9443", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(Listen::parse(bad).is_err(), "{bad}");
        }
    }
}

//! Settings of the store: the machine's own directory, or a Ceph cluster that several gateways share.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use storage_rados::{Config as RadosConfig, Placement};

use super::settings::Layer;
use super::value::{InvalidValue, List, Period, Value};

/// Where records and bytes are kept.
#[derive(Debug)]
pub enum Store {
    /// In the data directory.
    Embedded,
    /// In the pools of a Ceph cluster.
    Rados(Box<RadosConfig>),
}

/// Why the settings make no store.
#[derive(Debug, thiserror::Error)]
pub enum StoreConfigError {
    /// Something is missing.
    #[error("store = \"rados\" needs `{0}`")]
    Missing(&'static str),
    /// Something would be ignored.
    #[error("`{0}` says nothing to store = \"embedded\": take it away, or set store = \"rados\"")]
    Unused(&'static str),
    /// No placement can be told from another.
    #[error("the placement {0} is there twice; `default` is the one of pool_data and pool_index")]
    TwoPlacements(String),
    /// Something cannot be zero.
    #[error("`{0}` must be more than zero")]
    Zero(&'static str),
    /// Splitting all the time.
    #[error("`split_entries` must be {SPLIT_ENTRIES_MIN} or more")]
    SplitEntries,
}

/// Which kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreKind {
    /// In the data directory.
    Embedded,
    /// In a Ceph cluster.
    Rados,
}

impl Value for StoreKind {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "rados" => Ok(Self::Rados),
            _ => Err(InvalidValue { expected: "embedded or rados" }),
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Rados => "rados",
        })
    }
}

/// The name of something in Ceph: a pool, a namespace, a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CephName(String);

impl Value for CephName {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let expected = "1 to 128 printable characters other than spaces, commas, colons and equals signs";
        let plain = |c: char| c.is_ascii_graphic() && !",:=".contains(c);
        let valid = (1..=128).contains(&text.len()) && text.chars().all(plain);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidValue { expected })
    }
}

/// A cephx user with its type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CephUser(String);

impl Value for CephUser {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = InvalidValue { expected: "a cephx user such as client.canopic" };
        let named = text.strip_prefix("client.").is_some_and(|id| CephName::parse(id).is_ok());
        named.then(|| Self(text.to_owned())).ok_or(invalid)
    }
}

/// A placement: `NAME=DATA_POOL:INDEX_POOL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PlacementText(Placement);

impl Value for PlacementText {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = InvalidValue {
            expected: "a placement such as cou=cou-data:cou-index: a name of letters, digits, hyphens and underscores, \
                       the data pool, the index pool",
        };
        let parts = || {
            let (name, pools) = text.split_once('=')?;
            let (data, index) = pools.split_once(':')?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let is_name = (1..=64).contains(&name.len()) && name.bytes().all(plain);
            let pool = |text: &str| CephName::parse(text).ok().map(|name| name.0);
            Some(Placement {
                name: is_name.then(|| name.to_owned())?,
                data_pool: pool(data)?,
                index_pool: pool(index)?,
            })
        };
        parts().map(Self).ok_or(invalid)
    }
}

impl fmt::Display for PlacementText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.0.name, self.0.data_pool, self.0.index_pool)
    }
}

macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::parse(&text)
            }
        }
    )*};
}

from_text!(StoreKind, CephName, CephUser, PlacementText);

/// Takes the settings of the store out of the layers.
pub(super) fn of(layer: &mut Layer) -> Result<Store, StoreConfigError> {
    match layer.store.take().unwrap_or(StoreKind::Embedded) {
        StoreKind::Embedded => refuse_unused(layer).map(|()| Store::Embedded),
        StoreKind::Rados => rados(layer).map(Box::new).map(Store::Rados),
    }
}

fn refuse_unused(layer: &Layer) -> Result<(), StoreConfigError> {
    let given = [
        ("ceph_conf", layer.ceph_conf.is_some()),
        ("ceph_user", layer.ceph_user.is_some()),
        ("ceph_namespace", layer.ceph_namespace.is_some()),
        ("pool_data", layer.pool_data.is_some()),
        ("pool_index", layer.pool_index.is_some()),
        ("placements", layer.placements.as_ref().is_some_and(|list| !list.0.is_empty())),
        ("ceph_deadline", layer.ceph_deadline.is_some()),
        ("split_entries", layer.split_entries.is_some()),
        ("blob_grace", layer.blob_grace.is_some()),
    ];
    let unused = given.into_iter().find(|(_, given)| *given);
    unused.map_or(Ok(()), |(name, _)| Err(StoreConfigError::Unused(name)))
}

fn rados(layer: &mut Layer) -> Result<RadosConfig, StoreConfigError> {
    let data = layer.pool_data.take().ok_or(StoreConfigError::Missing("pool_data"))?;
    let index = layer.pool_index.take().ok_or(StoreConfigError::Missing("pool_index"))?;
    let conf = layer.ceph_conf.take().unwrap_or_else(|| PathBuf::from(CEPH_CONF));
    let mut config = RadosConfig::new(conf, &data.0, &index.0);
    if let Some(user) = layer.ceph_user.take() {
        config.user = user.0;
    }
    if let Some(namespace) = layer.ceph_namespace.take() {
        config.namespace = namespace.0;
    }
    config.deadline = period(layer.ceph_deadline, "ceph_deadline")?.unwrap_or(config.deadline);
    config.grace = period(layer.blob_grace, "blob_grace")?.unwrap_or(config.grace);
    // Whoever shortens the time wants the room soon.
    config.collect_every = config.collect_every.min(config.grace / 4);
    if let Some(entries) = layer.split_entries {
        if entries < SPLIT_ENTRIES_MIN {
            return Err(StoreConfigError::SplitEntries);
        }
        config.split_at.entries = entries.into();
    }
    for PlacementText(placement) in layer.placements.take().map(|list| list.0).unwrap_or_default() {
        let is_known = |known: &Placement| known.name == placement.name;
        if is_known(&config.default_placement) || config.placements.iter().any(is_known) {
            return Err(StoreConfigError::TwoPlacements(placement.name));
        }
        config.placements.push(placement);
    }
    Ok(config)
}

fn period(given: Option<Period>, name: &'static str) -> Result<Option<Duration>, StoreConfigError> {
    match given {
        Some(Period(period)) if period.is_zero() => Err(StoreConfigError::Zero(name)),
        given => Ok(given.map(|given| given.0)),
    }
}

/// The names and values of the settings that count.
pub(super) fn explain(store: &Store) -> Vec<(&'static str, toml::Value)> {
    let text = |value: &dyn fmt::Display| toml::Value::String(value.to_string());
    let Store::Rados(config) = store else { return vec![("store", text(&StoreKind::Embedded))] };
    let placements = config.placements.iter().cloned().map(PlacementText);
    let mut lines = vec![
        ("store", text(&StoreKind::Rados)),
        ("ceph_conf", text(&config.conf.display())),
        ("ceph_user", text(&config.user)),
        ("ceph_namespace", text(&config.namespace)),
        ("pool_data", text(&config.default_placement.data_pool)),
        ("pool_index", text(&config.default_placement.index_pool)),
        ("placements", toml::Value::from(placements.map(|placement| placement.to_string()).collect::<Vec<_>>())),
        ("ceph_deadline", text(&Period(config.deadline))),
        ("blob_grace", text(&Period(config.grace))),
    ];
    if let Ok(entries) = u32::try_from(config.split_at.entries) {
        lines.push(("split_entries", toml::Value::from(entries)));
    }
    lines
}

/// What the layers hold of it.
pub(super) type Placements = List<PlacementText>;

const CEPH_CONF: &str = "/etc/ceph/ceph.conf";
/// With fewer an index object would split again and again.
const SPLIT_ENTRIES_MIN: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(settings: &[(&str, &str)]) -> Layer {
        let mut layer = Layer::default();
        for (name, text) in settings {
            let setting = super::super::SETTINGS.iter().find(|setting| setting.name == *name).unwrap();
            (setting.set)(&mut layer, text).unwrap();
        }
        layer
    }

    const POOLS: [(&str, &str); 3] = [("store", "rados"), ("pool_data", "d"), ("pool_index", "i")];

    fn with_pools(settings: &[(&str, &str)]) -> Result<Store, StoreConfigError> {
        of(&mut layer(&[&POOLS, settings].concat()))
    }

    #[test]
    fn pools_alone_make_a_store_on_a_cluster() {
        let Ok(Store::Rados(config)) = with_pools(&[]) else { panic!("it should be on a cluster") };
        assert_eq!(config.conf, PathBuf::from("/etc/ceph/ceph.conf"));
        assert_eq!((config.user.as_str(), config.namespace.as_str()), ("client.canopic", "canopic"));
        assert_eq!(config.deadline, Duration::from_secs(20));
        assert_eq!((config.split_at.entries, config.grace), (30_000, Duration::from_secs(6 * 3600)));
        assert_eq!((&*config.default_placement.data_pool, &*config.default_placement.index_pool), ("d", "i"));
    }

    #[test]
    fn placements_have_names_of_their_own() {
        let Ok(Store::Rados(config)) = with_pools(&[("placements", "cou=cd:ci,brno=bd:bi")]) else { panic!("two") };
        let names: Vec<_> =
            config.placements.iter().map(|one| (&*one.name, &*one.data_pool, &*one.index_pool)).collect();
        assert_eq!(names, [("cou", "cd", "ci"), ("brno", "bd", "bi")]);
        for twice in ["cou=a:b,cou=c:d", "default=a:b"] {
            assert!(matches!(with_pools(&[("placements", twice)]), Err(StoreConfigError::TwoPlacements(_))), "{twice}");
        }
    }

    #[test]
    fn what_is_missing_or_would_be_ignored_is_refused_by_name() {
        for missing in ["pool_data", "pool_index"] {
            let given: Vec<_> = POOLS.into_iter().filter(|(name, _)| *name != missing).collect();
            let error = of(&mut layer(&given)).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
        for (name, text) in [
            ("ceph_conf", "/etc/c"),
            ("ceph_user", "client.x"),
            ("ceph_namespace", "n"),
            ("pool_data", "d"),
            ("pool_index", "i"),
            ("placements", "a=b:c"),
            ("ceph_deadline", "5s"),
            ("split_entries", "100"),
            ("blob_grace", "1h"),
        ] {
            for given in [vec![(name, text)], vec![("store", "embedded"), (name, text)]] {
                assert!(matches!(of(&mut layer(&given)), Err(StoreConfigError::Unused(unused)) if unused == name));
            }
            assert!(name.starts_with("pool_") || with_pools(&[(name, text)]).is_ok(), "{name}");
        }
        assert!(matches!(with_pools(&[("ceph_deadline", "0s")]), Err(StoreConfigError::Zero("ceph_deadline"))));
        assert!(matches!(with_pools(&[("blob_grace", "0s")]), Err(StoreConfigError::Zero("blob_grace"))));
        assert!(matches!(with_pools(&[("split_entries", "9")]), Err(StoreConfigError::SplitEntries)));
    }

    #[test]
    fn names_that_would_be_misread_are_no_values() {
        for bad in ["", "a", "a=", "a=b", "a=b:", "=b:c", "a b=c:d", "a=b:c:d", "a=b=c:d", "a/b=c:d", "é=b:c"] {
            assert!(PlacementText::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "a b", "a,b", "a:b", "a=b", "a\n"] {
            assert!(CephName::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["canopic", "osd.1", "client.", "client.a b"] {
            assert!(CephUser::parse(bad).is_err(), "{bad}");
        }
        assert!(StoreKind::parse("ceph").is_err());
    }
}

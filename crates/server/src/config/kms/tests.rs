use std::collections::HashMap;
use std::time::Duration;

use super::super::{Config, ConfigError, SETTINGS, set_flag};
use super::*;

fn load(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut layer = Layer::default();
    for (flag, text) in flags {
        set_flag(&mut layer, SETTINGS.iter().find(|setting| setting.flag() == *flag).unwrap(), text).unwrap();
    }
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    Config::load(layer, None, |name| variables.get(name).map(OsString::from))
}

const VAULT: [(&str, &str); 4] =
    [("kms", "vault"), ("kms-address", "https://v.example"), ("kms-ca-file", "ca.pem"), ("kms-token-file", "token")];
const KMIP: [(&str, &str); 5] = [
    ("kms", "kmip"),
    ("kms-address", "k.example"),
    ("kms-ca-file", "ca.pem"),
    ("kms-client-cert", "c.pem"),
    ("kms-client-key", "c.key"),
];

#[test]
fn the_keyring_serves_unless_something_else_is_said() {
    let kms = load(&[], &[]).unwrap().kms;
    assert!(matches!(kms.service, KmsService::Local));
    assert_eq!(kms.cache.time, Duration::from_secs(300));
}

#[test]
fn vault_and_kmip_need_few_settings() {
    let KmsService::Vault(tls, settings) = load(&VAULT, &[]).unwrap().kms.service else { panic!("vault") };
    assert_eq!((settings.address.to_string().as_str(), settings.mount.as_str()), ("https://v.example:8200", "transit"));
    assert!(tls.client.is_none() && matches!(settings.sign_in, SignIn::Token(Secret::File(_))));
    let KmsService::Kmip(tls, settings) = load(&KMIP, &[]).unwrap().kms.service else { panic!("kmip") };
    assert_eq!((settings.address.to_string().as_str(), settings.prefix.as_str()), ("k.example:5696", "canopic"));
    assert!(tls.client.is_some());
}

#[test]
fn each_needed_setting_is_missed_by_its_name() {
    for (needed, all) in
        [(1, &VAULT[..]), (2, &VAULT[..]), (3, &VAULT[..]), (1, &KMIP[..]), (2, &KMIP[..]), (4, &KMIP[..])]
    {
        let name = all[needed].0.replace('-', "_");
        let rest: Vec<_> = all.iter().filter(|(flag, _)| *flag != all[needed].0).copied().collect();
        let error = load(&rest, &[]).unwrap_err().to_string();
        assert!(error.contains(&name), "without {name}: {error}");
    }
}

#[test]
fn credentials_come_from_variables_too_but_not_from_two_places() {
    let role = [(KMS_ROLE_ID_VARIABLE, "role"), (KMS_SECRET_ID_VARIABLE, "hush")];
    let config = load(&VAULT[..3], &role).unwrap();
    let KmsService::Vault(_, settings) = &config.kms.service else { panic!("vault") };
    assert!(matches!(&settings.sign_in, SignIn::AppRole { mount, .. } if mount.as_str() == "approle"));
    assert!(!format!("{config:?}").contains("hush") && !config.explain().contains("hush"));

    assert!(load(&VAULT, &role).unwrap_err().to_string().contains("both set"));
    assert!(load(&VAULT, &[(KMS_TOKEN_VARIABLE, "t")]).unwrap_err().to_string().contains("both set"));
    assert!(load(&VAULT[..3], &role[..1]).unwrap_err().to_string().contains("kms_secret_id_file"));
}

#[test]
fn settings_of_another_kms_are_refused() {
    for (flag, text) in [("kms-address", "https://v"), ("kms-token-file", "f"), ("kms-prefix", "p")] {
        let error = load(&[(flag, text)], &[]).unwrap_err().to_string();
        assert!(error.contains(&flag.replace('-', "_")) && error.contains("local"), "{error}");
    }
    let mixed = [&KMIP[..], &[("kms-namespace", "team")]].concat();
    assert!(load(&mixed, &[]).unwrap_err().to_string().contains("kms_namespace"));
}

#[test]
fn wrong_values_name_their_setting() {
    for (setting, text) in [
        ("kms-address", "http://v.example"),
        ("kms-mount", "a//b"),
        ("kms-namespace", ".."),
        ("kms-approle-mount", "a b"),
    ] {
        let flags: Vec<_> =
            VAULT.iter().filter(|(flag, _)| *flag != setting).copied().chain([(setting, text)]).collect();
        let error = load(&flags, &[]).unwrap_err().to_string();
        assert!(error.starts_with(&setting.replace('-', "_")), "{error}");
    }
}

#[test]
fn what_is_explained_can_be_read_back() {
    use std::io::Write as _;
    for flags in [&VAULT[..], &KMIP[..]] {
        let text = load(flags, &[]).unwrap().explain();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let again = Config::load(Layer::default(), Some(file.path()), |_| None).unwrap();
        assert_eq!(again.explain(), text);
    }
}

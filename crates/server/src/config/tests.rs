use std::collections::HashMap;

use super::*;

fn load(flags: &[(&str, &str)], variables: &[(&str, &str)], file: Option<&Path>) -> Result<Config, ConfigError> {
    let mut layer = Layer::default();
    for (flag, text) in flags {
        let setting = SETTINGS.iter().find(|s| s.flag() == *flag).unwrap();
        set_flag(&mut layer, setting, text)?;
    }
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    Config::load(layer, file, |name| variables.get(name).map(OsString::from))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn every_default_is_a_valid_value() {
    let config = load(&[], &[], None).unwrap();
    assert_eq!(config.listen, Some("127.0.0.1:9443".parse().unwrap()));
    assert_eq!(config.listen_http, None);
    assert_eq!(config.root_key.file(), Some(Path::new("./canopic-data.root-key")));
}

#[test]
fn flags_beat_variables_beat_the_file_beats_defaults() {
    let file = file("region = \"file-1\"\nmax_connections = 7\nlog = \"error\"\n");
    let flags = [("region", "flag-1")];
    let variables = [("CANOPIC_REGION", "variable-1"), ("CANOPIC_MAX_CONNECTIONS", "8")];
    let config = load(&flags, &variables, Some(file.path())).unwrap();
    assert_eq!(config.region.as_str(), "flag-1");
    assert_eq!(config.limits.connections_max, 8);
    assert_eq!(config.log.as_str(), "error");
    assert_eq!(config.shutdown_grace, Duration::from_secs(30));
}

#[test]
fn a_wrong_value_names_its_flag_or_variable() {
    let flag = load(&[("listen", "nowhere")], &[], None).unwrap_err().to_string();
    assert!(flag.starts_with("--listen: expected an IP address"), "{flag}");
    let variable = load(&[], &[("CANOPIC_TRUSTED_PROXY", "10.0.0.0/99")], None).unwrap_err().to_string();
    assert!(variable.starts_with("CANOPIC_TRUSTED_PROXY: expected a network"), "{variable}");
}

#[test]
fn rust_log_counts_unless_the_own_variable_is_set() {
    assert_eq!(load(&[], &[("RUST_LOG", "trace")], None).unwrap().log.as_str(), "trace");
    let both = [("RUST_LOG", "trace"), ("CANOPIC_LOG", "warn")];
    assert_eq!(load(&[], &both, None).unwrap().log.as_str(), "warn");
}

#[test]
fn a_root_key_inside_the_data_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    for inside in ["root-key", "a/b/root-key", "../data/root-key", "x/../root-key"] {
        let inside = format!("{data}/{inside}");
        let error = load(&[("data-dir", data), ("root-key-file", &inside)], &[], None).unwrap_err();
        assert!(matches!(error, ConfigError::RootKeyInside { .. }), "{inside}: {error}");
    }
    let beside = format!("{data}/../root-key");
    assert!(load(&[("data-dir", data), ("root-key-file", &beside)], &[], None).is_ok());
}

#[test]
fn a_link_into_the_data_directory_is_seen_through() {
    let dir = tempfile::tempdir().unwrap();
    let (data, link) = (dir.path().join("data"), dir.path().join("link"));
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let root_key = link.join("root-key");
    let flags = [("data-dir", data.to_str().unwrap()), ("root-key-file", root_key.to_str().unwrap())];
    assert!(matches!(load(&flags, &[], None), Err(ConfigError::RootKeyInside { .. })));
}

#[test]
fn the_root_key_lies_beside_the_data_directory_however_that_is_written() {
    let beside = |data: &str| load(&[("data-dir", data)], &[], None).unwrap().root_key.file().unwrap().to_owned();
    assert_eq!(beside("/srv/canopic/"), Path::new("/srv/canopic.root-key"));
    let here = std::env::current_dir().unwrap();
    let name = format!("{}.root-key", here.file_name().unwrap().to_str().unwrap());
    assert_eq!(beside("."), here.canonicalize().unwrap().with_file_name(name));
    assert!(matches!(load(&[("data-dir", "/")], &[], None), Err(ConfigError::NoPlaceForRootKey(_))));
}

#[test]
fn the_root_key_comes_from_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = [("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap())];
    let source = |flags: &[(&str, &str)], variables: &[(&str, &str)]| load(flags, variables, None).map(|c| c.root_key);
    assert!(matches!(source(&[], &credentials), Ok(RootKeySource::File(_))), "there is no such credential");

    std::fs::File::create(dir.path().join("canopic-root-key")).unwrap();
    assert!(matches!(source(&[], &credentials), Ok(RootKeySource::Credential(_))));
    let variables = [credentials[0], ("CANOPIC_ROOT_KEY", "hush")];
    assert!(matches!(source(&[], &variables), Ok(RootKeySource::Variable(_))));
    let flags = [("root-key-file", "/etc/canopic/root-key")];
    assert!(matches!(source(&flags, &credentials), Ok(RootKeySource::File(_))));
    assert!(matches!(source(&flags, &variables), Err(ConfigError::TwoRootKeys)));

    let config = load(&[], &variables, None).unwrap();
    assert!(!config.explain().contains("hush") && !format!("{config:?}").contains("hush"));
    assert!(config.explain().contains("# root_key_file = the variable CANOPIC_ROOT_KEY"), "{}", config.explain());
}

#[test]
fn halves_are_refused() {
    assert!(matches!(load(&[("tls-cert", "a")], &[], None), Err(ConfigError::HalfACertificate { .. })));
    assert!(matches!(load(&[("tls-key", "a")], &[], None), Err(ConfigError::HalfACertificate { .. })));
    let half = [("CANOPIC_ROOT_ACCESS_KEY", "AKIAEXAMPLE")];
    assert!(matches!(load(&[], &half, None), Err(ConfigError::HalfARootPair)));
    assert!(matches!(load(&[("listen", "off")], &[], None), Err(ConfigError::NothingToServeOn)));
}

#[test]
fn an_error_about_the_root_secret_does_not_repeat_it() {
    let pair = [("CANOPIC_ROOT_ACCESS_KEY", "AKIAEXAMPLE"), ("CANOPIC_ROOT_SECRET_KEY", "sp ace")];
    let error = load(&[], &pair, None).unwrap_err();
    assert!(error.to_string().starts_with("CANOPIC_ROOT_SECRET_KEY: expected"), "{error}");
    assert!(!format!("{error:?}").contains("sp ace"));
}

#[test]
fn what_is_explained_can_be_read_back_and_holds_no_secret() {
    let pair = [("CANOPIC_ROOT_ACCESS_KEY", "AKIAEXAMPLE"), ("CANOPIC_ROOT_SECRET_KEY", "hush-hush-hush")];
    let flags = [("domain", "a.example,b.example"), ("tls-cert", "c\"1"), ("tls-key", "k"), ("body-timeout", "1500ms")];
    let text = load(&flags, &pair, None).unwrap().explain();
    assert!(!text.contains("hush"));
    let again = load(&[], &[], Some(file(&text).path())).unwrap();
    assert_eq!(again.explain(), text);
}

#[test]
fn the_documented_table_is_the_table_in_the_code() {
    let mut table = String::from("| Flag | Variable | Field | Default | Meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { "–".to_owned() } else { format!("`{}`", setting.default) };
        table += &format!(
            "| `--{} {}` | `{}` | `{}` | {default} | {} |\n",
            setting.flag(),
            setting.placeholder,
            setting.variable(),
            setting.name,
            setting.meaning
        );
    }
    let page = include_str!("../../../../docs/configuration.md");
    assert!(page.contains(&table), "docs/configuration.md should hold this table:\n{table}");
}

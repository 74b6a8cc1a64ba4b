//! Flags made from the server's table of settings, so that the command cannot know another one.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use server::config::{Config, ConfigError, Layer, SETTINGS, Setting, set_flag};

/// Which settings a command takes as flags.
pub(crate) trait Selection {
    fn takes(setting: &Setting) -> bool;
}

/// All of them.
pub(crate) struct All;

impl Selection for All {
    fn takes(_: &Setting) -> bool {
        true
    }
}

/// Those that say where an installation is, and its store.
pub(crate) struct Place;

impl Selection for Place {
    fn takes(setting: &Setting) -> bool {
        let is_of = |what: &str| setting.name.starts_with(what);
        let names = ["data_dir", "root_key_file", "region", "store", "placements"];
        names.contains(&setting.name) || is_of("ceph_") || is_of("pool_")
    }
}

/// Those and where its audit log is.
pub(crate) struct AuditPlace;

impl Selection for AuditPlace {
    fn takes(setting: &Setting) -> bool {
        Place::takes(setting) || setting.name == "audit_dir"
    }
}

/// The flags that were given.
pub(crate) struct SettingArgs<S> {
    layer: Layer,
    file: Option<PathBuf>,
    selection: std::marker::PhantomData<S>,
}

impl<S> SettingArgs<S> {
    /// The whole configuration: these flags, the environment, the file, the defaults.
    pub(crate) fn load(self) -> Result<Config, ConfigError> {
        Config::load(self.layer, self.file.as_deref(), |name| std::env::var_os(name))
    }
}

impl<S: Selection> clap::Args for SettingArgs<S> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("The configuration file [env: CANOPIC_CONFIG] [default: canopic.toml, if there is one]");
        let settings = SETTINGS.iter().filter(|setting| S::takes(setting));
        settings.fold(command.arg(config), |command, setting| {
            let default = match setting.default {
                "" => String::new(),
                default => format!(" [default: {default}]"),
            };
            let help = format!("{} [env: {}]{default}", setting.meaning.replace('`', ""), setting.variable());
            let arg = Arg::new(setting.name).long(setting.flag()).value_name(setting.placeholder).help(help);
            command.arg(if setting.is_list { arg.action(ArgAction::Append) } else { arg })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Selection> clap::FromArgMatches for SettingArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut layer = Layer::default();
        for setting in SETTINGS.iter().filter(|setting| S::takes(setting)) {
            let Some(values) = matches.get_many::<String>(setting.name) else { continue };
            let text = values.map(String::as_str).collect::<Vec<_>>().join(",");
            set_flag(&mut layer, setting, &text)
                .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, error.to_string()))?;
        }
        let file = matches.get_one::<PathBuf>("config").cloned();
        Ok(Self { layer, file, selection: std::marker::PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

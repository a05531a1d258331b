//! Precedence: the options of several places, of which the first that has a value overrides the others.

use std::path::Path;

use crate::up::options::Whole;

#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    CommandLine,
    Table(&'a Path, &'static str),
    Stream(&'a Path, &'a str),
}

impl Place<'_> {
    pub(super) fn name(self, option: &str) -> String {
        match self {
            Self::CommandLine => format!("`--{option}`"),
            Self::Table(file, table) => format!("`{option}` of [{table}] in {}", file.display()),
            Self::Stream(file, stream) => format!("`{option}` of [streams.{stream}] in {}", file.display()),
        }
    }
}

/// Options of several places. The first place that has an option overrides the others.
pub(super) struct Layers<'a, O>(pub(super) Vec<(Place<'a>, &'a O)>);

/// A value, and its option as a message writes it.
pub(super) struct Found<T> {
    pub(super) option: String,
    pub(super) value: T,
    /// The number of places that could have overridden it.
    pub(super) depth: usize,
}

impl<'a, O> Layers<'a, O> {
    pub(super) fn value<T>(&self, get: impl Fn(&'a O) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|(_, options)| get(options))
    }

    pub(super) fn number<const LOW: u32, const HIGH: u32>(
        &self,
        get: impl Fn(&'a O) -> Option<Whole<LOW, HIGH>>,
        default: u32,
    ) -> u32 {
        self.value(get).map_or(default, Whole::get)
    }

    pub(super) fn find<T>(&self, name: &str, get: impl Fn(&'a O) -> Option<T>) -> Option<Found<T>> {
        self.0
            .iter()
            .enumerate()
            .find_map(|(depth, (place, options))| Some(Found { option: place.name(name), value: get(options)?, depth }))
    }

    pub(super) fn find_or<T>(&self, name: &str, get: impl Fn(&'a O) -> Option<T>, default: T) -> Found<T> {
        let default = || Found { option: format!("the default of `--{name}`"), value: default, depth: self.0.len() };
        self.find(name, get).unwrap_or_else(default)
    }
}

//! Precedence: the options of several places, of which the first that says something counts.

use std::path::Path;

use crate::up::options::Whole;

/// Where options were given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    CommandLine,
    /// The table of a stream.
    Table(&'a Path, &'a str),
    /// The top of the file.
    Top(&'a Path),
}

impl Place<'_> {
    /// An option, as whoever gave it finds it.
    pub(super) fn names(self, option: &str) -> String {
        match self {
            Self::CommandLine => format!("`--{option}`"),
            Self::Table(file, stream) => format!("`{option}` of [streams.{stream}] in {}", file.display()),
            Self::Top(file) => format!("`{option}` in {}", file.display()),
        }
    }
}

/// Options of several places, those that count first in front.
pub(super) struct Layers<'a, O>(pub(super) Vec<(Place<'a>, &'a O)>);

/// A value, and what a message calls it.
pub(super) struct Found<T> {
    pub(super) option: String,
    pub(super) value: T,
    /// How many places would have counted before.
    pub(super) depth: usize,
}

impl<'a, O> Layers<'a, O> {
    /// An option that needs no further check.
    pub(super) fn value<T>(&self, get: impl Fn(&'a O) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|(_, options)| get(options))
    }

    /// The same of a number, or its default.
    pub(super) fn number<const LOW: u32, const HIGH: u32>(
        &self,
        get: impl Fn(&'a O) -> Option<Whole<LOW, HIGH>>,
        default: u32,
    ) -> u32 {
        self.value(get).map_or(default, Whole::get)
    }

    /// An option that does, by its name.
    pub(super) fn find<T>(&self, name: &str, get: impl Fn(&'a O) -> Option<T>) -> Option<Found<T>> {
        self.0.iter().enumerate().find_map(|(depth, (place, options))| {
            Some(Found { option: place.names(name), value: get(options)?, depth })
        })
    }

    /// The same, or its default.
    pub(super) fn find_or<T>(&self, name: &str, get: impl Fn(&'a O) -> Option<T>, default: T) -> Found<T> {
        let default = || Found { option: format!("the default of `--{name}`"), value: default, depth: self.0.len() };
        self.find(name, get).unwrap_or_else(default)
    }
}

impl<T> Found<T> {
    /// The option, and how many places would have counted before.
    pub(super) fn place(self) -> (String, usize) {
        (self.option, self.depth)
    }
}

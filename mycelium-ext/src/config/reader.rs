//! Takes a document apart, and keeps every mistake.
//!
//! A derived deserializer would stop at the first one. So the tables are walked by hand: a
//! [`Section`] is asked for each key that it may have, and then says which others it has.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::error::{Mistake, Place};
use super::setting::Setting;
use super::suggest;
use super::values::Value;

/// The longest text that an error repeats.
const SHOWN: usize = 60;

/// The prefix of all variables.
const PREFIX: &str = "MYCELIUM_";

pub(super) struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    environment: &'a Environment,
    /// Which key each variable stands for.
    variables: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
    /// Where the file itself has a cookie.
    pub(super) inline_cookie: Option<Place>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(file: &'a Path, text: &'a str, environment: &'a Environment) -> Self {
        Self {
            file,
            text,
            environment,
            variables: BTreeMap::new(),
            mistakes: Vec::new(),
            inline_cookie: None,
        }
    }

    pub(super) const fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// Where a byte of the file stands.
    pub(super) fn place(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::File {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    /// The path behind a key: from the file's own folder, or, of a variable, from the working one.
    pub(super) fn path(&self, path: &Setting<PathBuf>) -> PathBuf {
        match path.place() {
            Some(Place::Environment { .. }) => path.to_path_buf(),
            _ => self.resolve(path),
        }
    }

    /// A path as the file means it: from the file's own folder.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.file.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    pub(super) fn mistake(
        &mut self,
        place: Place,
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        hint: Option<String>,
    ) {
        self.mistakes.push(Mistake {
            place,
            key: key.into(),
            expected: expected.into(),
            found: found.into(),
            hint,
        });
    }

    /// All mistakes, in order.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort();
        self.mistakes.dedup();
        self.mistakes
    }

    /// What the variable says that stands for `key`.
    pub(super) fn variable<T: Value>(&mut self, key: &str) -> Option<Setting<T>> {
        let name = variable_of(key);
        let value = self.environment.get(&name);
        let other = self.variables.insert(name.clone(), key.to_owned());
        let value = value?;
        let place = Place::Environment { variable: name };
        if let Some(other) = other.filter(|other| other != key) {
            self.mistake(
                place,
                key,
                "a variable for one key",
                format!("one that stands for {other} as well"),
                Some("write these into the file".to_owned()),
            );
            return None;
        }
        self.read_variable(value, key, place)
    }

    /// Whether a variable stands for a key of this section.
    pub(super) fn has_variables(&self, section: &str) -> bool {
        let prefix = format!("{section}.");
        let is_set = |(name, key): (&String, &String)| {
            key.starts_with(&prefix) && self.environment.get(name).is_some()
        };
        self.variables.iter().any(is_set)
    }

    /// Reads the text of a variable.
    pub(super) fn read_variable<T: Value>(
        &mut self,
        value: &OsStr,
        key: &str,
        place: Place,
    ) -> Option<Setting<T>> {
        match value.to_str() {
            Some(text) => self.read(text, key, place),
            None => {
                self.mistake(place, key, T::EXPECTED, "something that is not Unicode", None);
                None
            }
        }
    }

    pub(super) fn read<T: Value>(
        &mut self,
        text: &str,
        key: &str,
        place: Place,
    ) -> Option<Setting<T>> {
        match T::read(text) {
            Ok(value) => Some(Setting::written(value, place)),
            Err(hint) => {
                let found = if T::SECRET { hidden(text) } else { shown(text) };
                self.mistake(place, key, T::EXPECTED, found, hint);
                None
            }
        }
    }

    /// Variables that look like ours and stand for nothing.
    pub(super) fn unknown_variables(&mut self) {
        let ours = |name: &&str| {
            ["NODE_", "NODES_", "LISTEN", "SECURITY_", "CLUSTER_", "VIEW_", "METRICS_"]
                .iter()
                .any(|part| name.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(part)))
        };
        for name in self.environment.names().filter(ours) {
            if !self.variables.contains_key(name) {
                let hint = suggest::nearest(name, self.variables.keys().map(String::as_str));
                self.mistake(
                    Place::Environment { variable: name.to_owned() },
                    "",
                    "a variable that stands for a key",
                    "one that stands for none",
                    hint,
                );
            }
        }
    }
}

/// The variable for a key: `node.limits.max_frame` is `MYCELIUM_NODE_LIMITS_MAX_FRAME`.
pub(super) fn variable_of(key: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(key.chars().map(upper)).collect()
}

/// A text, as an error shows it.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A secret text, as an error shows it.
fn hidden(text: &str) -> String {
    if text.is_empty() { "an empty text" } else { "a text that is not shown" }.to_owned()
}

/// What stands in the file, for people.
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => shown(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        other => kind(other).to_owned(),
    }
}

/// What sort of thing stands in the file.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A table, or the place where it would be.
pub(super) struct Section<'t, 'i> {
    path: String,
    at: usize,
    table: Option<&'t DeTable<'i>>,
    /// Whether variables stand for its keys.
    layered: bool,
    known: Vec<&'static str>,
}

impl<'t, 'i> Section<'t, 'i> {
    /// The document itself.
    pub(super) fn root(table: &'t DeTable<'i>) -> Self {
        Self { path: String::new(), at: 0, table: Some(table), layered: true, known: Vec::new() }
    }

    /// The full name of one of its keys.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where the table stands.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn value(&mut self, key: &'static str) -> Option<(Range<usize>, &'t Spanned<DeValue<'i>>)> {
        self.known.push(key);
        let (key, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((key.span(), value))
    }

    /// A table below this one. Its keys may be layered even if it is not in the file.
    pub(super) fn section(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Self {
        let path = self.key(key);
        let found = self.value(key);
        let (at, table) = match found {
            Some((at, value)) => (at.start, as_table(reader, &path, value)),
            None => (self.at, None),
        };
        Self { path, at, table, layered: self.layered, known: Vec::new() }
    }

    /// The tables below `key`, by the names that people gave them.
    pub(super) fn named_sections(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Vec<(Setting<String>, Self)> {
        let path = self.key(key);
        let Some((_, value)) = self.value(key) else { return Vec::new() };
        let Some(tables) = as_table(reader, &path, value) else { return Vec::new() };
        let layered = self.layered;
        let section = |(name, value): (&'t Spanned<_>, &'t Spanned<DeValue<'i>>)| {
            let name: Setting<String> =
                Setting::written(str_of(name), reader.place(name.span().start));
            let path = format!("{path}.{}", *name);
            let table = as_table(reader, &path, value)?;
            let at = value.span().start;
            Some((name, Self { path, at, table: Some(table), layered, known: Vec::new() }))
        };
        tables.iter().filter_map(section).collect()
    }

    /// The tables of an array of tables. No variables stand for their keys.
    pub(super) fn listed_sections(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Vec<Self> {
        let path = self.key(key);
        let Some((at, value)) = self.value(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            let found = kind(value.get_ref());
            let hint = Some(format!("write [[{path}]]"));
            reader.mistake(reader.place(at.start), path, "an array of tables", found, hint);
            return Vec::new();
        };
        let section = |(index, value): (usize, &'t Spanned<DeValue<'i>>)| {
            let path = format!("{path}[{index}]");
            let table = as_table(reader, &path, value)?;
            let at = value.span().start;
            Some(Self { path, at, table: Some(table), layered: false, known: Vec::new() })
        };
        list.iter().enumerate().filter_map(section).collect()
    }

    /// The value of a key: of its variable, if that is set, or of the file. What is overridden is
    /// checked all the same.
    pub(super) fn setting<T: Value>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Setting<T>> {
        let full = self.key(key);
        let written = self.written(reader, key);
        let layered = if self.layered { reader.variable(&full) } else { None };
        layered.or(written)
    }

    /// The value of a key in the file.
    pub(super) fn written<T: Value>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Setting<T>> {
        let full = self.key(key);
        let (_, value) = self.value(key)?;
        item(reader, &full, value)
    }

    /// The values of a key in the file, which has a list of them.
    pub(super) fn list<T: Value>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Vec<Setting<T>> {
        let full = self.key(key);
        let Some((_, value)) = self.value(key) else { return Vec::new() };
        match value.get_ref().as_array() {
            Some(items) => items.iter().filter_map(|value| item(reader, &full, value)).collect(),
            None => {
                let expected = format!("a list in brackets, each item {}", T::EXPECTED);
                let found = if T::SECRET {
                    kind(value.get_ref()).to_owned()
                } else {
                    described(value.get_ref())
                };
                reader.mistake(reader.place(value.span().start), full, expected, found, None);
                Vec::new()
            }
        }
    }

    /// Whether the file says anything behind `key`, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.iter().any(|(name, _)| name.get_ref() == key))
    }

    /// Whether the file or a variable says anything for `key`.
    pub(super) fn has_layered(&self, reader: &Reader<'_>, key: &str) -> bool {
        self.has(key) || reader.environment.get(&variable_of(&self.key(key))).is_some()
    }

    /// Keys that no section knows.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        let Some(table) = self.table else { return };
        for (key, _) in table {
            let name = str_of(key);
            if !self.known.contains(&name.as_str()) {
                let full = self.key(&name);
                let hint = suggest::nearest(&name, self.known.iter().copied());
                let known = self.known.join(", ");
                let expected = format!("one of these keys: {known}");
                reader.mistake(
                    reader.place(key.span().start),
                    full,
                    expected,
                    "an unknown key",
                    hint,
                );
            }
        }
    }
}

fn str_of(key: &Spanned<toml::de::DeString<'_>>) -> String {
    key.get_ref().clone().into_owned()
}

fn as_table<'t, 'i>(
    reader: &mut Reader<'_>,
    path: &str,
    value: &'t Spanned<DeValue<'i>>,
) -> Option<&'t DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        let found = kind(value.get_ref());
        reader.mistake(
            reader.place(value.span().start),
            path,
            "a table",
            found,
            Some(format!("write [{path}]")),
        );
    }
    table
}

fn item<T: Value>(
    reader: &mut Reader<'_>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<Setting<T>> {
    let place = reader.place(value.span().start);
    let text = match value.get_ref() {
        DeValue::String(text) if !T::NUMBER && !T::SWITCH => text.to_string(),
        DeValue::Integer(number) if T::NUMBER => decimal(number),
        DeValue::Boolean(switch) if T::SWITCH => switch.to_string(),
        other => {
            let found = if T::SECRET { kind(other).to_owned() } else { described(other) };
            let hint = (!T::NUMBER && !T::SWITCH && matches!(other, DeValue::Integer(_)))
                .then(|| "put it in quotation marks".to_owned());
            reader.mistake(place, key, T::EXPECTED, found, hint);
            return None;
        }
    };
    reader.read(&text, key, place)
}

/// An integer of TOML, which may be hexadecimal, in decimal; as it is when it is too large.
fn decimal(number: &toml::de::DeInteger<'_>) -> String {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => value.to_string(),
        Err(_) => number.to_string(),
    }
}

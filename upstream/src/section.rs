//! Reads a table of a TOML file key by key, and says at which line one is wrong.
//!
//! By hand and not by `serde`, whose derive a clean build of every user would compile for these
//! two kinds of file.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table whose keys are taken one by one.
#[derive(Debug)]
pub(crate) struct Section<'t> {
    text: &'t str,
    span: Range<usize>,
    entries: DeTable<'t>,
}

impl<'t> Section<'t> {
    /// The whole file `text`. Only the keys `known` are allowed.
    ///
    /// # Errors
    /// The parser's words, or those of [`Section::only`].
    pub(crate) fn parse(text: &'t str, known: &[&str]) -> Result<Self, String> {
        let table = DeTable::parse(text).map_err(|error| error.to_string())?;
        let span = table.span();
        Self { text, span, entries: table.into_inner() }.only(known)
    }

    /// This table, with no other keys than `known`.
    ///
    /// # Errors
    /// The first key that is not one of them.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, String> {
        let stranger = self.entries.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
        match stranger {
            None => Ok(self),
            Some(key) => Err(self.wrong(
                key.span(),
                &format!("unknown field `{}`, expected {}", key.get_ref(), one_of(known)),
            )),
        }
    }

    /// The text of `key`, if it is there.
    ///
    /// # Errors
    /// A value that is no string; so below.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.entries.remove(key).map(|value| self.string(value)).transpose()
    }

    /// The text of `key`, which has to be there.
    pub(crate) fn required(&mut self, key: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    /// What the word of `key` means, which has to be one of `words`.
    pub(crate) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Result<T, String> {
        let span = self.entries.get(key).map(Spanned::span);
        let found = self.required(key)?;
        let meaning = words.iter().find(|(word, _)| *word == found);
        meaning.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let why = format!("unknown variant `{found}`, expected {}", one_of(&known));
            self.wrong(span.unwrap_or(0..0), &why)
        })
    }

    /// Whether `key` says `true`.
    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, String> {
        match self.entries.remove(key) {
            None => Ok(false),
            Some(value) => {
                value.get_ref().as_bool().ok_or_else(|| self.mistyped(&value, "a boolean"))
            }
        }
    }

    /// The table `key`; an empty one when it is not there.
    pub(crate) fn section(&mut self, key: &str) -> Result<Self, String> {
        match self.entries.remove(key) {
            None => Ok(Self { text: self.text, span: 0..0, entries: DeTable::new() }),
            Some(value) => self.table(value),
        }
    }

    /// The table `key`, which has to be there.
    pub(crate) fn required_section(&mut self, key: &str) -> Result<Self, String> {
        let value = self.entries.remove(key).ok_or_else(|| self.missing(key))?;
        self.table(value)
    }

    /// The array of tables `key`, which has to be there.
    pub(crate) fn sections(&mut self, key: &str) -> Result<Vec<Self>, String> {
        let value = self.entries.remove(key).ok_or_else(|| self.missing(key))?;
        let (span, value) = (value.span(), value.into_inner());
        match value {
            DeValue::Array(tables) => tables.into_iter().map(|table| self.table(table)).collect(),
            other => Err(self.mistyped(&Spanned::new(span, other), "an array of tables")),
        }
    }

    /// All keys; each is a table.
    pub(crate) fn tables(mut self) -> Result<Vec<(String, Self)>, String> {
        let entries = std::mem::take(&mut self.entries);
        let table = |(key, value): (Spanned<_>, _)| Ok((name(key), self.table(value)?));
        entries.into_iter().map(table).collect()
    }

    /// All keys; each is a text.
    pub(crate) fn texts(mut self) -> Result<BTreeMap<String, String>, String> {
        let entries = std::mem::take(&mut self.entries);
        let text = |(key, value): (Spanned<_>, _)| Ok((name(key), self.string(value)?));
        entries.into_iter().map(text).collect()
    }

    /// What the key `key`, which is not there, is told with.
    fn missing(&self, key: &str) -> String {
        self.wrong(self.span.clone(), &format!("missing field `{key}`"))
    }

    fn string(&self, value: Spanned<DeValue<'t>>) -> Result<String, String> {
        let (span, value) = (value.span(), value.into_inner());
        match value {
            DeValue::String(text) => Ok(text.into_owned()),
            other => Err(self.mistyped(&Spanned::new(span, other), "a string")),
        }
    }

    fn table(&self, value: Spanned<DeValue<'t>>) -> Result<Self, String> {
        let (span, value) = (value.span(), value.into_inner());
        match value {
            DeValue::Table(entries) => Ok(Self { text: self.text, span, entries }),
            other => Err(self.mistyped(&Spanned::new(span, other), "a table")),
        }
    }

    fn mistyped(&self, value: &Spanned<DeValue<'_>>, expected: &str) -> String {
        let found = value.get_ref().type_str();
        self.wrong(value.span(), &format!("invalid type: {found}, expected {expected}"))
    }

    /// `why`, with the line and its beginning at `span`; in the form of the parser's own errors.
    fn wrong(&self, span: Range<usize>, why: &str) -> String {
        let before = &self.text[..span.start];
        let number = before.matches('\n').count() + 1;
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let marked = self.text[span].lines().next().unwrap_or_default().chars().count().max(1);
        let gutter = " ".repeat(number.to_string().len());
        format!(
            "TOML parse error at line {number}, column {}\n{gutter} |\n{number} | {line}\n\
             {gutter} | {}{}\n{why}\n",
            column + 1,
            " ".repeat(column),
            "^".repeat(marked)
        )
    }
}

fn name(key: Spanned<toml::de::DeString<'_>>) -> String {
    key.into_inner().into_owned()
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    format!("one of {}", quoted.join(", "))
}

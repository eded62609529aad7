//! The format of a patch file, `patches/<crate>/NNNN-name.toml`.
//!
//! ```toml
//! title = "Actors on this machine have ids of their own"
//! why = "…why this cannot be done without touching upstream…"
//!
//! [[edit]]
//! file = "src/actor/actor_cell.rs"
//! item = "impl ActorCell :: fn new"
//! anchor = "id.is_local()"
//! op = "insert-after"
//! code = "&& !id.is_same_machine()"
//! ```

use crate::address::Address;
use crate::error::Place;
use crate::section::Section;
use crate::tokens::{self, Token};
use crate::{Error, Result};

/// One reason to change upstream, and the edits that it takes.
#[derive(Debug, Clone)]
pub struct Patch {
    /// The crate whose sources it changes.
    pub krate: String,
    /// Its file name, `NNNN-name.toml`; patches apply in this order.
    pub file: String,
    /// What it does, in a line.
    pub title: String,
    /// Why it cannot be avoided.
    pub why: String,
    /// At least one.
    pub edits: Vec<Edit>,
}

/// One change of one upstream file.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Where it stands, for messages.
    pub place: Place,
    /// The item it is confined to; `None` is the whole file.
    pub item: Option<Address>,
    /// The tokens it stands on inside the item; `None` is the whole item.
    pub anchor: Option<Vec<Token>>,
    /// What it does there.
    pub op: Op,
    /// Our code; empty for [`Op::Remove`].
    pub code: String,
    /// Whether every twin that the address names is meant, and not the only one.
    pub all_twins: bool,
    /// The fingerprint of the item that it replaces or removes as a whole.
    pub pin: Option<String>,
}

/// What an edit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Before the anchor or item.
    InsertBefore,
    /// After the anchor or item.
    InsertAfter,
    /// As the first thing between the item's braces.
    InsertStart,
    /// As the last thing between the item's braces, or in the file.
    InsertEnd,
    /// In the place of the anchor or item.
    Replace,
    /// Takes the anchor or item away.
    Remove,
}

/// How a patch file writes them.
const OPS: [(&str, Op); 6] = [
    ("insert-before", Op::InsertBefore),
    ("insert-after", Op::InsertAfter),
    ("insert-start", Op::InsertStart),
    ("insert-end", Op::InsertEnd),
    ("replace", Op::Replace),
    ("remove", Op::Remove),
];

/// A patch file as it is written, before it is known to make sense.
struct PatchFile {
    title: String,
    why: String,
    edit: Vec<EditEntry>,
}

struct EditEntry {
    file: String,
    item: Option<String>,
    anchor: Option<String>,
    op: Op,
    code: Option<String>,
    all_twins: bool,
    pin: Option<String>,
}

impl PatchFile {
    fn read(text: &str) -> Result<Self, String> {
        let mut file = Section::parse(text, &["title", "why", "edit"])?;
        Ok(Self {
            title: file.required("title")?,
            why: file.required("why")?,
            edit: file
                .sections("edit")?
                .into_iter()
                .map(EditEntry::read)
                .collect::<Result<_, String>>()?,
        })
    }
}

impl Patch {
    /// Reads the patch file `file` of the crate `krate`.
    ///
    /// # Errors
    /// [`Error::Patch`], with the line where TOML or a key is wrong, or with the edit that
    /// contradicts itself.
    pub fn parse(krate: &str, file: &str, text: &str) -> Result<Self> {
        let name = format!("{krate}/{file}");
        let wrong = |why: String| Error::Patch { patch: name.clone(), why };
        let parsed = PatchFile::read(text).map_err(wrong)?;
        for (key, value) in [("title", &parsed.title), ("why", &parsed.why)] {
            if value.trim().is_empty() {
                return Err(wrong(format!("`{key}` is empty; every patch states its reason")));
            }
        }
        let edits = parsed
            .edit
            .into_iter()
            .enumerate()
            .map(|(index, entry)| {
                let number = index + 1;
                entry.into_edit(&name, number).map_err(|why| wrong(format!("edit {number}: {why}")))
            })
            .collect::<Result<Vec<_>>>()?;
        if edits.is_empty() {
            return Err(wrong("it has no `[[edit]]`".to_owned()));
        }
        Ok(Self {
            krate: krate.to_owned(),
            file: file.to_owned(),
            title: parsed.title,
            why: parsed.why,
            edits,
        })
    }
}

impl EditEntry {
    fn read(table: Section<'_>) -> Result<Self, String> {
        let known = ["file", "item", "anchor", "op", "code", "all-twins", "pin"];
        let mut table = table.only(&known)?;
        Ok(Self {
            file: table.required("file")?,
            item: table.text("item")?,
            anchor: table.text("anchor")?,
            op: table.word("op", &OPS)?,
            code: table.text("code")?,
            all_twins: table.flag("all-twins")?,
            pin: table.text("pin")?,
        })
    }

    fn into_edit(self, patch: &str, number: usize) -> Result<Edit, String> {
        let place = Place {
            patch: patch.to_owned(),
            edit: number,
            file: self.file,
            item: self.item.clone(),
            anchor: self.anchor.clone(),
        };
        let item = match &self.item {
            Some(text) => {
                Some(Address::parse(text).map_err(|why| format!("`item` is no address: {why}"))?)
            }
            None => None,
        };
        let anchor = match &self.anchor {
            Some(text) => Some(tokens::lex(text).map_err(|why| {
                format!("`anchor` must be whole tokens with balanced brackets: {why}")
            })?),
            None => None,
        };
        if anchor.as_ref().is_some_and(Vec::is_empty) {
            return Err("`anchor` is empty".to_owned());
        }
        let code = match (self.op, self.code) {
            (Op::Remove, Some(_)) => return Err("`remove` takes no `code`".to_owned()),
            (Op::Remove, None) => String::new(),
            (_, Some(code)) if !code.trim().is_empty() => code,
            _ => return Err("`code` is missing".to_owned()),
        };
        tokens::lex(&code).map_err(|why| format!("`code` has unbalanced brackets: {why}"))?;
        let inside = matches!(self.op, Op::InsertStart | Op::InsertEnd);
        if inside && anchor.is_some() {
            return Err("`insert-start` and `insert-end` take no `anchor`".to_owned());
        }
        let whole = anchor.is_none() && !inside;
        if item.is_none() && whole {
            return Err("it needs an `item`, an `anchor`, or both".to_owned());
        }
        if item.is_none() && self.op == Op::InsertStart {
            return Err("`insert-start` needs an `item`".to_owned());
        }
        if self.all_twins && item.is_none() {
            return Err("`all-twins` needs an `item`".to_owned());
        }
        let takes_pin = whole && matches!(self.op, Op::Replace | Op::Remove);
        if self.all_twins && takes_pin {
            return Err(
                "twins cannot be replaced or removed as a whole at once, since each has a \
                        fingerprint of its own: write an edit for each"
                    .to_owned(),
            );
        }
        match (&self.pin, takes_pin) {
            (None, true) => {
                return Err("an item that is replaced or removed as a whole needs its `pin`, the \
                            fingerprint of what upstream has there; build once with `pin = \
                            \"?\"`, and the error names it"
                    .to_owned());
            }
            (Some(_), false) => {
                return Err(
                    "only an item that is replaced or removed as a whole takes a `pin`".to_owned()
                );
            }
            _ => {}
        }
        Ok(Edit {
            place,
            item,
            anchor,
            op: self.op,
            code,
            all_twins: self.all_twins,
            pin: self.pin,
        })
    }
}

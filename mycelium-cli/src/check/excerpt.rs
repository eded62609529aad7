//! The line that a mistake is in, with a caret below the place.
//!
//! A line may have a secret in it, also one whose key is misspelt, or whose quotes are missing. So
//! a value is shown only where the mistake itself shows it. A line that is neither a table nor a
//! key with a value is not shown, and none of a file in which a text may go over several lines.

use std::fs;

use mycelium_ext::config::{Mistake, Place};

/// The most characters of a line.
const LONGEST: usize = 120;

/// The line of the file, if there is one to be shown.
pub(super) fn of(mistake: &Mistake) -> Option<String> {
    let Place::File { file, line, column } = &mistake.place else { return None };
    let text = fs::read_to_string(file).ok()?;
    excerpt(&text, (*line, *column), &mistake.found)
}

fn excerpt(text: &str, (line, column): (usize, usize), found: &str) -> Option<String> {
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let written = text.lines().nth(line.checked_sub(1)?)?;
    let is_table = written.trim_start().starts_with('[');
    if !is_table && !written.contains('=') {
        return None;
    }
    let (shown, caret) = masked(written, column.checked_sub(1)?, found);
    let shown: String = shown.chars().take(LONGEST).collect();
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let caret = " ".repeat(caret.min(LONGEST));
    Some(format!("  {number} | {shown}\n  {margin} | {caret}^\n"))
}

/// Whether a value without quotes ends before this.
fn ends_value(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"',[]{}=".contains(c)
}

/// A line without the values that `found` does not show, and where the character `column` of
/// it stands then.
fn masked(line: &str, column: usize, found: &str) -> (String, usize) {
    let (mut shown, mut caret) = (String::new(), 0);
    let mut width = 0;
    let characters: Vec<char> = line.chars().collect();
    let mut at = 0;
    let mut put = |text: &str, begins: usize, ends: usize, caret: &mut usize| {
        if (begins..ends).contains(&column) || column >= ends {
            // Within what is left out it stands at its begin.
            *caret = if column >= ends { width + text.chars().count() } else { width };
        }
        width += text.chars().count();
        shown.push_str(text);
    };
    let mut is_value = false;
    while at < characters.len() {
        let quote = characters[at];
        if is_value && !ends_value(quote) {
            let begin = at;
            while at < characters.len() && !ends_value(characters[at]) {
                at += 1;
            }
            let run: String = characters[begin..at].iter().collect();
            put(if found.contains(&run) { &run } else { "…" }, begin, at, &mut caret);
            continue;
        }
        if quote != '"' && quote != '\'' {
            let plain = if quote.is_control() { ' ' } else { quote };
            put(plain.encode_utf8(&mut [0; 4]), at, at + 1, &mut caret);
            is_value |= quote == '=';
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while end < characters.len() && characters[end] != quote {
            end += if characters[end] == '\\' && quote == '"' { 2 } else { 1 };
        }
        if end >= characters.len() {
            // No end: what follows may be anything.
            put("\"…", at, characters.len(), &mut caret);
            break;
        }
        let inner: String = characters[at + 1..end].iter().collect();
        let is_shown = !inner.is_empty() && found.contains(&format!("{inner:?}"));
        let text =
            if is_shown { format!("{quote}{inner}{quote}") } else { format!("{quote}…{quote}") };
        put(&text, at, end + 1, &mut caret);
        at = end + 1;
    }
    (shown, caret)
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn the_caret_stands_below_the_place() {
        let text = "[node]\ntransport = \"unx\"\n";
        assert_eq!(
            excerpt(text, (2, 13), "\"unx\"").unwrap(),
            "  2 | transport = \"unx\"\n    |             ^\n"
        );
        assert_eq!(excerpt(text, (2, 1), "a key").unwrap().lines().last().unwrap(), "    | ^");
        assert_eq!(excerpt(text, (9, 1), ""), None);
    }

    #[test]
    fn no_text_is_shown_that_the_mistake_does_not_show() {
        for line in [
            "cooky = \"sesame\"",
            "cooky = 'sesame'",
            "cooky = \"sesame",
            "cookie = \"a\\\"sesame\" x",
            "a = \"unx\", cookie = \"sesame\"",
            "cookie = sesame",
            "a = 1 # sesame",
            "sesame",
        ] {
            let shown = excerpt(line, (1, 1), "found \"unx\"").unwrap_or_default();
            assert!(!shown.contains("sesame"), "{shown}");
        }
        let behind = excerpt("a = \"sesame\" !", (1, 14), "").unwrap();
        assert_eq!(behind, "  1 | a = \"…\" …\n    |         ^\n");
        assert_eq!(excerpt("a = \"\"\"\nsesame\n\"\"\"\n", (2, 1), ""), None);
    }
}

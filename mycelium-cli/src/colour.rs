//! Colours on a terminal. What they say is said by words too.

use std::io::{self, IsTerminal};

/// A colour of the terminal's own palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
}

/// Colours, where they may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colours(bool);

impl Colours {
    /// For what goes to standard output.
    pub(crate) fn of_output() -> Self {
        Self(may_be_used(&io::stdout()))
    }

    /// For what goes to standard error.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_errors() -> Self {
        Self(may_be_used(&io::stderr()))
    }

    /// None at all.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self(false)
    }

    /// The text, in this colour where colours may be used.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let number = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
        };
        format!("\x1b[{number}m{text}\x1b[0m")
    }

    /// The text with its verdict, `PASS` or `FAIL`, in colour.
    #[cfg(all(unix, feature = "cluster"))]
    pub(crate) fn verdict(self, text: &str) -> String {
        let pass = self.paint(Colour::Green, "PASS");
        text.replace("PASS:", &format!("{pass}:"))
            .replace("FAIL:", &format!("{}:", self.paint(Colour::Red, "FAIL")))
    }
}

/// Whether this is a terminal that shows colours, and `NO_COLOR` is not set.
pub(crate) fn may_be_used(stream: &impl IsTerminal) -> bool {
    are_wanted() && stream.is_terminal()
}

/// Whether the environment allows colours: `NO_COLOR` with any text in it does not.
pub(crate) fn are_wanted() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_dumb && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Watched;
use super::state::{State, Tab};

/// The rows of a page.
const PAGE: usize = 10;
/// The longest filter, in bytes: a request has a bound.
const LONGEST: usize = 200;

impl State {
    /// Does what a key says. Returns whether something else is to be asked for.
    pub(super) fn press(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            self.ends = true;
            return false;
        }
        match self.types {
            true => self.edit(key.code),
            false => self.command(key.code),
        }
    }

    fn edit(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Enter => self.types = false,
            KeyCode::Esc => {
                self.types = false;
                self.filter.clear();
            }
            KeyCode::Backspace => _ = self.filter.pop(),
            KeyCode::Char(c) if self.filter.len() + c.len_utf8() <= LONGEST => self.filter.push(c),
            _ => return false,
        }
        self.row = 0;
        true
    }

    fn command(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => self.ends = true,
            KeyCode::Char('/') => self.types = true,
            KeyCode::Char('s') if self.tab == Tab::Actors => {
                (self.order, self.row) = (self.order.next(), 0);
                return true;
            }
            KeyCode::Char(digit @ '1'..='6') => {
                self.show(Tab::ALL[digit as usize - '1' as usize]);
                return true;
            }
            KeyCode::Tab | KeyCode::Right => {
                self.show(Tab::ALL[(self.tab.index() + 1) % Tab::ALL.len()]);
                return true;
            }
            KeyCode::BackTab | KeyCode::Left => {
                self.show(Tab::ALL[(self.tab.index() + Tab::ALL.len() - 1) % Tab::ALL.len()]);
                return true;
            }
            KeyCode::Down | KeyCode::Char('j') => self.row += 1,
            KeyCode::Up | KeyCode::Char('k') => self.row = self.row.saturating_sub(1),
            KeyCode::PageDown => self.row += PAGE,
            KeyCode::PageUp => self.row = self.row.saturating_sub(PAGE),
            KeyCode::Home => self.row = 0,
            KeyCode::Enter if self.tab == Tab::Nodes => {
                if let Some(found) = self.nodes.get(self.row) {
                    self.attach(Watched::Local(found.target.clone()));
                    return true;
                }
            }
            _ => {}
        }
        false
    }
}

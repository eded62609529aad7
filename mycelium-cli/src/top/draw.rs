//! The screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, Table};

use super::state::{State, Tab};
use super::tables::{self, Mark, Row};
use super::text::{count, plain, time};

/// Whether colours may be used (`NO_COLOR`). What they say is said by words too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colours(pub(super) bool);

impl Colours {
    /// As the environment has it.
    pub(super) fn of_environment() -> Self {
        Self(std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()))
    }

    fn of(self, mark: Mark) -> Style {
        let style = Style::new();
        match (mark, self.0) {
            (Mark::Bad, false) => style.add_modifier(Modifier::BOLD),
            (Mark::None, _) | (_, false) => style,
            (Mark::Good, true) => style.fg(Color::Green),
            (Mark::Notable, true) => style.fg(Color::Yellow),
            (Mark::Bad, true) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn accent(self) -> Style {
        if self.0 { Style::new().fg(Color::Cyan) } else { Style::new() }
    }
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State, colours: Colours) {
    let [head, spark, tabs, body, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, state);
    draw_rate(frame, spark, state, colours);
    draw_tabs(frame, tabs, state);
    draw_body(frame, body, state, colours);
    draw_foot(frame, foot, state, colours);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let lines = match &state.snapshot {
        Some(snapshot) => {
            let node = &snapshot.node;
            let took = snapshot.took_us / 1000;
            let title = format!(
                "{}  process {}  up {}  (snapshot in {took} ms)",
                plain(&node.name),
                node.pid,
                time(node.uptime_ms)
            );
            vec![
                Line::styled(title, Style::new().add_modifier(Modifier::BOLD)),
                Line::raw(tables::head(snapshot)),
            ]
        }
        None if state.target.is_none() => vec![Line::raw("choose a node, and press Enter")],
        None => vec![Line::raw("asking the node")],
    };
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_rate(frame: &mut Frame<'_>, area: Rect, state: &State, colours: Colours) {
    let [label, spark] =
        Layout::horizontal([Constraint::Length(18), Constraint::Fill(1)]).areas(area);
    let text = format!("handled {}/s", count(state.rates.all));
    frame.render_widget(Paragraph::new(text), label);
    let shown = state.history.len().min(usize::from(spark.width));
    let newest = state.history.iter().skip(state.history.len() - shown).copied();
    let values: Vec<u64> = newest.collect();
    frame.render_widget(Sparkline::default().data(values).style(colours.accent()), spark);
}

fn draw_tabs(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let titles = Tab::ALL.iter().zip(1..).flat_map(|(tab, number)| {
        let title = format!(" {number} {} ", tab.title());
        let style = match *tab == state.tab {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        [Span::styled(title, style), Span::raw(" ")]
    });
    frame.render_widget(Line::from_iter(titles), area);
}

fn draw_body(frame: &mut Frame<'_>, area: Rect, state: &mut State, colours: Colours) {
    let fill = Constraint::Fill;
    let length = Constraint::Length;
    if state.tab == Tab::Nodes {
        let rows = tables::nodes(&state.nodes);
        state.row = state.row.min(rows.len().saturating_sub(1));
        let widths = [fill(2), length(8), length(7), fill(3)];
        let chosen = Some(state.row);
        return draw_table(frame, area, (&tables::NODES, &widths), (rows, chosen, 0), colours);
    }
    let Some(snapshot) = &state.snapshot else { return };
    let (rates, filter) = (&state.rates, state.filter.as_str());
    // 80 columns have to do.
    let actors =
        [length(6), fill(3), fill(4), length(9), length(9), length(5), length(7), length(5), length(8)];
    let tree = [fill(1), length(9), length(11), length(8)];
    let groups = [fill(2), fill(1), length(6), length(9)];
    let peers =
        [fill(3), length(12), length(6), length(12), length(12), length(9), length(6), fill(2)];
    let losses = [length(15), fill(1), length(12)];
    let (titles, widths, rows): (&[&str], &[Constraint], _) = match state.tab {
        Tab::Actors => (&tables::ACTORS, &actors, tables::actors(snapshot, rates)),
        Tab::Tree => (&tables::TREE, &tree, tables::tree(snapshot, filter)),
        Tab::Groups => (&tables::GROUPS, &groups, tables::groups(snapshot, filter)),
        Tab::Peers => (&tables::PEERS, &peers, tables::peers(snapshot, rates, filter)),
        Tab::Losses => (&tables::LOSSES, &losses, tables::losses(snapshot, filter)),
        Tab::Nodes => return,
    };
    state.row = state.row.min(rows.len().saturating_sub(1));
    draw_table(frame, area, (titles, widths), (rows, None, state.row), colours);
}

fn draw_table(
    frame: &mut Frame<'_>,
    area: Rect,
    (titles, widths): (&[&str], &[Constraint]),
    (rows, chosen, first): (Vec<Row>, Option<usize>, usize),
    colours: Colours,
) {
    let row = |(index, row): (usize, Row)| {
        let mut style = colours.of(row.mark);
        if chosen == Some(index) {
            style = style.add_modifier(Modifier::REVERSED);
        }
        ratatui::widgets::Row::new(row.cells).style(style)
    };
    // Those that are not on the screen need no widgets.
    let shown = rows.into_iter().enumerate().skip(first).take(usize::from(area.height));
    let head = ratatui::widgets::Row::new(titles.iter().copied())
        .style(Style::new().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(shown.map(row), widths.iter().copied()).header(head), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, state: &State, colours: Colours) {
    let line = if let Some(error) = &state.error {
        Line::styled(plain(error), colours.of(Mark::Bad))
    } else if state.types {
        Line::raw(format!("filter: {}_  (Enter keeps it, Esc clears it)", state.filter))
    } else {
        let filter = match state.filter.is_empty() {
            true => String::new(),
            false => format!("  [{}]", state.filter),
        };
        let order = state.order.word();
        Line::raw(format!("q quit  1-6 tabs  / filter  s sort: {order}  arrows scroll{filter}"))
    };
    frame.render_widget(line, area);
}

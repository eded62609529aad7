//! The screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, Table};

use super::state::{State, Tab};
use super::tables::{self, Mark, Row};
use super::text::{count, plain, time};
use crate::colour;

/// Whether colours may be used (`NO_COLOR`). What they say is said by words too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colours(pub(super) bool);

impl Colours {
    /// As the environment has it.
    pub(super) fn of_environment() -> Self {
        Self(colour::are_wanted())
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

/// A screen of fewer columns leaves out some of each table.
const NARROW: u16 = 72;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State, colours: Colours) {
    let head_lines = head(state, frame.area().width);
    let [head, spark, tabs, body, foot] = Layout::vertical([
        Constraint::Length(head_lines.len() as u16),
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines), head);
    draw_rate(frame, spark, state, colours);
    draw_tabs(frame, tabs, state);
    draw_body(frame, body, state, colours);
    draw_foot(frame, foot, state, colours);
}

/// The lines at the top. What does not fit beside the sums of the actors stands below them.
fn head(state: &State, width: u16) -> Vec<Line<'static>> {
    let Some(snapshot) = &state.snapshot else {
        let words = match state.watched {
            None => "choose a node, and press Enter",
            Some(_) => "asking the node",
        };
        return vec![Line::raw(words), Line::raw("")];
    };
    let node = &snapshot.node;
    let took = snapshot.took_us / 1000;
    let title = format!(
        "{}  process {}  up {}  (snapshot in {took} ms)",
        plain(&node.name),
        node.pid,
        time(node.uptime_ms)
    );
    let mut lines = vec![Line::styled(title, Style::new().add_modifier(Modifier::BOLD))];
    let [actors, peers] = tables::head(snapshot);
    let both = format!("{actors}; {peers}");
    if both.chars().count() <= usize::from(width) {
        lines.push(Line::raw(both));
    } else {
        lines.extend([Line::raw(actors), Line::raw(peers)]);
    }
    lines
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
        let columns = Columns {
            titles: &tables::NODES,
            widths: &[fill(1), length(8), length(7), fill(1)],
            only_wide: &[3],
        };
        return draw_table(frame, area, columns, (rows, Some(state.row), 0), colours);
    }
    let Some(snapshot) = &state.snapshot else { return };
    let (rates, filter) = (&state.rates, state.filter.as_str());
    // 80 columns have to do.
    let actors = [
        length(6),
        fill(3),
        fill(4),
        length(9),
        length(9),
        length(5),
        length(7),
        length(5),
        length(8),
    ];
    let tree = [fill(1), length(9), length(11), length(8)];
    let groups = [fill(2), fill(1), length(6), length(9)];
    // On less the names of peers go before where they are, and before their backlog.
    let more = if area.width < 76 { length(0) } else { length(8) };
    let peers = [fill(1), more, length(5), length(10), length(10), more, length(6), length(14)];
    let losses = [length(15), fill(1), length(12)];
    let (titles, widths, only_wide, rows): (&[&str], &[Constraint], &[usize], _) = match state.tab {
        Tab::Actors => (&tables::ACTORS, &actors, &[3, 5], tables::actors(snapshot, rates)),
        Tab::Tree => (&tables::TREE, &tree, &[], tables::tree(snapshot, filter)),
        Tab::Groups => (&tables::GROUPS, &groups, &[], tables::groups(snapshot, filter)),
        Tab::Peers => (&tables::PEERS, &peers, &[1, 5, 6], tables::peers(snapshot, rates, filter)),
        Tab::Losses => (&tables::LOSSES, &losses, &[], tables::losses(snapshot, filter)),
        Tab::Nodes => return,
    };
    state.row = state.row.min(rows.len().saturating_sub(1));
    let columns = Columns { titles, widths, only_wide };
    draw_table(frame, area, columns, (rows, None, state.row), colours);
}

/// The columns of a table.
struct Columns<'a> {
    titles: &'a [&'a str],
    widths: &'a [Constraint],
    /// The numbers of those that a narrow screen leaves out.
    only_wide: &'a [usize],
}

impl Columns<'_> {
    /// Those of `cells`, one for each column, that a screen of this width shows.
    fn shown<T>(&self, width: u16, cells: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let shows = move |number: usize| width >= NARROW || !self.only_wide.contains(&number);
        cells
            .into_iter()
            .enumerate()
            .filter_map(move |(number, cell)| shows(number).then_some(cell))
    }
}

fn draw_table(
    frame: &mut Frame<'_>,
    area: Rect,
    columns: Columns<'_>,
    (rows, chosen, first): (Vec<Row>, Option<usize>, usize),
    colours: Colours,
) {
    let row = |(index, row): (usize, Row)| {
        let mut style = colours.of(row.mark);
        if chosen == Some(index) {
            style = style.add_modifier(Modifier::REVERSED);
        }
        ratatui::widgets::Row::new(columns.shown(area.width, row.cells)).style(style)
    };
    // Those that are not on the screen need no widgets.
    let shown = rows.into_iter().enumerate().skip(first).take(usize::from(area.height));
    let titles = columns.shown(area.width, columns.titles.iter().copied());
    let head =
        ratatui::widgets::Row::new(titles).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let widths = columns.shown(area.width, columns.widths.iter().copied());
    frame.render_widget(Table::new(shown.map(row), widths).header(head), area);
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use mycelium_ext::view::Snapshot;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::super::Order;
    use super::*;

    fn snapshot(handled: u64, acknowledged: u64) -> Snapshot {
        let json = serde_json::json!({
            "node": {"name": "feed@h", "pid": 7, "addresses": [], "uptime_ms": 61_000},
            "taken_ms": 0, "took_us": 900,
            "totals": {"actors": 2, "handling": 1, "waiting": 3, "handled": handled, "lost": 0},
            "actors": [
                {"id": 1, "name": "book\u{1b}[2J", "actor_type": "app::Book", "status": "Running",
                 "parent": null, "waiting": 3, "capacity": 8, "high_water": 4, "handled": handled,
                 "events": 0, "handling_ms": 61_000, "lost": 0},
                {"id": 2, "name": null, "actor_type": "app::Page", "status": "Running",
                 "parent": 1, "waiting": 0, "capacity": null, "high_water": 0, "handled": 0,
                 "events": 0, "handling_ms": null, "lost": 0},
            ],
            "groups": [{"scope": "s", "group": "readers", "local": 1, "remote": 2}],
            "peers": [{"node_id": 1, "name": "archive@h", "number": null, "release": "0.1",
                "locality": "remote",
                "links": [
                    {"kind": "tcp", "peer": "p", "local": "l", "active": true, "sent_bytes": 2048,
                     "round_trip": {"latest_ns": 9, "smoothed_ns": 12_345_678, "smallest_ns": 8,
                        "answered": 2}},
                    // As a node shows it that does not measure it.
                    {"kind": "unix", "peer": "q", "local": "l", "active": false, "sent_bytes": 0},
                ],
                "session": {"sent": 5, "received": 0, "dead_letters": 0, "frames": 10,
                    "acknowledged": acknowledged, "kept": 2, "kept_bytes": 10, "unsent_bytes": 0,
                    "window_bytes": 100, "calls": 0, "answering": 0}}],
            "arena": null,
            "dead_letters": [{"cause": "full", "count": 3}],
            "refusals": [],
        });
        serde_json::from_value(json).expect("a snapshot")
    }

    fn screen(
        state: &mut State,
        (width, height): (u16, u16),
        colours: bool,
    ) -> (String, Vec<Color>) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
        terminal.draw(|frame| draw(frame, state, Colours(colours))).expect("it is drawn");
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content.chunks(usize::from(width)).map(|line| {
            let text: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
            text.trim_end().to_owned() + "\n"
        });
        (lines.collect(), buffer.content.iter().map(|cell| cell.fg).collect())
    }

    fn shown() -> State {
        let mut state = State::new(None, Order::Handling, String::new());
        let begin = Instant::now();
        state.take(Ok(snapshot(100, 8)), begin);
        state.take(Ok(snapshot(300, 8)), begin + Duration::from_secs(2));
        state.show(Tab::Actors);
        state
    }

    #[test]
    fn actors_are_shown_with_their_rates_in_three_sizes() {
        for size in [(80, 24), (60, 12), (160, 50)] {
            let (text, colours) = screen(&mut shown(), size, true);
            assert!(text.contains("feed@h  process 7  up 1m01s"), "{text}");
            assert!(text.contains("2 actors, 1 handling, 3 waiting, 0 lost; 1 peer"), "{text}");
            assert!(text.contains("handled 100/s"), "{text}");
            assert!(text.contains("3/8") && text.contains("1m01s"), "{text}");
            assert!(colours.contains(&Color::Red), "a handler that runs for long is red");
            assert!(!text.contains('\u{1b}'), "names do not change the terminal: {text:?}");
        }
        let (narrow, _) = screen(&mut shown(), (60, 12), true);
        assert!(narrow.contains("book?[2J") && narrow.contains("Page"), "{narrow}");
        let (wide, _) = screen(&mut shown(), (160, 50), true);
        assert!(wide.contains("book?[2J") && wide.contains("Page"), "{wide}");
    }

    #[test]
    fn a_head_that_is_too_long_takes_a_line_more() {
        let mut state = shown();
        let mut snapshot = snapshot(300, 8);
        let arena = serde_json::json!({"size": 1 << 28, "used": 0, "links": 1, "leases": 0,
            "lent": 0});
        snapshot.arena = Some(serde_json::from_value(arena).expect("an arena"));
        state.take(Ok(snapshot), Instant::now());
        let (narrow, _) = screen(&mut state, (60, 12), true);
        assert!(narrow.contains("\n1 peer, arena 0 B of 256.0 MiB, 0 leases\n"), "{narrow}");
        let (wide, _) = screen(&mut state, (120, 12), true);
        assert!(wide.contains("0 lost; 1 peer, arena 0 B of 256.0 MiB, 0 leases\n"), "{wide}");
    }

    #[test]
    fn the_arena_shows_what_was_passed_on_and_what_could_not_be_mapped() {
        let mut state = shown();
        for (relayed, unmapped, text) in [
            (2, 0, "1 peer, arena 4.0 KiB of 256.0 MiB, 3 leases, 2 passed on\n"),
            (0, 1, "1 peer, arena 4.0 KiB of 256.0 MiB, 3 leases, 1 not mapped\n"),
        ] {
            let mut snapshot = snapshot(300, 8);
            let arena = serde_json::json!({"size": 1 << 28, "used": 4096, "links": 1, "leases": 3,
                "lent": 9, "relayed": relayed, "unmapped": unmapped});
            snapshot.arena = Some(serde_json::from_value(arena).expect("an arena"));
            state.take(Ok(snapshot), Instant::now());
            let (screen, _) = screen(&mut state, (160, 12), true);
            assert!(screen.contains(text), "{screen}");
        }
    }

    #[test]
    fn a_reader_of_a_connection_that_waits_is_not_red() {
        let mut state = shown();
        let mut snapshot = snapshot(300, 8);
        snapshot.actors[0].actor_type = "ractor_cluster::net::session::SessionReader".into();
        state.take(Ok(snapshot), Instant::now());
        let (text, colours) = screen(&mut state, (80, 24), true);
        assert!(text.contains("SessionReader") && text.contains("1m01s"), "{text}");
        assert!(!colours.contains(&Color::Red), "{text}");
    }

    #[test]
    fn a_narrow_screen_has_room_for_the_names_of_peers() {
        let mut state = shown();
        state.show(Tab::Peers);
        let (text, _) = screen(&mut state, (60, 12), true);
        assert!(text.contains("archive@h") && text.contains("ok, 2 kept"), "{text}");
        assert!(!text.contains("backlog"), "{text}");
        assert!(screen(&mut state, (80, 12), true).0.contains("backlog"));
    }

    #[test]
    fn without_colours_there_are_none() {
        let mut state = shown();
        for tab in Tab::ALL {
            state.show(tab);
            let (_, colours) = screen(&mut state, (80, 24), false);
            assert!(colours.iter().all(|colour| *colour == Color::Reset), "{tab:?}");
        }
    }

    #[test]
    fn a_balance_is_green_and_what_is_missing_red() {
        let mut state = shown();
        state.show(Tab::Peers);
        let (text, colours) = screen(&mut state, (80, 24), true);
        assert!(text.contains("archive@h") && text.contains("ok, 2 kept"), "{text}");
        let link = |to: &str| text.lines().find(|line| line.trim().starts_with(to)).expect("it");
        assert!(link("* p ").contains("rtt 12.3ms") && !link("q ").contains("rtt"), "{text}");
        let (narrow, _) = screen(&mut state, (60, 15), true);
        assert!(narrow.contains("archive@") && narrow.contains("ok, 2 kept"), "{narrow}");
        assert!(narrow.contains(" rtt 12.3ms\n"), "{narrow}");
        assert!(colours.contains(&Color::Green) && !colours.contains(&Color::Red));
        state.take(Ok(snapshot(300, 7)), Instant::now());
        let (text, colours) = screen(&mut state, (80, 24), true);
        assert!(text.contains("1 MISSING"), "{text}");
        assert!(colours.contains(&Color::Red) && !colours.contains(&Color::Green));
    }

    #[test]
    fn keys_lead_through_all_of_it() {
        let mut state = shown();
        let press = |state: &mut State, code: KeyCode| state.press(code.into());
        press(&mut state, KeyCode::Char('2'));
        let (text, _) = screen(&mut state, (80, 24), true);
        assert!(text.contains("\n  2 Page"), "a child stands below its parent: {text}");
        press(&mut state, KeyCode::Tab);
        assert!(screen(&mut state, (80, 24), true).0.contains("readers"));
        press(&mut state, KeyCode::Char('5'));
        assert!(screen(&mut state, (80, 24), true).0.contains("dead letter"));
        press(&mut state, KeyCode::Char('1'));
        assert!(press(&mut state, KeyCode::Char('s')), "another order is asked for");
        assert!(screen(&mut state, (80, 24), true).0.contains("sort: waiting"));
        for key in ['/', 'q', 's'] {
            press(&mut state, KeyCode::Char(key));
        }
        assert_eq!((state.filter.as_str(), state.ends), ("qs", false));
        assert!(screen(&mut state, (80, 24), true).0.contains("filter: qs_"));
        press(&mut state, KeyCode::Esc);
        assert_eq!(state.filter, "");
        press(&mut state, KeyCode::Char('q'));
        assert!(state.ends);
    }
}

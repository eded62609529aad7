//! The plan of a run: the readers of each place, and what is replayed to which of them.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::figures;
use super::rivals::Rival;
use super::tick::FIXED_BYTES;

/// The process group of all readers.
pub(crate) const GROUP: &str = "mycelium-demo readers";

/// The process group of the feed, where readers find whom to acknowledge to.
pub(crate) const FEED_GROUP: &str = "mycelium-demo feed";

/// The process group of the readers at a place.
pub(crate) fn group_at(place: &str) -> String {
    format!("mycelium-demo at {place}")
}

const READER: &str = "mycelium-demo reader ";

/// The name of a reader, which its proxies carry too.
pub(crate) fn reader_name(place: &str, index: usize) -> String {
    format!("{READER}{index} at {place}")
}

/// The place and the index there that a reader's name tells.
pub(crate) fn parse_reader_name(name: &str) -> Option<(&str, usize)> {
    let (index, place) = name.strip_prefix(READER)?.split_once(" at ")?;
    Some((place, index.parse().ok()?))
}

/// Readers at a place, before they are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seats {
    pub(crate) place: String,
    pub(crate) peer: Option<String>,
    pub(crate) readers: usize,
    pub(crate) same_clock: bool,
    pub(crate) rival: Option<Rival>,
}

/// Where readers are that share a process: a column of each table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// The full name of their node; `None` when they are in the feed's process.
    pub(crate) peer: Option<String>,
    /// Their numbers.
    pub(crate) readers: Range<usize>,
    /// Whether their clock is the feed's: that of this machine.
    pub(crate) same_clock: bool,
    /// What gets ticks to them, if it is not the fork.
    pub(crate) rival: Option<Rival>,
}

/// All readers of a run, numbered from 0, place after place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    places: Vec<Place>,
    numbers: HashMap<String, usize>,
}

impl Plan {
    /// Numbers the readers of each place, whose indices there are from 0. Rivals come last.
    pub(crate) fn new(seats: impl IntoIterator<Item = Seats>) -> Self {
        let mut plan = Self::default();
        for Seats { place: name, peer, readers, same_clock, rival } in seats {
            let first = plan.readers().end;
            for index in 0..readers {
                plan.numbers.insert(reader_name(&name, index), first + index);
            }
            let readers = first..first + readers;
            plan.places.push(Place { name, peer, readers, same_clock, rival });
        }
        plan
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The numbers of all readers.
    pub(crate) fn readers(&self) -> Range<usize> {
        0..self.places.last().map_or(0, |place| place.readers.end)
    }

    /// The numbers of the readers that the fork gets ticks to.
    pub(crate) fn own_readers(&self) -> Range<usize> {
        let mut own = self.places.iter().filter(|place| place.rival.is_none());
        0..own.next_back().map_or(0, |place| place.readers.end)
    }

    /// The place of a reader.
    pub(crate) fn place_of(&self, reader: usize) -> Option<&Place> {
        self.places.iter().find(|place| place.readers.contains(&reader))
    }

    /// The number of the reader of this name.
    pub(crate) fn number_of(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The process group that the ticks of a replay go to.
    pub(crate) fn group(&self, kind: Kind) -> String {
        match kind {
            Kind::Alone(place) | Kind::PacedAlone(place) => group_at(&self.places[place].name),
            Kind::WarmUp | Kind::Together | Kind::Paced => GROUP.to_owned(),
        }
    }

    /// Who takes part in a replay.
    pub(crate) fn part(&self, kind: Kind) -> Range<usize> {
        match kind {
            Kind::Alone(place) | Kind::PacedAlone(place) => self.places[place].readers.clone(),
            Kind::WarmUp | Kind::Together | Kind::Paced => self.own_readers(),
        }
    }

    /// What gets the ticks of a replay to its readers, if it is not the fork.
    pub(crate) fn rival(&self, kind: Kind) -> Option<Rival> {
        match kind {
            Kind::Alone(place) | Kind::PacedAlone(place) => self.places[place].rival,
            Kind::WarmUp | Kind::Together | Kind::Paced => None,
        }
    }

    /// All replays of ticks with so much payload, in order.
    ///
    /// Rivals never take part in what goes to all. A plan that has some is warmed up first, and has
    /// each place replayed to alone at recorded pace too, so that figures can be compared.
    pub(crate) fn rounds(
        &self,
        flat_out: &Range<usize>,
        paced: &Range<usize>,
        payload: usize,
    ) -> Vec<Round> {
        let places = 0..self.places.len();
        let has_rivals = self.places.iter().any(|place| place.rival.is_some());
        let apart = if has_rivals { places.clone() } else { 0..0 };
        let flat_out_kinds = places.map(Kind::Alone).chain([Kind::Together]);
        let paced_kinds = apart.map(Kind::PacedAlone).chain([Kind::Paced]);
        let warm_up = 0..flat_out.end.min(WARM_UP_TICKS);
        let warm_ups = has_rivals.then_some((Kind::WarmUp, &warm_up));
        let all = warm_ups
            .into_iter()
            .chain(flat_out_kinds.map(|kind| (kind, flat_out)))
            .chain(paced_kinds.map(|kind| (kind, paced)));
        let round = |(kind, trades): (Kind, &Range<usize>)| Round {
            kind,
            title: self.title(kind, payload),
            trades: trades.clone(),
            payload,
        };
        all.map(round).collect()
    }

    fn title(&self, kind: Kind, payload: usize) -> String {
        let title = match kind {
            Kind::Alone(place) => format!("flat out, {} alone", self.places[place].name),
            Kind::WarmUp => "warming up".to_owned(),
            Kind::Together => "flat out, all at once".to_owned(),
            Kind::PacedAlone(place) => format!("recorded pace, {} alone", self.places[place].name),
            Kind::Paced => "recorded pace, all at once".to_owned(),
        };
        format!("{title}, {} bytes a tick", figures::count((FIXED_BYTES + payload) as u64))
    }
}

/// Ticks of a replay that warms up.
const WARM_UP_TICKS: usize = 32;

/// How a replay goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A few ticks to all but rivals, which no figure is made of: the first ticks of a size pay for
    /// memory that the next ones find.
    WarmUp,
    /// As fast as it goes, to the readers of one place.
    Alone(usize),
    /// As fast as it goes, to all but rivals.
    Together,
    /// To the readers of one place, as it was recorded.
    PacedAlone(usize),
    /// To all but rivals, as it was recorded.
    Paced,
}

impl Kind {
    /// Whether ticks are sent as they were recorded.
    pub(crate) fn is_paced(self) -> bool {
        matches!(self, Self::PacedAlone(_) | Self::Paced)
    }
}

/// One replay: which trades go to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) kind: Kind,
    /// What people call it.
    pub(crate) title: String,
    /// Indices of the trades.
    pub(crate) trades: Range<usize>,
    /// Bytes of payload of each tick.
    pub(crate) payload: usize,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let seats = |place: &str, readers| Seats {
            place: place.to_owned(),
            peer: None,
            readers,
            same_clock: true,
            rival: None,
        };
        Plan::new([seats("a@h", 2), seats("b at c", 3)])
    }

    #[test]
    fn readers_have_names_numbers_and_places() {
        let plan = plan();
        assert_eq!(plan.readers(), 0..5);
        for (name, index, number) in [("a@h", 0, 0), ("a@h", 1, 1), ("b at c", 0, 2)] {
            let reader = reader_name(name, index);
            assert_eq!(parse_reader_name(&reader), Some((name, index)));
            assert_eq!(plan.number_of(&reader), Some(number));
            assert_eq!(plan.place_of(number).map(|place| place.name.as_str()), Some(name));
        }
        assert_eq!(plan.number_of(&reader_name("a@h", 2)), None);
        assert_eq!(plan.place_of(5), None);
        assert_eq!(parse_reader_name("somebody"), None);
    }

    #[test]
    fn every_place_is_replayed_to_alone_and_with_the_others() {
        let plan = plan();
        let rounds = plan.rounds(&(0..5), &(1..2), 0);
        for reader in plan.readers() {
            let count =
                rounds.iter().filter(|round| plan.part(round.kind).contains(&reader)).count();
            assert_eq!(count, 3, "reader {reader}");
        }
        assert_eq!(rounds.last().map(|round| round.trades.clone()), Some(1..2));
        assert_eq!(rounds[1].to_string(), "flat out, b at c alone, 700 bytes a tick");
        assert_ne!(plan.group(rounds[0].kind), plan.group(rounds[1].kind));
    }

    #[test]
    fn rivals_are_replayed_to_alone_and_never_with_others() {
        let own = Seats {
            place: "here".to_owned(),
            peer: None,
            readers: 2,
            same_clock: true,
            rival: None,
        };
        let rival = Seats { rival: Some(Rival::Queue), place: "queue".to_owned(), ..own.clone() };
        let plan = Plan::new([own, rival]);
        assert_eq!(plan.own_readers(), 0..2);
        let rounds = plan.rounds(&(0..5), &(1..2), 4096);
        let of_rival: Vec<Kind> = rounds
            .iter()
            .map(|round| round.kind)
            .filter(|it| plan.part(*it).contains(&3))
            .collect();
        assert_eq!(of_rival, [Kind::Alone(1), Kind::PacedAlone(1)]);
        assert!(of_rival.iter().all(|kind| plan.rival(*kind) == Some(Rival::Queue)));
        assert_eq!(plan.rival(Kind::Together), None);
        assert!(rounds.iter().all(|round| round.payload == 4096));
    }
}
